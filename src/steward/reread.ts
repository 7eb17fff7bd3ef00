// Read again at once: what a cycle changed in a database is read in the session that changed it. It is the next pass's reading, where nothing that all databases share has changed since.
import type pg from 'pg';
import { fingerprint, type FingerprintFacts } from '../postgres/fingerprint.ts';
import { inNames } from '../postgres/acl-sql.ts';
import { createRoom } from '../postgres/object-count.ts';
import { type ContentsRequest, type DatabaseRead, readDatabase } from '../postgres/read-database.ts';
import { pinnedRows } from '../postgres/query.ts';
import type { Rereading } from '../postgres/run.ts';
import type { Server } from './server.ts';

/** How a database is read but for who is compared: at first they have no OIDs yet. */
export type RequestBeside = Omit<ContentsRequest, 'client' | 'database' | 'grantees'>;

export interface RereadOptions {
  /** By name, those whose privileges are compared. */
  readonly compared: readonly string[];
  readonly facts: Pick<FingerprintFacts, 'readsVerifiers' | 'major'>;
  /** How a database is read by now; undefined for one that is not to be read. */
  readonly requestOf: (database: string) => RequestBeside | undefined;
}

export interface Rereads extends Rereading {
  /**
   * What was read of each database; nothing where anything that all of them share is another since before it. What is taken is gone.
   * @param grantees whose privileges are compared by now.
   */
  take(grantees: readonly number[]): Promise<TakenReads>;
}

/** @returns what was read just as this asks for it. */
export type TakenReads = (database: string, request: RequestBeside) => DatabaseRead | undefined;

interface Reread {
  readonly asked: string;
  readonly read: DatabaseRead;
}

/** What a reading depends on beside the database and whom it is about. */
const askedOf = ({ columns, largeObjects, guarded = [], definers }: RequestBeside): string =>
  JSON.stringify([columns, largeObjects, guarded, definers ?? null]);

/** Of one pass. */
export function createRereads({ connections }: Pick<Server, 'connections'>, { compared, facts, requestOf }: RereadOptions): Rereads {
  const reads = new Map<string, Reread>();
  /** Before the OIDs are asked for, and so before everything that is read; empty where it cannot be told. */
  let before = '';
  let grantees: readonly number[] = [];
  // Roles, by whose names everything is read, memberships and databases. What we remember of them changes by our own doing.
  const shared = (client: pg.ClientBase): Promise<string> =>
    fingerprint(client, { ...facts, ledger: false, declaring: [], read: [], counted: [], leaving: [] });
  return {
    begin: async () => {
      await connections
        .withAdmin(async (client) => {
          const seen = await shared(client);
          const rows = await pinnedRows(
            client,
            `SELECT o.oid::pg_catalog.int8::pg_catalog.float8 FROM pg_catalog.pg_roles o WHERE ${inNames('o.oid', compared)}`,
          );
          grantees = rows.map(([oid]) => Number(oid));
          before = seen;
        })
        .catch(() => undefined);
    },
    read: async (database, client) => {
      const request = requestOf(database);
      if (before === '' || request === undefined) return;
      try {
        const read = await readDatabase({ ...request, grantees, client, database });
        reads.set(database, { asked: askedOf(request), read });
      } catch {
        // The next pass reads it, and says why it cannot be read.
      }
    },
    take: async (now) => {
      const taken = new Map(reads);
      reads.clear();
      const about = new Set(grantees);
      const isSame = now.length === about.size && now.every((oid) => about.has(oid));
      if (taken.size > 0 && !(isSame && (await connections.withAdmin(shared).catch(() => '')) === before)) taken.clear();
      return (database, request) => {
        const found = taken.get(database);
        return found?.asked === askedOf(request) ? found.read : undefined;
      };
    },
  };
}

/** @throws where a reading that was made at once is not what the database has, although nothing in it changed since. */
export async function proveReread(reread: DatabaseRead, request: ContentsRequest): Promise<void> {
  const now = await readDatabase({ ...request, room: createRoom(Number.POSITIVE_INFINITY, 0) });
  if (now.fingerprint === reread.fingerprint && told(now) !== told(reread)) throw new Error(`what was read at once of ${request.database} is not what it has`);
}

/** All that is read, in one order. */
const told = ({ contents: { groups, defaults, creators, extensions, ...rest }, guarded }: DatabaseRead): string =>
  JSON.stringify([[...groups, ...defaults, ...creators, ...extensions].map((item) => JSON.stringify(item)).toSorted(), rest, guarded]);
