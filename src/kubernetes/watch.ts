// A list and a watch of our own making: it says that something changed and nothing else, and outlives whatever happens to the API server.
import { setTimeout as sleep } from 'node:timers/promises';
import { SourceError } from '../model/source-error.ts';
import type { WatchObserver } from '../model/watched.ts';
import type { KubeClient } from './client.ts';
import { followWatch, type Silence, type WatchListener } from './follow-watch.ts';
import type { ResourceAttributes } from './resource-attributes.ts';
import { listVersions } from './list-versions.ts';
import { createAttempts, type Pauses } from './watch-attempts.ts';

/** What is watched, and what of it is news. */
export interface Watched {
  readonly what: 'document' | 'secret';
  readonly resource: ResourceAttributes['resource'];
  readonly namespace: string;
  /** The one object to watch; undefined watches all of the namespace. */
  readonly name?: string;
  /** The objects that matter at present. */
  names(): Iterable<string>;
  /** Whether this state of an object (undefined: it is not there) is another one than was last read. */
  isNews(name: string, version: string | undefined): boolean;
}

/** Milliseconds. */
export interface WatchTimes extends Silence, Pauses {}

const TIMES: WatchTimes = { answer: 10_000, idle: 90_000, backoff: [800, 30_000], forbidden: 60_000 };

/** Watches until the signal aborts; never throws. */
export async function runWatch(client: KubeClient, watched: Watched, observer: WatchObserver, signal: AbortSignal, times = TIMES): Promise<void> {
  const { what, resource, namespace, name } = watched;
  const selector: Record<string, string> = name === undefined ? {} : { fieldSelector: `metadata.name=${name}` };
  const attempts = createAttempts(times);

  const list = async (): Promise<string> => {
    const { resourceVersion, versions } = await listVersions(client, { verb: 'list', resource, namespace }, selector, signal);
    signal.throwIfAborted();
    observer.heard(what);
    for (const one of watched.names())
      if (watched.isNews(one, versions.get(one))) {
        observer.changed(what);
        break;
      }
    return resourceVersion;
  };

  const listener: WatchListener = {
    connected: (isConnected) => observer.connected(what, isConnected),
    heard: () => observer.heard(what),
    took: ({ object, resourceVersion }) => {
      if (object !== undefined && watched.isNews(object.name, object.version)) observer.changed(what);
      attempts.took(resourceVersion);
    },
  };

  while (!signal.aborted) {
    let pause: number;
    try {
      const from = attempts.version() ?? attempts.listed(await list());
      const began = performance.now();
      const end = await followWatch(client, { verb: 'watch', resource, namespace }, { ...selector, resourceVersion: from }, listener, signal, times);
      pause = attempts.ended(end, from, performance.now() - began);
      observer.restarted(what, end, '');
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof SourceError ? error : new SourceError('unavailable', `the watch of ${resource} failed`, { cause: error });
      const next = attempts.failed(failure);
      pause = next.pause;
      observer.restarted(what, failure.reason, failure.message);
      if (next.isRefused) observer.refused(what, failure.message);
    }
    if (pause > 0) await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}
