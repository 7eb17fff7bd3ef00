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
import type { Timeouts } from '../postgres/transaction.ts';

export interface Databases {
  /** What the document's privileges concern, read or known to be as it was. */
  read(document: Document, catalog: Catalog, version: string): Promise<ReadonlyMap<string, DatabaseReading>>;
  /** After a plan: databases in which nothing was to be done need not be read while they stay as they are. */
  settle(isRight: (database: string) => boolean, noticesOf: ReadonlyMap<string, readonly Notice[]>): void;
  /** Whether everything that was read is as it was when it was read. */
  unchanged(): Promise<boolean>;
}

interface Known {
  /** What a reading depends on beside the database itself. */
  readonly key: string;
  readonly fingerprint: string;
  readonly facts: DatabaseFingerprintFacts;
  /** Kept until the cycle ends, for the passes after the first. */
  readonly contents: DatabaseContents | undefined;
  readonly notices: readonly Notice[] | undefined;
}

export function createDatabases(connections: Connections, config: Config, timeouts: Timeouts): Databases {
  let known = new Map<string, Known>();
  let broken = false;

  const withSession = async <T>(database: string, work: (client: Parameters<typeof databaseFingerprint>[0]) => Promise<T>): Promise<T> => {
    if (database === config.DB_NAME) return connections.withAdmin(work);
    const client = await connections.open(database);
    try {
      return await work(client);
    } finally {
      // Nobody waits for the goodbye.
      client.end().catch(() => undefined);
    }
  };

  const readOne = async (
    database: string,
    key: string,
    request: Omit<ContentsRequest, 'client' | 'database'>,
  ): Promise<[Known | undefined, DatabaseReading]> => {
    const before = known.get(database);
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
          { key, fingerprint, facts, contents, notices: undefined },
          { kind: 'read', contents },
        ];
      });
    } catch (error) {
      return [undefined, { kind: 'unreadable', reason: describeFailure(error) }];
    }
  };

  return {
    read: async (document, catalog, version) => {
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
        const [now, reading] = await readOne(name, `${base}\n${catalog.databases.get(name)?.owner ?? ''}`, request);
        if (now !== undefined) next.set(name, now);
        readings.set(name, reading);
      });
      known = next;
      broken = next.size < names.length;
      return new Map(names.map((name) => [name, readings.get(name) ?? { kind: 'unreadable', reason: 'it was not read' }]));
    },
    settle: (isRight, noticesOf) => {
      known = new Map(
        [...known].map(([name, one]) => [name, { ...one, contents: undefined, notices: isRight(name) ? (noticesOf.get(name) ?? one.notices) : undefined }]),
      );
    },
    unchanged: async () => {
      if (broken) return false;
      let same = true;
      await sideBySide(config.DB_POOL_MAX_CONN, known, async ([name, { fingerprint, facts }]) => {
        if (same) same = (await withSession(name, (client) => databaseFingerprint(client, facts)).catch(() => '')) === fingerprint;
      });
      return same;
    },
  };
}
