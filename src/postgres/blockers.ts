// Blockers: who holds a lock that we wait for (a session, or a prepared transaction that has none), how that is said, and how it is ended.
import type pg from 'pg';
import { identifier, literal, saidValue } from '../sql/sql-text.ts';
import type { Connections } from './connection.ts';
import { pinnedRows, type Row } from './query.ts';
import { beginSql, type Timeouts } from './transaction.ts';

/** Whoever holds a lock. */
export interface Holder {
  /** Undefined for a prepared transaction: no session holds it any more. */
  readonly pid: number | undefined;
  /** The name of a prepared transaction. */
  readonly gid: string | undefined;
  readonly role: string;
  /** Where it works; a prepared transaction can only be ended there. */
  readonly database: string;
}

/**
 * From a lock `h` to who holds it. A prepared transaction has no pid, and its row of pg_locks names no transaction either: each holds the lock
 * on its own transaction under the same virtual one.
 */
const HOLDER = `h.pid, x.gid, coalesce(x.owner, a.usename), coalesce(x.database, a.datname)`;
const WITH_HOLDER = `LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = h.pid
  LEFT JOIN pg_catalog.pg_locks t ON h.pid IS NULL AND t.pid IS NULL AND t.granted AND t.locktype = 'transactionid' AND t.virtualtransaction = h.virtualtransaction
  LEFT JOIN pg_catalog.pg_prepared_xacts x ON x.transaction = t.transactionid`;

/**
 * Who holds the locks of which a condition on `h`, a row of pg_locks, is true.
 * @throws whatever the server answers.
 */
export async function holdersOf(client: pg.ClientBase, condition: string): Promise<Holder[]> {
  return holders(await pinnedRows(client, `SELECT DISTINCT ${HOLDER} FROM pg_catalog.pg_locks h ${WITH_HOLDER} WHERE h.granted AND (${condition})`));
}

const TAG = ['locktype', 'database', 'relation', 'page', 'tuple', 'virtualxid', 'transactionid', 'classid', 'objid', 'objsubid'] as const;
const sameLock = TAG.map((column) => `h.${column} IS NOT DISTINCT FROM w.${column}`).join(' AND ');

/**
 * Who keeps a session waiting, those that stand before it in the queue included.
 * @throws whatever the server answers.
 */
export async function blockersOf(client: pg.ClientBase, pid: number): Promise<Holder[]> {
  // pg_blocking_pids knows who conflicts, and says 0 for every prepared transaction.
  const rows = await pinnedRows(
    client,
    `SELECT a.pid, NULL, a.usename, a.datname, NULL, NULL FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY (pg_catalog.pg_blocking_pids(${pid}))
     UNION SELECT ${HOLDER}, w.mode, h.mode FROM pg_catalog.pg_locks w JOIN pg_catalog.pg_locks h ON h.granted AND h.pid IS NULL AND ${sameLock} ${WITH_HOLDER}
     WHERE w.pid = ${pid} AND NOT w.granted`,
  );
  return holders(rows.filter((row) => row[4] === null || conflicts(row[4] as string, row[5] as string)));
}

const holders = (rows: readonly Row[]): Holder[] =>
  (rows as readonly (readonly [number | null, string | null, string | null, string | null, ...unknown[]])[]).flatMap(([pid, gid, role, database]) =>
    pid === null && gid === null ? [] : [{ pid: pid ?? undefined, gid: gid ?? undefined, role: role ?? '', database: database ?? '' }],
  );

/** Modes of locks from the weakest on, and which of them each lets beside it. */
const MODES = ['AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock'];
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  AccessShareLock: MODES,
  RowShareLock: MODES.slice(0, 6),
  RowExclusiveLock: MODES.slice(0, 4),
  ShareUpdateExclusiveLock: MODES.slice(0, 3),
  ShareLock: ['AccessShareLock', 'RowShareLock', 'ShareLock'],
  ShareRowExclusiveLock: MODES.slice(0, 2),
  ExclusiveLock: MODES.slice(0, 1),
};

/** Whether two modes of a lock cannot be held by two transactions (the table of PostgreSQL's documentation). */
export const conflicts = (one: string, other: string): boolean => BESIDE[one]?.includes(other) !== true;

/** Who it is, and what ends it, for people. */
export function describeHolder(holder: Holder): string {
  if (holder.gid !== undefined)
    return `the prepared transaction ${saidValue(holder.gid)} of ${holder.role} (run in database ${holder.database}: ${endingSql(holder)})`;
  return `session ${holder.pid} of ${holder.role} in database ${holder.database} (${endingSql(holder)})`;
}

/** The statement that ends it; that of a prepared transaction works in its own database only, and outside of any transaction. */
const endingSql = ({ pid, gid }: Holder): string =>
  gid === undefined ? `SELECT pg_catalog.pg_terminate_backend(${pid})` : `ROLLBACK PREPARED ${saidValue(gid)}`;

/** What is needed to end a holder. */
export interface EndContext extends Timeouts {
  readonly connections: Connections;
  readonly adminDatabase: string;
  readonly superuser: boolean;
  readonly fence: string;
}

/**
 * Ends a holder: its session, or its prepared transaction.
 * @returns whether it is gone; false where we may not.
 */
export async function endHolder(holder: Holder, context: EndContext): Promise<boolean> {
  try {
    return holder.gid === undefined ? await endSession(holder, context) : await endPrepared(holder, context);
  } catch {
    // Whoever waits for it goes on waiting, and names it.
    return false;
  }
}

async function endSession({ pid, role }: Holder, context: EndContext): Promise<boolean> {
  const client = await context.connections.open(context.adminDatabase);
  try {
    // Its number may be another's by now.
    const end = `SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE pid = ${pid} AND usename = ${literal(role)}`;
    const run = (as: readonly string[]): Promise<unknown> => client.query([beginSql(context), context.fence, ...as, end, 'COMMIT'].join(';\n'));
    await run([]).catch(async (error: unknown) => {
      if (context.superuser) throw error;
      await client.query('ROLLBACK');
      // Without pg_signal_backend it can be ended as its own role.
      await run([`SET LOCAL ROLE ${identifier(role)}`]);
    });
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function endPrepared(holder: Holder, context: EndContext): Promise<boolean> {
  const client = await context.connections.open(holder.database);
  const run = (...statements: readonly string[]): Promise<unknown> => client.query([beginSql(context), context.fence, ...statements, 'COMMIT'].join(';\n'));
  const role = identifier(holder.role);
  try {
    await run();
    // No transaction can be around it, and so the session itself is the owner's until it ends. A superuser could end one that somebody else has
    // prepared by that name meanwhile; its owner cannot.
    const joined = await client.query(`SET ROLE ${role}`).then(
      () => false,
      // Below 16 CREATEROLE is enough to become a member.
      () => run(`GRANT ${role} TO CURRENT_USER`).then(() => true),
    );
    try {
      if (joined) await client.query(`SET ROLE ${role}`);
      await client.query(endingSql(holder));
    } finally {
      await client.query('SET ROLE NONE');
      if (joined) await run(`REVOKE ${role} FROM CURRENT_USER`);
    }
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}
