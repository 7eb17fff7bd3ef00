// The configured source: a folder of manifests, or the API server.
import type { Config, FleetSettings } from '../config.ts';
import type { FleetSource } from '../fleet/fleet-source.ts';
import { createDirectorySource, createFolder, directoryPorts } from '../sources/directory.ts';
import type { Ports } from '../sources/ports.ts';
import { withoutReserved } from '../sources/reserved-secrets.ts';

/** What SOURCE names. */
export async function createSource({ source: { directory, ...settings } }: Pick<Config, 'source'>, warn: (message: string) => void): Promise<Ports> {
  if (directory !== undefined) return guarded(createDirectorySource(directory, settings), settings);
  // Loaded only where it is needed: the Kubernetes client costs more memory than the rest of pgsteward.
  const { createKubernetesSource } = await import('../sources/kubernetes.ts');
  return guarded(createKubernetesSource({ ...settings, warn }), settings);
}

const guarded = (ports: Ports, { namespace, reservedSecrets }: Pick<Config['source'], 'namespace' | 'reservedSecrets'>): Ports =>
  reservedSecrets === undefined ? ports : withoutReserved(ports, namespace, reservedSecrets);

/** What SOURCE names, for several servers: one folder that all of them look at, or one way to the API server. */
export async function createFleetSource(
  { source: { directory, ...settings } }: Pick<Config, 'source'>,
  { configMapName }: FleetSettings,
  warn: (message: string) => void,
): Promise<FleetSource> {
  const servers = { ...settings, configMapName, key: 'servers.yaml' };
  if (directory !== undefined) {
    const folder = createFolder(directory);
    return { ports: directoryPorts(folder, servers), portsOf: (source) => guarded(directoryPorts(folder, source), source), close: () => Promise.resolve() };
  }
  const { createKubernetesSource, createWire } = await import('../sources/kubernetes.ts');
  const wire = createWire(settings);
  return {
    // It reads no users' Secrets, and so it watches none.
    ports: createKubernetesSource({ ...servers, secretAccess: 'get', warn }, wire),
    portsOf: (source, warnOf) => guarded(createKubernetesSource({ ...source, warn: warnOf }, wire), source),
    close: () => wire.close(),
  };
}
