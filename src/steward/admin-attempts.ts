// When the rotation of our own password is tried again, and what is said of the last attempt until then.
import { type Change, keyOf } from '../changes/change.ts';
import type { Notice } from '../changes/notice.ts';
import { createBackoff } from './backoff.ts';

export interface AdminAttempts {
  /** Until this look is over nothing is known of the next one. */
  begin(): void;
  /** What somebody asks for now: it is tried at once. */
  asked(asked: string | undefined): void;
  /** There is nothing to do before then. */
  rest(until: number | undefined): void;
  isDeferred(change: Change): boolean;
  /** Of the last attempt, while nothing has changed about it. */
  failures(): readonly Notice[];
  failed(change: Change, notice: Notice): void;
  succeeded(change: Change, nextAt: number | undefined): void;
  /** Milliseconds until there is something to do again; undefined where nothing is known. */
  nextIn(): number | undefined;
}

/** @param now the clock of the Secret's times. */
export function createAdminAttempts(base: number, now: () => number): AdminAttempts {
  const backoff = createBackoff(base, () => performance.now());
  let failure: Notice | undefined;
  let lastAsked: string | undefined;
  /** The moment to look again at, which is never in the past while we may not write. */
  let wakeAt: number | undefined;
  const rest = (until: number | undefined): void => {
    failure = undefined;
    wakeAt = until;
  };
  return {
    begin: () => {
      wakeAt = undefined;
    },
    asked: (asked) => {
      if (asked !== lastAsked) backoff.clear();
      lastAsked = asked;
    },
    rest,
    isDeferred: (change) => backoff.isDeferred(keyOf(change)),
    failures: () => (failure === undefined ? [] : [failure]),
    failed: (change, notice) => {
      backoff.fail(keyOf(change));
      failure = notice;
    },
    succeeded: (change, nextAt) => {
      backoff.succeed(change);
      rest(nextAt);
    },
    nextIn: () => {
      const wake = wakeAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, wakeAt - now());
      // Said once: where cycles fail before they get here, they are not repeated at once for it.
      if (wake === 0) wakeAt = undefined;
      const next = Math.min(backoff.nextIn() ?? Number.POSITIVE_INFINITY, wake);
      return Number.isFinite(next) ? next : undefined;
    },
  };
}
