// Take a snapshot: the whole server is read once, for whichever document. Nothing is written there.
import { TooManyObjects, createRoom } from '../postgres/object-count.ts';
import type { Catalog } from '../model/catalog.ts';
import { describeFailure } from '../postgres/failures.ts';
import { pinnedRows } from '../postgres/query.ts';
import { readCatalog, type ReadCatalog } from '../postgres/read-catalog.ts';
import { readBeside } from '../postgres/read-beside.ts';
import { readDatabase } from '../postgres/read-database.ts';
import { HOLDERS } from '../postgres/read-shared.ts';
import { createResidents } from '../postgres/residents.ts';
import { withWholeServer } from '../postgres/too-large.ts';
import { sideBySide } from '../async/side-by-side.ts';
import { withoutPasswords } from '../snapshot/passwords.ts';
import { boundBytes, databaseText, snapshotText } from '../snapshot/format.ts';
import type { RecordedDatabase } from '../snapshot/snapshot.ts';
import { sessionsIn, type WithSession } from './database-session.ts';
import { heldFrom } from './passed-on-by.ts';
import type { Memory } from './memory.ts';
import type { Server } from './server.ts';

type Remembered = Pick<Memory, 'remembered' | 'missing' | 'triggerDatabases' | 'prepareLedger'>;

/** What can be asked of one database, the most first: where there is too much, the columns and large objects that nobody granted anything on are left out. */
const WISHES = [true, false];

/** By whom, and where. */
export interface TakenBy {
  /** The version of this program. */
  readonly takenBy: string;
  readonly host: string;
  readonly port: number;
}

export interface Taken {
  readonly text: string;
  readonly roles: number;
  /** How many were read whole. */
  readonly databases: number;
  /** Which were read in part or not at all, and why. */
  readonly lacking: ReadonlyMap<string, string>;
}

/**
 * Reads everything that a plan for any document needs, as the text of a file.
 * @param memory what is remembered beside the server.
 * @throws where the catalogs cannot be read, and SnapshotError where there is too much; a database that cannot be read says so in the snapshot.
 */
export async function takeSnapshot(server: Server, memory: Remembered, by: TakenBy): Promise<Taken> {
  const { connections, sessions, source, adminDatabase } = server;
  const withSession = sessionsIn(server, createResidents({ connections, max: 0, onHeard: () => undefined }));
  const catalog = await readEverything(server, memory);
  const ledger = await memory.prepareLedger(false);
  const [holders, version] = await connections.withAdmin(async (client) => [
    (await pinnedRows(client, HOLDERS)) as unknown as readonly (readonly [string, readonly string[]])[],
    await pinnedRows(client, `SELECT pg_catalog.current_setting('server_version')`),
  ]);
  const names = [...catalog.databases.values()].filter(({ allowsConnections }) => allowsConnections).map(({ name }) => name);
  const { texts, lacking } = await readDatabases(names, catalog, server, withSession);
  const passedOn = await heldFrom([...catalog.managed.values()], catalog, withSession, sessions);
  const { cluster, bootstrap, shared, triggerDatabases, oids, parameters, dependencies, sessions: open, hasLedger, databases } = catalog;
  const facts = { server: catalog.server, cluster, bootstrap, shared, triggerDatabases, oids, parameters, dependencies, sessions: open, hasLedger, databases };
  const head = {
    ...by,
    serverVersion: String(version[0]?.[0]),
    source,
    adminDatabase,
    defaultDatabase: server.policy.defaultDatabase,
    ledger: ledger.find((change) => change.kind === 'prepare_ledger'),
    catalog: { ...facts, ...withoutPasswords(catalog), holders: new Map(holders) },
    // Most have passed on nothing, and say nothing.
    passedOn: passedOn.filter(({ held }) => 'unreadable' in held || held.length > 0),
  };
  return { text: snapshotText(head, texts), roles: oids.size, databases: names.length - lacking.size, lacking };
}

/** Of each database its text: of many, no more than are read side by side are kept in any other form. */
async function readDatabases(names: readonly string[], catalog: Catalog, server: Server, withSession: WithSession) {
  const lacking = new Map<string, string>();
  const texts = new Map<string, string>();
  await sideBySide(server.sessions, names, async (name) => {
    const found = await readWhole(name, catalog, server, withSession);
    if (found.reason !== undefined) lacking.set(name, found.reason);
    texts.set(name, databaseText(found));
    boundBytes([...texts.values()]);
  });
  return { texts, lacking };
}

/** The catalogs with the entries of everybody, all sessions, and what every role of ours owns and holds. */
const readEverything = ({ source, connections, timeouts, adminDatabase }: Server, memory: Remembered): Promise<ReadCatalog> =>
  withWholeServer(connections, (client) =>
    readCatalog({
      client,
      source,
      named: new Set(),
      declaring: 'everybody',
      closed: (_now, _managed, oids) => [...oids.keys()],
      adminDatabase,
      remembered: memory.remembered,
      missing: (found) => memory.missing(found),
      triggerDatabases: memory.triggerDatabases,
      ...timeouts,
    }),
  );

/** One database with the entries of everybody. Never throws. */
async function readWhole(
  database: string,
  { oids }: Pick<Catalog, 'oids'>,
  { timeouts, maxObjects }: Server,
  withSession: WithSession,
): Promise<RecordedDatabase> {
  let reason: string | undefined;
  for (const whole of WISHES)
    try {
      const asked = { ...timeouts, grantees: [...oids.values()], everybody: true as const, columns: whole, largeObjects: whole, database };
      return await withSession(database, async (client) => {
        const { contents } = await readDatabase({ ...asked, trigger: 'with rules', client, room: createRoom(maxObjects, 0) });
        return { kind: 'read', contents, whole, reason, beside: await readBeside(client, timeouts) };
      });
    } catch (error) {
      reason = describeFailure(error);
      if (!(error instanceof TooManyObjects)) break;
    }
  return { kind: 'unreadable', reason: reason ?? '' };
}
