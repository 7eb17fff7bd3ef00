// One watch, from its request until it ends, breaks off, or gives no sign of life any more.
import { SourceError } from '../model/source-error.ts';
import type { KubeClient } from './client.ts';
import type { ResourceAttributes } from './resource-attributes.ts';
import { eventsOf, type WatchEvent } from './watch-events.ts';

/** Milliseconds. */
export interface Silence {
  /** Until the API server has begun to answer. */
  readonly answer: number;
  /** Without a sign of life. Bookmarks come about once a minute. */
  readonly idle: number;
}

/** Hears nothing any more once the watch is aborted, but that it is no longer connected. */
export interface WatchListener {
  connected(isConnected: boolean): void;
  /** A sign of life. */
  heard(): void;
  took(event: WatchEvent): void;
}

/** Only metadata is asked for, so no Secret's value ever comes this way. */
const FORM = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/**
 * @param from the version to begin from, and what selects the objects.
 * @throws SourceError, or the reason of the abort.
 */
export async function followWatch(
  client: KubeClient,
  target: ResourceAttributes,
  from: Readonly<Record<string, string>>,
  listener: WatchListener,
  signal: AbortSignal,
  times: Silence,
): Promise<'ended' | 'silent'> {
  const { resource, namespace } = target;
  const silence = new AbortController();
  let connected = false;
  let timer = setTimeout(() => silence.abort(), times.answer);
  const signOfLife = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), times.idle);
    if (!signal.aborted) listener.heard();
  };
  try {
    const query = { ...from, watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: String(300 + Math.floor(Math.random() * 300)) };
    const chunks = await client.stream(target, { query, accept: FORM, signal: AbortSignal.any([signal, silence.signal]) });
    signal.throwIfAborted();
    connected = true;
    listener.connected(true);
    signOfLife();
    for await (const event of eventsOf(chunks, target, signOfLife)) {
      signal.throwIfAborted();
      listener.took(event);
    }
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
    if (connected) listener.connected(false);
  }
}
