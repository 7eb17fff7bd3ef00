// What happened, as the ledger has it: rows of the audit log and revisions.
import type { Revision } from '../model/revision.ts';

/** A row of the audit log. */
export interface AuditRow {
  readonly id: number;
  /** UTC in ISO 8601. */
  readonly at: string;
  /** The kind of the change. */
  readonly change: string;
  readonly role: string;
  readonly object: string;
  readonly why: string;
  readonly sql: string;
  readonly outcome: string;
  readonly detail: string | undefined;
  /** The row that this one closes. */
  readonly intent: number | undefined;
  readonly revision: number | undefined;
  /** How often it was made within a day; undefined for what is not counted. */
  readonly times: number | undefined;
  /** What the role is now, where it is one of ours. */
  readonly entity: 'user' | 'role' | undefined;
}

/** Which of them; all that is said has to fit. */
export interface RowFilter {
  readonly role?: string | undefined;
  /** What the words of the object have in them. */
  readonly object?: string | undefined;
  /** UTC in ISO 8601. */
  readonly since?: string | undefined;
  readonly revision?: number | undefined;
}

export interface RevisionRow extends Revision {
  readonly at: string;
  /** The oldest that was kept when it was made. */
  readonly oldest: number;
  /** SHA-256 of all that its row says, in hexadecimal digits. */
  readonly hash: string;
}
