// Between cycles: small looks at what no notification tells of, above all roles, memberships, databases and parameters, and before each a glance whether anybody wrote at all.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Waker } from '../model/wake.ts';

/** Who can tell that something changed. */
export interface DriftLooker {
  /** Whether there can be anything to find: false where no transaction has ended since nothing was found, and while a cycle looks itself. Costs next to nothing. Never throws. */
  mayHaveDrifted(): Promise<boolean>;
  /** Between cycles: whether somebody changed something since the last one that no notification tells us of. Never throws. */
  lookForDrift(): Promise<{ readonly cluster: boolean; readonly databases: readonly string[] }>;
}

/** How soon a change is seen that comes alone. */
const GLANCE_MS = 1000;
/** Looks that were not needed can be made up for, so many at a time: a quiet server is answered at once, and a busy one once in an interval. */
const MOST_SAVED = 12;

/**
 * Looks until the signal aborts, and wakes the loop when something changed. Never throws.
 * @param interval seconds from one look to the next, as they are on average at least; 0 for never.
 */
export async function watchDrift(interval: number, looker: DriftLooker, wake: Waker, signal: AbortSignal, glanceMs = GLANCE_MS): Promise<void> {
  let saved = 0;
  let then = performance.now();
  while (interval > 0 && !signal.aborted) {
    await sleep(Math.min(glanceMs, interval * 1000), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const now = performance.now();
    saved = Math.min(MOST_SAVED, saved + (now - then) / (interval * 1000));
    then = now;
    if (saved < 1 || !(await looker.mayHaveDrifted())) continue;
    saved -= 1;
    const { cluster, databases } = await looker.lookForDrift();
    if (cluster) wake.request('cluster');
    for (const database of databases) wake.request('database', database);
  }
}
