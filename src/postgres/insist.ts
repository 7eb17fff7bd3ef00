// Insisting: what takes access away or replaces a password does not wait for transactions of those whom it concerns; they are ended.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Change, subjectOf } from '../changes/change.ts';
import { definitionOf } from '../changes/table.ts';
import { blockersOf, type EndContext, endHolder, type Holder } from './blockers.ts';
import { query } from './query.ts';
import { beginSql } from './transaction.ts';

export interface Endable {
  /** Whose transactions may be ended where they keep a change waiting (plan/removal/drain.ts). */
  readonly endable: ReadonlySet<string>;
  /** Users that are dropped as soon as that can be: nobody works as them any more. */
  readonly leaving: ReadonlySet<string>;
}

/**
 * Whose transactions are ended for a change, where they are in its way; undefined for a change that waits like anybody's. With the objects
 * that a leaving user owns others may be at work; those who leave as well are not, and could keep each other here.
 */
export function mayEndFor(change: Change, { endable, leaving }: Endable): ((role: string) => boolean) | undefined {
  const { endsHolders } = definitionOf(change);
  if (endsHolders === undefined) return undefined;
  if (endsHolders === 'any') return (role) => endable.has(role);
  return (role) => (role === subjectOf(change) || leaving.has(role)) && endable.has(role);
}

/** How often it is looked who stands in the way. */
const LOOK_MS = 100;

/** Attempts, as long as each finds somebody more to end: a user may have many sessions that wait for the same lock. */
const ATTEMPTS = 5;

export interface Insisted {
  /** What the server answered at last; undefined where it is done. */
  readonly error?: unknown;
  readonly ended: readonly Holder[];
  /** Those whom we may not end. */
  readonly left: readonly Holder[];
}

/**
 * Runs the statements of one transaction, and meanwhile ends who keeps it waiting. It stands in the queue for the lock while it does so:
 * whoever logs in again and asks for the same lock comes after it.
 * @param statements what stands between BEGIN and COMMIT.
 */
export async function insist(statements: readonly string[], database: string, mayEnd: (role: string) => boolean, context: EndContext): Promise<Insisted> {
  const ended: Holder[] = [];
  for (let attempt = 1; ; attempt += 1) {
    const result = await attemptOnce(statements, database, mayEnd, context);
    ended.push(...result.ended);
    if (!isTimeout(result.error) || result.ended.length === 0 || attempt === ATTEMPTS) return { ...result, ended };
  }
}

/** A lock timeout, and a statement timeout where that is the shorter one. */
export const isTimeout = (error: unknown): boolean => ['55P03', '57014'].includes((error as { code?: string } | undefined)?.code ?? '');

async function attemptOnce(statements: readonly string[], database: string, mayEnd: (role: string) => boolean, context: EndContext): Promise<Insisted> {
  const ended: Holder[] = [];
  const left = new Map<string, Holder>();
  const worker = await context.connections.open(database);
  try {
    const watcher = await context.connections.open(context.adminDatabase);
    try {
      const pid = Number((await query(worker, `${beginSql(context)}; SELECT pg_catalog.pg_backend_pid()`)).at(-1)?.[0]?.[0]);
      const work: { error?: unknown; done: boolean } = { done: false };
      const running = worker
        .query([...statements, 'COMMIT'].join(';\n'))
        .catch((error: unknown) => {
          work.error = error;
        })
        .finally(() => {
          work.done = true;
        });
      const tried = new Set<string>();
      for (;;) {
        await Promise.race([running, sleep(LOOK_MS)]);
        if (work.done) break;
        for (const holder of await blockersOf(watcher, pid).catch(() => [])) {
          const key = `${holder.pid ?? ''} ${holder.gid ?? ''}`;
          if (tried.has(key)) continue;
          tried.add(key);
          if (mayEnd(holder.role) && (await endHolder(holder, context))) ended.push(holder);
          else left.set(key, holder);
        }
      }
      await running;
      return { error: work.error, ended, left: [...left.values()] };
    } finally {
      await watcher.end().catch(() => undefined);
    }
  } finally {
    await worker.end().catch(() => undefined);
  }
}
