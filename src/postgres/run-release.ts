// Releasing what a role owns in another database than the ledger's: an intent is recorded first and closed afterwards, because no
// transaction spans two databases.
import { type Change, objectOf, subjectOf } from '../changes/change.ts';
import { renderChange } from '../changes/render.ts';
import { literal } from '../sql/sql-text.ts';
import type { ApplyContext } from './run.ts';
import { auditSql, closingSql } from './audit-write.ts';
import { ledgerGuard } from './ledger-ours.ts';
import { pinnedRows } from './query.ts';
import { beginSql } from './transaction.ts';

type Release = Change & { kind: 'release_owned' };
type ReleaseContext = Pick<
  ApplyContext,
  'connections' | 'ledger' | 'fence' | 'render' | 'source' | 'why' | 'whyOf' | 'revision' | 'statementTimeout' | 'lockTimeout'
>;

const OPEN = `outcome = 'intent' AND NOT EXISTS (SELECT FROM pgsteward.audit_log c WHERE c.intent = a.id)`;

/** REASSIGN and DROP OWNED in one transaction of that database. @throws whatever the server answers; the intent then stays open. */
export async function releaseElsewhere(change: Release, context: ReleaseContext): Promise<void> {
  const intent = context.ledger ? await openIntent(change, context) : undefined;
  const client = await context.connections.open(change.database);
  try {
    await client.query([beginSql(context), ...releaseStatements(change, context), 'COMMIT'].join(';\n'));
  } finally {
    await client.end().catch(() => undefined);
  }
  if (intent !== undefined) await close(change, intent, context);
}

/** What stands between BEGIN and COMMIT. */
export const releaseStatements = (change: Release, context: Pick<ReleaseContext, 'fence' | 'render'>): readonly string[] => [
  context.fence,
  ...renderChange(change, context.render),
];

async function openIntent(change: Release, context: ReleaseContext): Promise<number | undefined> {
  return context.connections.withAdmin(async (client) => {
    const find = `${ledgerGuard('audit_log')}; SELECT a.id FROM pgsteward.audit_log a WHERE change = 'release_owned' AND role = ${literal(change.role)} AND object = ${literal(objectOf(change))} AND ${OPEN}`;
    const open = (await pinnedRows(client, find))[0]?.[0];
    if (open !== undefined) return Number(open);
    await client.query([beginSql(context), context.fence, ...auditSql([{ change, outcome: 'intent' }], context), 'COMMIT'].join(';\n'));
    return Number((await pinnedRows(client, find))[0]?.[0]);
  });
}

const close = (change: Release, intent: number, context: ReleaseContext): Promise<unknown> =>
  context.connections.withAdmin((client) =>
    client.query([beginSql(context), context.fence, ...auditSql([{ change, outcome: 'applied', intent }], context), 'COMMIT'].join(';\n')),
  );

/** What identifies an intent among the changes of a plan. */
export const intentKey = (change: Change): string => intentKeyOf(change.kind, subjectOf(change), objectOf(change));

/** The role is told apart: words of the object are for people, and «a in b» may be a role. */
const intentKeyOf = (change: string, role: string, object: string): string => JSON.stringify([change, role, object]);

/**
 * Closes intents that a crash left open: done where the plan no longer holds them, and not done where it does. A release is taken up again.
 * @param stillPlanned intentKey of everything that the plan holds, run or not.
 */
export async function closeFinishedIntents(stillPlanned: ReadonlySet<string>, context: ReleaseContext): Promise<void> {
  const rows = await context.connections.withAdmin((client) =>
    pinnedRows(client, `${ledgerGuard('audit_log')}; SELECT a.id, a.change, a.role, a.object, a.sql FROM pgsteward.audit_log a WHERE ${OPEN} ORDER BY a.id`),
  );
  const closing = (rows as unknown as readonly (readonly [unknown, string, string, string, string])[]).flatMap(([id, change, role, object, sql]) => {
    const planned = stillPlanned.has(intentKeyOf(change, role, object));
    if (planned && change === 'release_owned') return [];
    return [
      {
        intent: Number(id),
        change,
        role,
        object,
        sql,
        outcome: planned ? 'failed' : 'applied',
        detail: planned ? 'not done before a restart' : 'found done after a restart',
      },
    ];
  });
  if (closing.length === 0) return;
  await context.connections.withAdmin((client) => client.query([beginSql(context), context.fence, ...closingSql(closing, context), 'COMMIT'].join(';\n')));
}
