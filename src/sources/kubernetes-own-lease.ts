// Our own Lease: made, renewed and taken back, and left to whoever else holds it.
import type { Lease, Leases } from '../kubernetes/leases.ts';
import { renewedBy, see, type Seen } from '../model/lease.ts';

export interface OwnLease {
  /** @returns whether it is ours for some time more. @throws SourceError; the next time asks first what became of it. */
  renew(signal: AbortSignal): Promise<boolean>;
  /** Deletes it, where it is ours. @throws SourceError. */
  takeBack(signal: AbortSignal): Promise<void>;
}

/** @param holder this process, and no other one of the same name. */
export function createOwnLease(leases: Leases, name: string, holder: string, labels: Readonly<Record<string, string>>): OwnLease {
  /** As far as we know; undefined where that has to be looked up. */
  let lease: Lease | undefined;
  let seen: Seen | undefined;
  const renew = async (signal: AbortSignal): Promise<boolean> => {
    lease ??= await leases.read(name, signal);
    seen = lease && see(seen, lease.record, performance.now());
    const record = renewedBy(holder, seen, performance.now(), microTime());
    if (record === undefined) {
      lease = undefined;
      return false;
    }
    lease = lease === undefined ? await leases.create(name, labels, record, signal) : await leases.write(name, labels, record, lease, signal);
    seen = see(seen, lease.record, performance.now());
    return true;
  };
  return {
    renew: (signal) =>
      renew(signal).catch((error: unknown) => {
        // What became of a request that failed is not known.
        lease = undefined;
        throw error;
      }),
    takeBack: async (signal) => {
      const left = await leases.read(name, signal);
      if (left?.record.holder === holder) await leases.remove(name, left, signal);
    },
  };
}

/** The API server refuses times with fewer than six digits after the point. */
const microTime = (): string => new Date().toISOString().replace('Z', '000Z');
