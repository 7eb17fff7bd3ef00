// Claims to be the writer, as pg_stat_activity shows them: the name of a session of our own login, with a heartbeat by the server's clock in it.
import { createHash } from 'node:crypto';
import { literal } from '../sql/sql-text.ts';
import type { Row } from './query.ts';

/**
 * A session that claims to be the writer. What nobody else can make is a session of our login: a lock could be taken by anybody who may connect,
 * be left in a prepared transaction, or lie in a database that is given away.
 */
export interface Claimant {
  readonly pid: number;
  readonly backendStart: string;
  readonly address: string;
  readonly since: string;
  /** Whether its heartbeats have stopped: its node is cut off, or its process stands still. */
  readonly silent: boolean;
  /** The digest of the document that it follows. */
  readonly document: string;
}

/** What a token begins with: which document the writer follows. */
export const digestOf = (source: string): string => createHash('sha256').update(source).digest('hex').slice(0, 8);

const PREFIX = 'pgsteward writer ';
const WAITING = 'pgsteward waiting ';
/** Whoever waits says so with each try, and none is longer apart than this. */
const WAITS_MS = 4000;

const NOW = '(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8';
/** SQL of the name that claims, and that each heartbeat renews. */
export const claimName = (token: string): string => `pg_catalog.concat(${literal(`${PREFIX}${token} `)}, ${NOW})`;

const SESSIONS = 'pg_catalog.pg_stat_get_activity(NULL)';
const OWN = 'pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())';
/** What the server shows of sessions is the same until the end of a transaction, unless it is asked anew. */
const ANEW = 'SELECT pg_catalog.pg_stat_clear_snapshot()';
const isNamed = (prefix: string): string => `pg_catalog.starts_with(a.application_name, ${literal(prefix)})`;

/** What the name of a session that waits begins with: for which document, and which replica. */
const waitingFor = (source: string, replica: string): string => `${WAITING}${digestOf(source)}${digestOf(replica)} `;

/** SQL of the name by which a replica shows that it waits here to become the writer. */
export const waitingName = (source: string, replica: string): string => `pg_catalog.concat(${literal(waitingFor(source, replica))}, ${NOW})`;

/** FROM clauses and statements that find claims. */
export const CLAIM = {
  /** Our own session. */
  own: OWN,
  /** The claim with this token of the session that began then: a number of a process may be somebody else's later. */
  of: (pid: number, backendStart: string, token: string): string =>
    `pg_catalog.pg_stat_get_activity(${pid}) a WHERE a.backend_start = ${literal(backendStart)}::pg_catalog.timestamptz AND ${isNamed(`${PREFIX}${token} `)}`,
  /** Every other claim of our login. */
  others: `${ANEW};
    SELECT a.pid, a.backend_start::text, coalesce(pg_catalog.host(a.client_addr), 'a local socket'), pg_catalog.to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ'),
      a.application_name, ${NOW}
    FROM ${SESSIONS} a JOIN ${OWN} me ON a.usesysid = me.usesysid WHERE a.pid <> me.pid AND ${isNamed(PREFIX)} ORDER BY a.backend_start`,
  /** Whether a replica waits here, with a session of our login, and has said so just now. */
  isWaiting: (source: string, replica: string): string => `${ANEW};
    SELECT a.application_name, ${NOW} FROM ${SESSIONS} a JOIN ${OWN} me ON a.usesysid = me.usesysid
    WHERE a.pid <> me.pid AND ${isNamed(waitingFor(source, replica))} ORDER BY a.backend_start DESC LIMIT 100`,
};

/** Whether any of the rows of `CLAIM.isWaiting` is of a session that still tries. */
export const isAnyWaiting = (rows: readonly Row[]): boolean =>
  (rows as unknown as readonly (readonly [string, string])[]).some(([name, now]) => {
    const [said] = /\d{13}$/.exec(name) ?? [];
    return said !== undefined && Math.abs(Number(now) - Number(said)) <= WAITS_MS;
  });

/** What of our login is in a transaction: each holds the lock of its own virtual transaction. */
export const IN_TRANSACTION = `${ANEW};
  SELECT l.virtualtransaction, l.pid FROM pg_catalog.pg_locks l JOIN ${SESSIONS} a ON a.pid = l.pid JOIN ${OWN} me ON a.usesysid = me.usesysid
  WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted AND a.pid <> me.pid AND ${isNamed('pgsteward')}`;

/** Ends a session, if it is still the same one, and waits for its end. */
export const END_SESSION = ({ pid, backendStart }: Claimant): string =>
  `SELECT pg_catalog.pg_terminate_backend(a.pid, 5000) FROM pg_catalog.pg_stat_get_activity(${pid}) a WHERE a.backend_start = ${literal(backendStart)}::pg_catalog.timestamptz`;

/**
 * The claims in the rows of `CLAIM.others`. A name that only begins like one is none.
 * @param silentMs after which a claim without a heartbeat is silent.
 */
export const claimants = (rows: readonly Row[], silentMs: number): readonly Claimant[] =>
  (rows as unknown as readonly (readonly [number, string, string, string, string, string])[]).flatMap(([pid, backendStart, address, since, name, now]) => {
    const [, document, heartbeat] = /^([0-9a-f]{8})[0-9a-f]{8} (\d{13})$/.exec(name.slice(PREFIX.length)) ?? [];
    if (document === undefined) return [];
    // Ahead of the clock by as much: then the clock was set.
    return [{ pid, backendStart, address, since, document, silent: Math.abs(Number(now) - Number(heartbeat)) > silentMs }];
  });
