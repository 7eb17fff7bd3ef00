// A revision: one desired state that was in force, the documents that said it, and where they were from.
import type { Origin } from './provenance.ts';

/** One of its documents. */
export interface RevisionSource extends Origin {
  /** The author whose it is; undefined for the operator. */
  readonly of?: string | undefined;
  /** SHA-256 of what it said, in hexadecimal digits. */
  readonly digest: string;
}

export interface Revision {
  /** From 1 on, without gaps. */
  readonly id: number;
  /** Of all of it. */
  readonly digest: string;
  readonly sources: readonly RevisionSource[];
}
