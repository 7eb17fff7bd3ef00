// Applied changes of a cycle: what came of each. What succeeded and is wanted again by a later pass does not converge.
import { type Change, groupKeyOf, keyOf, namesOf, splitNames } from '../changes/change.ts';
import type { Notice } from '../changes/notice.ts';
import { nameKey } from '../model/contents.ts';
import type { Outcome } from '../postgres/run.ts';
import { type Backoff, longestPause } from './backoff.ts';
import { notConverging } from './failure-notices.ts';
import type { Repeats } from './repeats.ts';

export interface AppliedParts {
  readonly backoff: Backoff;
  readonly repeats: Repeats;
  /** Seconds between cycles. */
  readonly interval: number;
}

export interface Applied {
  /** What came of each change so far. */
  readonly outcomes: readonly Outcome[];
  /** What does not converge. */
  readonly notices: readonly Notice[];
  add(outcomes: readonly Outcome[]): void;
  /** Changes (or the part of their objects) that succeeded before, which are backed off, and the others. */
  split(changes: readonly Change[]): { readonly again: readonly Change[]; readonly fresh: readonly Change[] };
  /** Nothing is left to do: only now is it known that what succeeded is not wanted again. */
  end(): void;
}

/** One for each cycle. @param before what was done before its first plan. */
export function createApplied(before: readonly Change[], { backoff, repeats, interval }: AppliedParts): Applied {
  const outcomes = before.map((change): Outcome => ({ change, result: 'applied' }));
  const done: Change[] = [];
  const undone = new Set<string>();
  const notices: Notice[] = [];
  return {
    outcomes,
    notices,
    add: (more) => {
      for (const outcome of more) {
        outcomes.push(outcome);
        if (outcome.result === 'failed') backoff.fail(keyOf(outcome.change), longestPause(outcome, interval));
        if (outcome.result !== 'applied') continue;
        done.push(outcome.change);
        repeats.note(outcome.change);
      }
    },
    split: (changes) => {
      const parts = splitDone(changes, done);
      for (const change of parts.again) {
        backoff.undone(keyOf(change));
        undone.add(groupKeyOf(change));
        notices.push(notConverging(change));
      }
      return parts;
    },
    end: () => {
      if (backoff.any) for (const { change, result } of outcomes) if (result === 'applied' && !undone.has(groupKeyOf(change))) backoff.succeed(change);
    },
  };
}

function splitDone(changes: readonly Change[], done: readonly Change[]): ReturnType<Applied['split']> {
  // Most cycles have no later pass that wants anything, and there may be hundreds of thousands of names.
  if (done.length === 0 || changes.length === 0) return { again: [], fresh: changes };
  const known = namesByGroup(done);
  const again: Change[] = [];
  const fresh: Change[] = [];
  for (const change of changes) {
    const before = known.get(groupKeyOf(change));
    if (before !== undefined && namesOf(change).length === 0) again.push(change);
    else {
      const { inside, outside } = splitNames(change, (name) => before?.has(nameKey(name)) === true);
      if (inside !== undefined) again.push(inside);
      if (outside !== undefined) fresh.push(outside);
    }
  }
  return { again, fresh };
}

function namesByGroup(done: readonly Change[]): ReadonlyMap<string, ReadonlySet<string>> {
  const result = new Map<string, Set<string>>();
  for (const change of done) {
    const key = groupKeyOf(change);
    const names = result.get(key) ?? new Set<string>();
    for (const name of namesOf(change)) names.add(nameKey(name));
    result.set(key, names);
  }
  return result;
}
