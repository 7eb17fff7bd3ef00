// Memory: the ledger where there is one, the state file always, and what passes between them.
import { isDeepStrictEqual } from 'node:util';
import type { Catalog, ManagedRole, Place } from '../model/catalog.ts';
import type { Change } from '../changes/change.ts';
import type { Document } from '../model/entries.ts';
import { whoseOf } from '../model/sources.ts';
import type { Notice } from '../changes/notice.ts';
import type { Outcome } from '../postgres/run.ts';
import { namingLedgerLocks } from '../postgres/ledger-locks.ts';
import { ensureLedger, type LedgerState, lookAtLedger } from '../postgres/ledger-schema.ts';
import { rememberSql, triggerDatabaseSql } from '../postgres/ledger-write.ts';
import { beginSql } from '../postgres/transaction.ts';
import { loadState, type StateFile } from '../state/state-file.ts';
import { afterOutcomes, stateRows } from './managed-rows.ts';
import type { Server } from './server.ts';
import { createStateWriter } from './state-writer.ts';

export interface MemoryOptions {
  /** The state file. */
  readonly file: string;
  readonly server: Server;
  readonly warn: (message: string) => void;
}

export interface Memory {
  /**
   * Makes sure of the ledger; says once what is lost where there can be none.
   * @param writes where it may not, it only looks.
   * @returns what was done for it, or would be.
   */
  prepareLedger(writes: boolean): Promise<readonly Change[]>;
  readonly hasLedger: boolean;
  /** Whether it is known at all if there is one: false until the first prepareLedger, and after forgetLedger. */
  readonly isPrepared: boolean;
  /** Takes note of a ledger that somebody dropped: it is made again by the next cycle. */
  forgetLedger(): void;
  /** What is remembered beside a ledger: the roles of the state file. */
  readonly remembered: ReadonlyMap<string, ManagedRole>;
  /** Digests of the entries as they were last applied. */
  readonly digests: ReadonlyMap<string, string>;
  /** The state file's roles that the ledger lacks: where it has none of ours, and where it came from a backup that is older than the file. */
  missing(found: Pick<Catalog, 'managed' | 'oids' | 'server'>): readonly ManagedRole[];
  /** Writes rows to the ledger, under the writer's fence; what it lacked is then in it. */
  write(rows: readonly ManagedRole[], fence: string, place: Place): Promise<void>;
  /** Databases that hold an event trigger, where there is no ledger to ask. */
  readonly triggerDatabases: ReadonlySet<string>;
  /** Remembers the databases that hold an event trigger, before one is installed. */
  rememberTriggers(known: ReadonlySet<string>, now: ReadonlySet<string>, fence: string): Promise<void>;
  /** Keeps in memory what changes mean, for when no ledger keeps it. */
  note(managed: ReadonlyMap<string, ManagedRole>, outcomes: readonly Outcome[], place: Place, document: Pick<Document, 'sources'>): void;
  /** Ends a cycle: the state file says what holds now. Never throws. */
  save(managed: ReadonlyMap<string, ManagedRole>, document: Document, digests: ReadonlyMap<string, string>, place: Place): Promise<void>;
  /** Writes what could not be written before, as of a full volume. Never throws. */
  saveAgain(): Promise<void>;
  /** Why the state file does not say what holds; undefined where it does. */
  readonly unwritten: Notice | undefined;
}

/** What the state file says. */
interface Saved {
  /** Where that was written. */
  readonly place: Place | undefined;
  readonly digests: ReadonlyMap<string, string>;
  /** undefined until we wrote it ourselves. */
  readonly managed?: Catalog['managed'];
  readonly document?: Document;
}

const isSame = (some: Saved, other: Saved): boolean =>
  some.managed === other.managed && some.document === other.document && isDeepStrictEqual(some.place, other.place) && hasSame(some.digests, other.digests);

const hasSame = (some: ReadonlyMap<string, string>, others: ReadonlyMap<string, string>): boolean =>
  some.size === others.size && [...others].every(([key, value]) => some.get(key) === value);

const digestsOf = (roles: StateFile['roles']): ReadonlyMap<string, string> =>
  new Map([...roles].flatMap(([name, role]) => (role.digest === null ? [] : [[name, role.digest]])));

