// Snapshot: what a plan for any document needs of a server, with no password, no verifier and no salt in it.
import type { Beside } from '../access/beside.ts';
import type { Change } from '../changes/change.ts';
import type { Catalog, ManagedRole } from '../model/catalog.ts';
import type { DatabaseContents } from '../model/contents.ts';
import type { HeldThere } from '../plan/removal/passed-on.ts';

/** How a role's password is stored. */
export interface StoredPassword {
  readonly method: 'scram-sha-256' | 'md5' | 'other';
  /** Of SCRAM; 0 for others. */
  readonly iterations: number;
}

/** What is remembered of the password that was set for a role that is ours. */
export interface RecordedWitness {
  readonly iterations: number;
  /** Whether its verifier can be told from others. */
  readonly salted: boolean;
  /** Whether the server holds another one than was set. */
  readonly foreign: boolean;
}

export interface RecordedRole extends Omit<ManagedRole, 'witness'> {
  readonly witness: RecordedWitness | null;
}

/** One database: all of it, or why it could not be read. */
export type RecordedDatabase =
  | {
      readonly kind: 'read';
      readonly contents: DatabaseContents;
      /** Whether every column and every large object is in it, or only those that have an ACL; and why not. */
      readonly whole: boolean;
      readonly reason?: string | undefined;
      /** Left out by older versions. */
      readonly beside?: Beside;
    }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Facts of the catalogs that hold for every document as they are. */
type ForAnybody = Pick<
  Catalog,
  'server' | 'cluster' | 'bootstrap' | 'shared' | 'triggerDatabases' | 'oids' | 'databases' | 'parameters' | 'dependencies' | 'sessions'
>;

export interface RecordedCatalog extends ForAnybody {
  readonly hasLedger: boolean;
  /** Stored passwords by role, null for none; empty where they cannot be read. */
  readonly passwords: ReadonlyMap<string, StoredPassword | null>;
  readonly managed: ReadonlyMap<string, RecordedRole>;
  /** By database, the roles that are named in an ACL of something in it. */
  readonly holders: ReadonlyMap<string, readonly string[]>;
}

export type LedgerToMake = Extract<Change, { kind: 'prepare_ledger' }>;

/** All but the databases. */
export interface SnapshotHead {
  /** The pgsteward that took it. */
  readonly takenBy: string;
  readonly serverVersion: string;
  /** Where it was read. */
  readonly host: string;
  readonly port: number;
  /** `namespace/name` of the document that the server is kept by. */
  readonly source: string;
  /** The database with the ledger, and the one that entries are about which name none. */
  readonly adminDatabase: string;
  readonly defaultDatabase: string;
  /** What would be done for the ledger first; undefined where nothing. */
  readonly ledger: LedgerToMake | undefined;
  readonly catalog: RecordedCatalog;
  /** What each role of ours passed on, that could go. */
  readonly passedOn: readonly HeldThere[];
}

export interface Snapshot extends SnapshotHead {
  readonly databases: ReadonlyMap<string, RecordedDatabase>;
}
