// The Secrets that pgsteward writes: created once where they hold a generated password, applied where they tell how to connect.
import type { SecretPlace } from '../model/secret-place.ts';
import { CONNECTION_TYPE } from '../model/connection-content.ts';
import type { KubeClient } from '../kubernetes/client.ts';
import type { ResourceAttributes } from '../kubernetes/resource-attributes.ts';
import { asRecord } from '../model/as-record.ts';
import { readObject, versionOf } from '../kubernetes/objects.ts';
import { QUIET_MS } from '../async/patience.ts';
import { SourceError } from '../model/source-error.ts';
import type { SecretObject, SecretStore } from './ports.ts';

/** One Secret as it is now; undefined where there is none. @throws SourceError. */
export async function getSecret(client: KubeClient, place: SecretPlace, signal: AbortSignal, patience?: AbortSignal): Promise<SecretObject | undefined> {
  try {
    return secretOf(await client.send({ verb: 'get', resource: 'secrets', ...place }, { signal, patience }), place);
  } catch (error) {
    if (error instanceof SourceError && error.reason === 'not_found') return undefined;
    throw error;
  }
}

/** A store on this API server. */
export function createSecretStore(client: KubeClient): SecretStore {
  const target = (verb: 'patch', { namespace, name }: SecretPlace): ResourceAttributes => ({ verb, resource: 'secrets', namespace, name });
  const encode = (data: ReadonlyMap<string, string | null>): Record<string, string | null> =>
    Object.fromEntries([...data].map(([key, value]) => [key, value === null ? null : Buffer.from(value).toString('base64')]));

  return {
    create: async ({ namespace, name }, { labels, annotations, data }, signal) => {
      const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, labels, annotations }, type: 'Opaque', data: encode(data) };
      const answer = await client.send({ verb: 'create', resource: 'secrets', namespace }, { signal, query: { fieldManager: 'pgsteward' }, body });
      return secretOf(answer, { namespace, name });
    },
    read: (place, signal) => getSecret(client, place, signal, AbortSignal.timeout(QUIET_MS)),
    apply: async (place, { labels, annotations, data }, before, signal) => {
      // With a version it is refused where somebody changed or replaced the Secret since we looked at it.
      const metadata = { ...place, labels, annotations, ...(before === undefined ? {} : { resourceVersion: before.resourceVersion }) };
      const answer = await client.send(target('patch', place), {
        signal,
        // Where there was none, whatever somebody has put there meanwhile is theirs: without force its fields are a conflict.
        query: { fieldManager: 'pgsteward', force: String(before !== undefined) },
        contentType: 'application/apply-patch+yaml',
        body: { apiVersion: 'v1', kind: 'Secret', metadata, type: CONNECTION_TYPE, data: encode(data) },
      });
      return secretOf(answer, place);
    },
    change: async (place, { data, annotations }, { resourceVersion }, signal) => {
      const answer = await client.send(target('patch', place), {
        signal,
        query: { fieldManager: 'pgsteward' },
        contentType: 'application/merge-patch+json',
        body: { metadata: { resourceVersion, annotations }, data: encode(data) },
      });
      return secretOf(answer, place);
    },
  };
}

/** @throws SourceError (malformed). */
function secretOf(value: Record<string, unknown>, { namespace, name }: SecretPlace): SecretObject {
  const object = readObject(value, `Secret ${name} in namespace ${namespace}`);
  const { type } = value;
  const metadata = asRecord(value['metadata']);
  const createdAt = metadata?.['creationTimestamp'];
  return {
    labels: asRecord(metadata?.['labels']) ?? {},
    annotations: object.annotations,
    type: typeof type === 'string' ? type : '',
    data: object.data,
    resourceVersion: object.resourceVersion,
    version: versionOf(object),
    createdAt: typeof createdAt === 'string' ? createdAt : undefined,
    controller: controllerOf(metadata?.['ownerReferences']),
  };
}

/** Who keeps an object as it is: the owner that calls itself its controller. */
function controllerOf(owners: unknown): string | undefined {
  const controller = Array.isArray(owners) ? owners.map(asRecord).find((owner) => owner?.['controller'] === true) : undefined;
  return controller === undefined ? undefined : `${String(controller['kind'])} ${String(controller['name'])}`;
}
