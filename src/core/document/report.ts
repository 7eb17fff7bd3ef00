// Collects the problems of one document, with positions and readable paths.
import { showPath } from './show.ts';
import type { Path } from './tree.ts';
import type { Position, Problem } from './types.ts';

/** What a finding says; offsets count in the document's text. */
export interface Finding {
  readonly offset: number;
  readonly path: Path;
  readonly message: string;
  readonly severity?: Problem['severity'];
  readonly username?: string | undefined;
}

/** Takes a problem at a place. */
export type ComplainAt = (offset: number, path: Path, message: string) => void;

/** The problems of one entry as they are found. */
export interface Complaints {
  readonly complain: ComplainAt;
  /** Whether there is none so far. */
  readonly none: boolean;
}

/** More than any honest document has (every entry of 10,000 may be wrong twice); the others are counted. */
const MOST = 20_000;

export class Report {
  readonly #file: string;
  readonly #positionOf: (offset: number) => Position;
  readonly #problems: Problem[] = [];
  #firstLeftOut: Position | undefined;
  #leftOut = 0;

  constructor(file: string, positionOf: (offset: number) => Position) {
    this.#file = file;
    this.#positionOf = positionOf;
  }

  positionOf(offset: number): Position {
    return this.#positionOf(offset);
  }

  add({ offset, ...finding }: Finding): void {
    this.addAt(this.#positionOf(offset), finding);
  }

  /** Takes the problems of one entry. @param username the user or role that is kept as it was because of them. */
  complaints(username?: string): Complaints {
    let none = true;
    return {
      complain: (offset, path, message) => {
        none = false;
        this.add({ offset, path, message, username });
      },
      get none() {
        return none;
      },
    };
  }

  /** A finding whose place is a position already. */
  addAt(position: Position, { path, message, severity = 'error', username }: Omit<Finding, 'offset'>): void {
    if (this.#problems.length < MOST) this.#problems.push({ severity, file: this.#file, position, path: showPath(path), message, username });
    else {
      this.#firstLeftOut ??= position;
      this.#leftOut += 1;
    }
  }

  /** All of them (the first 20,000) in the order of their positions; at one position in the order in which they were found. */
  sorted(): readonly Problem[] {
    const rest: readonly Problem[] =
      this.#firstLeftOut === undefined
        ? []
        : [{ severity: 'error', file: this.#file, position: this.#firstLeftOut, path: '', message: `${this.#leftOut} more problems are not listed` }];
    return [...this.#problems, ...rest].toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
  }
}
