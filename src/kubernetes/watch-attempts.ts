// What an attempt to watch means for the next one: from where it goes on, and after what pause.
import type { SourceError } from '../model/source-error.ts';

/** Milliseconds. */
export interface Pauses {
  /** The first pause after a failure, and the longest one. */
  readonly backoff: readonly [number, number];
  /** After a right was missing: it may have been given since. */
  readonly forbidden: number;
}

export interface Attempts {
  /** The resourceVersion to go on from; undefined: everything is listed first. */
  version(): string | undefined;
  listed(version: string): string;
  /** An event came. */
  took(version: string): void;
  /**
   * A watch from a version on ended without a failure.
   * @param lasted in milliseconds.
   * @returns the pause until the next one.
   */
  ended(end: 'ended' | 'silent', from: string, lasted: number): number;
  /** `isRefused`: it is believed that a right is missing. */
  failed(failure: SourceError): { readonly pause: number; readonly isRefused: boolean };
}

/** A watch that ended sooner without a word has failed, and must not be begun again at once. */
const SHORT_MS = 1000;
/** Refusals in a row that are believed: an API server that has just started refuses everybody until it has read its Roles. */
const REFUSALS = 5;
/** Silences in a row after which it is asked whether there was nothing to say: a store that was restored from a backup may be behind our version. */
const SILENCES = 10;
/** After so many failures in a row nothing is taken for granted any more. */
const RELIST_AFTER = 5;

export function createAttempts(pauses: Pauses): Attempts {
  let version: string | undefined;
  let failures = 0;
  let refusals = 0;
  let silences = 0;
  /** Whether the last failure came from an API server that answers. */
  let answered = true;
  return {
    version: () => version,
    listed: (listed) => (version = listed),
    took: (taken) => {
      version = taken;
      failures = 0;
      silences = 0;
    },
    ended: (end, from, lasted) => {
      if (end === 'ended' && version === from && lasted < SHORT_MS) failures += 1;
      refusals = 0;
      answered = true;
      silences = end === 'silent' ? silences + 1 : 0;
      if (end === 'silent') failures = 0;
      if (silences >= SILENCES) [version, silences] = [undefined, 0];
      return failures > 0 ? backoff(failures, pauses.backoff) : 0;
    },
    failed: (failure) => {
      const { reason, retryAfterMs = 0 } = failure;
      const isBack = !answered && !isAbsent(failure);
      answered = !isAbsent(failure);
      // What kept us waiting while there was nobody is over: whoever answers again is asked as soon as at first.
      failures = isBack ? 1 : failures + 1;
      if (reason === 'expired' || reason === 'malformed' || failures % RELIST_AFTER === 0) version = undefined;
      refusals = reason === 'forbidden' ? refusals + 1 : 0;
      if (refusals >= REFUSALS) {
        refusals = 0;
        failures = 0;
        return { pause: pauses.forbidden, isRefused: true };
      }
      const isAtOnce = reason === 'expired' && failures === 1;
      return { pause: isAtOnce ? 0 : Math.max(backoff(failures, pauses.backoff), Math.min(retryAfterMs, 300_000)), isRefused: false };
    },
  };
}

const isAbsent = ({ reason }: SourceError): boolean => reason === 'unavailable' || reason === 'timeout';

/** Doubled with each failure, half as long to one and a half times as long. */
const backoff = (failures: number, [first, longest]: readonly [number, number]): number =>
  Math.min(longest, first * 2 ** (failures - 1)) * (0.5 + Math.random());
