// Repeats: which changes the audit log only counts, because they undo what somebody does by hand again and again.
import { type Change, groupKeyOf } from '../changes/change.ts';

export interface Repeats {
  /** For the changes of one plan: what AuditFacts asks for. */
  of(drift: readonly Change[], whyOf: (change: Change) => string): (change: Change) => string | undefined;
  /** A change that was made. */
  note(change: Change): void;
  /** Another document may want a change again, and that is news. */
  forget(): void;
}

/** Beyond it a change is news once more. */
const MOST = 10_000;

export function createRepeats(): Repeats {
  /** What is made again under the same document is a repair, also where an entry that something else is wrong with hides that it is drift. */
  const made = new Set<string>();
  /** What was made since, of which nobody asked yet: mostly nobody does, and a key for each of thousands of new roles costs as much as its SQL. */
  let noted: Change[] = [];
  const settle = (): void => {
    for (const change of noted) made.add(groupKeyOf(change));
    noted = [];
  };
  const forget = (): void => {
    noted = [];
    made.clear();
  };
  return {
    of: (drift, whyOf) => {
      const repairs = new Set(drift.map(groupKeyOf));
      return (change) => {
        settle();
        if (repairs.size === 0 && made.size === 0) return undefined;
        const key = groupKeyOf(change);
        return repairs.has(key) ? '' : made.has(key) ? whyOf(change) : undefined;
      };
    },
    note: (change) => {
      if (made.size + noted.length >= MOST) forget();
      noted.push(change);
    },
    forget,
  };
}
