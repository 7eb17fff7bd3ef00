// Reading what happened: the audit log, its chain and the revisions, all of one moment and a part at a time.
import type pg from 'pg';
import { inflateRawSync } from 'node:zlib';
import type { AuditRow, RevisionRow, RowFilter } from '../history/rows.ts';
import type { ChainLink, ChainRow, Head } from '../history/chain.ts';
import type { RevisionSource } from '../model/revision.ts';
import { LIMITS } from '../model/limits.ts';
import { literal } from '../sql/sql-text.ts';
import { revisionText, rowText } from './audit-chain.ts';
import { ledgerGuard } from './ledger-ours.ts';
import { ledgerTable } from './ledger-read.ts';
import { pinnedRows, query, type Row } from './query.ts';
import { beginSql, type Timeouts } from './transaction.ts';

/** There is nothing to be read. */
export class NoHistory extends Error {
  override readonly name = 'NoHistory';
}

/** The ledger at one moment. */
export interface HistoryReader {
  readonly ask: (select: string) => Promise<readonly Row[]>;
}

const TABLES = ['audit_log', 'audit_chain', 'document', 'migration', 'revision'] as const;

/** Reads in one transaction, after it is sure that the ledger is ours. @throws NoHistory, and whatever the server answers. */
export async function readingHistory<T>(client: pg.ClientBase, timeouts: Timeouts, work: (reader: HistoryReader) => Promise<T>): Promise<T> {
  const ask = async (select: string): Promise<readonly Row[]> => (await query(client, select)).at(-1) ?? [];
  try {
    await ask(beginSql(timeouts, 'REPEATABLE READ READ ONLY'));
    const [[log, chain] = []] = await ask(`SELECT ${ledgerTable('audit_log')} IS NOT NULL, ${ledgerTable('audit_chain')} IS NOT NULL`);
    if (log !== true) throw new NoHistory('there is no ledger in the admin database: pgsteward has never written there');
    if (chain !== true)
      throw new NoHistory('the ledger is that of an older pgsteward, without revisions and without a chain; the next cycle of this one brings it up to date');
    await ask(TABLES.map(ledgerGuard).join(';\n'));
    const answer = await work({ ask });
    await ask('COMMIT');
    return answer;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    // The guard divides by the number of tables that are a ledger of our own.
    const isForeign = error instanceof Error && 'code' in error && error.code === '22012';
    throw isForeign ? new NoHistory('the ledger in the admin database does not belong to this login alone, and what it says is not believed') : error;
  }
}

/** Below every number that a row can have: those of ours begin with 1, and whoever owns the table may put others there. */
const LOWEST = '-9223372036854775809';
/** Rows, links and texts of one answer. */
const AT_A_TIME = 200;
const HASHES_AT_A_TIME = 10_000;
/** Characters of a row's statement that are read: it may name thousands of objects. */
const LONGEST_SQL = 16_384;

/** Rows of the audit log that fit, the oldest first. @param take is given a part at a time. */
export async function readRows({ ask }: HistoryReader, filter: RowFilter, take: (rows: readonly AuditRow[]) => Promise<void>): Promise<void> {
  const { role, object, since, revision } = filter;
  const conditions = [
    ...(role === undefined ? [] : [`a.role = ${literal(role)}`]),
    ...(object === undefined ? [] : [`strpos(a.object, ${literal(object)}) > 0`]),
    ...(since === undefined ? [] : [`a.at >= ${literal(since)}::timestamptz`]),
    ...(revision === undefined ? [] : [`a.revision = ${revision}`]),
  ];
  for (let after = LOWEST; ;) {
    const rows = await ask(`SELECT a.id::text, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), a.change, a.role, a.object, a.why,
        left(a.sql, ${LONGEST_SQL}), a.outcome, a.detail, a.intent::text, a.revision::text, p.times::text, m.entity
      FROM pgsteward.audit_log a LEFT JOIN pgsteward.audit_repeat p ON p.id = a.id LEFT JOIN pgsteward.managed_role m ON m.name = a.role
      WHERE ${[`a.id > ${after}`, ...conditions].join(' AND ')} ORDER BY a.id LIMIT ${AT_A_TIME}`);
    if (rows.length > 0) await take(rows.map(auditRow));
    if (rows.length < AT_A_TIME) return;
    after = String(rows.at(-1)?.[0]);
  }
}

const numberOr = (value: unknown): number | undefined => (value === null || value === undefined ? undefined : Number(value));
const textOr = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const auditRow = ([id, at, change, role, object, why, sql, outcome, detail, intent, revision, times, entity]: Row): AuditRow => ({
  id: Number(id),
  at: String(at),
  change: String(change),
  role: String(role),
  object: String(object),
  why: String(why),
  sql: String(sql),
  outcome: String(outcome),
  detail: textOr(detail),
  intent: numberOr(intent),
  revision: numberOr(revision),
  times: numberOr(times),
  entity: entity === 'user' || entity === 'role' ? entity : undefined,
});

