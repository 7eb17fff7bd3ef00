// Source error: why a source of desired state could not be read or written.
import type { Requests } from './requests.ts';

/** Why a source could not be read. `reason` is a metric label, so it is a closed set. */
export type SourceFailure = 'not_found' | 'forbidden' | 'unauthorized' | 'throttled' | 'conflict' | 'expired' | 'timeout' | 'unavailable' | 'malformed';

/** A source that could not be read; the message says what to do and holds no content of any object. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly reason: SourceFailure;
  /** Whether the same request may succeed when it is simply made again. */
  readonly retryable: boolean;
  /** Milliseconds that the server asked us to wait (Retry-After). */
  readonly retryAfterMs: number | undefined;
  /** What the ConfigMap's annotations ask for, where these could be read and the document could not. */
  readonly requests: Requests | undefined;
  constructor(
    reason: SourceFailure,
    message: string,
    options: { retryable?: boolean; retryAfterMs?: number | undefined; cause?: unknown; requests?: Requests } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.requests = options.requests;
  }
}

/** What a failure to write means for a change: a right that is missing stays so until somebody gives it. */
export const classOf = ({ reason }: SourceError): 'cannot' | 'retry' => (reason === 'forbidden' ? 'cannot' : 'retry');
