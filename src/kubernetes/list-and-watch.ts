// A list and a watch of our own making, which outlives whatever happens to the API server.
import { setTimeout as sleep } from 'node:timers/promises';
import { SourceError } from '../model/source-error.ts';
import type { WatchEnd } from '../model/watched.ts';
import type { KubeClient } from './client.ts';
import { followWatch, type Silence, type WatchListener } from './follow-watch.ts';
import { listVersions } from './list-versions.ts';
import type { ResourceAttributes } from './resource-attributes.ts';
import { createAttempts, type Pauses } from './watch-attempts.ts';

/** Milliseconds. */
export interface WatchTimes extends Silence, Pauses {}

/** Which objects. */
export interface Selected extends Pick<ResourceAttributes, 'resource' | 'namespace'> {
  readonly selector: Readonly<Record<string, string>>;
}

export interface ListAndWatchListener extends WatchListener {
  /** All that there is now: name → version. */
  listed(versions: ReadonlyMap<string, string>): void;
  /** The message holds no content of any object. */
  restarted(reason: WatchEnd, message: string): void;
  /** A right is missing, and it is not asked for again for a while. */
  refused(message: string): void;
}

/** Until the signal aborts; never throws. */
export async function listAndWatch(
  client: KubeClient,
  { resource, namespace, selector }: Selected,
  signal: AbortSignal,
  times: WatchTimes,
  listener: ListAndWatchListener,
): Promise<void> {
  const attempts = createAttempts(times);

  const list = async (): Promise<string> => {
    const { resourceVersion, versions } = await listVersions(client, { verb: 'list', resource, namespace }, selector, signal);
    signal.throwIfAborted();
    listener.listed(versions);
    return resourceVersion;
  };

  const taking: WatchListener = {
    ...listener,
    took: (event) => {
      listener.took(event);
      attempts.took(event.resourceVersion);
    },
  };

  while (!signal.aborted) {
    let pause: number;
    try {
      const from = attempts.version() ?? attempts.listed(await list());
      const began = performance.now();
      const end = await followWatch(client, { verb: 'watch', resource, namespace }, { ...selector, resourceVersion: from }, taking, signal, times);
      pause = attempts.ended(end, from, performance.now() - began);
      listener.restarted(end, '');
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof SourceError ? error : new SourceError('unavailable', `the watch of ${resource} failed`, { cause: error });
      const next = attempts.failed(failure);
      pause = next.pause;
      listener.restarted(failure.reason, failure.message);
      if (next.isRefused) listener.refused(failure.message);
    }
    if (pause > 0) await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}
