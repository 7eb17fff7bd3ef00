// Running a batch: one transaction, and where it fails, taken apart until the culprit stands alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Change, forNames, namesOf, splitNames } from '../changes/change.ts';
import { batchSql, batchStatements } from './batch-sql.ts';
import { classify } from './failures.ts';
import { isTimeout, mayEndFor } from './insist.ts';
import { namingLedgerLocks } from './ledger-locks.ts';
import { lockedRelations } from './locked.ts';
import { HURRIED } from './lock-patience.ts';
import type { ApplyContext, Place, Run, NewVerifiers } from './run.ts';
import { failAll, failAlone, skips } from './run-failure.ts';

/** Sends a batch to the admin database, with what is remembered of it in the same transaction. */
export const inAdminDatabase = (context: ApplyContext, verifiers: NewVerifiers = new Map()): Place => ({
  send: (batch, lockTimeout) => {
    // Written before a session is taken: what cannot be written costs none.
    const text = batchSql(batch, verifiers, { ...context, lockTimeout });
    return context.connections.withAdmin((client) => namingLedgerLocks(client, () => client.query(text)));
  },
  locked: () => context.connections.withAdmin((client) => lockedRelations(client, context.render.major)),
});

/** How a batch is tried. */
interface Try {
  readonly attempt: number;
  /** A part of a batch that has waited for a lock already: it only tries. */
  readonly isHurried: boolean;
}

/**
 * Runs a batch; its outcomes go into the run.
 * @throws when the session breaks, the server is read-only or the writer's lock is lost.
 */
export async function runBatch(
  run: Run,
  batch: readonly Change[],
  place: Place,
  verifiers: NewVerifiers = new Map(),
  { attempt, isHurried }: Try = { attempt: 1, isHurried: false },
): Promise<void> {
  const { context, patience } = run;
  context.signal.throwIfAborted();
  context.onProgress();
  const left = batch.filter((change) => !skips(run, change));
  if (left.length === 0) return;
  const ready = left.length === batch.length ? batch : left;
  const began = performance.now();
  try {
    await place.send(ready, isHurried ? Math.min(HURRIED, patience.lockTimeout) : patience.lockTimeout);
    for (const change of ready)
      run.outcomes.push({ change, result: 'applied', witness: change.kind === 'set_password' ? verifiers.get(change.role)?.witness : undefined });
  } catch (error) {
    const failure = classify(error);
    if (context.signal.aborted || failure === 'connection' || failure === 'readonly' || failure === 'fenced') throw error;
    if (failure === 'retry') patience.waited(performance.now() - began);
    const isWait = isTimeout(error);
    // A lock or statement timeout is not repeated with the whole batch: it would hold everybody up once more.
    if (failure === 'retry' && !isWait && attempt < (isHurried ? 2 : 4) && patience.lasts) {
      await sleep(50 * 2 ** attempt * (0.5 + Math.random()), undefined, { signal: context.signal });
      return runBatch(run, ready, place, verifiers, { attempt: attempt + 1, isHurried });
    }
    const hurried = { attempt: 1, isHurried: isHurried || failure === 'retry' };
    if (isWait && !isHurried) {
      const rest = await withoutLocked(run, ready, place, error);
      if (rest !== ready) return runBatch(run, rest, place, verifiers, hurried);
    }
    const halves = halved(ready);
    if (halves === undefined) return failAlone(run, ready[0] as Change, error, () => batchStatements(ready, verifiers, context), verifiers);
    // What concerns roles is found in any case: it may be the one for which others are ended.
    if (failure === 'retry' && !patience.lasts && !ready.some((change) => mayEndFor(change, context) !== undefined)) return failAll(run, ready, failure, error);
    for (const half of halves) await runBatch(run, half, place, verifiers, hurried);
  }
}

/** What is left of a batch that waited in vain without the tables that are locked, which fail at once. The same batch where none is. */
async function withoutLocked(run: Run, batch: readonly Change[], place: Place, error: unknown): Promise<readonly Change[]> {
  if (batch.every((change) => namesOf(change).length === 0)) return batch;
  // Where it cannot be asked, the batch is taken apart.
  const locked = await place.locked().catch(() => undefined);
  if (locked === undefined) return batch;
  const parts = batch.map((change) => splitNames(change, (name) => 'on' in change && 'names' in change.on && locked.has(change.on, name)));
  const inside = parts.flatMap((part) => part.inside ?? []);
  if (inside.length === 0) return batch;
  await failAll(run, inside, 'retry', error, locked.holders);
  return parts.flatMap((part) => part.outside ?? []);
}

/** Two batches of half the size: of changes, and for one change of the objects that it names. Undefined for what stands alone. */
function halved(batch: readonly Change[]): readonly (readonly Change[])[] | undefined {
  const [only] = batch;
  if (only === undefined) return undefined;
  const whole = batch.length > 1 ? batch : namesOf(only);
  if (whole.length < 2) return undefined;
  const middle = Math.ceil(whole.length / 2);
  if (batch.length > 1) return [batch.slice(0, middle), batch.slice(middle)];
  return [[forNames(only, namesOf(only).slice(0, middle))], [forNames(only, namesOf(only).slice(middle))]];
}
