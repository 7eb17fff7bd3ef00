// Memory: the ledger where there is one, the state file always, and what passes between them.
import type { Config } from '../config.ts';
import type { Catalog, ManagedRole } from '../core/catalog.ts';
import type { Document } from '../core/document/types.ts';
import type { Outcome } from '../postgres/run-batch.ts';
import type { Connections } from '../postgres/connection.ts';
import { ensureLedger, type LedgerState } from '../postgres/ledger-schema.ts';
import { rememberSql, triggerDatabaseSql } from '../postgres/ledger-write.ts';
import { beginSql, type Timeouts } from '../postgres/transaction.ts';
import { loadState, saveState } from '../state/state-file.ts';
import { afterOutcomes, stateRows } from './remember.ts';

export interface MemoryOptions {
  readonly config: Pick<Config, 'STATE_FILE' | 'DB_NAME'>;
  readonly source: string;
  readonly connections: Connections;
  readonly timeouts: Timeouts;
  readonly warn: (message: string) => void;
}

export interface Memory {
  /** Makes sure of the ledger; says once what is lost where there can be none. */
  prepareLedger(): Promise<void>;
  readonly hasLedger: boolean;
  /** Whether it is known at all if there is one: false until the first prepareLedger, and after forgetLedger. */
  readonly isPrepared: boolean;
  /** Takes note of a ledger that somebody dropped: it is made again by the next cycle. */
  forgetLedger(): void;
  /** What is remembered beside a ledger: the roles of the state file. */
  readonly remembered: ReadonlyMap<string, ManagedRole>;
  /** Digests of the entries as they were last applied. */
  readonly digests: ReadonlyMap<string, string>;
  /** First contact: the state file's roles that a ledger without any role of ours lacks. */
  firstContact(catalog: Catalog & { readonly hasLedger: boolean }): readonly ManagedRole[];
  /** Writes rows to the ledger, under the writer's fence. */
  write(rows: readonly ManagedRole[], fence: string): Promise<void>;
  /** Databases that hold an event trigger, where there is no ledger to ask. */
  readonly triggerDatabases: ReadonlySet<string>;
  /** Remembers the databases that hold an event trigger, before one is installed. */
  rememberTriggers(known: ReadonlySet<string>, now: ReadonlySet<string>, fence: string): Promise<void>;
  /** Keeps in memory what changes mean, for when no ledger keeps it. */
  note(managed: ReadonlyMap<string, ManagedRole>, outcomes: readonly Outcome[]): void;
  /** Ends a cycle: the state file says what holds now. Never throws. */
  save(managed: ReadonlyMap<string, ManagedRole>, document: Document, digests: ReadonlyMap<string, string>): Promise<void>;
}

/** Opens the state file; the ledger is looked for with the first prepareLedger. */
export function createMemory({ config, source, connections, timeouts, warn }: MemoryOptions): Memory {
  const file = config.STATE_FILE;
  const state = loadState(file, source);
  if (state.problem !== undefined) warn(`the state file ${file} ${state.problem}; it is written anew, and nothing is lost by that`);
  let remembered: ReadonlyMap<string, ManagedRole> = state.roles;
  let digests: ReadonlyMap<string, string> = new Map([...state.roles].flatMap(([name, role]) => (role.digest === null ? [] : [[name, role.digest]])));
  let ledger: LedgerState | undefined;
  let complaint = '';
  let saved = '';
  let triggerDatabases: ReadonlySet<string> = new Set();
  const usable = (): boolean => ledger?.usable === true;

  return {
    prepareLedger: async () => {
      if (usable()) return;
      const found = await connections.withAdmin((client) => ensureLedger(client, timeouts));
      ledger = found;
      if (found.usable || complaint === found.reason) return;
      complaint = found.reason;
      warn(
        `there is no ledger: ${found.reason}. Until then ${file} alone remembers which roles are ours, changes and memory do not commit together, and there is no audit log in the database`,
      );
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
      return digests;
    },
    firstContact: (catalog) => {
      const known = [...catalog.managed.values()].some((role) => role.source === source);
      if (!catalog.hasLedger || known) return [];
      return [...remembered.values()].flatMap((role) => {
        const oid = catalog.oids.get(role.name);
        return oid === undefined || catalog.managed.has(role.name) || (role.oid !== 0 && role.oid !== oid) ? [] : [{ ...role, oid }];
      });
    },
    write: async (rows, fence) => {
      if (rows.length === 0) return;
      remembered = withRows(remembered, rows);
      if (usable()) await connections.withAdmin((client) => client.query([beginSql(timeouts), fence, ...rememberSql(rows), 'COMMIT'].join(';\n')));
    },
    get triggerDatabases() {
      return triggerDatabases;
    },
    rememberTriggers: async (known, now, fence) => {
      triggerDatabases = now;
      if (!usable() || known.symmetricDifference(now).size === 0) return;
      await connections.withAdmin((client) => client.query([beginSql(timeouts), fence, ...triggerDatabaseSql([...now]), 'COMMIT'].join(';\n')));
    },
    note: (managed, outcomes) => {
      if (!usable()) remembered = afterOutcomes(new Map([...remembered, ...managed]), outcomes, source);
    },
    save: async (managed, document, next) => {
      remembered = managed;
      digests = next;
      const rows = stateRows(managed, document, digests, config.DB_NAME);
      const text = JSON.stringify(rows);
      if (text === saved) return;
      const first = saved === '';
      saved = text;
      await saveState(file, rows).catch((error: unknown) => {
        const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
        const loss = usable() ? 'the ledger remembers everything' : 'and there is no ledger: what is ours is forgotten at a restart';
        if (first) warn(`the state file ${file} cannot be written (${code}); ${loss}`);
      });
    },
  };
}

/** The roles with these rows over them. */
export const withRows = (roles: ReadonlyMap<string, ManagedRole>, rows: readonly ManagedRole[]): ReadonlyMap<string, ManagedRole> =>
  rows.length === 0 ? roles : new Map([...roles, ...rows.map((role): [string, ManagedRole] => [role.name, role])]);
