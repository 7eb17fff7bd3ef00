// What watches say → wake-ups of the loop, metrics, and a line in the log where somebody should know.
import type { Waker } from '../model/wake.ts';
import type { WatchObserver } from '../model/watched.ts';
import type { WatchMetrics } from './metrics.ts';
import type { Log } from './log.ts';

/** An observer that wakes the loop. A watch that breaks off is no news: the interval goes on, and the source's own failures are told by the cycles. */
export function createWatchObserver(wake: Waker, metrics: WatchMetrics, log: Pick<Log, 'debug' | 'info' | 'warn'>): WatchObserver {
  const said = new Set<string>();
  return {
    ...metrics,
    changed: (what) => wake.request(what),
    restarted: (what, reason, message) => {
      metrics.restarted(what, reason, message);
      log.debug({ watch: what, reason }, `a watch begins again: ${message || reason}`);
    },
    refused: (what, message) => {
      if (said.has(message)) return;
      said.add(message);
      // The shipped Role leaves Secrets to be read by name, so that is no warning.
      log[what === 'document' ? 'warn' : 'info']({ watch: what }, `changes are seen by the interval only: ${message}; it is tried again every minute`);
    },
  };
}
