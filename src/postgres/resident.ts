// One resident session: opened, made to listen, and opened anew until nobody follows its database any longer.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { CHANNEL } from '../model/trigger-names.ts';
import { backendOf, type Connections } from './connection.ts';
import { query } from './query.ts';
import { beginSql, SMALL } from './transaction.ts';

/** Why a session that is open hears nothing. */
export type Deafness = 'pooler' | 'two_phase_commit';

export interface Resident {
  readonly state: 'connecting' | 'listening' | Deafness;
  /** Runs `work` in the session; undefined where there is none that is free. A session whose work fails is opened anew. */
  use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> | undefined;
  /** Ends the session where it is not busy; a new one comes when nobody wants the database for himself any longer. */
  makeWay(): void;
  stop(): void;
}

export interface ResidentOptions {
  readonly connections: Pick<Connections, 'open'>;
  /** Somebody changed something in this database, or may have while nobody listened. */
  readonly onHeard: (database: string) => void;
  /** Whether somebody wants the database for himself. */
  readonly isWanted: () => boolean;
}

/** A session that hears nothing is given another try: the pooler may be gone. */
const TRY_AGAIN_MS = 600_000;
const SELF_TEST_MS = 2000;
const BACKOFF_MS = { first: 1000, most: 30_000 };
const MAKING_WAY_MS = 500;

/** Keeps one session until it is stopped. */
export function startResident(database: string, options: ResidentOptions): Resident {
  const stop = new AbortController();
  const { signal } = stop;
  let client: pg.Client | undefined;
  let state: Resident['state'] = 'connecting';
  let busy = false;
  let leave = (): void => undefined;
  let pause = BACKOFF_MS.first;
  let isFirst = true;

  /** One session, until it is over. */
  const hold = async (): Promise<void> => {
    let opened: pg.Client | undefined;
    try {
      opened = await options.connections.open(database);
      if (signal.aborted) return;
      const over = new Promise<undefined>((resolve) => {
        leave = () => resolve(undefined);
        opened?.once('end', leave);
        signal.addEventListener('abort', leave, { once: true });
      });
      const found = await Promise.race([listen(opened, database, options), over]);
      if (found === undefined) return;
      state = found;
      client = opened;
      // What happened while nobody listened was not heard.
      if (!isFirst) options.onHeard(database);
      isFirst = false;
      pause = BACKOFF_MS.first;
      await Promise.race([over, ...(found === 'listening' ? [] : [sleep(TRY_AGAIN_MS, undefined, { signal })])]);
    } catch {
      // The next attempt tells; the interval goes on meanwhile.
    } finally {
      client = undefined;
      state = 'connecting';
      opened?.end().catch(() => undefined);
    }
  };

  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      if (options.isWanted()) {
        await sleep(MAKING_WAY_MS, undefined, { signal }).catch(() => undefined);
        continue;
      }
      await hold();
      await sleep(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
      pause = Math.min(pause * 2, BACKOFF_MS.most);
    }
  };

  void keep();
  return {
    get state() {
      return state;
    },
    use: (work) => {
      const used = client;
      if (used === undefined || busy) return undefined;
      busy = true;
      return work(used)
        .catch((error: unknown) => {
          used.end().catch(() => undefined);
          throw error;
        })
        .finally(() => {
          busy = false;
        });
    },
    makeWay: () => {
      if (!busy) leave();
    },
    stop: () => stop.abort(),
  };
}

/** Makes a session listen, and finds out whether it hears. Through a pooler nothing is sent that would stay behind in a session of somebody else. */
async function listen(client: pg.Client, database: string, { connections, onHeard }: ResidentOptions): Promise<Resident['state']> {
  const [row = []] = (await query(client, `SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('max_prepared_transactions')`))[0] ?? [];
  if (backendOf(client) !== row[0]) return 'pooler';
  if (row[1] !== '0') return 'two_phase_commit';
  const nonce = randomUUID();
  const heard = new Promise<boolean>((resolve) => {
    client.on('notification', ({ payload }) => {
      if (payload === nonce) resolve(true);
      else if (payload === undefined || payload === '') onHeard(database);
    });
  });
  await client.query(`${beginSql(SMALL)}; LISTEN ${CHANNEL}; COMMIT`);
  const other = await connections.open(database);
  try {
    await other.query(`SELECT pg_catalog.pg_notify('${CHANNEL}', '${nonce}')`);
  } finally {
    other.end().catch(() => undefined);
  }
  return (await Promise.race([heard, sleep(SELF_TEST_MS, false)])) ? 'listening' : 'pooler';
}
