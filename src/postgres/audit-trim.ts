// Trimming the audit log: which rows have to go, found by their numbers alone, and taking them away.
import type pg from 'pg';
import type { Change } from '../changes/change.ts';
import { auditSql, NUMBERING } from './audit-write.ts';
import { chainRenewal, staleChain } from './chain-renew.ts';
import { chainCut } from './chain-trim.ts';
import { ledgerGuard } from './ledger-ours.ts';
import { ledgerTable } from './ledger-read.ts';
import { pinnedRows } from './query.ts';
import { beginSql, type Timeouts } from './transaction.ts';

export interface AuditBounds {
  /** Milliseconds; undefined for ever. */
  readonly retention: number | undefined;
  readonly maxRows: number;
}

export type TrimAuditLog = Extract<Change, { kind: 'trim_audit_log' }>;

/** What has to go: the change that says it, and the rows. */
export interface Surplus {
  readonly change: TrimAuditLog;
  readonly ids: readonly string[];
  /** Whether there is still more. */
  readonly isPart: boolean;
}

/** Rows that go in one transaction. */
const MOST_TRIMMED = 10_000;

/** An intent that nothing has closed is how a crash is recovered from, however old it is. */
const IS_OPEN = `a.outcome = 'intent' AND NOT EXISTS (SELECT FROM pgsteward.audit_log c WHERE c.intent = a.id)`;
/** The oldest rows, but for the newest of all: the numbers go on from there. */
const oldest = (limit: number): string =>
  `SELECT a.id, a.at, a.outcome, a.intent FROM pgsteward.audit_log a WHERE NOT (${IS_OPEN}) AND a.id < (SELECT max(id) FROM pgsteward.audit_log) ORDER BY a.id LIMIT ${limit}`;
/** An intent goes together with the row that closed it: alone it would be open again. */
const inPairs = (rows: string): string => `WITH d AS MATERIALIZED (${rows}) SELECT d.id::text FROM d
  WHERE (d.outcome <> 'intent' OR EXISTS (SELECT FROM d c WHERE c.intent = d.id)) AND (d.intent IS NULL OR EXISTS (SELECT FROM d i WHERE i.id = d.intent)) ORDER BY d.id`;

/** Repairs first: whoever makes more and more to repair must not push out what else is in the log. */
const oldestRepairs = (limit: number): string =>
  `SELECT a.id, a.at, a.outcome, a.intent FROM (SELECT r.id FROM pgsteward.audit_repeat r ORDER BY r.id LIMIT ${limit}) r
   JOIN pgsteward.audit_log s ON s.id = r.id JOIN pgsteward.audit_log a ON a.id = s.id OR a.intent = s.id
   WHERE NOT (${IS_OPEN}) AND a.id < (SELECT max(id) FROM pgsteward.audit_log)`;

/**
 * The rows that are older than they may become or, where there are none, that are too many.
 * @throws whatever the server answers.
 */
export async function surplusRows(client: pg.ClientBase, { retention, maxRows }: AuditBounds): Promise<Surplus | undefined> {
  const ask = async (select: string): Promise<readonly string[]> =>
    (await pinnedRows(client, [ledgerGuard('audit_log'), ledgerGuard('audit_repeat'), select].join(';\n'))).map(([id]) => String(id));
  const found = (ids: readonly string[], reason: TrimAuditLog['reason'], all: number): Surplus | undefined => {
    const [first = ''] = ids;
    return ids.length === 0
      ? undefined
      : { ids, change: { kind: 'trim_audit_log', rows: ids.length, first, last: ids.at(-1) ?? first, reason }, isPart: ids.length < all };
  };
  // A dry run may find the ledger of an earlier version.
  const [[hasRepeat, hasChain] = []] = await pinnedRows(client, `SELECT ${ledgerTable('audit_repeat')} IS NOT NULL, ${ledgerTable('audit_chain')} IS NOT NULL`);
  if (hasRepeat !== true) return undefined;
  if (retention !== undefined) {
    const old = `SELECT w.* FROM (${oldest(MOST_TRIMMED)}) w WHERE w.at < now() - interval '${Math.round(retention / 1000)} seconds'`;
    const ids = await ask(inPairs(old));
    const surplus = found(ids, 'age', ids.length < MOST_TRIMMED ? 0 : Number.POSITIVE_INFINITY);
    if (surplus !== undefined) return surplus;
  }
  // Numbers without gaps are nearly their own count; only where that is too much is it counted.
  const stale = async (): Promise<Surplus | undefined> => {
    const change = await staleChain(client, hasChain === true);
    return change && { change, ids: [], isPart: false };
  };
  const [span = '0'] = await ask('SELECT max(id) - min(id) + 1 FROM pgsteward.audit_log');
  if (Number(span) <= maxRows) return stale();
  const [rows = '0'] = await ask('SELECT count(*) FROM pgsteward.audit_log');
  const excess = Number(rows) - maxRows;
  if (excess <= 0) return stale();
  const now = Math.min(MOST_TRIMMED, excess);
  return found(await ask(inPairs(oldestRepairs(now))), 'repairs', excess) ?? found(await ask(inPairs(oldest(now))), 'size', excess);
}

/** Nothing else may delete there, and that holds for us as well until here. */
const deletingSql = (ids: readonly string[]): readonly string[] => [
  'ALTER TABLE pgsteward.audit_log DISABLE TRIGGER append_only',
  `DELETE FROM pgsteward.audit_log WHERE id = ANY ('{${ids.join(',')}}'::bigint[])`,
  'ALTER TABLE pgsteward.audit_log ENABLE TRIGGER append_only',
];

/** Takes them away, with a row that says so. @throws whatever the server answers. */
export async function trimAuditLog(
  client: pg.ClientBase,
  { change, ids }: Surplus,
  context: Timeouts & { readonly fence: string; readonly why: string },
): Promise<void> {
  const { detail, carried, before, statements: links } = change.reason === 'chain' ? await chainRenewal(client) : await chainCut(client, ids);
  const statements = [
    beginSql(context),
    context.fence,
    NUMBERING,
    ...before,
    // Each has a row of its own, which says what went.
    ...auditSql([{ change, outcome: 'applied', detail }], { why: context.why, render: { major: 0, grantor: '' }, carried }),
    ...(ids.length === 0 ? [] : deletingSql(ids)),
    ...links,
    'COMMIT',
  ];
  try {
    await client.query(statements.join(';\n'));
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
