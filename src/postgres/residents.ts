// Resident sessions: one in each managed database, up to a limit. They hear of changes at once, and answer small questions without a new login.
import type pg from 'pg';
import type { Connections } from './connection.ts';
import { watchForOwners } from './making-way.ts';
import { type Deafness, type Resident, type ResidentOptions, startResident } from './resident.ts';

export interface Residents {
  /** The databases to have sessions in, the first ones first. Returns at once; sessions come and go in the background. */
  follow(databases: readonly string[]): void;
  /** Runs `work` in the resident session; undefined where there is none that is free. A session whose work fails is opened anew. */
  use<T>(database: string, work: (client: pg.Client) => Promise<T>): Promise<T> | undefined;
  /** Whether a notification in this database would reach us. */
  hears(database: string): boolean;
  /** Whether somebody drops, renames or copies this database: no session should be opened there now. */
  isWanted(database: string): boolean;
  /** Databases whose session hears nothing, and why. */
  deaf(): ReadonlyMap<string, Deafness>;
  /** Sessions by state. */
  counts(): Readonly<Record<'listening' | 'deaf' | 'connecting', number>>;
  close(): void;
}

export interface ResidentsOptions extends Pick<ResidentOptions, 'onHeard'> {
  readonly connections: Pick<Connections, 'open' | 'withAdmin'>;
  /** Sessions at most; 0 for none. */
  readonly max: number;
}

export function createResidents({ connections, max, onHeard }: ResidentsOptions): Residents {
  const residents = new Map<string, Resident>();
  let wanted: ReadonlySet<string> = new Set();
  let looking: AbortController | undefined;

  /** Only while there is a session that could be in somebody's way. One that is busy ends after the next look. */
  const makeWay = (): void => {
    if (residents.size === 0) {
      looking?.abort();
      looking = undefined;
      wanted = new Set();
    } else if (looking === undefined) {
      looking = new AbortController();
      const onWanted = (databases: ReadonlySet<string>): void => {
        wanted = databases;
        for (const name of databases) residents.get(name)?.makeWay();
      };
      void watchForOwners(connections, onWanted, looking.signal);
    }
  };

  return {
    follow: (databases) => {
      const followed = new Set(databases.slice(0, max));
      for (const [database, resident] of residents)
        if (!followed.has(database)) {
          resident.stop();
          residents.delete(database);
        }
      for (const database of followed)
        if (!residents.has(database)) residents.set(database, startResident(database, { connections, onHeard, isWanted: () => wanted.has(database) }));
      makeWay();
    },
    use: (database, work) => residents.get(database)?.use(work),
    isWanted: (database) => wanted.has(database),
    hears: (database) => residents.get(database)?.state === 'listening',
    deaf: () => new Map([...residents].flatMap(([database, { state }]) => (state === 'listening' || state === 'connecting' ? [] : [[database, state]]))),
    counts: () => {
      const counts = { listening: 0, deaf: 0, connecting: 0 };
      for (const { state } of residents.values()) counts[state === 'listening' || state === 'connecting' ? state : 'deaf'] += 1;
      return counts;
    },
    close: () => {
      for (const resident of residents.values()) resident.stop();
      residents.clear();
      makeWay();
    },
  };
}
