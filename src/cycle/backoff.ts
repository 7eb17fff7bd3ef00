// Backoff: a change that failed waits longer each time, so that one failure costs the others nothing.
import { type Change, forNames, keyOf, namesOf } from '../core/change.ts';

export interface Backoff {
  /** Records a failure; answers whether it is the first in a row. */
  fail(key: string): boolean;
  /** A change that worked: it, and what it names, waits no longer. */
  succeed(change: Change): void;
  /** Whether anything failed lately. */
  readonly any: boolean;
  isDeferred(key: string): boolean;
  /** Milliseconds until the first of those that wait may be tried again; undefined where none waits. */
  nextIn(): number | undefined;
  isKnown(key: string): boolean;
  /** Everything is tried again at once, for example after the document changed. */
  clear(): void;
}

const CAP_MS = 300_000;

/** Delays grow by `base` seconds to the power of the failures in a row, up to five minutes, give or take a tenth. */
export function createBackoff(base: number, now: () => number): Backoff {
  const failures = new Map<string, { readonly count: number; readonly until: number }>();
  return {
    fail: (key) => {
      const count = (failures.get(key)?.count ?? 0) + 1;
      const delay = Math.min(CAP_MS, 1000 * base ** count) * (0.9 + Math.random() * 0.2);
      failures.set(key, { count, until: now() + delay });
      return count === 1;
    },
    succeed: (change) => {
      if (failures.size === 0) return;
      failures.delete(keyOf(change));
      for (const name of namesOf(change)) failures.delete(keyOf(forNames(change, [name])));
    },
    get any() {
      return failures.size > 0;
    },
    isDeferred: (key) => (failures.get(key)?.until ?? 0) > now(),
    nextIn: () => {
      const waiting = [...failures.values()].map(({ until }) => until - now()).filter((ms) => ms > 0);
      return waiting.length === 0 ? undefined : Math.min(...waiting);
    },
    isKnown: (key) => failures.has(key),
    clear: () => failures.clear(),
  };
}
