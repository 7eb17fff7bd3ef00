// The Secrets that pgsteward writes: created once where they hold a generated password, applied where they tell how to connect.
import { CONNECTION_TYPE } from '../core/connection-secret.ts';
import type { KubeClient, Target } from '../kubernetes/client.ts';
import { asRecord, readObject, versionOf } from '../kubernetes/objects.ts';
import { type SecretObject, type SecretPlace, type SecretStore, SourceError } from './source.ts';

/** A store that can tell a watch what is news to it. */
export interface WatchableStore extends SecretStore {
  /** The Secrets of our namespace that were read or applied. */
  names(): Iterable<string>;
  /** Whether this is another version of such a Secret than the one that we know. */
  isNews(name: string, version: string | undefined): boolean;
}

/** A store on this API server. @param ours the namespace that a watch sees. */
export function createSecretStore(client: KubeClient, ours: string): WatchableStore {
  const known = new Map<string, string | undefined>();
  const note = <T extends SecretObject | undefined>({ namespace, name }: SecretPlace, object: T): T => {
    if (namespace === ours) known.set(name, object?.version);
    return object;
  };
  const target = (verb: 'get' | 'patch', { namespace, name }: SecretPlace): Target => ({ verb, resource: 'secrets', namespace, name });
  const encode = (data: ReadonlyMap<string, string | null>): Record<string, string | null> =>
    Object.fromEntries([...data].map(([key, value]) => [key, value === null ? null : Buffer.from(value).toString('base64')]));

  return {
    create: async ({ namespace, name }, { labels, annotations, data }, signal) => {
      const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, labels, annotations }, type: 'Opaque', data: encode(data) };
      const answer = await client.send({ verb: 'create', resource: 'secrets', namespace }, { signal, query: { fieldManager: 'pgsteward' }, body });
      return note({ namespace, name }, secretOf(answer, { namespace, name }));
    },
    read: async (place, signal) => {
      try {
        return note(place, secretOf(await client.send(target('get', place), { signal }), place));
      } catch (error) {
        if (error instanceof SourceError && error.reason === 'not_found') return note(place, undefined);
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
      return note(place, secretOf(answer, place));
    },
    change: async (place, { data, annotations }, { resourceVersion }, signal) => {
      const answer = await client.send(target('patch', place), {
        signal,
        query: { fieldManager: 'pgsteward' },
        contentType: 'application/merge-patch+json',
        body: { metadata: { resourceVersion, annotations }, data: encode(data) },
      });
      return note(place, secretOf(answer, place));
    },
    names: () => known.keys(),
    isNews: (name, version) => known.has(name) && known.get(name) !== version,
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
