// The watch of an author: of its ConfigMaps, and of the Secrets in its namespace that its users name.
import type { KubeClient } from '../kubernetes/client.ts';
import { runWatch, type Watched } from '../kubernetes/watch.ts';
import type { DocumentFinder } from './ports.ts';
import type { SecretMemory } from './secret-memory.ts';

/** @param secrets undefined where Secrets are only read by their names. */
export function watchingAuthors(client: KubeClient, finder: DocumentFinder, secrets: Pick<SecretMemory, 'hear' | 'wantedIn'> | undefined): DocumentFinder {
  return {
    ...finder,
    watch: async (from, observer, signal) => {
      const { namespace } = from;
      const watched = (memory: Pick<SecretMemory, 'hear' | 'wantedIn'>): Watched => ({
        what: 'secret',
        resource: 'secrets',
        namespace,
        names: () => memory.wantedIn(namespace),
        isNews: (name, version) => memory.hear({ namespace, name }, version),
      });
      await Promise.all([finder.watch?.(from, observer, signal), secrets && runWatch(client, watched(secrets), observer, signal)]);
    },
  };
}
