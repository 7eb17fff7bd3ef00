// Leases as the API server has them: one is read, made, renewed and deleted, each only as the Lease that we know.
import type { LeaseRecord } from '../model/lease.ts';
import { SourceError } from '../model/source-error.ts';
import type { KubeClient } from './client.ts';
import { asRecord } from '../model/as-record.ts';
import { readObject } from './objects.ts';
import type { ResourceAttributes } from './resource-attributes.ts';

export interface Lease {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly record: LeaseRecord;
}

export interface Leases {
  /** undefined where there is none. @throws SourceError, as all of them do. */
  read(name: string, signal: AbortSignal): Promise<Lease | undefined>;
  create(name: string, labels: Readonly<Record<string, string>>, record: LeaseRecord, signal: AbortSignal): Promise<Lease>;
  /** @throws SourceError (conflict) where somebody changed it since. */
  write(name: string, labels: Readonly<Record<string, string>>, record: LeaseRecord, before: Lease, signal: AbortSignal): Promise<Lease>;
  /** Where it still is that one. */
  remove(name: string, before: Pick<Lease, 'uid' | 'resourceVersion'>, signal: AbortSignal): Promise<void>;
}

export function createLeases(client: KubeClient, namespace: string): Leases {
  const target = (verb: ResourceAttributes['verb'], name?: string): ResourceAttributes => ({
    verb,
    resource: 'leases',
    namespace,
    ...(name === undefined ? {} : { name }),
  });
  return {
    read: async (name, signal) => {
      try {
        return leaseOf(await client.send(target('get', name), { signal }), name);
      } catch (error) {
        if (error instanceof SourceError && error.reason === 'not_found') return undefined;
        throw error;
      }
    },
    create: async (name, labels, record, signal) => {
      const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace, labels }, spec: specOf(record) };
      return leaseOf(await client.send(target('create'), { signal, body }), name);
    },
    write: async (name, labels, record, { uid, resourceVersion }, signal) => {
      const body = { metadata: { uid, resourceVersion, labels }, spec: specOf(record) };
      return leaseOf(await client.send(target('patch', name), { signal, contentType: 'application/merge-patch+json', body }), name);
    },
    remove: async (name, { uid, resourceVersion }, signal) => {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } };
      await client.send(target('delete', name), { signal, body });
    },
  };
}

const specOf = (record: LeaseRecord): object => ({
  holderIdentity: record.holder,
  leaseDurationSeconds: record.seconds,
  acquireTime: record.acquired,
  renewTime: record.renewed,
  leaseTransitions: record.transitions,
});

/** What others wrote into it is no more than a sign that it changed; whatever has another form counts as not there. */
function leaseOf(value: Record<string, unknown>, name: string): Lease {
  const { uid, resourceVersion } = readObject(value, `Lease ${name}`);
  const spec = asRecord(value['spec']) ?? {};
  const text = (key: string): string => (typeof spec[key] === 'string' ? spec[key].slice(0, 300) : '');
  const count = (key: string): number => (typeof spec[key] === 'number' && Number.isSafeInteger(spec[key]) && spec[key] >= 0 ? spec[key] : 0);
  return {
    uid,
    resourceVersion,
    record: {
      holder: text('holderIdentity'),
      seconds: count('leaseDurationSeconds'),
      acquired: text('acquireTime'),
      renewed: text('renewTime'),
      transitions: count('leaseTransitions'),
    },
  };
}
