// Between cycles: a small look every DRIFT_INTERVAL at what no notification tells of, above all roles, memberships, databases and parameters.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Wake } from '../loop.ts';
import type { Reconciler } from '../reconcile.ts';

/**
 * Looks until the signal aborts, and wakes the loop when something changed. Never throws.
 * @param interval seconds; 0 for never.
 */
export async function watchDrift(interval: number, reconciler: Pick<Reconciler, 'lookForDrift'>, wake: Wake, signal: AbortSignal): Promise<void> {
  while (interval > 0 && !signal.aborted) {
    await sleep(interval * 1000, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const { cluster, databases } = await reconciler.lookForDrift();
    if (cluster) wake.request('cluster');
    for (const database of databases) wake.request('database', database);
  }
}
