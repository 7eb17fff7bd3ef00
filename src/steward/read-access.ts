// Read access: the roles of a server, and whole databases with every entry of every ACL, as who may what is followed through changes.
import { accessState, type AccessState, type DatabaseAccess } from '../access/state.ts';
import { sideBySide } from '../async/side-by-side.ts';
import type { DatabaseFacts } from '../model/catalog.ts';
import { describeFailure } from '../postgres/failures.ts';
import { createRoom, TooManyObjects } from '../postgres/object-count.ts';
import { readCatalog } from '../postgres/read-catalog.ts';
import { readBeside } from '../postgres/read-beside.ts';
import { readDatabase } from '../postgres/read-database.ts';
import { createResidents } from '../postgres/residents.ts';
import { withWholeServer } from '../postgres/too-large.ts';
import { sessionsIn } from './database-session.ts';
import type { Server } from './server.ts';

export interface MoreAccess {
  readonly beside?: boolean;
  readonly columns?: boolean;
}

export interface ReadAccess {
  readonly state: AccessState;
  /** Databases that were asked for and not read, and why. */
  readonly unread: ReadonlyMap<string, string>;
}

/**
 * Reads these databases.
 * @param more what else: what decides beside ACLs, and columns without one.
 * @throws where the catalogs cannot be read.
 */
export async function readAccess(server: Server, isWanted: (database: DatabaseFacts) => boolean, more: MoreAccess = {}): Promise<ReadAccess> {
  const { connections, sessions, source, adminDatabase, timeouts, maxObjects } = server;
  const catalog = await withWholeServer(connections, (client) =>
    readCatalog({
      client,
      source,
      named: new Set(),
      declaring: 'everybody',
      closed: () => [],
      adminDatabase,
      remembered: new Map(),
      missing: () => [],
      triggerDatabases: new Set(),
      ...timeouts,
    }),
  );
  const withSession = sessionsIn(server, createResidents({ connections, max: 0, onHeard: () => undefined }));
  const databases = new Map<string, DatabaseAccess>();
  const unread = new Map<string, string>();
  const read = async (database: string, largeObjects: boolean): Promise<void> => {
    const asked = { ...timeouts, grantees: [...catalog.oids.values()], everybody: true as const, columns: more.columns === true, largeObjects, database };
    await withSession(database, async (client) => {
      const { contents } = await readDatabase({ ...asked, client, room: createRoom(maxObjects, 0) });
      databases.set(database, more.beside === true ? { ...contents, beside: await readBeside(client, timeouts) } : contents);
    });
  };
  const names = [...catalog.databases.values()].filter((one) => one.allowsConnections && isWanted(one)).map(({ name }) => name);
  await sideBySide(sessions, names, async (name) => {
    try {
      await read(name, true).catch((error: unknown) => {
        if (error instanceof TooManyObjects) return read(name, false);
        throw error;
      });
    } catch (error) {
      unread.set(name, describeFailure(error));
    }
  });
  return { state: accessState(catalog, databases), unread };
}
