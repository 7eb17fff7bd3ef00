// Databases of a cycle: which are read, side by side, and which are left alone because nothing in them changed since they were found right.
import type { Catalog, ManagedRole } from '../model/catalog.ts';
import { databaseOf } from '../changes/change.ts';
import { comparedNames } from '../model/named.ts';
import type { Document } from '../model/entries.ts';
import type { PassedOnBy } from '../plan/removal/passed-on.ts';
import type { Plan } from '../plan/plan-input.ts';
import type { DatabaseReading } from '../plan/privileges/privileges-plan.ts';
import type { GuardedReading } from '../guard/guarded.ts';
import { createRoom } from '../postgres/object-count.ts';
import type { Rereading } from '../postgres/run.ts';
import { sideBySide } from '../async/side-by-side.ts';
import type { Residents } from '../postgres/residents.ts';
import { databasesRequest } from './database-request.ts';
import { sessionsIn } from './database-session.ts';
import { guardedReading, heldOf, type Known, ofSameRoles, readOne } from './known-database.ts';
import { passedOnBy } from './passed-on-by.ts';
import { createRereads, type Rereads } from './reread.ts';
import type { Server } from './server.ts';
import { createUnchanged } from './unchanged-databases.ts';

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
  /** What a cycle that ended in the middle has left in memory is read again. */
  release(): void;
  /** After a plan: databases in which it wants nothing need not be read again while they stay as they are. */
  settle(plan: Plan): void;
  /** Whether everything that was read, or what of it is in focus, is as it was when it was read. */
  unchanged(focus: ReadonlySet<string> | undefined): Promise<boolean>;
  /** Databases in which no notification would tell us of a change, and something did change. Asked only where a session is open anyway. */
  driftedUnheard(): Promise<readonly string[]>;
}

/** @param proves for tests: what needs not be asked, or was read again at once, is read all the same, and has to be as it was. */
export function createDatabases(server: Server, residents: Residents, proves = false): Databases {
  const { timeouts, sessions, maxObjects } = server;
  const withSession = sessionsIn(server, residents);
  const compared = createUnchanged(server, residents, withSession, proves);
  let known = new Map<string, Known>();
  /** Whether one could not be read. */
  let broken = false;
  /** What the changes of the last plan left behind. */
  let rereads: Rereads | undefined;
  const following = followLater(residents);
  return {
    read: async (document, catalog, version, focus) => {
      const { names: declared, guardedOnly, targetsIn, definersIn, contents, requestKeyOf } = databasesRequest(document, catalog, version, server);
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
            different: compared.different,
            isInFocus: focus?.has(name) ?? true,
            isGuardedOnly: others.has(name),
            request: { ...request, guarded: targetsIn(name), definers: definersIn(name) },
            oids: catalog.oids,
            taken,
            proves,
          },
          withSession,
        ),
      );
      compared.forget();
      const next = new Map(looked.flatMap(({ name, now }): [string, Known][] => (now === undefined ? [] : [[name, now]])));
      known = next;
      following.found(names, next);
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
          return { ...request, guarded: targetsIn(name), definers: definersIn(name) };
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
    release: () => void ([rereads, known] = [undefined, withoutContents(known)]),
    settle: ({ changes, deferred, held, blocked, refused, noticesOf }) => {
      rereads = undefined;
      following.settled();
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
      return compared.areSame(focus === undefined ? known : new Map([...known].filter(([name]) => focus.has(name))), focus === undefined);
    },
    driftedUnheard: () => compared.driftedUnheard(known),
  };
}

const withoutContents = (known: ReadonlyMap<string, Known>): Map<string, Known> =>
  new Map([...known].map(([name, one]) => [name, one.contents === undefined ? one : { ...one, contents: undefined }]));

/** Opening sessions to listen takes the server as long as the changes themselves: at first it is done when these are. */
function followLater(residents: Pick<Residents, 'follow'>) {
  let later: readonly string[] | undefined;
  let isFirst = true;
  return {
    found: (names: readonly string[], known: ReadonlyMap<string, Known>): void => {
      // Where notifications come, a session is worth the most.
      const worth = names.toSorted((a, b) => Number(known.get(b)?.notifies ?? false) - Number(known.get(a)?.notifies ?? false) || (a < b ? -1 : 1));
      later = isFirst ? worth : undefined;
      if (!isFirst) residents.follow(worth);
      isFirst = false;
    },
    settled: (): void => {
      if (later !== undefined) residents.follow(later);
      later = undefined;
    },
  };
}
