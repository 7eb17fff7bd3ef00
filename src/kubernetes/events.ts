// Events on the ConfigMap, so that `kubectl describe configmap` tells its author what became of it. Best effort: they never hold up a cycle.
import { hostname } from 'node:os';
import type { Announcement } from '../sources/source.ts';
import type { KubeClient } from './client.ts';
import type { KubeObject } from './objects.ts';

export interface EventSink {
  setConfigMap(object: KubeObject): void;
  /** Writes what was not said within the last ten minutes. Never throws. */
  emit(announcements: readonly Announcement[], signal: AbortSignal): Promise<void>;
}

const REPEAT_MS = 600_000;
const BURST = 10;

export function createEventSink(client: KubeClient, { namespace, configMapName }: { readonly namespace: string; readonly configMapName: string }): EventSink {
  let configMap: KubeObject | undefined;
  const said = new Map<string, number>();
  const send = async ({ reason, type, note }: Announcement, object: KubeObject, signal: AbortSignal): Promise<void> => {
    const body = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { generateName: `${configMapName.slice(0, 200)}-`, namespace },
      // Micro time: the API server refuses fewer than six digits.
      eventTime: new Date().toISOString().replace('Z', '000Z'),
      reportingController: 'pgsteward.dev/controller',
      reportingInstance: hostname().slice(0, 128),
      action: 'Reconcile',
      reason,
      type,
      note: Buffer.from(note).subarray(0, 1000).toString().replace(/�+$/, ''),
      regarding: { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: configMapName, uid: object.uid, resourceVersion: object.resourceVersion },
    };
    await client.send({ verb: 'create', resource: 'events', namespace }, { body, signal });
  };
  return {
    setConfigMap: (object) => {
      configMap = object;
    },
    emit: async (announcements, signal) => {
      const now = performance.now();
      for (const [key, at] of said) if (now - at > REPEAT_MS) said.delete(key);
      const fresh = announcements.filter(({ reason, note }) => !said.has(`${reason}\0${note}`)).slice(0, BURST);
      const object = configMap;
      if (object === undefined) return;
      for (const { reason, note } of fresh) said.set(`${reason}\0${note}`, now);
      await Promise.all(fresh.map((announcement) => send(announcement, object, signal).catch(() => undefined)));
    },
  };
}
