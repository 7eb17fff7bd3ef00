// Resident sessions: one in each managed database, up to a limit. They hear of changes at once, and answer small questions without a new login.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { CHANNEL } from '../core/triggers/trigger-names.ts';
import type { Connections } from './connection.ts';
import { query } from './query.ts';

/** Why a session that is open hears nothing. */
export type Deafness = 'pooler' | 'two_phase_commit';

export interface Residents {
  /** The databases to have sessions in, the first ones first. Returns at once; sessions come and go in the background. */
  follow(databases: readonly string[]): void;
  /** Runs `work` in the resident session; undefined where there is none that is free. A session whose work fails is opened anew. */
  use<T>(database: string, work: (client: pg.Client) => Promise<T>): Promise<T> | undefined;
  /** Whether a notification in this database would reach us. */
  hears(database: string): boolean;
  /** Databases whose session hears nothing, and why. */
  deaf(): ReadonlyMap<string, Deafness>;
  /** Sessions by state. */
  counts(): Readonly<Record<'listening' | 'deaf' | 'connecting', number>>;
  close(): void;
}

export interface ResidentsOptions {
  readonly connections: Pick<Connections, 'open'>;
  /** Sessions at most; 0 for none. */
  readonly max: number;
  /** Somebody changed something in this database, or may have while nobody listened. */
  readonly onHeard: (database: string) => void;
}

interface Resident {
  readonly stop: AbortController;
  client: pg.Client | undefined;
  state: 'connecting' | 'listening' | Deafness;
  busy: boolean;
}

/** A session that hears nothing is given another try: the pooler may be gone. */
const TRY_AGAIN_MS = 600_000;
const SELF_TEST_MS = 2000;
const BACKOFF_MS = { first: 1000, most: 30_000 };

export function createResidents({ connections, max, onHeard }: ResidentsOptions): Residents {
  const residents = new Map<string, Resident>();

  /** Keeps one session until it is no longer followed. */
  const keep = async (database: string, resident: Resident): Promise<void> => {
    const { signal } = resident.stop;
    let pause = BACKOFF_MS.first;
    let isFirst = true;
    while (!signal.aborted) {
      let client: pg.Client | undefined;
      try {
        client = await connections.open(database);
        const ended = new Promise<void>((resolve) => client?.once('end', () => resolve()));
        resident.state = await listen(client, database);
        resident.client = client;
        // What happened while nobody listened was not heard.
        if (!isFirst) onHeard(database);
        isFirst = false;
        pause = BACKOFF_MS.first;
        const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        await Promise.race([ended, aborted, ...(resident.state === 'listening' ? [] : [sleep(TRY_AGAIN_MS, undefined, { signal })])]);
      } catch {
        // The next attempt tells; the interval goes on meanwhile.
      } finally {
        resident.client = undefined;
        resident.state = 'connecting';
        client?.end().catch(() => undefined);
      }
      await sleep(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
      pause = Math.min(pause * 2, BACKOFF_MS.most);
    }
  };

  /** Makes a session listen, and finds out whether it hears. Through a pooler nothing is sent that would stay behind in a session of somebody else. */
  const listen = async (client: pg.Client, database: string): Promise<Resident['state']> => {
    const [row = []] = (await query(client, `SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('max_prepared_transactions')`))[0] ?? [];
    if ((client as unknown as { processID: number | null }).processID !== row[0]) return 'pooler';
    if (row[1] !== '0') return 'two_phase_commit';
    const nonce = randomUUID();
    const heard = new Promise<boolean>((resolve) => {
      client.on('notification', ({ payload }) => {
        if (payload === nonce) resolve(true);
        else if (payload === undefined || payload === '') onHeard(database);
      });
    });
    await client.query(`SET idle_session_timeout = 0; LISTEN ${CHANNEL}`);
    const other = await connections.open(database);
    try {
      await other.query(`SELECT pg_catalog.pg_notify('${CHANNEL}', '${nonce}')`);
    } finally {
      other.end().catch(() => undefined);
    }
    return (await Promise.race([heard, sleep(SELF_TEST_MS, false)])) ? 'listening' : 'pooler';
  };

  const stateOf = (database: string): Resident['state'] | undefined => residents.get(database)?.state;
  return {
    follow: (databases) => {
      const wanted = new Set(databases.slice(0, max));
      for (const [database, resident] of residents)
        if (!wanted.has(database)) {
          resident.stop.abort();
          residents.delete(database);
        }
      for (const database of wanted)
        if (!residents.has(database)) {
          const resident: Resident = { stop: new AbortController(), client: undefined, state: 'connecting', busy: false };
          residents.set(database, resident);
          void keep(database, resident);
        }
    },
    use: (database, work) => {
      const resident = residents.get(database);
      const client = resident?.client;
      if (resident === undefined || client === undefined || resident.busy) return undefined;
      resident.busy = true;
      return work(client)
        .catch((error: unknown) => {
          client.end().catch(() => undefined);
          throw error;
        })
        .finally(() => {
          resident.busy = false;
        });
    },
    hears: (database) => stateOf(database) === 'listening',
    deaf: () => new Map([...residents].flatMap(([database, { state }]) => (state === 'listening' || state === 'connecting' ? [] : [[database, state]]))),
    counts: () => {
      const counts = { listening: 0, deaf: 0, connecting: 0 };
      for (const { state } of residents.values()) counts[state === 'listening' || state === 'connecting' ? state : 'deaf'] += 1;
      return counts;
    },
    close: () => {
      for (const { stop } of residents.values()) stop.abort();
      residents.clear();
    },
  };
}
