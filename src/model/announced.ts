// Announced: what the authors of a document are told of it, where they keep it.

/** Whether something is as declared, in the manner of Kubernetes' conditions; the source adds since when. */
export interface Condition {
  readonly ready: boolean;
  /** In CamelCase. */
  readonly reason: string;
  /** Never holds a secret. */
  readonly message: string;
}

/** What holds after a cycle: as a whole, and for every user and role that is declared or managed. */
export interface Conditions {
  readonly overall: Condition;
  /** What was last applied; undefined where this process has not applied anything yet, and whatever was said before stays. */
  readonly applied: { readonly version: string; readonly hash: string } | undefined;
  /** undefined where the cycle could not tell: what was said before stays. */
  readonly entities: { readonly users: ReadonlyMap<string, Condition>; readonly roles: ReadonlyMap<string, Condition> } | undefined;
  /** The head of the audit log's chain, and the revision in force; undefined where that is not known, and what was said before stays. */
  readonly audit?: { readonly head: string; readonly revision: string } | undefined;
  /** What is wrong with the documents of one of several authors, as far as there is room. */
  readonly problems?: readonly string[];
}

/** One sentence for the author of the document; it never holds a secret. */
export interface Announcement {
  /** In CamelCase, as Kubernetes Events have it. */
  readonly reason: string;
  readonly type: 'Normal' | 'Warning';
  readonly note: string;
}
