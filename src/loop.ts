// The loop: when a cycle runs. One at a time; a wake-up during a cycle leads to exactly one more.
import { setTimeout as sleep } from 'node:timers/promises';

export interface Wake {
  /** Asks for a cycle now. */
  request(): void;
  /** Resolves at the next request (at once if one came since the last wait), or after `ms`. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export function createWake(): Wake {
  let requested = false;
  let notify: (() => void) | undefined;
  return {
    request: () => {
      requested = true;
      notify?.();
    },
    wait: async (ms, signal) => {
      if (!requested) {
        const timer = new AbortController();
        const woken = new Promise<void>((resolve) => (notify = resolve));
        await Promise.race([woken, sleep(ms, undefined, { signal: AbortSignal.any([signal, timer.signal]) }).catch(() => undefined)]);
        timer.abort();
        notify = undefined;
      }
      requested = false;
    },
  };
}

export interface LoopOptions {
  readonly cycle: (signal: AbortSignal) => Promise<void>;
  /** Seconds; each wait is up to a tenth longer or shorter, so that instances do not move in step. */
  readonly interval: number;
  readonly wake: Wake;
  readonly signal: AbortSignal;
}

/** Runs cycles until the signal aborts. */
export async function runLoop({ cycle, interval, wake, signal }: LoopOptions): Promise<void> {
  while (!signal.aborted) {
    await cycle(signal);
    await wake.wait(interval * 1000 * (0.9 + Math.random() * 0.2), signal);
  }
}
