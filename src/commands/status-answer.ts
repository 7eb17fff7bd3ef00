// The answer of /status, as a program reads it: what of it is said to people, and whether all is well by it.
import * as z from 'zod';

const text = z.string();
const maybe = <T extends z.ZodType>(type: T) => type.nullish();

/** Only what is used; an older or newer daemon says less or more. */
export const ANSWER = z.object({
  role: text,
  dryRun: z.boolean(),
  alive: maybe(z.boolean()),
  outage: maybe(z.object({ reason: maybe(text), message: text })),
  statusNotWritten: maybe(text),
  paused: z.boolean(),
  source: z.object({ description: text, inForce: maybe(text), lastSuccess: maybe(text), failure: maybe(z.object({ reason: text, message: text })) }),
  lastCycle: maybe(z.looseObject({ result: text, end: maybe(text), errors: z.number(), drift: z.number() })),
  lastConverged: maybe(text),
  audit: maybe(z.object({ head: text, revision: maybe(z.number()) })),
  users: z.number(),
  roles: z.number(),
  problems: z.array(z.object({ severity: text, message: text })),
  notices: z.array(z.object({ kind: text, subject: text, message: text, sql: maybe(text), sqlDatabase: maybe(text), sqlAs: maybe(text) })),
  leftOut: z.object({ problems: z.number(), notices: z.number() }),
});

export type StatusAnswer = z.infer<typeof ANSWER>;

/** undefined where it is no answer of a pgsteward. */
export const readAnswer = (body: unknown): StatusAnswer | undefined => ANSWER.safeParse(body).data;

/** What a cycle counts of what it does, or in a preview would do. */
const COUNTS = ['users_created', 'users_updated', 'users_deleted', 'roles_created', 'roles_deleted', 'grants', 'revokes', 'passwords', 'drift'] as const;

/** What the last cycle did or would do, by what it is called; none that is zero. */
export const countsOf = (cycle: Readonly<Record<string, unknown>>): readonly (readonly [name: string, count: number])[] =>
  COUNTS.flatMap((name) => {
    const count = cycle[name];
    return typeof count === 'number' && count > 0 ? [[name.replaceAll('_', ' '), count] as const] : [];
  });

export interface Verdict {
  /** 0: as declared; 2: it differs, or is behind; 1: something is wrong. */
  readonly code: 0 | 1 | 2;
  /** A sentence without a full stop. */
  readonly says: string;
}

/** Whether the server is as declared, as far as the daemon knows. */
export function verdictOf({ alive, outage, source, lastCycle, role, statusNotWritten }: StatusAnswer): Verdict {
  // What it says else was so when it last moved.
  if (alive === false) return { code: 1, says: 'the daemon has stood still for minutes, and what it says is old' };
  if (outage != null) return { code: 1, says: `nothing can be done: ${outage.message}` };
  if (source.failure != null) return { code: 1, says: `the document cannot be read, and what was in force stays: ${source.failure.message}` };
  if (role === 'standby') return { code: 2, says: 'this instance stands by; another one is the writer, and knows more' };
  if (lastCycle == null) return { code: 2, says: 'no cycle has ended yet' };
  if (lastCycle.result === 'failed') return { code: 1, says: 'the last cycle failed' };
  if (lastCycle.errors > 0) return { code: 1, says: `${lastCycle.errors} error(s) in the last cycle` };
  if (statusNotWritten != null) return { code: 1, says: `the status ConfigMap is old: ${statusNotWritten}` };
  if (lastCycle.result === 'converged' || lastCycle.result === 'changed') return { code: 0, says: 'the server is as declared' };
  if (lastCycle.result === 'waiting') return { code: 2, says: 'there is no document to follow yet' };
  if (lastCycle.result === 'dry_run' || lastCycle.result === 'paused')
    return countsOf(lastCycle).length === 0
      ? { code: 0, says: 'nothing to do' }
      : { code: 2, says: 'the server differs from the document, and nothing is written' };
  return { code: 2, says: 'not everything is as declared' };
}
