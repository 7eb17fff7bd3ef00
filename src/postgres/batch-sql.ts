// One batch as one message: the changes, what is remembered of them, and their audit, in one transaction.
import { type Change, namesOf } from '../changes/change.ts';
import { executable, isPlain, renderBatch, statementKey } from '../changes/render.ts';
import { definitionOf } from '../changes/table.ts';
import { auditSql } from './audit-write.ts';
import { managedRoleSql } from './ledger-write.ts';
import { HIDE_STATEMENTS } from './pins.ts';
import type { ApplyContext, NewVerifiers } from './run.ts';
import { beginSql } from './transaction.ts';

/** More than this in one transaction can exhaust the server's lock table. */
const BATCH = 1000;
/**
 * Batches of at most 1,000 changes and, as a GRANT locks every table that it names from 18 on, about as many objects. Whether an admin that is no
 * superuser may create event triggers is the server's to say: where it says no, nothing else has to be done again for it.
 */
export function batches(changes: readonly Change[], { superuser }: Pick<ApplyContext, 'superuser'>): Change[][] {
  const result: Change[][] = [];
  let objects = 0;
  let lastKey: string | undefined;
  let wasOwn = false;
  for (const change of changes) {
    const isOwn = definitionOf(change).isOwn === true;
    const isApart = isOwn !== wasOwn && !superuser;
    wasOwn = isOwn;
    const key = namesOf(change).length > 1 ? statementKey(change) : undefined;
    const more = key !== undefined && key === lastKey ? 0 : Math.max(1, namesOf(change).length);
    lastKey = key;
    const last = result.at(-1);
    if (last === undefined || last.length >= BATCH || objects + more > BATCH || isApart) {
      result.push([change]);
      objects = more;
    } else {
      last.push(change);
      objects += more;
    }
  }
  return result;
}

const ledgerFacts = (context: ApplyContext, verifiers: NewVerifiers) => ({
  source: context.source,
  sourceOf: context.sourceOf,
  server: context.server,
  why: context.why,
  whyOf: context.whyOf,
  revision: context.revision,
  render: context.render,
  repeats: context.repeats,
  witnessOf: (role: string) => verifiers.get(role)?.witness,
});

/** One message, one transaction: the changes, what is remembered of them, and their audit. */
export const batchSql = (changes: readonly Change[], verifiers: NewVerifiers, context: ApplyContext): string =>
  [beginSql(context), ...batchStatements(changes, verifiers, context), 'COMMIT'].join(';\n');

/** What stands between BEGIN and COMMIT. */
export function batchStatements(changes: readonly Change[], verifiers: NewVerifiers, context: ApplyContext): string[] {
  const facts = ledgerFacts(context, verifiers);
  const loans = context.loans(changes);
  return [
    ...(changes.every(isPlain) ? [] : [HIDE_STATEMENTS]),
    context.fence,
    // From 16 on a CREATEROLE admin can become a role that it makes only by this. What the role can do is not the admin's.
    ...(context.superuser || context.render.major < 16 ? [] : ["SET LOCAL createrole_self_grant = 'set'"]),
    ...loans.before,
    ...renderBatch(
      changes.map((change) => executable(change, (role) => verifiers.get(role)?.verifier)),
      context.render,
    ),
    ...loans.after,
    ...(context.ledger ? managedRoleSql(changes, facts) : []),
    ...(context.ledger
      ? auditSql(
          changes.map((change) => ({ change, outcome: 'applied' as const })),
          facts,
        )
      : []),
  ];
}
