// Applied changes of a cycle: what succeeded and is wanted again by a later pass does not converge.
import { type Change, groupKeyOf, namesOf, splitNames } from '../core/change.ts';

export interface Applied {
  add(change: Change): void;
  /** Changes (or the part of their objects) that succeeded before, and the others. */
  split(changes: readonly Change[]): { readonly again: readonly Change[]; readonly fresh: readonly Change[] };
}

export function createApplied(): Applied {
  const done: Change[] = [];
  /** Built when a later pass wants anything: most cycles have none, and there may be hundreds of thousands of names. */
  const index = (): ReadonlyMap<string, ReadonlySet<string>> => {
    const result = new Map<string, Set<string>>();
    for (const change of done) {
      const key = groupKeyOf(change);
      const names = result.get(key) ?? new Set<string>();
      for (const name of namesOf(change)) names.add(name);
      result.set(key, names);
    }
    return result;
  };
  return {
    add: (change) => void done.push(change),
    split: (changes) => {
      if (done.length === 0 || changes.length === 0) return { again: [], fresh: changes };
      const known = index();
      const again: Change[] = [];
      const fresh: Change[] = [];
      for (const change of changes) {
        const before = known.get(groupKeyOf(change));
        if (before !== undefined && namesOf(change).length === 0) again.push(change);
        else {
          const { inside, outside } = splitNames(change, (name) => before?.has(name) === true);
          if (inside !== undefined) again.push(inside);
          if (outside !== undefined) fresh.push(outside);
        }
      }
      return { again, fresh };
    },
  };
}
