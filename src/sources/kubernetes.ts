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

/** What is remembered of one Secret: the keys that were asked for, never the others. */
interface Known extends Sweepable {
  readonly readings: ReadonlyMap<string, SecretReading>;
}
type Keys = ReadonlyMap<string, ReadonlySet<string>>;
type Outcome = { readonly readings: ReadonlyMap<string, SecretReading> } | SourceError;

/** After a LIST was forbidden it is tried again: the right may have been given since. */
const LIST_AGAIN_MS = 600_000;
/** Longer than this no Retry-After keeps us from asking. */
const MAX_WAIT_MS = 300_000;
const NOT_READ: SecretReading = { kind: 'unreadable', detail: 'it was not read yet: the API server does not answer, or asked us to slow down' };

export function createKubernetesSource(options: KubernetesSourceOptions): Source {
  const { namespace, configMapName } = options;
  const client = createKubeClient({ kubeconfig: options.kubeconfig, timeoutMs: options.timeoutMs ?? 10_000 });
  const events = createEventSink(client, { namespace, configMapName });
  const ref = `${namespace}/${configMapName}`;
  let known = new Map<string, Known>();
  let sweep = 0;
  let listFrom = 0;
  let askFrom = 0;

  return {
    description: `kubernetes ConfigMap ${ref}`,
    readDocument: async (signal) => {
      const object = readObject(await client.send({ verb: 'get', resource: 'configmaps', namespace, name: configMapName }, { signal }), `ConfigMap ${ref}`);
      events.setConfigMap(object);
      const text = object.data['users.yaml'];
      if (text !== undefined && typeof text !== 'string') throw new SourceError('malformed', `the key users.yaml of ConfigMap ${ref} is no text`);
      const content = typeof text === 'string' ? Buffer.from(text) : bytesAt(object.binaryData, 'users.yaml');
      if (content === null) throw new SourceError('malformed', `the key users.yaml of ConfigMap ${ref} is no base64`);
      if (content === undefined) throw new SourceError('not_found', `the ConfigMap ${ref} has no key users.yaml`);
      return { version: versionOf(object), ref, file: 'users.yaml', content };
    },
    readSecrets: async (refs, signal) => {
      sweep += 1;
      const wanted = keysOf(refs);
      known = (await listSecrets(wanted, signal)) ?? (await sweepSecrets(wanted, signal));
      return new Map(refs.map((secret) => [secretKey(secret), known.get(secret.name)?.readings.get(secret.key) ?? NOT_READ]));
    },
    announce: (announcements, signal) => events.emit(announcements, signal),
    close: () => client.close(),
  };

  function waitAsAsked(error: SourceError): void {
    askFrom = performance.now() + Math.min(error.retryAfterMs ?? 0, MAX_WAIT_MS);
  }

  /** All of them by LIST; undefined where they are to be read by name, or where the API server is not to be asked yet. */
  async function listSecrets(wanted: Keys, signal: AbortSignal): Promise<Map<string, Known> | undefined> {
    if (options.secretAccess === 'get' || performance.now() < Math.max(listFrom, askFrom)) return undefined;
    const entry = (name: string, readings: Known['readings']): [string, Known] => [name, { readings, lastRead: sweep, failed: anyFailed(readings) }];
    try {
      const objects = await listAll(client, namespace, wanted, signal);
      return new Map([...wanted].map(([name, keys]) => entry(name, readingsOf(objects.get(name), keys, namespace))));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SourceError)) throw error;
      if (error.reason === 'forbidden' && options.secretAccess === 'auto') {
        listFrom = performance.now() + LIST_AGAIN_MS;
        return undefined;
      }
      if (error.reason === 'throttled') waitAsAsked(error);
      return new Map([...wanted].map(([name, keys]) => entry(name, unreadable(keys, error))));
    }
  }

  /** The ones whose turn it is by GET, the rest from memory. */
  async function sweepSecrets(wanted: Keys, signal: AbortSignal): Promise<Map<string, Known>> {
    const now = new Map([...known].filter(([name, { readings }]) => wanted.get(name)?.isSubsetOf(readings) === true));
    if (performance.now() < askFrom) return now;
    const queue = chooseSecrets([...wanted.keys()], now, options.secretReadsPerCycle);
    let stopped = false;
    let hung = 0;
    const worker = async (): Promise<void> => {
      for (let name = queue.shift(); name !== undefined && !stopped; name = queue.shift()) {
        const keys = wanted.get(name) ?? new Set();
        const outcome = await readOne(name, keys, signal);
        if (outcome instanceof SourceError && outcome.reason === 'throttled') {
          waitAsAsked(outcome);
          stopped = true;
          return;
        }
        const readings = outcome instanceof SourceError ? unreadable(keys, outcome) : outcome.readings;
        now.set(name, { readings, lastRead: sweep, failed: anyFailed(readings) });
        // One Secret may hang; a whole row of them means that the server does, and waiting for each would hold up the cycle for minutes.
        hung = outcome instanceof SourceError && outcome.reason === 'timeout' ? hung + 1 : 0;
        if (hung >= PARALLEL) stopped = true;
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
    return now;
  }

  async function readOne(name: string, keys: ReadonlySet<string>, signal: AbortSignal): Promise<Outcome> {
    try {
      const object = readObject(await client.send({ verb: 'get', resource: 'secrets', namespace, name }, { signal }), `Secret ${name}`);
      return { readings: readingsOf(object, keys, namespace) };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SourceError)) throw error;
      return error.reason === 'not_found' ? { readings: readingsOf(undefined, keys, namespace) } : error;
    }
  }
}

/** Secret names and the keys wanted of each, so that users who share a Secret cost one request. */
function keysOf(refs: readonly SecretRef[]): Keys {
  const keys = new Map<string, Set<string>>();
  for (const { name, key } of refs) {
    const known = keys.get(name);
    if (known === undefined) keys.set(name, new Set([key]));
    else known.add(key);
  }
  return keys;
}

const anyFailed = (readings: Known['readings']): boolean => [...readings.values()].some((reading) => reading.kind !== 'value');

const unreadable = (keys: ReadonlySet<string>, error: SourceError): Known['readings'] =>
  new Map([...keys].map((key) => [key, { kind: 'unreadable', detail: error.message }]));

const readingsOf = (object: KubeObject | undefined, keys: ReadonlySet<string>, namespace: string): Known['readings'] =>
  new Map([...keys].map((key) => [key, readingOf(object, key, namespace)]));

function readingOf(object: KubeObject | undefined, key: string, namespace: string): SecretReading {
  if (object === undefined) return { kind: 'missing', detail: `there is no such Secret in namespace ${namespace}` };
  const value = bytesAt(object.data, key);
  if (value === undefined) return { kind: 'missing', detail: `it has no key ${key}` };
  return value === null ? { kind: 'unreadable', detail: `its key ${key} is not base64` } : { kind: 'value', value, version: versionOf(object) };
}

/** Every Secret of the namespace that is wanted, page by page; a list whose pages expired is begun again once. */
async function listAll(client: KubeClient, namespace: string, wanted: Keys, signal: AbortSignal, again = true): Promise<Map<string, KubeObject>> {
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
