// Drafts: documents and their items while they are read, also those that are not valid. Checks across entries look at all of them.
import type { ProblemReport } from './problem-report.ts';
import type { Path } from './tree.ts';
import type { Guardrail } from '../model/guardrails.ts';
import type { DatabaseEntry, RoleDeclaration, SaidItem, UserEntry } from '../model/entries.ts';

/** What one document says, before it is held against others and against itself. */
export interface DocumentDraft {
  readonly users: readonly Draft[];
  readonly roles: readonly RoleDraft[];
  readonly databases: readonly DatabaseDraft[];
  readonly guardrails: readonly Guardrail[];
  /** Its permissions and guardrails, as a revision keeps them. */
  readonly said: readonly SaidItem[];
  /** False where nothing of it can be used. */
  readonly usable: boolean;
  /** Whether each item of `users` was read by itself. */
  readonly isInParts?: boolean | undefined;
  readonly report: ProblemReport;
}

/** An item of any list. */
export interface ItemDraft {
  /** The problems of its document, which also tells where offsets are. */
  readonly report: ProblemReport;
  readonly path: Path;
  /** Where the item stands. */
  readonly offset: number;
}

/** An item that has a name and belongs to roles. */
export interface MemberDraft extends ItemDraft {
  /** Where its name stands, or the item where there is none. */
  readonly nameOffset: number;
  /** Every name that the item may mean (a repeated key can give it several); only those that the server can hold. */
  readonly names: readonly string[];
  readonly roles: readonly { readonly name: string; readonly offset: number; readonly path: Path }[];
  /** What it was called, by its `renamedFrom`. */
  readonly former: { readonly name: string; readonly offset: number } | undefined;
  /** The author that its role goes to. */
  readonly movedTo: string | undefined;
}

/** An item of `roles`. */
export interface RoleDraft extends MemberDraft {
  /** The declaration, if nothing is wrong with it alone. */
  readonly declaration: RoleDeclaration | undefined;
}

/** An item of `databases`. */
export interface DatabaseDraft extends ItemDraft {
  /** undefined where nobody knows which database it is about. */
  readonly name: string | undefined;
  /** The entry, if nothing is wrong with it alone. */
  readonly entry: DatabaseEntry | undefined;
}

/** An item of `users`. */
export interface Draft extends MemberDraft {
  /** The Secret that the naming rule gives the user; undefined with passwordSecretRef, and without login. */
  readonly derivedSecret: string | undefined;
  /** The entry, if nothing is wrong with it alone. */
  readonly entry: UserEntry | undefined;
}

/** The file of another item where it is in another document than this one. */
export const fileOfOther = (other: ItemDraft, here: ItemDraft): string | undefined =>
  other.report === here.report ? undefined : other.report.positionOf(other.offset).file;
