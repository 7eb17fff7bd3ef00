// Events on the ConfigMap, so that `kubectl describe configmap` tells its author what became of it. Best effort: they never hold up a cycle.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { SourceError } from '../model/source-error.ts';
import type { Announcement } from '../model/announced.ts';
import type { KubeClient } from './client.ts';
import type { KubeObject } from './objects.ts';

type Regarded = Pick<KubeObject, 'uid' | 'resourceVersion'>;

export interface EventSink {
  setConfigMap(object: Regarded): void;
  /** Writes what is new as Events, and what is said again within ten minutes into the Event that has said it. Never throws. */
  emit(announcements: readonly Announcement[], signal: AbortSignal): Promise<void>;
}

/** An Event that was written. */
interface Written {
  readonly name: string;
  /** How often it was said. */
  count: number;
  lastSaid: number;
  /** When its series was last written; 0 while it has none. */
  lastPatch: number;
  /** Said, but not in the Event itself yet: the request is under way, or came to nothing. */
  stored: boolean;
}

/** What is not said again within this time is over: the next one is a new Event. */
const REPEAT_MS = 600_000;
/** What holds is said again by every cycle; its Event hears of it so often. */
const PATCH_MS = 120_000;
/** Requests that a process may make at once, and how soon it may make another. */
const BURST = 25;
const REFILL_MS = 20_000;
/** Of those, repeats leave so many to what is new. */
const RESERVED = 10;
/** Events remembered at most. */
const REMEMBERED = 200;

/** @param warn hears once of each right that is missing. */
export function createEventSink(
  client: KubeClient,
  options: { readonly namespace: string; readonly configMapName: string; readonly warn?: (message: string) => void; readonly now?: () => number },
): EventSink {
  const { namespace, configMapName } = options;
  const now = options.now ?? (() => performance.now());
  let configMap: Regarded | undefined;
  const written = new Map<string, Written>();
  /** Refusals by the right that is missing; a first one is not believed, as an API server that has just started refuses everybody. */
  const refusals = new Map<string, number>();
  const take = createBudget(now);

  const say = async (announcement: Announcement, object: Regarded, signal: AbortSignal): Promise<void> => {
    const key = `${announcement.type}\0${announcement.reason}\0${announcement.note}`;
    const known = written.get(key);
    if (known === undefined || !known.stored) {
      if (!take(0)) return;
      const event = { name: eventName(configMapName), count: 1, lastSaid: now(), lastPatch: 0, stored: false };
      written.set(key, event);
      const regarding = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: configMapName, uid: object.uid, resourceVersion: object.resourceVersion };
      const body = { ...eventOf(announcement), metadata: { name: event.name, namespace }, regarding };
      await client.send({ verb: 'create', resource: 'events', namespace }, { signal, body });
      event.stored = true;
      return;
    }
    known.count += 1;
    known.lastSaid = now();
    if ((known.lastPatch !== 0 && now() - known.lastPatch < PATCH_MS) || !take(RESERVED)) return;
    known.lastPatch = now();
    try {
      await client.send(
        { verb: 'patch', resource: 'events', namespace, name: known.name },
        { signal, contentType: 'application/merge-patch+json', body: { series: { count: known.count, lastObservedTime: microTime() } } },
      );
    } catch (error) {
      // The API server forgets Events after a while: the next one is a new one.
      if (error instanceof SourceError && error.reason === 'not_found') written.delete(key);
      throw error;
    }
  };

  const complain = (error: unknown): void => {
    if (!(error instanceof SourceError) || error.reason !== 'forbidden') return;
    const right = error.message.replace(/ events \S+ in/, ' events in');
    const times = (refusals.get(right) ?? 0) + 1;
    refusals.set(right, times);
    if (times === 2) options.warn?.(`an Event is not written: ${right}`);
  };

  return {
    setConfigMap: (object) => {
      configMap = object;
    },
    emit: async (announcements, signal) => {
      const object = configMap;
      if (object === undefined) return;
      for (const [key, { lastSaid }] of written) if (now() - lastSaid > REPEAT_MS) written.delete(key);
      while (written.size > REMEMBERED) written.delete(written.keys().next().value ?? '');
      await Promise.all(announcements.map((announcement) => say(announcement, object, signal).catch(complain)));
    },
  };
}

/** Whether one more request may be made, which has to leave so many. */
function createBudget(now: () => number): (reserved: number) => boolean {
  let tokens = BURST;
  let refilled = now();
  return (reserved) => {
    const passed = Math.floor((now() - refilled) / REFILL_MS);
    tokens = Math.min(BURST, tokens + passed);
    refilled += passed * REFILL_MS;
    if (tokens <= reserved) return false;
    tokens -= 1;
    return true;
  };
}

const eventOf = ({ reason, type, note }: Announcement) => ({
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  eventTime: microTime(),
  reportingController: 'pgsteward.dev/controller',
  reportingInstance: hostname().slice(0, 128),
  action: 'Reconcile',
  reason,
  type,
  note: Buffer.from(note).subarray(0, 1000).toString().replace(/�+$/, ''),
});

/** The API server refuses times with fewer than six digits after the point. */
const microTime = (): string => new Date().toISOString().replace('Z', '000Z');

/** A name that no other Event has; what a long name is cut to must not end in a point or a dash. */
const eventName = (configMapName: string): string =>
  `${configMapName.slice(0, 200).replace(/[-.]+$/, '')}.${Date.now().toString(16)}${randomBytes(4).toString('hex')}`;
