// What the batches of one plan share: what they are sent with, where to, and what became of each change.
import type pg from 'pg';
import type { Change } from '../changes/change.ts';
import type { RenderOptions } from '../changes/definition.ts';
import type { Witness } from '../model/catalog.ts';
import type { Loans } from '../plan/loans.ts';
import type { Credential } from '../plan/secrets/password-check.ts';
import type { StoredVerifier } from '../model/scram.ts';
import type { Connections } from './connection.ts';
import type { FailureClass } from './failures.ts';
import type { Endable } from './insist.ts';
import type { Locked } from './locked.ts';
import type { LockPatience } from './lock-patience.ts';
import type { Timeouts } from './transaction.ts';

/** Reads a database again where it was just changed, in a session that is open and knows the way. Never throws. */
export interface Rereading {
  /** Before the first of the databases is changed: what all of them share is as it will be. */
  begin(): Promise<void>;
  read(database: string, client: pg.ClientBase): Promise<void>;
}

export interface ApplyContext extends Timeouts, Endable {
  readonly connections: Connections;
  readonly adminDatabase: string;
  readonly superuser: boolean;
  readonly render: RenderOptions;
  readonly loans: (changes: readonly Change[]) => Loans;
  readonly source: string;
  /** Of a role, where there are several sources. */
  readonly sourceOf?: ((role: string) => string) | undefined;
  /** The system identifier of the server. */
  readonly server: string | null;
  readonly why: string;
  readonly whyOf: (change: Change) => string;
  /** The revision in force; undefined without a ledger. */
  readonly revision: number | undefined;
  /** Whether the ledger is there to write to. */
  readonly ledger: boolean;
  readonly fence: string;
  readonly scramIterations: number;
  readonly credentialOf: (role: string) => { readonly credential: Credential; readonly version: string } | undefined;
  /** Sessions that set passwords side by side: the server computes a PBKDF2 of its own for each. */
  readonly workers: number;
  /** Databases that are worked on side by side. */
  readonly sessions: number;
  /** Whether the failure of a change is news, and so worth a row of the audit log. */
  readonly isNewFailure: (key: string) => boolean;
  /** Which changes the audit log only counts: see AuditFacts. */
  readonly repeats: (change: Change) => string | undefined;
  /** Undefined where nobody reads again. */
  readonly rereading?: Rereading | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: () => void;
}

export type Outcome =
  | { readonly change: Change; readonly result: 'applied'; readonly witness?: Witness | undefined }
  | { readonly change: Change; readonly result: 'failed'; readonly class: FailureClass; readonly message: string }
  | { readonly change: Change; readonly result: 'skipped'; readonly message: string };

/** What one plan's batches share. */
export interface Run {
  readonly context: ApplyContext;
  readonly outcomes: Outcome[];
  /** Roles and databases that could not be created or released: what needs them is not tried. */
  readonly failed: Set<string>;
  /** For locks that anybody holds. */
  readonly patience: LockPatience;
  /** For locks of those whose access is taken, who are ended meanwhile. Apart, so that others cannot use it up. */
  readonly insistence: LockPatience;
}

/** Verifiers and witnesses of the passwords that a batch sets. */
export type NewVerifiers = ReadonlyMap<string, { readonly verifier: StoredVerifier; readonly witness: Witness }>;

/** Where batches are sent to. */
export interface Place {
  /** One transaction that changes everything in it or nothing. @param lockTimeout seconds that it waits for a lock. */
  readonly send: (batch: readonly Change[], lockTimeout: number) => Promise<unknown>;
  /** What others have locked there. @throws whatever the server answers. */
  readonly locked: () => Promise<Locked>;
}