/** Opens the state file; the ledger is looked for with the first prepareLedger. */
export function createMemory({ file, server, warn }: MemoryOptions): Memory {
  const { source, connections, timeouts, policy } = server;
  const state = openState(file, source, warn);
  const writer = createStateWriter(file, state.isRefused);
  let remembered: ReadonlyMap<string, ManagedRole> = state.roles;
  let saved: Saved = { place: state.place, digests: digestsOf(state.roles) };
  let ledger: LedgerState | undefined;
  /** The ledger that has got what it lacked. */
  let asked: Place | undefined;
  let complaint = '';
  let triggerDatabases: ReadonlySet<string> = new Set();
  const usable = (): boolean => ledger?.usable === true;
  const write = (fence: string, statements: readonly string[]): Promise<unknown> =>
    connections.withAdmin((client) => namingLedgerLocks(client, () => client.query([beginSql(timeouts), fence, ...statements, 'COMMIT'].join(';\n'))));

  return {
    prepareLedger: async (writes) => {
      if (usable()) return [];
      const found = await connections.withAdmin((client) => (writes ? ensureLedger(client, timeouts) : lookAtLedger(client)));
      if (writes) ledger = found;
      if (found.usable) return found.prepared === undefined ? [] : [found.prepared];
      if (complaint === found.reason) return [];
      complaint = found.reason;
      warn(noLedger(found.reason, file));
      return [];
    },
    get hasLedger() {
      return usable();
    },
    get isPrepared() {
      return ledger !== undefined;
    },
    forgetLedger: () => {
      ledger = undefined;
    },
    get remembered() {
      return remembered;
    },
    get digests() {
      return saved.digests;
    },
    missing: (catalog) => {
      const { place } = catalog.server;
      if (asked !== undefined && !isElsewhere(asked, place)) return [];
      const sources = new Set([source, ...[...remembered.values()].map((role) => role.source)]);
      const known = [...catalog.managed.values()].some((role) => sources.has(role.source));
      // Of itself a ledger knows everything better, and of one that it is a copy of it knows what was so when it was copied.
      return known && (saved.place === undefined || !isElsewhere(saved.place, place)) ? [] : lackedBy(catalog, remembered);
    },
    write: async (rows, fence, place) => {
      if (rows.length > 0) {
        remembered = withRows(remembered, rows);
        if (usable()) await write(fence, rememberSql(rows));
      }
      if (usable()) asked = place;
    },
    get triggerDatabases() {
      return triggerDatabases;
    },
    rememberTriggers: async (known, now, fence) => {
      triggerDatabases = now;
      if (!usable() || known.symmetricDifference(now).size === 0) return;
      await write(fence, triggerDatabaseSql([...now]));
    },
    note: (managed, outcomes, place, document) => {
      if (!usable()) remembered = afterOutcomes(new Map([...remembered, ...managed]), outcomes, whoseOf(source, document).of, place);
    },
    save: async (managed, document, next, place) => {
      remembered = managed;
      const before = saved;
      saved = { place, digests: next, managed, document };
      if (isSame(before, saved)) return writer.again(usable());
      await writer.write(stateRows(managed, document, next, policy.defaultDatabase), place, usable());
    },
    saveAgain: () => writer.again(usable()),
    get unwritten() {
      return writer.unwritten;
    },
  };
}

/** The state file as it stands; says what is wrong with it. */
function openState(file: string, source: string, warn: MemoryOptions['warn']): StateFile {
  const state = loadState(file, source);
  if (state.problem !== undefined)
    warn(
      state.isRefused
        ? `the state file ${file} ${state.problem}: others may have written it, and nothing in it counts. It is set aside as ${file}.refused; to bring it along, give it to the account that pgsteward runs as, without write access for others, and start again`
        : `the state file ${file} ${state.problem}; it is written anew, and nothing is lost by that`,
    );
  return state;
}

const noLedger = (reason: string, file: string): string =>
  `there is no ledger: ${reason}. Until then ${file} alone remembers which roles are ours, changes and memory do not commit together, and there is no audit log in the database`;

/** Roles that are there, and that the ledger does not know. */
const lackedBy = ({ oids, managed, server: { place } }: Parameters<Memory['missing']>[0], remembered: ReadonlyMap<string, ManagedRole>): ManagedRole[] =>
  [...remembered.values()].flatMap((role) => {
    const oid = oids.get(role.name);
    if (oid === undefined || managed.has(role.name)) return [];
    return role.oid === 0 ? [{ ...role, oid, place }] : [role];
  });

/** Whether something was recorded on another server, or beside a ledger with another OID. */
const isElsewhere = (then: Place, now: Place): boolean =>
  then.ledger !== now.ledger || (then.server !== null && now.server !== null && then.server !== now.server);

/** The roles with these rows over them. */
export const withRows = (roles: ReadonlyMap<string, ManagedRole>, rows: readonly ManagedRole[]): ReadonlyMap<string, ManagedRole> =>
  rows.length === 0 ? roles : new Map([...roles, ...rows.map((role): [string, ManagedRole] => [role.name, role])]);
