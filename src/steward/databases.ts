// Databases of a cycle: which are read, side by side, and which are left alone because nothing in them changed since they were found right.
import type pg from 'pg';
import type { Catalog, ManagedRole } from '../model/catalog.ts';
import { databaseOf } from '../changes/change.ts';
import { comparedNames } from '../model/named.ts';
import type { Document } from '../model/entries.ts';
import type { Notice } from '../changes/notice.ts';
import type { PassedOnBy } from '../plan/removal/passed-on.ts';
import type { Plan } from '../plan/plan-input.ts';
import type { DatabaseContents } from '../model/contents.ts';
import type { DatabaseReading } from '../plan/privileges/privileges-plan.ts';
import { databaseFingerprint, type DatabaseFingerprintFacts } from '../postgres/database-fingerprint.ts';
import { type Guarded, type GuardedReading, rolesOf } from '../guard/guarded.ts';
import { describeFailure } from '../postgres/failures.ts';
import { momentOf } from '../postgres/moment.ts';
import { createRoom } from '../postgres/object-count.ts';
import { type ContentsRequest, type DatabaseRead, readDatabase } from '../postgres/read-database.ts';
import type { Rereading } from '../postgres/run.ts';
import { anySideBySide, sideBySide } from '../async/side-by-side.ts';
import type { Residents } from '../postgres/residents.ts';
import { databasesRequest } from './database-request.ts';
import { sessionsIn, type WithSession } from './database-session.ts';
import { passedOnBy } from './passed-on-by.ts';
import { createRereads, proveReread, type Rereads, type TakenReads } from './reread.ts';
import type { Server } from './server.ts';

export interface DatabasesRead {
  readonly readings: ReadonlyMap<string, DatabaseReading>;
  /** What is there that guardrails are about, by database; those that none is about are not in it. */
  readonly guarded: ReadonlyMap<string, GuardedReading>;
}

export interface Databases {
  /**
   * What the document's privileges concern, read or known to be as it was.
   * @param version of everything beside the catalogs that a plan for a database depends on.
   * @param focus the databases to look at again; others that were right stand as they are. Undefined: all.
   */
  read(document: Document, catalog: Catalog, version: string, focus: ReadonlySet<string> | undefined): Promise<DatabasesRead>;
  /** What those who leave passed on, in the databases in which something depends on them. One that holds nothing of theirs is not in it. */
  passedOn(leavers: readonly ManagedRole[], catalog: Catalog): Promise<PassedOnBy>;
  /** Reads again what is changed after a plan, as this plan's readings were made. */
  readonly rereading: Rereading | undefined;
  /** After a plan: databases in which it wants nothing need not be read again while they stay as they are. */
  settle(plan: Plan): void;
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
  /** How many objects its contents tell of. */
  readonly objects: number;
  /** Whether somebody's change there is notified. */
  readonly notifies: boolean;
  /** Kept until the cycle ends, for the passes after the first. */
  readonly contents: DatabaseContents | undefined;
  readonly notices: readonly Notice[] | undefined;
  /** Kept for as long as nothing changes there: memberships may change elsewhere. */
  readonly guarded: Guarded;
  /** The roles that it names, by OID as they were then: others may have their names by now. */
  readonly guardedRoles: ReadonlyMap<string, number | undefined>;
  /** Nothing of it is compared. */
  readonly isGuardedOnly: boolean;
}

/** What one look at a database found; one that failed leaves nothing that is known of it. */
interface Looked {
  readonly name: string;
  readonly now: Known | undefined;
  readonly reading: DatabaseReading;
}

/** For so many databases it is asked first whether anything at all was written on the server. */
const WORTH_A_MOMENT = 2;

/** What a reading takes of the room that all share. */
const heldOf = (one: Known | undefined): number => (one?.contents === undefined ? 0 : one.objects);

