// The ConfigMap beside the users' one that says what holds, for health checks and pipelines. Written only when it says something new.
import { SourceError, type Conditions } from '../sources/source.ts';
import type { KubeClient, Target } from './client.ts';
import { readObject } from './objects.ts';
import { statusData } from './status-data.ts';

export interface StatusConfigMap {
  /** Writes where it differs from what is there. Never throws. */
  publish(conditions: Conditions, signal: AbortSignal): Promise<void>;
}

/** What is there is read again so often: somebody may have changed or deleted it. */
const LOOK_AGAIN_MS = 600_000;
/** After a right was missing: it may have been given since. An API server that has just started refuses everybody, so the first time is not believed. */
const FORBIDDEN_MS = [10_000, 600_000] as const;

export function createStatusConfigMap(
  client: KubeClient,
  options: { readonly namespace: string; readonly configMapName: string; readonly warn: (message: string) => void },
): StatusConfigMap {
  const { namespace, configMapName, warn } = options;
  const name = `${configMapName}-status`;
  const target = (verb: 'get' | 'patch'): Target => ({ verb, resource: 'configmaps', namespace, name });
  /** Its data as far as we know; undefined where that has to be looked up. */
  let present: Readonly<Record<string, string>> | undefined;
  let lookAgain = 0;
  let tryFrom = 0;
  const complaints = new Set<string>();
  let refusals = 0;

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
  const write = (data: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown> =>
    client.send(target('patch'), {
      signal,
      query: { fieldManager: 'pgsteward', force: 'true' },
      contentType: 'application/apply-patch+yaml',
      body: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name,
          namespace,
          labels: { 'app.kubernetes.io/name': 'pgsteward', 'app.kubernetes.io/component': 'status', 'app.kubernetes.io/managed-by': 'pgsteward' },
          annotations: { 'pgsteward.dev/status-of': configMapName },
        },
        data,
      },
    });

  const complain = (error: SourceError): void => {
    refusals += 1;
    tryFrom = performance.now() + FORBIDDEN_MS[refusals === 1 ? 0 : 1];
    if (refusals === 1 || complaints.has(error.message)) return;
    complaints.add(error.message);
    const create = present !== undefined && Object.keys(present).length === 0 ? '; to make it, also the verb create' : '';
    warn(`the status is not written down: ${error.message}${create} (STATUS_CONFIGMAP=off does without)`);
  };

  return {
    publish: async (conditions, signal) => {
      const now = performance.now();
      if (now < tryFrom) return;
      try {
        if (present === undefined || now >= lookAgain) {
          present = await read(signal);
          lookAgain = now + LOOK_AGAIN_MS;
        }
        const data = statusData(conditions, present, new Date());
        const before = present;
        if (Object.entries(data).every(([key, value]) => before[key] === value)) return;
        await write(data, signal);
        present = data;
        refusals = 0;
      } catch (error) {
        // What happened to a request that failed is not known, so what is there is looked up before the next one.
        if (error instanceof SourceError && error.reason === 'forbidden') complain(error);
        present = undefined;
      }
    },
  };
}
