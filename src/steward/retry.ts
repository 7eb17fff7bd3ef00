// Retry: what the server refused for a moment is asked for again.
import pRetry from 'p-retry';
import { mayPass } from '../postgres/failures.ts';

export interface RetryOptions {
  readonly retries: number;
  /** Seconds grow by this factor. */
  readonly base: number;
}

/** Runs a piece of work, again where it failed of something that may pass. */
export type Retried = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

export const createRetried =
  ({ retries, base }: RetryOptions): Retried =>
  (work, signal) =>
    pRetry(work, { retries, factor: base, minTimeout: 250, maxTimeout: 10_000, randomize: true, signal, shouldRetry: ({ error }) => mayPass(error) });