/** @param proves for tests: what needs not be asked, or was read again at once, is read all the same, and has to be as it was. */
export function createDatabases(server: Server, residents: Residents, proves = false): Databases {
  const { connections, timeouts, sessions, maxObjects, adminDatabase } = server;
  const withSession = sessionsIn(server, residents);
  let known = new Map<string, Known>();
  /** Whether one could not be read. */
  let broken = false;
  /** What the changes of the last plan left behind. */
  let rereads: Rereads | undefined;
  /** A moment at which all that is known was as it is known; undefined where none is known. */
  let quietSince: string | undefined;
  /** What was found changed since it was read: it is read, and not asked again whether it is as it was. */
  const different = new WeakSet<Known>();

  const moment = (): Promise<string | undefined> =>
    known.size < WORTH_A_MOMENT ? Promise.resolve(undefined) : connections.withAdmin(momentOf).catch(() => undefined);

  const differs = async (client: pg.ClientBase, one: Known): Promise<boolean> => {
    const isDifferent = (await databaseFingerprint(client, one.facts)) !== one.fingerprint;
    if (isDifferent) different.add(one);
    return isDifferent;
  };

  /** @throws where something changed at this moment. */
  const proveQuiet = async (at: string): Promise<void> => {
    const isWrong = await anySideBySide(sessions, known, ([name, one]) => withSession(name, (client) => differs(client, one)).catch(() => false));
    if (isWrong && (await moment()) === at) throw new Error('something changed in a database, and no transaction ended');
  };

  /** One that cannot be asked counts as changed: it is read. */
  const changed = (name: string, one: Known): Promise<boolean> => withSession(name, (client) => differs(client, one)).catch(() => true);

  return {
    read: async (document, catalog, version, focus) => {
      const { names: declared, guardedOnly, targetsIn, contents, requestKeyOf } = databasesRequest(document, catalog, version, server);
      const names = [...declared, ...guardedOnly];
      const others = new Set(guardedOnly);
      const held = names.reduce((sum, name) => sum + heldOf(known.get(name)), 0);
      const request = { ...timeouts, ...contents, room: createRoom(maxObjects, held) };
      const taken = await rereads?.take(contents.grantees);
      const looked = await sideBySide(sessions, names, (name) =>
        readOne(
          {
            name,
            key: requestKeyOf(name),
            before: ofSameRoles(known.get(name), catalog),
            different,
            isInFocus: focus?.has(name) ?? true,
            isGuardedOnly: others.has(name),
            request: { ...request, guarded: targetsIn(name) },
            oids: catalog.oids,
            taken,
            proves,
          },
          withSession,
        ),
      );
      quietSince = undefined;
      const next = new Map(looked.flatMap(({ name, now }): [string, Known][] => (now === undefined ? [] : [[name, now]])));
      known = next;
      // Where notifications come, a session is worth the most.
      residents.follow(names.toSorted((a, b) => Number(next.get(b)?.notifies ?? false) - Number(next.get(a)?.notifies ?? false) || (a < b ? -1 : 1)));
      broken = next.size < names.length;
      const sizes = new Map(names.map((name) => [name, heldOf(next.get(name))]));
      rereads = createRereads(server, {
        compared: [...comparedNames(document)],
        facts: catalog.server,
        requestOf: (name) => {
          const size = sizes.get(name);
          if (size === undefined) return undefined;
          // It stands for the one that was read before the changes.
          request.room.giveBack(size);
          return { ...request, guarded: targetsIn(name) };
        },
      });
      return {
        readings: new Map(looked.flatMap(({ name, reading }) => (others.has(name) ? [] : [[name, reading]]))),
        guarded: new Map(looked.flatMap((one) => (targetsIn(one.name).length === 0 ? [] : [[one.name, guardedReading(one)]]))),
      };
    },
    get rereading() {
      return rereads;
    },
    passedOn: (leavers, catalog) => passedOnBy(leavers, catalog, withSession, sessions),
    settle: ({ changes, deferred, held, blocked, refused, noticesOf }) => {
      rereads = undefined;
      const busy = new Set([...changes, ...deferred, ...held, ...[...blocked, ...refused].map(({ change }) => change)].map(databaseOf));
      known = new Map(
        [...known].map(([name, one]) => [
          name,
          { ...one, contents: undefined, notices: busy.has(name) ? undefined : (noticesOf.get(name) ?? one.notices ?? (one.isGuardedOnly ? [] : undefined)) },
        ]),
      );
    },
    unchanged: async (focus) => {
      if (broken) return false;
      const began = await moment();
      if (began !== undefined && began === quietSince) {
        if (proves) await proveQuiet(began);
        return true;
      }
      const asked = [...known].filter(([name]) => focus?.has(name) ?? true);
      const isSame = !(await anySideBySide(sessions, asked, ([name, one]) => changed(name, one)));
      if (isSame && focus === undefined) quietSince = began;
      return isSame;
    },
    driftedUnheard: async () => {
      const drifted: string[] = [];
      if (quietSince !== undefined && (await moment()) === quietSince) return drifted;
      for (const [name, one] of known) {
        if (one.notifies && residents.hears(name)) continue;
        const asked = name === adminDatabase ? changed(name, one) : residents.use(name, (client) => differs(client, one));
        // One that cannot answer is left to the interval.
        if (await asked?.catch(() => false)) drifted.push(name);
      }
      return drifted;
    },
  };
}

