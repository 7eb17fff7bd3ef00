// What went wrong with a request → SourceError: from statuses and codes, never from a body, which can echo what was sent.
import { type SourceFailure, SourceError } from '../model/source-error.ts';
import type { ResourceAttributes } from './resource-attributes.ts';

const describe = ({ resource, name, namespace }: ResourceAttributes): string => `${resource}${name === undefined ? '' : ` ${name}`} in namespace ${namespace}`;

/** What each status means for us; the body is never looked at, as it can echo what was sent. */
export function failureOf(target: ResourceAttributes, status: number, retryAfter: string | string[] | undefined): SourceError {
  const what = describe(target);
  const fail = (reason: SourceFailure, message: string, retryable: boolean): SourceError =>
    new SourceError(reason, message, { retryable, retryAfterMs: retryAfterMs(retryAfter) });
  switch (status) {
    case 401:
      return fail('unauthorized', `the API server does not accept our token for ${what}; check the service account and its mount`, false);
    case 403:
      return fail('forbidden', `we may not ${target.verb} ${what}; the Role needs the verb ${target.verb} on ${target.resource}`, false);
    case 404:
      return fail('not_found', `there is no ${what}`, false);
    case 409:
      return fail('conflict', `somebody else changed ${what} at the same time`, true);
    case 410:
      return fail('expired', `the API server no longer has the version of ${what} that was asked for`, true);
    case 422:
      return fail(
        'unavailable',
        `the API server does not accept what is to be written to ${what} (422): it is immutable or full, or something forbids it`,
        false,
      );
    case 429:
      return fail('throttled', `the API server asks us to slow down (${what})`, true);
    default:
      return fail('unavailable', `the API server answered ${status} for ${what}`, status >= 500);
  }
}

/** Retry-After in seconds or as a date. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  if (value === undefined) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

export function networkFailure(target: ResourceAttributes, error: unknown, timeoutMs: number): SourceError {
  const name = error instanceof Error ? error.name : '';
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : name;
  if (name === 'TimeoutError' || name === 'AbortError' || code === 'UND_ERR_CONNECT_TIMEOUT')
    return new SourceError('timeout', `the API server did not answer within ${timeoutMs / 1000} s for ${describe(target)}`, { retryable: true });
  return new SourceError('unavailable', `the API server cannot be reached for ${describe(target)} (${code || 'unknown error'})`, { retryable: true });
}

/** An answer of which nothing can be used. */
export const malformedAnswer = (target: ResourceAttributes): SourceError =>
  new SourceError('malformed', `the API server's answer for ${describe(target)} is no JSON object`, { retryable: true });

/** An answer of which no more was read. */
export const tooLong = (target: ResourceAttributes, most: number): SourceError =>
  new SourceError('malformed', `the API server's answer for ${describe(target)} is longer than ${most / 1024 / 1024} MiB`, { retryable: true });
