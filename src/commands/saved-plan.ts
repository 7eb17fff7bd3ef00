// A saved plan: the file of `plan --out`. It holds what is shown of the plan and what it holds for, and no password or verifier.
import { z } from 'zod';
import { CHANGE_KINDS } from '../changes/table.ts';
import { OBJECT_KINDS } from '../model/kinds.ts';
import { NOTICE_KINDS } from '../changes/notice.ts';
import { readRegularText, RefusedFile } from '../files/bounded-file.ts';
import { digestOf } from '../model/digest.ts';
import { writeOwnFile } from '../state/own-file.ts';
import { reasonOf } from './inputs.ts';
import { whyNotWritten } from './out-file.ts';
import type { Bound } from './plan-bound.ts';
import type { ScriptPart } from './plan-script.ts';
import type { PlanView } from './plan-view.ts';
import { UsageError } from './verb.ts';

export interface SavedPlan {
  readonly bound: Bound;
  readonly view: PlanView;
  readonly script: readonly ScriptPart[];
}

/** More is not read: 100,000 changes take 50 MB. */
const LARGEST = 256 * 1024 * 1024;

const text = z.string();
const texts = z.array(text).readonly();
const change = z.object({
  kind: z.enum(CHANGE_KINDS),
  loses: z.enum(['role', 'login', 'sessions', 'password', 'rights']).nullable(),
  role: text.nullable(),
  database: text.nullable(),
  object: text,
  sentence: text,
  names: texts,
  sql: texts,
});
const changes = z.array(change).readonly();
const notice = z.object({ kind: z.enum(NOTICE_KINDS), subject: text.nullable(), message: text, sql: text.nullable(), sqlDatabase: text.nullable() });
const problem = z.object({
  severity: z.enum(['error', 'warning']),
  file: text,
  within: text.exactOptional(),
  line: z.number(),
  column: z.number(),
  path: text,
  message: text,
  name: text.exactOptional(),
});
const server = z.object({
  host: text,
  port: z.number(),
  adminDatabase: text,
  login: text,
  major: z.number(),
  systemIdentifier: text.nullable(),
  readAt: text,
  // What is saved was read from the server itself.
  snapshot: z.null(),
});
const accessLines = z
  .array(
    z.object({
      role: text,
      database: text.nullable(),
      kind: z.enum(OBJECT_KINDS),
      schema: text,
      privileges: texts,
      names: texts,
      count: z.number(),
      all: z.boolean(),
      by: text,
      chain: texts,
    }),
  )
  .readonly();
const schema = z.object({
  format: z.literal('pgsteward plan'),
  version: z.literal(1),
  /** Of everything below. */
  digest: text,
  bound: z.object({
    server: text.nullable(),
    databases: z.array(z.tuple([text, z.number()])).readonly(),
    document: text,
    ledger: z.number().nullable(),
    remembered: text,
    effect: text,
  }),
  view: z.object({
    version: z.literal(1),
    result: z.enum(['as_declared', 'differs', 'error', 'refused']),
    server: server.nullable(),
    document: text,
    withSecrets: z.boolean(),
    changes,
    remembered: changes,
    waiting: changes,
    notices: z.array(notice).readonly(),
    problems: z.array(problem).readonly(),
    access: z.object({ gained: accessLines, lost: accessLines, unknown: texts }).exactOptional(),
  }),
  script: z
    .array(
      z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('note'), text }),
        z.object({ kind: z.literal('database'), name: text }),
        z.object({ kind: z.enum(['transaction', 'alone']), statements: texts }),
      ]),
    )
    .readonly(),
});

/** Writes the file, for our account alone. @throws UsageError where that is not to be had. */
export async function writeSavedPlan(path: string, { bound, view, script }: SavedPlan): Promise<void> {
  try {
    const held = { bound, view, script };
    await writeOwnFile(path, `${JSON.stringify({ format: 'pgsteward plan', version: 1, digest: heldDigest(held), ...held })}\n`);
  } catch (error) {
    throw new UsageError(`the plan cannot be saved as ${path}: ${whyNotWritten(error)}`);
  }
}

/**
 * Of what a file holds, and of nothing secret: it tells a file that was damaged, merged or edited, and not who wrote it. Whoever means to deceive makes it anew.
 */
const heldDigest = ({ bound, view, script }: Record<'bound' | 'view' | 'script', unknown>): string => digestOf([bound, view, script]);

/** @throws UsageError where the file holds no plan, or another one than was saved. */
export async function readSavedPlan(path: string): Promise<SavedPlan> {
  const found = await read(path);
  const parsed = schema.safeParse(found);
  if (parsed.success && heldDigest(found as SavedPlan) !== parsed.data.digest)
    throw new UsageError(`the plan ${path} was changed since it was saved; pgsteward plan --out FILE saves another`);
  if (!parsed.success) throw new UsageError(`the file ${path} is no plan that this version saved; pgsteward plan --out FILE saves one`);
  return parsed.data;
}

async function read(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readRegularText(path, LARGEST));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (error instanceof RefusedFile) throw new UsageError(`the plan ${path} ${error.message}`);
    throw new UsageError(`the plan ${path} cannot be read: ${reasonOf((error as NodeJS.ErrnoException).code)}`);
  }
}
