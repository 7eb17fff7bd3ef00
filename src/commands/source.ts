// The configured source: a folder of manifests, or the API server.
import type { Config } from '../config.ts';
import { createDirectorySource } from '../sources/directory.ts';
import type { Ports } from '../sources/ports.ts';

/** What SOURCE names. */
export async function createSource({ source: { directory, ...settings } }: Pick<Config, 'source'>, warn: (message: string) => void): Promise<Ports> {
  if (directory !== undefined) return createDirectorySource(directory, settings);
  // Loaded only where it is needed: the Kubernetes client costs more memory than the rest of pgsteward.
  const { createKubernetesSource } = await import('../sources/kubernetes.ts');
  return createKubernetesSource({ ...settings, warn });
}
