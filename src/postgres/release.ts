// Releasing what a role owns in another database than the ledger's: an intent is recorded first and closed afterwards, because no
// transaction spans two databases.
import type { Change } from '../core/change.ts';
import { renderChange } from '../core/sql.ts';
import { literal } from '../core/sql-text.ts';
import type { ApplyContext } from './apply.ts';
import { auditSql } from './ledger-write.ts';
import { query } from './query.ts';
import { beginSql } from './transaction.ts';

type Release = Change & { kind: 'release_owned' };
type ReleaseContext = Pick<ApplyContext, 'connections' | 'ledger' | 'fence' | 'render' | 'source' | 'why' | 'statementTimeout' | 'lockTimeout'>;

const facts = (context: ReleaseContext) => ({ source: context.source, why: context.why, render: context.render, witnessOf: () => undefined });
const OPEN = `outcome = 'intent' AND NOT EXISTS (SELECT FROM pgsteward.audit_log c WHERE c.intent = a.id)`;

/** REASSIGN and DROP OWNED in one transaction of that database. @throws whatever the server answers; the intent then stays open. */
export async function releaseElsewhere(change: Release, context: ReleaseContext): Promise<void> {
  const intent = context.ledger ? await openIntent(change, context) : undefined;
  const client = await context.connections.open(change.database);
  try {
    await client.query([beginSql(context), context.fence, ...renderChange(change, context.render), 'COMMIT'].join(';\n'));
  } finally {
    await client.end().catch(() => undefined);
  }
  if (intent !== undefined) await close(change, intent, context);
}

async function openIntent(change: Release, context: ReleaseContext): Promise<number | undefined> {
  return context.connections.withAdmin(async (client) => {
    const find = `SELECT a.id FROM pgsteward.audit_log a WHERE change = 'release_owned' AND object = ${literal(`${change.role} in ${change.database}`)} AND ${OPEN}`;
    const open = (await query(client, find))[0]?.[0]?.[0];
    if (open !== undefined) return Number(open);
    await client.query([beginSql(context), context.fence, ...auditSql([{ change, outcome: 'intent' }], facts(context)), 'COMMIT'].join(';\n'));
    return Number((await query(client, find))[0]?.[0]?.[0]);
  });
}

const close = (change: Release, intent: number, context: ReleaseContext, detail?: string): Promise<unknown> =>
  context.connections.withAdmin((client) =>
    client.query(
      [
        beginSql(context),
        context.fence,
        ...auditSql([{ change, outcome: 'applied', intent, ...(detail === undefined ? {} : { detail }) }], facts(context)),
        'COMMIT',
      ].join(';\n'),
    ),
  );

/**
 * Closes intents whose work was done before a crash: what they name no longer stands in the plan.
 * @param stillPlanned objects (`role in database`) of the releases that the plan still holds.
 */
export async function closeFinishedIntents(stillPlanned: ReadonlySet<string>, context: ReleaseContext): Promise<void> {
  const rows = await context.connections.withAdmin((client) => query(client, `SELECT a.id, a.role, a.object FROM pgsteward.audit_log a WHERE ${OPEN}`));
  for (const [id, role, object] of (rows[0] ?? []) as unknown as readonly (readonly [unknown, string, string])[]) {
    if (stillPlanned.has(object)) continue;
    const change: Release = { kind: 'release_owned', role, database: object.slice(role.length + ' in '.length), heir: role, objects: 0, join: [], leave: [] };
    await close(change, Number(id), context, 'found done after a restart');
  }
}
