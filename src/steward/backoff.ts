// Backoff: a change that failed waits longer each time, so that one failure costs the others nothing.
import { type Change, forNames, keyOf, namesOf } from '../changes/change.ts';
import { isInKubernetes } from '../changes/table.ts';
import type { Outcome } from '../postgres/run.ts';

/** What waits at one moment. */
export interface Waiting {
  /** Whether anything failed lately. */
  readonly any: boolean;
  isDeferred(key: string): boolean;
}

/** For whoever has tried nothing before. */
export const NOTHING_WAITS: Waiting = { any: false, isDeferred: () => false };

export interface Backoff extends Waiting {
  /**
   * Records a failure; answers whether it is the first in a row.
   * @param most the longest pause, in milliseconds.
   */
  fail(key: string, most?: number): boolean;
  /**
   * Records a change that succeeded and is wanted again. Somebody may just have undone it, so the first pauses are short; they grow like any
   * other where it does not take effect at all.
   */
  undone(key: string): void;
  /** A change that worked: it, and what it names, waits no longer. */
  succeed(change: Change): void;
  /** What waits now, for whoever asks again and again about one thing: it does not change as time goes on. */
  atThisMoment(): Waiting;
  /**
   * Milliseconds until the first of those that wait may be tried again, 0 where that came while the last plan was made, which left it out; undefined where
   * none waits. What is due is told once: where the cycle that it begins makes no plan, it comes with the next look.
   */
  nextIn(): number | undefined;
  isKnown(key: string): boolean;
  /** Everything is tried again at once, for example after the document changed. */
  clear(): void;
}

const CAP_MS = 300_000;
const UNDONE_MS = 250;

/** Delays grow by `base` seconds to the power of the failures in a row, up to five minutes, give or take a tenth. */
export function createBackoff(base: number, now: () => number): Backoff {
  const failures = new Map<string, { readonly count: number; readonly until: number }>();
  const wait = (key: string, first: number, most = CAP_MS): number => {
    const count = (failures.get(key)?.count ?? 0) + 1;
    const delay = Math.min(CAP_MS, most, first * base ** (count - 1)) * (0.9 + Math.random() * 0.2);
    failures.set(key, { count, until: now() + delay });
    return count;
  };
  /** The moment of the last plan, or of the last word about the next one; undefined for whoever makes none. */
  let asked: number | undefined;
  const isDeferredAt = (key: string, moment: number): boolean => (failures.get(key)?.until ?? 0) > moment;
  return {
    fail: (key, most) => wait(key, 1000 * base, most) === 1,
    undone: (key) => void wait(key, UNDONE_MS),
    succeed: (change) => {
      if (failures.size === 0) return;
      failures.delete(keyOf(change));
      for (const name of namesOf(change)) failures.delete(keyOf(forNames(change, [name])));
    },
    get any() {
      return failures.size > 0;
    },
    isDeferred: (key) => isDeferredAt(key, now()),
    atThisMoment: () => {
      const [moment, any] = [now(), failures.size > 0];
      asked = moment;
      return { any, isDeferred: (key) => isDeferredAt(key, moment) };
    },
    nextIn: () => {
      const moment = now();
      const since = asked ?? moment;
      if (asked !== undefined) asked = moment;
      const waiting = [...failures.values()].filter(({ until }) => until > since).map(({ until }) => Math.max(0, until - moment));
      return waiting.length === 0 ? undefined : Math.min(...waiting);
    },
    isKnown: (key) => failures.has(key),
    clear: () => failures.clear(),
  };
}

/** What keeps Kubernetes from it may end at any time, and asking costs the server nothing. @param interval in seconds. */
export const longestPause = (outcome: Extract<Outcome, { result: 'failed' }>, interval: number): number | undefined =>
  (outcome.class === 'cannot' || outcome.class === 'retry') && isInKubernetes(outcome.change) ? interval * 1000 : undefined;