/** All revisions that are kept, the oldest first. */
export async function readRevisions({ ask }: HistoryReader): Promise<readonly RevisionRow[]> {
  const rows = await ask(
    `SELECT r.id::text, to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), r.digest, r.sources, r.oldest::text, encode(sha256(convert_to(${revisionText('r')}, 'UTF8')), 'hex')
     FROM pgsteward.revision r ORDER BY r.id`,
  );
  return rows.map(([id, at, digest, sources, oldest, hash]) => ({
    id: Number(id),
    at: String(at),
    digest: String(digest),
    sources: sources as readonly RevisionSource[],
    oldest: Number(oldest),
    hash: String(hash),
  }));
}

/** What a document said; undefined where it is not kept, or is none. */
export async function readDocumentText({ ask }: HistoryReader, digest: string): Promise<string | undefined> {
  const [row] = await ask(`SELECT encode(d.content, 'base64') FROM pgsteward.document d WHERE d.digest = ${literal(digest)}`);
  if (row === undefined) return undefined;
  try {
    return inflateRawSync(Buffer.from(String(row[0]), 'base64'), { maxOutputLength: 4 * LIMITS.saidOfDocument }).toString();
  } catch {
    return undefined;
  }
}

/** Each part of the chain with the rows up to the last that it covers, and then the rows behind it. @returns those. */
export async function readChain(reader: HistoryReader, take: (links: readonly ChainLink[], rows: readonly ChainRow[]) => void): Promise<readonly ChainRow[]> {
  const { ask } = reader;
  let upTo: string | undefined;
  for (let after = -1; ;) {
    // As many links as have so many rows: one may cover ten thousand.
    const links = await ask(`SELECT w.link::text, w.last::text, encode(w.items, 'hex'), encode(w.hash, 'hex') FROM
      (SELECT c.*, row_number() OVER (ORDER BY c.link) AS place, sum(length(c.items)) OVER (ORDER BY c.link) AS bytes FROM
        (SELECT * FROM pgsteward.audit_chain WHERE link > ${after} ORDER BY link LIMIT 1000) c) w WHERE w.place = 1 OR w.bytes <= ${HASHES_AT_A_TIME * 40} ORDER BY w.link`);
    const last = links.at(-1);
    if (last === undefined) break;
    const until = upTo === undefined || Number(last[1]) > Number(upTo) ? String(last[1]) : upTo;
    take(
      links.map(([link, , items, hash]) => ({ link: Number(link), items: Buffer.from(String(items), 'hex'), hash: String(hash) })),
      await hashesBetween(reader, upTo, until),
    );
    [after, upTo] = [Number(last[0]), until];
  }
  return hashesBetween(reader, upTo, undefined);
}

async function hashesBetween({ ask }: HistoryReader, after: string | undefined, until: string | undefined): Promise<readonly ChainRow[]> {
  const rows: ChainRow[] = [];
  for (let from = after ?? LOWEST; ;) {
    const part =
      await ask(`SELECT a.id::text, encode(sha256(convert_to(${rowText('a')}, 'UTF8')), 'hex'), CASE WHEN a.change = 'trim_audit_log' THEN a.detail END
      FROM pgsteward.audit_log a WHERE a.id > ${from}${until === undefined ? '' : ` AND a.id <= ${until}`} ORDER BY a.id LIMIT ${HASHES_AT_A_TIME}`);
    rows.push(...part.map(([id, hash, detail]) => ({ id: Number(id), hash: String(hash), detail: textOr(detail) })));
    if (part.length < HASHES_AT_A_TIME) return rows;
    from = String(part.at(-1)?.[0]);
  }
}

/** The newest link as it is now, for whoever notes it down; undefined where there is none. @throws whatever the server answers. */
export async function readHead(client: pg.ClientBase): Promise<Head | undefined> {
  const select = `SELECT c.link::text, encode(c.hash, 'hex') FROM pgsteward.audit_chain c ORDER BY c.link DESC LIMIT 1`;
  const [row] = await pinnedRows(client, `${ledgerGuard('audit_chain')}; ${select}`);
  return row === undefined ? undefined : { link: Number(row[0]), hash: String(row[1]) };
}

/** Where the chain begins and ends, and what it has between. */
export interface ChainEnds {
  readonly head: Head | undefined;
  readonly first: number | undefined;
  /** The hash of the link that was asked for. */
  readonly there: string | undefined;
}

/** @throws whatever the server answers. */
export async function readEnds(client: pg.ClientBase, link: number): Promise<ChainEnds> {
  const select = `SELECT max(c.link)::text, (SELECT encode(h.hash, 'hex') FROM pgsteward.audit_chain h WHERE h.link = max(c.link)), min(c.link)::text,
    (SELECT encode(h.hash, 'hex') FROM pgsteward.audit_chain h WHERE h.link = ${link}) FROM pgsteward.audit_chain c`;
  const [[last, hash, first, there] = []] = await pinnedRows(client, `${ledgerGuard('audit_chain')}; ${select}`);
  return { head: textOr(hash) === undefined ? undefined : { link: Number(last), hash: String(hash) }, first: numberOr(first), there: textOr(there) };
}
