// Databases of a cycle: which are read, side by side, and which are left alone because nothing in them changed since they were found right.
import type { Config } from '../config.ts';
import type { Catalog } from '../core/catalog.ts';
import type { Document } from '../core/document/types.ts';
import { comparedNames, namesIn } from '../core/named.ts';
import type { Notice } from '../core/notice.ts';
import type { DatabaseContents } from '../core/privileges/contents.ts';
import { databasesToRead, type DatabaseReading } from '../core/privileges/plan-privileges.ts';
import { subjectsOf } from '../core/privileges/subject.ts';
import type { Connections } from '../postgres/connection.ts';
import { describeFailure } from '../postgres/failures.ts';
import { type ContentsRequest, databaseFingerprint, type DatabaseFingerprintFacts, readDatabase } from '../postgres/read-database.ts';
import { sideBySide } from '../side-by-side.ts';
import type { Residents } from '../postgres/residents.ts';
import type { Timeouts } from '../postgres/transaction.ts';

export interface Databases {
  /**
   * What the document's privileges concern, read or known to be as it was.
   * @param version of everything beside the catalogs that a plan for a database depends on.
   * @param focus the databases to look at again; others that were right stand as they are. Undefined: all.
   */
  read(document: Document, catalog: Catalog, version: string, focus: ReadonlySet<string> | undefined): Promise<ReadonlyMap<string, DatabaseReading>>;
  /** After a plan: databases in which nothing was to be done need not be read while they stay as they are. */
  settle(isRight: (database: string) => boolean, noticesOf: ReadonlyMap<string, readonly Notice[]>): void;
  /** Whether everything that was read, or what of it is in focus, is as it was when it was read. */
  unchanged(focus: ReadonlySet<string> | undefined): Promise<boolean>;
  /** Databases in which no notification would tell us of a change, and something did change. Asked only where a session is open anyway. */
  driftedUnheard(): Promise<readonly string[]>;
}

interface Known {
  /** What a reading depends on beside the database itself. */
  readonly key: string;
  readonly fingerprint: string;
  readonly facts: DatabaseFingerprintFacts;
  /** Whether somebody's change there is notified. */
  readonly notifies: boolean;
  /** Kept until the cycle ends, for the passes after the first. */
  readonly contents: DatabaseContents | undefined;
  readonly notices: readonly Notice[] | undefined;
}

export function createDatabases(connections: Connections, residents: Residents, config: Config, timeouts: Timeouts): Databases {
  let known = new Map<string, Known>();
  let broken = false;

  const withSession = async <T>(database: string, work: (client: Parameters<typeof databaseFingerprint>[0]) => Promise<T>): Promise<T> => {
    if (database === config.DB_NAME) return connections.withAdmin(work);
    const resident = residents.use(database, work);
    if (resident !== undefined) return resident;
    const client = await connections.open(database);
    try {
      return await work(client);
    } finally {
      // Nobody waits for the goodbye.
      client.end().catch(() => undefined);
    }
  };

  const changed = async (name: string, { fingerprint, facts }: Known): Promise<boolean> =>
    (await withSession(name, (client) => databaseFingerprint(client, facts)).catch(() => '')) !== fingerprint;

  const readOne = async (
    database: string,
    key: string,
    request: Omit<ContentsRequest, 'client' | 'database'>,
    isInFocus: boolean,
  ): Promise<[Known | undefined, DatabaseReading]> => {
    const before = known.get(database);
    if (!isInFocus && before?.key === key && before.notices !== undefined) return [before, { kind: 'settled', notices: before.notices }];
    try {
      return await withSession(database, async (client) => {
        if (before?.key === key && (before.contents !== undefined || before.notices !== undefined)) {
          // What it looks at may be gone by now, as the rules of a trigger: then it is read.
          const now = await databaseFingerprint(client, before.facts).catch(() => '');
          if (now === before.fingerprint)
            return [before, before.contents === undefined ? { kind: 'settled', notices: before.notices ?? [] } : { kind: 'read', contents: before.contents }];
        }
        const { contents, fingerprint, facts } = await readDatabase({ ...request, client, database });
        return [
          { key, fingerprint, facts, notifies: contents.trigger.trigger === 'current', contents, notices: undefined },
          { kind: 'read', contents },
        ];
      });
    } catch (error) {
      return [undefined, { kind: 'unreadable', reason: describeFailure(error) }];
    }
  };

  return {
    read: async (document, catalog, version, focus) => {
      const subjects = subjectsOf({ document, catalog, defaultDatabase: config.DB_NAME, isManaged: () => true });
      const names = databasesToRead(subjects, { document, catalog, defaultDatabase: config.DB_NAME });
      const rules = subjects.flatMap((subject) => subject.rules.rules);
      const grantees = [...comparedNames(document)].flatMap((name) => catalog.oids.get(name) ?? []);
      const request = {
        ...timeouts,
        grantees,
        columns: rules.some((rule) => rule.kind === 'column'),
        largeObjects: rules.some((rule) => rule.kind === 'large_object'),
      };
      // Memberships decide as whom we may act, and so what is blocked.
      const mine = catalog.server.superuser ? [] : catalog.cluster.memberships.map((row) => `${row.member} ${row.role} ${row.inherit} ${row.set}`);
      const concerned = names.length === 0 ? [] : [...new Set([...namesIn(document), ...comparedNames(document)])];
      const facts = concerned.map((name) => {
        const role = catalog.cluster.roles.get(name);
        const managed = catalog.managed.get(name);
        return [name, catalog.oids.get(name), role?.superuser, role?.replication, role?.createrole, role?.bypassrls, managed?.source, managed?.oid].join(' ');
      });
      const base = [version, catalog.server.superuser, grantees.join(), mine.join(), ...facts].join('\n');
      const next = new Map<string, Known>();
      const readings = new Map<string, DatabaseReading>();
      await sideBySide(config.DB_POOL_MAX_CONN, names, async (name) => {
        const [now, reading] = await readOne(name, `${base}\n${catalog.databases.get(name)?.owner ?? ''}`, request, focus?.has(name) ?? true);
        if (now !== undefined) next.set(name, now);
        readings.set(name, reading);
      });
      known = next;
      // Where notifications come, a session is worth the most.
      residents.follow(names.toSorted((a, b) => Number(next.get(b)?.notifies ?? false) - Number(next.get(a)?.notifies ?? false) || (a < b ? -1 : 1)));
      broken = next.size < names.length;
      return new Map(names.map((name) => [name, readings.get(name) ?? { kind: 'unreadable', reason: 'it was not read' }]));
    },
    settle: (isRight, noticesOf) => {
      known = new Map(
        [...known].map(([name, one]) => [name, { ...one, contents: undefined, notices: isRight(name) ? (noticesOf.get(name) ?? one.notices) : undefined }]),
      );
    },
    unchanged: async (focus) => {
      if (broken) return false;
      let same = true;
      const asked = [...known].filter(([name]) => focus?.has(name) ?? true);
      await sideBySide(config.DB_POOL_MAX_CONN, asked, async ([name, one]) => {
        if (same) same = !(await changed(name, one));
      });
      return same;
    },
    driftedUnheard: async () => {
      const drifted: string[] = [];
      for (const [name, one] of known) {
        if (one.notifies && residents.hears(name)) continue;
        const asked =
          name === config.DB_NAME
            ? changed(name, one)
            : residents.use(name, async (client) => (await databaseFingerprint(client, one.facts)) !== one.fingerprint);
        // One that cannot answer is left to the interval.
        if (await asked?.catch(() => false)) drifted.push(name);
      }
      return drifted;
    },
  };
}
