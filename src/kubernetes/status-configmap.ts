// The ConfigMap beside the users' one that says what holds, for health checks and pipelines. Written only when it says something new.
import { SourceError } from '../model/source-error.ts';
import type { Conditions } from '../model/announced.ts';
import type { KubeClient } from './client.ts';
import type { ResourceAttributes } from './resource-attributes.ts';
import { readObject } from './objects.ts';
import { statusData } from './status-data.ts';

export interface StatusConfigMap {
  /**
   * Writes where it differs from what is there. Never throws.
   * @returns why what is there may be old, once it could not be read or written twice in a row.
   */
  publish(conditions: Conditions, signal: AbortSignal): Promise<string | undefined>;
  /** What is there now. @throws SourceError */
  published(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
}

/** What one of several writers of the same ConfigMap says: each has keys of its own, and takes away nothing of another's. */
export interface StatusPart {
  /** Whose these keys are, at most 128 characters. */
  readonly manager: string;
  readonly data: typeof statusData;
}

const WHOLE: StatusPart = { manager: 'pgsteward', data: statusData };

/** What is there is read again so often: somebody may have changed or deleted it. */
const LOOK_AGAIN_MS = 600_000;
/** After a right was missing, it may have been given since. An API server that has just started refuses everybody, so the first time is not believed. */
const FORBIDDEN_MS = 10_000;
/** After a refusal that was told; a failure that may pass is tried with each cycle. */
const REFUSED_MS = 20_000;

export function createStatusConfigMap(
  client: KubeClient,
  options: { readonly namespace: string; readonly configMapName: string; readonly warn: (message: string) => void; readonly part?: StatusPart },
): StatusConfigMap {
  const { namespace, configMapName, warn, part = WHOLE } = options;
  const name = `${configMapName}-status`;
  const target = (verb: 'get' | 'patch'): ResourceAttributes => ({ verb, resource: 'configmaps', namespace, name });
  /** Its data as far as we know; undefined where that has to be looked up. */
  let present: Readonly<Record<string, string>> | undefined;
  let lookAgain = 0;
  const troubles = createTroubles(namespace, name, warn);

  const read = async (signal: AbortSignal): Promise<Record<string, string>> => {
    try {
      const { data } = readObject(await client.send(target('get'), { signal }), `ConfigMap ${name}`);
      return Object.fromEntries(Object.entries(data).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])));
    } catch (error) {
      if (error instanceof SourceError && error.reason === 'not_found') return {};
      throw error;
    }
  };

  /** Server-side apply: the fields are ours, whoever wrote them, and nothing else of the object is touched. */
  const write = (data: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown> => {
    const labels = { 'app.kubernetes.io/name': 'pgsteward', 'app.kubernetes.io/component': 'status', 'app.kubernetes.io/managed-by': 'pgsteward' };
    const metadata = { name, namespace, labels, annotations: { 'pgsteward.dev/status-of': configMapName } };
    return client.send(target('patch'), {
      signal,
      query: { fieldManager: part.manager, force: 'true' },
      contentType: 'application/apply-patch+yaml',
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data },
    });
  };

  const succeed = (data: Readonly<Record<string, string>>): undefined => {
    present = data;
    troubles.over();
  };

  return {
    published: read,
    publish: async (conditions, signal) => {
      const now = performance.now();
      if (now < troubles.tryFrom()) return troubles.told();
      try {
        if (present === undefined || now >= lookAgain) {
          present = await read(signal);
          lookAgain = now + LOOK_AGAIN_MS;
        }
        const data = part.data(conditions, present, new Date());
        const before = present;
        if (Object.entries(data).every(([key, value]) => before[key] === value)) return succeed(before);
        await write(data, signal);
        return succeed(data);
      } catch (error) {
        // What happened to a request that failed is not known, so what is there is looked up before the next one.
        if (!signal.aborted) troubles.failed(error, present);
        present = undefined;
        return troubles.told();
      }
    },
  };
}

/** Failures in a row: until when nothing is tried, and why what is there may be old. */
function createTroubles(namespace: string, name: string, warn: (message: string) => void) {
  let tryFrom = 0;
  const complaints = new Set<string>();
  let failures = 0;
  let why: string | undefined;
  return {
    tryFrom: () => tryFrom,
    told: () => why,
    /** @param present what was there as far as we know. */
    failed: (error: unknown, present: Readonly<Record<string, string>> | undefined): void => {
      failures += 1;
      const isForbidden = error instanceof SourceError && error.reason === 'forbidden';
      if (failures === 1) {
        if (isForbidden) tryFrom = performance.now() + FORBIDDEN_MS;
        return;
      }
      if (!(error instanceof SourceError && error.retryable)) tryFrom = performance.now() + REFUSED_MS;
      const create = isForbidden && present !== undefined && Object.keys(present).length === 0 ? '; to make it, also the verb create' : '';
      const anew = isForbidden ? '' : `; what it says may be old; kubectl -n ${namespace} delete configmap ${name} lets it be made anew`;
      why = `the status is not written down: ${error instanceof Error ? error.message : String(error)}${create}${anew} (STATUS_CONFIGMAP=off does without)`;
      if (complaints.has(why)) return;
      complaints.add(why);
      warn(why);
    },
    over: (): void => {
      failures = 0;
      why = undefined;
      complaints.clear();
    },
  };
}
