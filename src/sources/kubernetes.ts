// SOURCE=kubernetes: the ConfigMap and the Secrets of one namespace, read through the API server.
import type { SecretRef } from '../core/document/types.ts';
import { createKubeClient, type KubeClient, PARALLEL } from '../kubernetes/client.ts';
import { createEventSink } from '../kubernetes/events.ts';
import { runWatch } from '../kubernetes/watch.ts';
import { bytesAt, type KubeObject, readObject, versionOf } from '../kubernetes/objects.ts';
import { createStatusConfigMap } from '../kubernetes/status-configmap.ts';
import { requestsOf } from './annotations.ts';
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
  /** Hears once of each right that is missing for what may be left out. */
  readonly warn?: (message: string) => void;
}

/** What is remembered of one Secret: the keys that were asked for, never the others. */
interface Known extends Sweepable {
  readonly readings: ReadonlyMap<string, SecretReading>;
  /** Of the whole Secret; undefined where there is none, UNREAD where that is not known. */
  readonly version: string | undefined;
}
type Keys = ReadonlyMap<string, ReadonlySet<string>>;
type Outcome = Pick<Known, 'readings' | 'version'> | SourceError;

/** Equals no version that an object can have. */
const UNREAD = 'unread';

/** After a LIST was forbidden it is tried again: the right may have been given since. */
const LIST_AGAIN_MS = 600_000;
/** Longer than this no Retry-After keeps us from asking. */
const MAX_WAIT_MS = 300_000;
const NOT_READ: SecretReading = { kind: 'unreadable', detail: 'it was not read yet: the API server does not answer, or asked us to slow down' };

export function createKubernetesSource(options: KubernetesSourceOptions): Source {
  const { namespace, configMapName } = options;
  const client = createKubeClient({ kubeconfig: options.kubeconfig, timeoutMs: options.timeoutMs ?? 10_000 });
  const warn = options.warn ?? (() => undefined);
  const events = createEventSink(client, { namespace, configMapName, warn });
  const ref = `${namespace}/${configMapName}`;
  const status = createStatusConfigMap(client, { namespace, configMapName, warn });
  let documentVersion: string | undefined = UNREAD;
  /** Whether the API server answered when it was last asked for the document: what it does not hear needs no waiting for. */
  let answers = false;
  /** The Secrets that were last asked for. */
  let wantedNow: Keys = new Map();
  let known = new Map<string, Known>();
  let sweep = 0;
  let listFrom = 0;
  let askFrom = 0;

  return {
    description: `kubernetes ConfigMap ${ref}`,
    readDocument: async (signal) => {
      const object = await readConfigMap(signal);
      documentVersion = versionOf(object);
      events.setConfigMap(object);
      const requests = requestsOf(object.annotations);
      const text = object.data['users.yaml'];
      if (text !== undefined && typeof text !== 'string') throw new SourceError('malformed', `the key users.yaml of ConfigMap ${ref} is no text`, { requests });
      const content = typeof text === 'string' ? Buffer.from(text) : bytesAt(object.binaryData, 'users.yaml');
      if (content === null) throw new SourceError('malformed', `the key users.yaml of ConfigMap ${ref} is no base64`, { requests });
      if (content === undefined) throw new SourceError('not_found', `the ConfigMap ${ref} has no key users.yaml`, { requests });
      return { version: versionOf(object), ref, file: 'users.yaml', content, requests };
    },
    readSecrets: async (refs, signal) => {
      sweep += 1;
      const wanted = keysOf(refs);
      // Before anything is read: what changes from now on is news.
      wantedNow = wanted;
      known = (await listSecrets(wanted, signal)) ?? (await sweepSecrets(wanted, signal));
      return new Map(refs.map((secret) => [secretKey(secret), known.get(secret.name)?.readings.get(secret.key) ?? NOT_READ]));
    },
    announce: async (announcements, signal) => (answers ? events.emit(announcements, signal) : undefined),
    publish: async (conditions, signal) => (answers ? status.publish(conditions, signal) : undefined),
    watch: async (observer, signal) => {
      const document = runWatch(
        client,
        {
          what: 'document',
          resource: 'configmaps',
          namespace,
          name: configMapName,
          names: () => [configMapName],
          isNews: (name, version) => name === configMapName && version !== documentVersion,
        },
        observer,
        signal,
      );
      const secrets = {
        what: 'secret',
        resource: 'secrets',
        namespace,
        names: () => wantedNow.keys(),
        isNews: (name: string, version: string | undefined) => wantedNow.has(name) && version !== (known.has(name) ? known.get(name)?.version : UNREAD),
      } as const;
      // Who may watch may list: the next cycle does.
      const heard = (what: 'document' | 'secret'): void => {
        listFrom = 0;
        observer.heard(what);
      };
      await Promise.all([document, options.secretAccess === 'get' ? undefined : runWatch(client, secrets, { ...observer, heard }, signal)]);
    },
    close: () => client.close(),
  };

  async function readConfigMap(signal: AbortSignal): Promise<KubeObject> {
    try {
      answers = true;
      return readObject(await client.send({ verb: 'get', resource: 'configmaps', namespace, name: configMapName }, { signal }), `ConfigMap ${ref}`);
    } catch (error) {
      answers = error instanceof SourceError && !['timeout', 'unavailable', 'unauthorized'].includes(error.reason);
      if (error instanceof SourceError && error.reason === 'not_found') documentVersion = undefined;
      throw error;
    }
  }

  function waitAsAsked(error: SourceError): void {
    askFrom = performance.now() + Math.min(error.retryAfterMs ?? 0, MAX_WAIT_MS);
  }

  /** All of them by LIST; undefined where they are to be read by name, or where the API server is not to be asked yet. */
  async function listSecrets(wanted: Keys, signal: AbortSignal): Promise<Map<string, Known> | undefined> {
    if (options.secretAccess === 'get' || performance.now() < Math.max(listFrom, askFrom)) return undefined;
    const entry = (name: string, { readings, version }: Pick<Known, 'readings' | 'version'>): [string, Known] => [
      name,
      { readings, version, lastRead: sweep, failed: anyFailed(readings) },
    ];
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
        const read = outcome instanceof SourceError ? unreadable(keys, outcome) : outcome;
        now.set(name, { ...read, lastRead: sweep, failed: anyFailed(read.readings) });
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
      return readingsOf(object, keys, namespace);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SourceError)) throw error;
      return error.reason === 'not_found' ? readingsOf(undefined, keys, namespace) : error;
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

const unreadable = (keys: ReadonlySet<string>, error: SourceError): Pick<Known, 'readings' | 'version'> => ({
  readings: new Map([...keys].map((key) => [key, { kind: 'unreadable', detail: error.message }])),
  version: UNREAD,
});

const readingsOf = (object: KubeObject | undefined, keys: ReadonlySet<string>, namespace: string): Pick<Known, 'readings' | 'version'> => ({
  readings: new Map([...keys].map((key) => [key, readingOf(object, key, namespace)])),
  version: object === undefined ? undefined : versionOf(object),
});

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
