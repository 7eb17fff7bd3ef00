// A list and a watch of our own making: it says that something changed and nothing else, and outlives whatever happens to the API server.
import { setTimeout as sleep } from 'node:timers/promises';
import { SourceError, type WatchEnd, type WatchObserver } from '../sources/source.ts';
import type { KubeClient, Target } from './client.ts';
import { listVersions } from './list-versions.ts';
import { eventsOf, type WatchEvent } from './watch-events.ts';

/** What is watched, and what of it is news. */
export interface Watched {
  readonly what: 'document' | 'secret';
  readonly resource: Target['resource'];
  readonly namespace: string;
  /** The one object to watch; undefined watches all of the namespace. */
  readonly name?: string;
  /** The objects that matter at present. */
  names(): Iterable<string>;
  /** Whether this state of an object (undefined: it is not there) is another one than was last read. */
  isNews(name: string, version: string | undefined): boolean;
}

/** Milliseconds. */
export interface WatchTimes {
  /** Until the API server has begun to answer. */
  readonly answer: number;
  /** Without a sign of life. Bookmarks come about once a minute. */
  readonly idle: number;
  /** The first pause after a failure, and the longest one. */
  readonly backoff: readonly [number, number];
  /** After a right was missing: it may have been given since. */
  readonly forbidden: number;
}

const TIMES: WatchTimes = { answer: 10_000, idle: 90_000, backoff: [800, 30_000], forbidden: 600_000 };
/** Only metadata is asked for, so no Secret's value ever comes this way. */
const FORM = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
/** A watch that ended sooner without a word has failed, and must not be begun again at once. */
const SHORT_MS = 1000;
/** Refusals in a row that are believed: an API server that has just started refuses everybody until it has read its Roles. */
const REFUSALS = 5;
/** Silences in a row after which it is asked whether there was nothing to say: a store that was restored from a backup may be behind our version. */
const SILENCES = 10;
/** After so many failures in a row nothing is taken for granted any more. */
const RELIST_AFTER = 5;

/** Watches until the signal aborts; never throws. */
export async function runWatch(client: KubeClient, watched: Watched, observer: WatchObserver, signal: AbortSignal, times = TIMES): Promise<void> {
  const { what, resource, namespace, name } = watched;
  const selector: Record<string, string> = name === undefined ? {} : { fieldSelector: `metadata.name=${name}` };
  const target = (verb: 'list' | 'watch'): Target => ({ verb, resource, namespace });
  /** The resourceVersion to go on from; undefined: everything is listed first. */
  let version: string | undefined;
  let failures = 0;
  let refusals = 0;
  let silences = 0;
  /** Whether the last failure came from an API server that answers. */
  let answered = true;

  const list = async (): Promise<string> => {
    const { resourceVersion, versions } = await listVersions(client, target('list'), selector, signal);
    signal.throwIfAborted();
    observer.heard(what);
    for (const one of watched.names())
      if (watched.isNews(one, versions.get(one))) {
        observer.changed(what);
        break;
      }
    return resourceVersion;
  };

  const take = ({ object, resourceVersion }: WatchEvent): void => {
    signal.throwIfAborted();
    if (object !== undefined && watched.isNews(object.name, object.version)) observer.changed(what);
    version = resourceVersion;
    failures = 0;
    silences = 0;
  };

  const follow = async (from: string): Promise<WatchEnd> => {
    const silence = new AbortController();
    let connected = false;
    let timer = setTimeout(() => silence.abort(), times.answer);
    const signOfLife = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), times.idle);
      if (!signal.aborted) observer.heard(what);
    };
    const began = performance.now();
    try {
      const query = {
        ...selector,
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: from,
        timeoutSeconds: String(300 + Math.floor(Math.random() * 300)),
      };
      const chunks = await client.stream(target('watch'), { query, accept: FORM, signal: AbortSignal.any([signal, silence.signal]) });
      signal.throwIfAborted();
      connected = true;
      observer.connected(what, true);
      signOfLife();
      for await (const event of eventsOf(chunks, target('watch'), signOfLife)) take(event);
      if (version === from && performance.now() - began < SHORT_MS) failures += 1;
      return 'ended';
    } catch (error) {
      signal.throwIfAborted();
      if (silence.signal.aborted) {
        // A quiet cluster has nothing to say for longer than that: it is begun again from where it was.
        if (connected) return 'silent';
        throw new SourceError('timeout', `the API server did not begin a watch of ${resource} within ${times.answer / 1000} s`, { retryable: true });
      }
      if (error instanceof SourceError) throw error;
      throw new SourceError('unavailable', `the watch of ${resource} in namespace ${namespace} broke off`, { retryable: true, cause: error });
    } finally {
      clearTimeout(timer);
      if (connected) observer.connected(what, false);
    }
  };

  while (!signal.aborted) {
    let pause = 0;
    try {
      version ??= await list();
      const end = await follow(version);
      refusals = 0;
      answered = true;
      silences = end === 'silent' ? silences + 1 : 0;
      if (end === 'silent') failures = 0;
      if (silences >= SILENCES) [version, silences] = [undefined, 0];
      observer.restarted(what, end, '');
      if (failures > 0) pause = backoff(failures, times.backoff);
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof SourceError ? error : new SourceError('unavailable', `the watch of ${resource} failed`, { cause: error });
      const isBack = !answered && !isAbsent(failure);
      answered = !isAbsent(failure);
      // What kept us waiting while there was nobody is over: whoever answers again is asked as soon as at first.
      failures = isBack ? 1 : failures + 1;
      observer.restarted(what, failure.reason, failure.message);
      if (failure.reason === 'expired' || failure.reason === 'malformed' || failures % RELIST_AFTER === 0) version = undefined;
      refusals = failure.reason === 'forbidden' ? refusals + 1 : 0;
      if (refusals >= REFUSALS) {
        observer.refused(what, failure.message);
        pause = times.forbidden;
        refusals = 0;
        failures = 0;
      } else if (failure.reason !== 'expired' || failures > 1) pause = Math.max(backoff(failures, times.backoff), Math.min(failure.retryAfterMs ?? 0, 300_000));
    }
    if (pause > 0) await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}

const isAbsent = ({ reason }: SourceError): boolean => reason === 'unavailable' || reason === 'timeout';

/** Doubled with each failure, half as long to one and a half times as long. */
const backoff = (failures: number, [first, longest]: readonly [number, number]): number =>
  Math.min(longest, first * 2 ** (failures - 1)) * (0.5 + Math.random());
