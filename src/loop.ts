// The loop: when a cycle runs. One at a time; wake-ups that come close together, or during a cycle, lead to exactly one more.
import { setTimeout as sleep } from 'node:timers/promises';

/** What can make the loop look before its interval is over; also a metric label. */
export const WAKE_CAUSES = ['document', 'secret', 'database', 'cluster', 'signal'] as const;
export type WakeCause = (typeof WAKE_CAUSES)[number];

/** Why a cycle begins. Nothing woke the loop: the interval is over, or it is the first cycle. */
export interface Woken {
  readonly causes: ReadonlySet<WakeCause>;
  /** Databases that were named by a cause `database`. */
  readonly databases: ReadonlySet<string>;
  /** How many requests this cycle answers. */
  readonly requests: number;
}

export interface Wake {
  /** Asks for a cycle soon. It says where to look, never what to do. */
  request(cause: WakeCause, database?: string): void;
  /** Resolves when requests have come and then none for SETTLE_MS, or after `ms` without any. Never throws; an abort ends it. */
  wait(ms: number, signal: AbortSignal): Promise<Woken>;
}

/** A burst (500 Secrets rotated at once, a migration's GRANTs) is over when nothing came for so long. */
const SETTLE_MS = 100;
/** A burst that does not end is answered anyway. */
const SETTLE_AT_MOST_MS = 2000;

/** However soon something is due again. */
const RETRY_AT_LEAST_MS = 250;

export function createWake(): Wake {
  let causes = new Set<WakeCause>();
  let databases = new Set<string>();
  let requests = 0;
  let notify: (() => void) | undefined;
  /** Whether a request came within `ms`. */
  const comes = async (ms: number, signal: AbortSignal): Promise<boolean> => {
    const before = requests;
    const timer = new AbortController();
    const woken = new Promise<void>((resolve) => (notify = resolve));
    await Promise.race([woken, sleep(ms, undefined, { signal: AbortSignal.any([signal, timer.signal]) }).catch(() => undefined)]);
    timer.abort();
    notify = undefined;
    return requests > before;
  };
  return {
    request: (cause, database) => {
      causes.add(cause);
      if (database !== undefined) databases.add(database);
      requests += 1;
      notify?.();
    },
    wait: async (ms, signal) => {
      if (requests > 0 || (await comes(ms, signal))) {
        const end = performance.now() + SETTLE_AT_MOST_MS;
        while (performance.now() < end && !signal.aborted && (await comes(SETTLE_MS, signal)));
      }
      const woken = { causes, databases, requests };
      causes = new Set();
      databases = new Set();
      requests = 0;
      return woken;
    },
  };
}

export interface LoopOptions {
  readonly cycle: (signal: AbortSignal, woken: Woken) => Promise<void>;
  /** Seconds; each wait is up to a tenth longer or shorter, so that instances do not move in step. */
  readonly interval: number;
  /** Milliseconds until something that failed is due again; undefined where nothing is. */
  readonly retryIn?: () => number | undefined;
  readonly wake: Wake;
  readonly signal: AbortSignal;
}

/** Runs cycles until the signal aborts. */
export async function runLoop({ cycle, interval, retryIn, wake, signal }: LoopOptions): Promise<void> {
  let woken: Woken = { causes: new Set(), databases: new Set(), requests: 0 };
  while (!signal.aborted) {
    await cycle(signal, woken);
    const retry = Math.max(RETRY_AT_LEAST_MS, retryIn?.() ?? Number.POSITIVE_INFINITY);
    woken = await wake.wait(Math.min(interval * 1000 * (0.9 + Math.random() * 0.2), retry), signal);
  }
}
