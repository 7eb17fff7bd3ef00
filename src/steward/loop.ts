// The loop: when a cycle runs. One at a time; wake-ups that come close together, or during a cycle, lead to exactly one more, and none of them puts
// off the next look at everything.
import { setTimeout as sleep } from 'node:timers/promises';
import type { WakeCause, Waker, WakeUps, Woken } from '../model/wake.ts';

export interface Wake extends Waker {
  /** Resolves when requests have come and then none for SETTLE_MS, and at this moment of the clock at the latest. Never throws; an abort ends it. */
  wait(until: number, signal: AbortSignal): Promise<WakeUps>;
  readonly clock: Clock;
}

/** Time, as the loop sees it. */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  /** Never throws; an abort ends it. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

const CLOCK: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
};

/** A burst (500 Secrets rotated at once, a migration's GRANTs) is over when nothing came for so long. */
const SETTLE_MS = 100;
/** A burst that does not end is answered anyway. */
const SETTLE_AT_MOST_MS = 2000;
/** Whoever may connect to a database may notify: that leads to one look in so long, however often it is done. */
const NOTIFIED_AGAIN_MS = 2000;

/** However soon something is due again. */
const RETRY_AT_LEAST_MS = 250;

export function createWake(clock: Clock = CLOCK): Wake {
  let causes = new Set<WakeCause>();
  let databases = new Set<string>();
  let requests = 0;
  let notify: (() => void) | undefined;
  let notifiedFrom = Number.NEGATIVE_INFINITY;
  /** Whether a request came before this moment. */
  const comesBefore = async (end: number, signal: AbortSignal): Promise<boolean> => {
    const before = requests;
    const timer = new AbortController();
    const woken = new Promise<void>((resolve) => (notify = resolve));
    await Promise.race([woken, clock.sleep(Math.max(0, end - clock.now()), AbortSignal.any([signal, timer.signal]))]);
    timer.abort();
    notify = undefined;
    return requests > before;
  };
  const waitForQuiet = async (until: number, signal: AbortSignal): Promise<void> => {
    const end = Math.min(until, clock.now() + SETTLE_AT_MOST_MS);
    while (clock.now() < end && !signal.aborted && (await comesBefore(Math.min(end, clock.now() + SETTLE_MS), signal)));
  };
  const isAnswered = (): boolean => requests > 0 && (clock.now() >= notifiedFrom || [...causes].some((cause) => cause !== 'database'));
  return {
    clock,
    request: (cause, database) => {
      causes.add(cause);
      if (database !== undefined) databases.add(database);
      requests += 1;
      notify?.();
    },
    wait: async (until, signal) => {
      let isSettled = false;
      while (clock.now() < until && !signal.aborted && !isSettled) {
        // What only notifications ask for waits its time, in which others may come.
        if (!isAnswered()) await comesBefore(requests === 0 ? until : Math.min(until, notifiedFrom), signal);
        else {
          await waitForQuiet(until, signal);
          isSettled = true;
        }
      }
      const woken = { causes, databases, requests };
      if (causes.has('database')) notifiedFrom = clock.now() + NOTIFIED_AGAIN_MS;
      causes = new Set();
      databases = new Set();
      requests = 0;
      return woken;
    },
  };
}

export interface LoopOptions {
  /** @returns whether it looked at all that it was to look at. */
  readonly cycle: (signal: AbortSignal, woken: Woken) => Promise<boolean>;
  /** Seconds from one look at everything to the next, at most; up to a tenth less, so that instances do not move in step. */
  readonly interval: number;
  /** Milliseconds until something that failed is due again; undefined where nothing is. */
  readonly retryIn?: () => number | undefined;
  readonly wake: Wake;
  readonly signal: AbortSignal;
  /** Ends it between two cycles. */
  readonly until?: AbortSignal | undefined;
}

/** Runs cycles until the signal aborts. */
export async function runLoop({ cycle, interval, retryIn, wake, signal, until = signal }: LoopOptions): Promise<void> {
  const { clock } = wake;
  const either = AbortSignal.any([signal, until]);
  let woken: Woken = { causes: new Set(), databases: new Set(), requests: 0, everything: true };
  let nextLook = clock.now();
  while (!either.aborted) {
    const isDone = await cycle(signal, woken);
    const now = clock.now();
    if (woken.everything) nextLook = now + interval * 1000 * (0.9 + Math.random() * 0.1);
    const retry = Math.max(RETRY_AT_LEAST_MS, retryIn?.() ?? Number.POSITIVE_INFINITY);
    const asked = await wake.wait(Math.min(nextLook, now + retry), either);
    // A look that failed was none: the next cycle looks at everything, whatever begins it.
    const everything = !isDone || asked.requests === 0 || asked.causes.has('signal') || clock.now() >= nextLook;
    woken = { ...asked, everything };
  }
}
