// One writer a server: an advisory lock in one agreed database, held by a session of its own, and the fence that every write checks.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Connections } from './connection.ts';
import { describeFailure } from './failures.ts';
import { LOCK_CLASS } from './ledger-write.ts';
import { query } from './query.ts';

const WRITER = 1;
/** Held shared by every write, so that a new writer can wait for those that a dead one left behind. */
export const WRITES = 2;

export interface WriterLock {
  /** A statement that fails (22012) once the lock is no longer ours. */
  readonly fence: string;
  /** Aborted when the lock is lost. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

export interface WriterLockOptions {
  readonly connections: Connections;
  readonly adminDatabase: string;
  readonly signal: AbortSignal;
  /** Called on each attempt that did not get the lock: while another holds it, and when the server cannot be reached. */
  readonly onWait: (reason: string) => void;
}

/** Advisory locks belong to one database, so all instances take it in the same one; `postgres` is on nearly every server. */
const AGREED_DATABASE = 'postgres';
const RETRY_MS = 1000;
const HEARTBEAT_MS = 2000;

/** Waits until the lock is ours. @throws when the signal aborts. */
export async function acquireWriterLock(options: WriterLockOptions): Promise<WriterLock> {
  for (;;) {
    options.signal.throwIfAborted();
    let client: pg.Client | undefined;
    try {
      client = await openLockSession(options);
      const held = await waitForLock(client, options);
      await waitForOldWrites(options.connections);
      return held;
    } catch (error) {
      await client?.end().catch(() => undefined);
      options.signal.throwIfAborted();
      options.onWait(describeFailure(error));
      await sleep(RETRY_MS, undefined, { signal: options.signal });
    }
  }
}

async function openLockSession({ connections, adminDatabase }: WriterLockOptions): Promise<pg.Client> {
  if (adminDatabase === AGREED_DATABASE) return connections.open(adminDatabase);
  return connections.open(AGREED_DATABASE).catch((error: unknown) => {
    if ((error as { code?: string }).code === '3D000' || (error as { code?: string }).code === '42501' || (error as { code?: string }).code === '08P01')
      return connections.open(adminDatabase);
    throw error;
  });
}

async function waitForLock(client: pg.Client, options: WriterLockOptions): Promise<WriterLock> {
  const pid = (await query(client, 'SELECT pg_catalog.pg_backend_pid()'))[0]?.[0]?.[0] as number;
  // A pooler answers with a process of its own making. Behind one a session's lock may end up with anybody, a transaction's cannot.
  const pooled = (client as unknown as { processID: number | null }).processID !== pid;
  const attempt = pooled
    ? `BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_catalog.pg_try_advisory_xact_lock(${LOCK_CLASS}, ${WRITER}), pg_catalog.pg_backend_pid()`
    : `SET idle_session_timeout = 0; SELECT pg_catalog.pg_try_advisory_lock(${LOCK_CLASS}, ${WRITER}), pg_catalog.pg_backend_pid()`;
  for (;;) {
    const row = (await query(client, attempt)).at(-1)?.[0];
    if (row?.[0] === true) return hold(client, row[1] as number);
    if (pooled) await client.query('ROLLBACK');
    options.onWait('another instance is the writer');
    await sleep(RETRY_MS, undefined, { signal: options.signal });
  }
}

function hold(client: pg.Client, pid: number): WriterLock {
  const lost = new AbortController();
  const lose = (): void => {
    clearInterval(heartbeat);
    lost.abort(new Error('the writer lock was lost'));
  };
  const heartbeat = setInterval(() => {
    client.query('SELECT 1').catch(lose);
  }, HEARTBEAT_MS);
  heartbeat.unref();
  client.once('end', lose);
  return {
    fence: `SELECT 1 / count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = ${LOCK_CLASS} AND objid = ${WRITER} AND pid = ${pid} AND granted`,
    lost: lost.signal,
    release: async () => {
      clearInterval(heartbeat);
      await client.end().catch(() => undefined);
    },
  };
}

/** A killed writer's last message may still be running on the server, COMMIT included. */
const waitForOldWrites = (connections: Connections): Promise<unknown> =>
  connections.withAdmin(async (client) => {
    await query(client, `BEGIN; SET LOCAL lock_timeout = 0; SELECT pg_catalog.pg_advisory_xact_lock(${LOCK_CLASS}, ${WRITES}); COMMIT`);
  });
