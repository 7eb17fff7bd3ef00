// Between cycles: a small look every few seconds at what no notification tells of, above all roles, memberships, databases and parameters.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Waker } from '../model/wake.ts';

/** Who can tell that something changed. */
export interface DriftLooker {
  /** Between cycles: whether somebody changed something since the last one that no notification tells us of. Never throws. */
  lookForDrift(): Promise<{ readonly cluster: boolean; readonly databases: readonly string[] }>;
}

/**
 * Looks until the signal aborts, and wakes the loop when something changed. Never throws.
 * @param interval seconds; 0 for never.
 */
export async function watchDrift(interval: number, looker: DriftLooker, wake: Waker, signal: AbortSignal): Promise<void> {
  while (interval > 0 && !signal.aborted) {
    await sleep(interval * 1000, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const { cluster, databases } = await looker.lookForDrift();
    if (cluster) wake.request('cluster');
    for (const database of databases) wake.request('database', database);
  }
}
