// A change that failed, or cannot work because another one did: what is recorded of it, and who is ended for it.
import { type Change, databaseKey, databaseOf, forNames, keyOf, namesOf, neededDatabase, rolesOf, sentenceOf, subjectOf } from '../changes/change.ts';
import { definitionOf } from '../changes/table.ts';
import { auditSql } from './audit-write.ts';
import { describeHolder, type Holder } from './blockers.ts';
import { classify, describeFailure, type FailureClass } from './failures.ts';
import { insist, isTimeout, mayEndFor } from './insist.ts';
import type { ApplyContext, Run, NewVerifiers } from './run.ts';
import { beginSql } from './transaction.ts';

/** Seconds. */
const INSISTS_AT_LEAST = 1;
/** Named in a message. */
const MOST_HOLDERS = 3;

/** Records a change that cannot work because something before it did not. */
export function skips(run: Run, change: Change): boolean {
  if (run.failed.size === 0) return false;
  const { removes } = definitionOf(change);
  // Whoever has to go loses the sessions, whatever else fails.
  const missing =
    (removes === 'at once' ? undefined : rolesOf(change).find((role) => run.failed.has(role))) ??
    (run.failed.has(databaseKey(neededDatabase(change))) ? `database ${neededDatabase(change)}` : undefined);
  if (missing === undefined) return false;
  // What is not released cannot be dropped either.
  if (removes !== undefined) run.failed.add(subjectOf(change));
  run.outcomes.push({ change, result: 'skipped', message: `waits for ${missing}, whose earlier step failed` });
  return true;
}

/**
 * What becomes of a change that failed alone. One that waited in vain for a lock of whom it concerns is made all the same, and else it is
 * said who holds the lock.
 * @param statements what stands between BEGIN and COMMIT.
 * @throws as runBatch.
 */
export async function failAlone(
  run: Run,
  change: Change,
  error: unknown,
  statements: () => readonly string[],
  verifiers: NewVerifiers = new Map(),
): Promise<void> {
  const { context, insistence } = run;
  const mayEnd = mayEndFor(change, context);
  if (!isTimeout(error) || mayEnd === undefined) return fail(run, change, classify(error), error);
  const began = performance.now();
  // Nothing is seen of who holds a lock in less than a second.
  const lockTimeout = Math.max(insistence.lockTimeout, Math.min(INSISTS_AT_LEAST, context.lockTimeout));
  const again = insistence.lasts
    ? await insist(statements(), databaseOf(change) || context.adminDatabase, mayEnd, { ...context, lockTimeout })
    : { error, ended: [], left: [] };
  if (isTimeout(again.error)) insistence.waited(performance.now() - began);
  context.onProgress();
  const ended = again.ended.map(endingOf);
  for (const one of ended) run.outcomes.push({ change: one, result: 'applied' });
  const detail = `it held a lock that «${sentenceOf(change)}» waited for`;
  if (context.ledger && ended.length > 0)
    await record(
      context,
      ended.map((one) => ({ change: one, outcome: 'applied', detail })),
    );
  if (again.error !== undefined) {
    const failure = classify(again.error);
    if (context.signal.aborted || failure === 'connection' || failure === 'readonly' || failure === 'fenced') throw again.error;
    return fail(run, change, failure, again.error, again.left);
  }
  run.outcomes.push({ change, result: 'applied', witness: change.kind === 'set_password' ? verifiers.get(change.role)?.witness : undefined });
}

const endingOf = ({ gid, role, database }: Holder): Change =>
  gid === undefined ? { kind: 'end_sessions', role, sessions: 1 } : { kind: 'rollback_prepared', role, database, gid };

/** Appends to the audit log what no transaction of a change does; a failure loses a row and nothing else. */
const record = (context: ApplyContext, rows: Parameters<typeof auditSql>[0]): Promise<unknown> => {
  const text = [beginSql(context), context.fence, ...auditSql(rows, context), 'COMMIT'].join(';\n');
  return context.connections.withAdmin(async (client) => client.query(text)).catch(() => undefined);
};

/** Records a failure, and audits it where it is news. */
export const fail = (run: Run, change: Change, failure: FailureClass, error: unknown, holders: readonly Holder[] = []): Promise<void> =>
  failAll(run, [change], failure, error, holders);

/** Records the failure of several changes, of each object of them by itself: what failed together may work one by one when it is tried again. */
export async function failAll(run: Run, batch: readonly Change[], failure: FailureClass, error: unknown, holders: readonly Holder[] = []): Promise<void> {
  const { context } = run;
  const shown = holders.slice(0, MOST_HOLDERS).map(describeHolder);
  const more = holders.length > shown.length ? ` and ${holders.length - shown.length} more` : '';
  const held = holders.length === 0 ? '' : `; the lock is held by ${shown.join(' and ')}${more}`;
  const message = `${failure === 'defect' ? 'it cannot be done as it stands: ' : ''}${describeFailure(error)}${held}`;
  const changes = batch.flatMap((change) => (namesOf(change).length < 2 ? change : namesOf(change).map((name) => forNames(change, [name]))));
  for (const change of changes) {
    run.outcomes.push({ change, result: 'failed', class: failure, message });
    if (change.kind === 'create_role' || definitionOf(change).removes !== undefined) run.failed.add(subjectOf(change));
    if (change.kind === 'create_database') run.failed.add(databaseKey(change.database));
  }
  const news = context.ledger ? changes.filter((change) => context.isNewFailure(keyOf(change))) : [];
  if (news.length > 0)
    await record(
      context,
      news.map((change) => ({ change, outcome: 'failed', detail: message })),
    );
}
