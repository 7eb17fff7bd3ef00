// SOURCE=kubernetes: the ConfigMap and the Secrets of one namespace, read through the API server.
import type { SecretRef } from '../core/document/types.ts';
import { createKubeClient, type KubeClient, PARALLEL } from '../kubernetes/client.ts';
import { createEventSink } from '../kubernetes/events.ts';
import { bytesAt, type KubeObject, readObject, versionOf } from '../kubernetes/objects.ts';
import { chooseSecrets, type Sweepable } from './secret-sweep.ts';
import { type SecretReading, secretKey, type Source, SourceError } from './source.ts';

export interface KubernetesSourceOptions {
  readonly namespace: string;
  readonly configMapName: string;
  /** `list` reads all Secrets of the namespace at once, `get` each by its name, `auto` lists where the Role allows it. */
  readonly secretAccess: 'auto' | 'get' | 'list';
  /** How many Secrets one cycle may read again by name. */
  readonly secretReadsPerCycle: number;
  readonly kubeconfig: string | undefined;
  /** For one request, in milliseconds. */
  readonly timeoutMs?: number;
}

interface Known extends Sweepable {
  readonly reading: SecretReading;
}

/** After a LIST was forbidden it is tried again: the right may have been given since. */
const LIST_AGAIN_MS = 600_000;

export function createKubernetesSource(options: KubernetesSourceOptions): Source {
  const { namespace, configMapName } = options;
  const client = createKubeClient({ kubeconfig: options.kubeconfig, timeoutMs: options.timeoutMs ?? 10_000 });
  const events = createEventSink(client, { namespace, configMapName });
  const ref = `${namespace}/${configMapName}`;
  let known = new Map<string, Known>();
  let sweep = 0;
  let listFrom = 0;

  return {
    description: `kubernetes ConfigMap ${ref}`,
    readDocument: async (signal) => {
      const object = readObject(await client.send({ verb: 'get', resource: 'configmaps', namespace, name: configMapName }, { signal }), `ConfigMap ${ref}`);
      events.setConfigMap(object);
      const text = object.data['users.yaml'];
      const content = typeof text === 'string' ? Buffer.from(text) : bytesAt(object.binaryData, 'users.yaml');
      if (content === null) throw new SourceError('malformed', `the key users.yaml of ConfigMap ${ref} is no base64`);
      if (content === undefined) throw new SourceError('not_found', `the ConfigMap ${ref} has no key users.yaml`);
      return { version: versionOf(object), ref, file: 'users.yaml', content };
    },
    readSecrets: async (refs, signal) => {
      sweep += 1;
      const listed = await listSecrets(refs, signal);
      if (listed !== undefined) return listed;
      const byKey = new Map(refs.map((secret) => [secretKey(secret), secret]));
      const queue = chooseSecrets([...byKey.keys()], known, options.secretReadsPerCycle).flatMap((key) => byKey.get(key) ?? []);
      await readSideBySide(queue, signal);
      known = new Map([...known].filter(([key]) => byKey.has(key)));
      return new Map([...byKey.keys()].map((key) => [key, known.get(key)?.reading ?? { kind: 'unreadable', detail: 'the API server asked us to slow down' }]));
    },
    announce: (announcements, signal) => events.emit(announcements, signal),
    close: () => client.close(),
  };

  async function listSecrets(refs: readonly SecretRef[], signal: AbortSignal): Promise<ReadonlyMap<string, SecretReading> | undefined> {
    if (options.secretAccess === 'get' || performance.now() < listFrom) return undefined;
    try {
      const objects = await listAll(client, namespace, new Set(refs.map((secret) => secret.name)), signal);
      return new Map(refs.map((secret) => [secretKey(secret), readingOf(objects.get(secret.name), secret)]));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SourceError)) throw error;
      if (error.reason === 'forbidden' && options.secretAccess === 'auto') {
        listFrom = performance.now() + LIST_AGAIN_MS;
        return undefined;
      }
      return new Map(refs.map((secret) => [secretKey(secret), { kind: 'unreadable', detail: error.message }]));
    }
  }

  async function readSideBySide(queue: SecretRef[], signal: AbortSignal): Promise<void> {
    let throttled = false;
    const worker = async (): Promise<void> => {
      for (let secret = queue.shift(); secret !== undefined && !throttled; secret = queue.shift()) {
        const reading = await readOne(secret, signal);
        if (reading === 'throttled') throttled = true;
        else known.set(secretKey(secret), { reading, lastRead: sweep, failed: reading.kind !== 'value' });
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }

  async function readOne(secret: SecretRef, signal: AbortSignal): Promise<SecretReading | 'throttled'> {
    try {
      return readingOf(
        readObject(await client.send({ verb: 'get', resource: 'secrets', namespace, name: secret.name }, { signal }), `Secret ${secret.name}`),
        secret,
      );
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SourceError)) throw error;
      if (error.reason === 'not_found') return { kind: 'missing', detail: `there is no such Secret in namespace ${namespace}` };
      return error.reason === 'throttled' ? 'throttled' : { kind: 'unreadable', detail: error.message };
    }
  }
}

function readingOf(object: KubeObject | undefined, secret: SecretRef): SecretReading {
  if (object === undefined) return { kind: 'missing', detail: 'there is no such Secret' };
  const value = bytesAt(object.data, secret.key);
  if (value === undefined) return { kind: 'missing', detail: `it has no key ${secret.key}` };
  return value === null ? { kind: 'unreadable', detail: `its key ${secret.key} is not base64` } : { kind: 'value', value, version: versionOf(object) };
}

/** Every Secret of the namespace that is wanted, page by page; a list whose pages expired is begun again once. */
async function listAll(
  client: KubeClient,
  namespace: string,
  wanted: ReadonlySet<string>,
  signal: AbortSignal,
  again = true,
): Promise<Map<string, KubeObject>> {
  const objects = new Map<string, KubeObject>();
  let next = '';
  do {
    let page: Record<string, unknown>;
    try {
      page = await client.send(
        { verb: 'list', resource: 'secrets', namespace },
        { signal, query: { limit: '500', ...(next === '' ? {} : { continue: next }) } },
      );
    } catch (error) {
      if (again && error instanceof SourceError && error.reason === 'expired') return listAll(client, namespace, wanted, signal, false);
      throw error;
    }
    const { items, metadata } = page;
    if (!Array.isArray(items))
      throw new SourceError('malformed', `the API server's list of Secrets in namespace ${namespace} has no items`, { retryable: true });
    for (const item of items as unknown[]) {
      const object = readObject(item, `a Secret in namespace ${namespace}`);
      if (wanted.has(object.name)) objects.set(object.name, object);
    }
    const more = (metadata as { continue?: unknown } | undefined)?.continue;
    next = typeof more === 'string' ? more : '';
  } while (next !== '');
  return objects;
}
