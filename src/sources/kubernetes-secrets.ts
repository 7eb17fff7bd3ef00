// The Secrets of a namespace, read through the API server: all at once where the Role allows it, else each by its name and not all in every cycle.
import type { SecretRef } from '../core/document/types.ts';
import type { KubeClient } from '../kubernetes/client.ts';
import { type KubeObject, readObject, UNREAD, versionOf } from '../kubernetes/objects.ts';
import { PARALLEL } from '../kubernetes/session.ts';
import { readingOf } from './secret-reading.ts';
import { chooseSecrets, type Sweepable } from './secret-sweep.ts';
import { type SecretReading, secretKey, type Source, SourceError } from './source.ts';

export interface SecretReaderOptions {
  /** `list` reads all Secrets of the namespace at once, `get` each by its name, `auto` lists where the Role allows it. */
  readonly secretAccess: 'auto' | 'get' | 'list';
  /** How many Secrets one cycle may read again by name. */
  readonly secretReadsPerCycle: number;
}

export interface SecretReader {
  readonly read: Source['readSecrets'];
  /** The Secrets that were last asked for. */
  names(): Iterable<string>;
  /** Whether this is another version of a Secret that was asked for than the one that was read. */
  isNews(name: string, version: string | undefined): boolean;
  /** Lets the next read try a LIST again, whatever it was told before. */
  mayList(): void;
}

/** What is remembered of one Secret: the keys that were asked for, never the others. */
interface Known extends Sweepable {
  readonly readings: ReadonlyMap<string, SecretReading>;
  /** Of the whole Secret; undefined where there is none, UNREAD where that is not known. */
  readonly version: string | undefined;
}
type Keys = ReadonlyMap<string, ReadonlySet<string>>;
type Outcome = Pick<Known, 'readings' | 'version'> | SourceError;

/** After a LIST was forbidden it is tried again: the right may have been given since. */
const LIST_AGAIN_MS = 600_000;
/** Longer than this no Retry-After keeps us from asking. */
const MAX_WAIT_MS = 300_000;
const NOT_READ: SecretReading = { kind: 'unreadable', detail: 'it was not read yet: the API server does not answer, or asked us to slow down' };

/** A reader that remembers what it has read; one for the life of the process. */
export function createSecretReader(client: KubeClient, namespace: string, options: SecretReaderOptions): SecretReader {
  let wantedNow: Keys = new Map();
  let known = new Map<string, Known>();
  let sweep = 0;
  let listFrom = 0;
  let askFrom = 0;

  return {
    read: async (refs, signal) => {
      sweep += 1;
      const wanted = keysOf(refs);
      // Before anything is read: what changes from now on is news.
      wantedNow = wanted;
      known = (await listSecrets(wanted, signal)) ?? (await sweepSecrets(wanted, signal));
      return new Map(refs.map((secret) => [secretKey(secret), known.get(secret.name)?.readings.get(secret.key) ?? NOT_READ]));
    },
    names: () => wantedNow.keys(),
    isNews: (name, version) => {
      const before = known.get(name);
      return wantedNow.has(name) && version !== (before === undefined ? UNREAD : before.version);
    },
    mayList: () => {
      listFrom = 0;
    },
  };

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
  readings: new Map([...keys].map((key) => [key, readingOf(object && { ...object, version: versionOf(object) }, key, namespace)])),
  version: object === undefined ? undefined : versionOf(object),
});

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
