// Standing by: what this instance says while it is not the writer. An outage is told at once and then once an interval, as a cycle that failed.
import { whyNot } from '../postgres/outage-of.ts';
import type { Waiting } from '../postgres/writer-lock.ts';

export interface StandingByOptions {
  /** Tells of an outage everywhere. Never throws but for an abort. */
  readonly tell: (error: unknown, signal: AbortSignal) => Promise<void>;
  /** Another instance of the same document is the writer: nothing is wrong. */
  readonly standsBy: (message: string) => void;
  /** Milliseconds. */
  readonly interval: number;
  readonly signal: AbortSignal;
}

export interface StandingBy {
  /** Hears of each attempt to become the writer that did not succeed. */
  readonly waits: (why: Waiting) => void;
  /** Ends what is being told, and waits for its end. */
  readonly end: () => Promise<void>;
}

/** For one wait. What is told reads the document, which may take long, and must not put off the next attempt. */
export function createStandingBy({ tell, standsBy, interval, signal }: StandingByOptions): StandingBy {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let telling: Promise<void> | undefined;
  let told = '';
  let next = 0;
  return {
    waits: (why) => {
      if (why.kind === 'standby') {
        told = '';
        return standsBy(why.message);
      }
      const { outage } = whyNot(why.error);
      const now = performance.now();
      if (telling !== undefined || (outage === told && now < next)) return;
      [told, next] = [outage, now + interval];
      telling = tell(why.error, either)
        .catch((error: unknown) => {
          if (!either.aborted) throw error;
        })
        .finally(() => (telling = undefined));
    },
    end: async () => {
      stop.abort();
      await telling;
    },
  };
}