const guardedReading = ({ now, reading }: Looked): GuardedReading =>
  now === undefined ? { kind: 'unreadable', reason: reading.kind === 'unreadable' ? reading.reason : '' } : { kind: 'read', guarded: now.guarded };

interface Asked {
  readonly name: string;
  readonly key: string;
  readonly before: Known | undefined;
  readonly different: WeakSet<Known>;
  readonly isInFocus: boolean;
  readonly isGuardedOnly: boolean;
  readonly request: Omit<ContentsRequest, 'client' | 'database'>;
  readonly oids: Catalog['oids'];
  readonly taken: TakenReads | undefined;
  readonly proves: boolean;
}

/** What is known, for no key where a role in it is called otherwise by now: a new name is no change in a database. */
const ofSameRoles = (one: Known | undefined, { oids }: Catalog): Known | undefined =>
  one !== undefined && [...one.guardedRoles].some(([name, oid]) => oid === undefined || oids.get(name) !== oid) ? { ...one, key: '' } : one;

/** Reads one database, unless it is known to be as it was. Never throws. */
async function readOne(asked: Asked, withSession: WithSession): Promise<Looked> {
  const { name, key, before, different, isInFocus, request, taken } = asked;
  const reread = taken?.(name, request);
  if (reread !== undefined) {
    if (asked.proves) await withSession(name, (client) => proveReread(reread, { ...request, client, database: name }));
    request.room.giveBack(heldOf(before));
    request.room.take(reread.objects);
    return lookedAt(reread, asked);
  }
  if (!isInFocus && before?.key === key && before.notices !== undefined) return { name, now: before, reading: { kind: 'settled', notices: before.notices } };
  try {
    return await withSession(name, async (client) => {
      if (before?.key === key && !different.has(before) && (before.contents !== undefined || before.notices !== undefined)) {
        // What it looks at may be gone by now, as the rules of a trigger: then it is read.
        const now = await databaseFingerprint(client, before.facts).catch(() => '');
        if (now === before.fingerprint)
          return {
            name,
            now: before,
            reading: before.contents === undefined ? { kind: 'settled', notices: before.notices ?? [] } : { kind: 'read', contents: before.contents },
          };
      }
      request.room.giveBack(heldOf(before));
      return lookedAt(await readDatabase({ ...request, client, database: name }), asked);
    });
  } catch (error) {
    return { name, now: undefined, reading: { kind: 'unreadable', reason: describeFailure(error) } };
  }
}

const lookedAt = ({ contents, guarded, objects, fingerprint, facts }: DatabaseRead, { name, key, oids, isGuardedOnly }: Asked): Looked => ({
  name,
  now: {
    key,
    objects,
    fingerprint,
    facts,
    notifies: contents.trigger.trigger === 'current',
    contents,
    notices: undefined,
    guarded,
    guardedRoles: new Map([...rolesOf(guarded)].map((role) => [role, oids.get(role)])),
    isGuardedOnly,
  },
  reading: { kind: 'read', contents },
});
