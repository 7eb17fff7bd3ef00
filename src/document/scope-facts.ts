// What scopes are judged with, and what is found beyond them.
import type { Position } from '../model/entries.ts';
import type { Scope } from '../model/fleet.ts';
import type { Path } from './tree.ts';

/** What an author says beyond its scope. */
export interface Finding {
  /** Below the entry. */
  readonly path: Path;
  readonly message: string;
  /** Where it stands; of the entry, where it is left out. */
  readonly position?: Position | undefined;
}

export interface ScopeFacts {
  readonly scope: Scope;
  /** Where the author's Secrets and ConfigMaps are. */
  readonly namespace: string;
  /** What is meant where no database is named; undefined where nobody knows yet. */
  readonly defaultDatabase: string | undefined;
}
