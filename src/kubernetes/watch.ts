// A watch of the document or of Secrets: it says that something changed and nothing else.
import type { WatchObserver } from '../model/watched.ts';
import type { KubeClient } from './client.ts';
import { listAndWatch, type WatchTimes } from './list-and-watch.ts';
import type { ResourceAttributes } from './resource-attributes.ts';

/** What is watched, and what of it is news. */
export interface Watched {
  readonly what: 'document' | 'secret';
  readonly resource: ResourceAttributes['resource'];
  readonly namespace: string;
  /** The one object to watch; undefined watches all of the namespace. */
  readonly name?: string;
  /** Only those with these labels. */
  readonly labelSelector?: string;
  /** The objects that matter at present. @param versions all that there are. */
  names(versions: ReadonlyMap<string, string>): Iterable<string>;
  /** Whether this state of an object (undefined: it is not there) is another one than was last read. */
  isNews(name: string, version: string | undefined): boolean;
}

const TIMES: WatchTimes = { answer: 10_000, idle: 90_000, backoff: [800, 30_000], forbidden: 60_000 };

/** Watches until the signal aborts; never throws. */
export async function runWatch(client: KubeClient, watched: Watched, observer: WatchObserver, signal: AbortSignal, times = TIMES): Promise<void> {
  const { what, resource, namespace, name, labelSelector } = watched;
  const selector = {
    ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  };
  await listAndWatch(client, { resource, namespace, selector }, signal, times, {
    listed: (versions) => {
      observer.heard(what);
      // Each is asked for: whoever is asked may take note of it.
      const news = [...watched.names(versions)].filter((one) => watched.isNews(one, versions.get(one)));
      if (news.length > 0) observer.changed(what);
    },
    connected: (isConnected) => observer.connected(what, isConnected),
    heard: () => observer.heard(what),
    took: ({ object }) => {
      if (object !== undefined && watched.isNews(object.name, object.version)) observer.changed(what);
    },
    restarted: (reason, message) => observer.restarted(what, reason, message),
    refused: (message) => observer.refused(what, message),
  });
}
