// Patience: how long the batches of a plan wait for locks that others hold. Each of them may wait once; taken apart, its parts only try.
import type { Timeouts } from './transaction.ts';

export interface LockPatience {
  /** Seconds that a batch may wait for a lock. */
  readonly lockTimeout: number;
  /** Whether what waited in vain is still worth being taken apart. */
  readonly lasts: boolean;
  /** Takes note of work that waited in vain. @param ms since it was sent. */
  waited(ms: number): void;
}

/** Seconds that a part of a batch waits. Long enough for locks that everybody takes for a moment, and 500 of them are ten seconds. */
export const HURRIED = 0.02;
/** So many waits in vain, and then everything only tries. */
const WAITS = 3;
/** With a short lock timeout there is still time to take a batch apart. */
const AT_LEAST_MS = 10_000;

/** Patience for the batches of one plan together: locks in one database do not hold up the others. */
export function createLockPatience({ lockTimeout, statementTimeout }: Timeouts): LockPatience {
  // A statement timeout that is the shorter one would end the wait as well, and says nothing of a lock.
  const full = Math.min(lockTimeout, statementTimeout);
  const most = Math.max(AT_LEAST_MS, WAITS * full * 1000);
  let spent = 0;
  return {
    get lockTimeout() {
      return spent < WAITS * full * 1000 ? full : Math.min(HURRIED, full);
    },
    get lasts() {
      return spent < most;
    },
    waited: (ms) => {
      spent += ms;
    },
  };
}
