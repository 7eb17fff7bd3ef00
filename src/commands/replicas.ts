// The replicas of the configured source, where there are to be any.
import { hostname } from 'node:os';
import type { Config } from '../config.ts';
import type { Log } from '../observe/log.ts';
import { createReplicas, type Replicas } from '../steward/replicas.ts';

/** undefined: the writer lock alone decides. */
export async function replicasOf(
  { replicas: { isOn, name }, source, dryRun }: Pick<Config, 'replicas' | 'source' | 'dryRun'>,
  log: Log,
): Promise<Replicas | undefined> {
  // A dry run never writes: nobody should wait for it.
  if (!isOn || dryRun) return undefined;
  if (source.directory !== undefined) {
    log.warn('REPLICAS=on: there are no Leases with SOURCE=dir, so whoever comes first to a server writes there, and another one within seconds of its end');
    return undefined;
  }
  const self = name ?? nameOf(hostname());
  // Loaded only where it is needed, as the source is.
  const { createKubernetesReplicas } = await import('../sources/kubernetes-replicas.ts');
  const { namespace, kubeconfig, id } = source;
  const announcements = createKubernetesReplicas({ namespace, kubeconfig, group: id, warn: (message) => log.warn(message) }, self);
  return createReplicas(self, announcements, log);
}

/** A host's name as a Lease can have it; that of a pod stays as it is. */
const nameOf = (host: string): string =>
  host
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '') || 'replica';
