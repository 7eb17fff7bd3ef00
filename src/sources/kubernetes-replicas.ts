// Replicas announce themselves by Leases in our own namespace: ours is kept, and those of the others are watched.
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKubeClient } from '../kubernetes/client.ts';
import { createLeases } from '../kubernetes/leases.ts';
import { listAndWatch, type WatchTimes } from '../kubernetes/list-and-watch.ts';
import { SourceError } from '../model/source-error.ts';
import { createOwnLease, type OwnLease } from './kubernetes-own-lease.ts';
import type { Announcements, ReplicaListener } from './ports.ts';

export interface KubernetesReplicasOptions {
  readonly namespace: string;
  /** What the replicas share: those of another document are none of ours. */
  readonly group: string;
  readonly kubeconfig: string | undefined;
  readonly warn: (message: string) => void;
}

const RENEW_MS = 5000;
const RETRY_MS = 2000;
/** For one request: nobody is taken for gone before several of them failed. */
const ANSWER_MS = 4000;
/** After a right was missing, it may have been given since. An API server that has just started refuses everybody, so the first times are not believed. */
const FORBIDDEN_MS = 60_000;
const REFUSALS = 3;
/** Failures in a row that are told: the others take us for gone by then. */
const FAILURES = 15;
/** What we left ourselves, before we were started anew, has run out after so many tries. */
const TAKEN = 15;
/** For what is said at the end. */
const GOODBYE_MS = 2000;
/** We hear of ourselves with every renewal, so that silence is no rest. */
const TIMES: WatchTimes = { answer: 5000, idle: 12_000, backoff: [500, 5000], forbidden: FORBIDDEN_MS };

const GROUP = 'pgsteward.dev/replica-of';
const WITHOUT =
  'until then the writer lock alone decides which replica has which server (manifests/components/replicas has the Role; REPLICAS=off does without)';

/** @param self the name of this replica, which no other one has. */
export function createKubernetesReplicas({ namespace, group, kubeconfig, warn }: KubernetesReplicasOptions, self: string): Announcements {
  const client = createKubeClient({ kubeconfig, timeoutMs: ANSWER_MS });
  const leases = createLeases(client, namespace);
  const digest = createHash('sha256').update(group).digest('hex').slice(0, 8);
  const nameOf = (replica: string): string => `${replica}.${digest}`;
  const replicaOf = (lease: string): string | undefined => (lease.endsWith(`.${digest}`) ? lease.slice(0, -digest.length - 1) : undefined);
  const own = createOwnLease(leases, nameOf(self), `${self}_${randomUUID()}`, {
    'app.kubernetes.io/name': 'pgsteward',
    'app.kubernetes.io/component': 'replica',
    'app.kubernetes.io/managed-by': 'pgsteward',
    [GROUP]: digest,
  });

  const trouble = createTrouble(warn);
  const watch = (listener: ReplicaListener, signal: AbortSignal): Promise<void> =>
    listAndWatch(client, { resource: 'leases', namespace, selector: { labelSelector: `${GROUP}=${digest}` } }, signal, TIMES, {
      listed: (versions) => {
        trouble.over();
        listener.listed(new Map([...versions].flatMap(([name, version]) => named(replicaOf(name), version))));
      },
      took: ({ object }) => {
        for (const [replica, version] of object === undefined ? [] : named(replicaOf(object.name), object.version)) listener.took(replica, version);
      },
      connected: () => undefined,
      heard: () => undefined,
      restarted: () => undefined,
      refused: (message) => trouble.say(`the other replicas are not known: ${message}; ${WITHOUT}`),
    });

  return {
    attend: async (listener, signal) => {
      const goodbye = (): Promise<void> => own.takeBack(AbortSignal.timeout(GOODBYE_MS)).catch(() => undefined);
      await Promise.all([watch(listener, signal), announce(own, self, createTrouble(warn), signal).then(goodbye)]);
      await client.close();
    },
    remove: async (replica, version) => {
      const [uid = '', resourceVersion = ''] = version.split('/');
      await leases.remove(nameOf(replica), { uid, resourceVersion }, AbortSignal.timeout(ANSWER_MS)).catch(() => undefined);
    },
  };
}

const named = <T>(replica: string | undefined, version: T): readonly (readonly [string, T])[] => (replica === undefined ? [] : [[replica, version]]);

/** What keeps us from something, said once until it is over. */
interface Trouble {
  say(message: string): void;
  over(): void;
}

function createTrouble(warn: (message: string) => void): Trouble {
  let said: string | undefined;
  return {
    say: (message) => {
      if (message !== said) warn(message);
      said = message;
    },
    over: () => {
      said = undefined;
    },
  };
}

/** Keeps our own Lease until the signal aborts. Never throws. */
async function announce(own: OwnLease, self: string, trouble: Trouble, signal: AbortSignal): Promise<void> {
  let failures = 0;
  let refusals = 0;
  let taken = 0;
  /** @returns the pause until the next time. */
  const failed = (error: unknown): number => {
    failures += 1;
    refusals = error instanceof SourceError && error.reason === 'forbidden' ? refusals + 1 : 0;
    if (refusals >= REFUSALS || failures >= FAILURES)
      trouble.say(`this replica is not announced to the others: ${error instanceof SourceError ? error.message : 'it failed'}; ${WITHOUT}`);
    return refusals >= REFUSALS ? FORBIDDEN_MS : RETRY_MS;
  };
  const succeeded = (isOurs: boolean): number => {
    [failures, refusals] = [0, 0];
    taken = isOurs ? 0 : taken + 1;
    if (isOurs) trouble.over();
    if (taken > TAKEN)
      trouble.say(
        `another process announces itself as the replica ${self} too: give each a name of its own (REPLICA_NAME); who has which server is random until then`,
      );
    return isOurs ? RENEW_MS : RETRY_MS;
  };
  while (!signal.aborted) {
    const pause = await own.renew(signal).then(succeeded, failed);
    await sleep(pause * (0.9 + Math.random() * 0.2), undefined, { signal }).catch(() => undefined);
  }
}
