// Collects the problems of one document, with positions and readable paths.
import { LIMITS } from '../model/limits.ts';
import { showPath } from './show.ts';
import type { Path } from './tree.ts';
import type { Position, Problem } from '../model/entries.ts';

/** What a finding says; offsets count in the document's text. */
export interface Finding {
  readonly offset: number;
  readonly path: Path;
  readonly message: string;
  readonly severity?: Problem['severity'];
  readonly username?: string | undefined;
  readonly isByOthers?: Problem['isByOthers'];
}

/** Takes a problem at a place. */
export type ComplainAt = (offset: number, path: Path, message: string) => void;

/** The problems of one entry as they are found. */
export interface Complaints {
  readonly complain: ComplainAt;
  /** Whether there is none so far. */
  readonly none: boolean;
}

export class ProblemReport {
  readonly #positionOf: (offset: number) => Position;
  readonly #problems: Problem[] = [];
  #rules = 0;
  #said = 0;
  #firstLeftOut: Position | undefined;
  #leftOut = 0;

  constructor(positionOf: (offset: number) => Position) {
    this.#positionOf = positionOf;
  }

  positionOf(offset: number): Position {
    return this.#positionOf(offset);
  }

  add({ offset, ...finding }: Finding): void {
    this.addAt(this.#positionOf(offset), finding);
  }

  /** Counts what is granted in the document. @returns whether there is room for so many rules more. */
  spendRules(count: number): boolean {
    if (this.#rules + count > LIMITS.rulesOfDocument) return false;
    this.#rules += count;
    return true;
  }

  /** Counts what is kept of the document's items. @returns whether there is room for so many characters more. */
  spendSaid(count: number): boolean {
    if (this.#said + count > LIMITS.saidOfDocument) return false;
    this.#said += count;
    return true;
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
  addAt(position: Position, { path, message, severity = 'error', username, isByOthers }: Omit<Finding, 'offset'>): void {
    const problem = { severity, position, path: showPath(path), message, username };
    if (this.#problems.length < LIMITS.problems) this.#problems.push(isByOthers === true ? { ...problem, isByOthers } : problem);
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
        : [{ severity: 'error', position: this.#firstLeftOut, path: '', message: `${this.#leftOut} more problems are not listed` }];
    return [...this.#problems, ...rest].toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
  }
}
