// The Secrets that pgsteward writes: created once where they hold a generated password, applied where they tell how to connect.
import { CONNECTION_TYPE } from '../core/connection-secret.ts';
import type { KubeClient, Target } from '../kubernetes/client.ts';
import { asRecord, readObject, versionOf } from '../kubernetes/objects.ts';
import { type SecretObject, type SecretPlace, type SecretStore, SourceError } from './source.ts';

/** A store on this API server. */
export function createSecretStore(client: KubeClient): SecretStore {
  const target = (verb: 'get' | 'patch', { namespace, name }: SecretPlace): Target => ({ verb, resource: 'secrets', namespace, name });
  const encode = (data: ReadonlyMap<string, string>): Record<string, string> =>
    Object.fromEntries([...data].map(([key, value]) => [key, Buffer.from(value).toString('base64')]));

  return {
    create: async ({ namespace, name }, { labels, annotations, data }, signal) => {
      const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, labels, annotations }, type: 'Opaque', data: encode(data) };
      await client.send({ verb: 'create', resource: 'secrets', namespace }, { signal, query: { fieldManager: 'pgsteward' }, body });
    },
    read: async (place, signal) => {
      try {
        return secretOf(await client.send(target('get', place), { signal }), place);
      } catch (error) {
        if (error instanceof SourceError && error.reason === 'not_found') return undefined;
        throw error;
      }
    },
    apply: async (place, { labels, annotations, data }, before, signal) => {
      // With a version it is refused where somebody changed or replaced the Secret since we looked at it.
      const metadata = { ...place, labels, annotations, ...(before === undefined ? {} : { resourceVersion: before.resourceVersion }) };
      const answer = await client.send(target('patch', place), {
        signal,
        query: { fieldManager: 'pgsteward', force: 'true' },
        contentType: 'application/apply-patch+yaml',
        body: { apiVersion: 'v1', kind: 'Secret', metadata, type: CONNECTION_TYPE, data: encode(data) },
      });
      return secretOf(answer, place);
    },
  };
}

/** @throws SourceError (malformed). */
function secretOf(value: Record<string, unknown>, { namespace, name }: SecretPlace): SecretObject {
  const object = readObject(value, `Secret ${name} in namespace ${namespace}`);
  const { type } = value;
  return {
    labels: asRecord(asRecord(value['metadata'])?.['labels']) ?? {},
    annotations: object.annotations,
    type: typeof type === 'string' ? type : '',
    data: object.data,
    resourceVersion: object.resourceVersion,
    version: versionOf(object),
  };
}
