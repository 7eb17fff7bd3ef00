// What the file of a saved plan holds, as it is read again: it may be damaged, merged or edited.
import { z } from 'zod';
import { CHANGE_KINDS } from '../changes/table.ts';
import { NOTICE_KINDS } from '../changes/notice.ts';
import { OBJECT_KINDS } from '../model/kinds.ts';

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
/** All of the file. */
export const SAVED_PLAN = z.object({
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
