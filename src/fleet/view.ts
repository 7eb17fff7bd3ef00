// What is shown of one server: its metrics, its status and its lines in the log. It lives as long as the server is declared, whatever becomes of its steward.
import type { Log } from '../observe/log.ts';
import { createMetrics, type Metrics } from '../observe/metrics.ts';
import { createStatus, type Status } from '../observe/status.ts';
import type { Residents } from '../postgres/residents.ts';

type Counts = ReturnType<Residents['counts']>;

export interface View {
  readonly metrics: Metrics;
  readonly status: Status;
  readonly log: Log;
  /** Who tells how many sessions listen. */
  listenersOf(counts: () => Counts): void;
}

export interface ViewOptions {
  /** For people: where its document comes from. */
  readonly source: string;
  readonly dryRun: boolean;
  /** Seconds between cycles. */
  readonly interval: number;
  readonly log: Log;
}

/**
 * @param about is asked again whenever it is shown.
 * @param replicas how many of us live.
 */
export function createView(about: ViewOptions, replicas: () => number): View {
  const { log } = about;
  let counts = (): Counts => ({ listening: 0, deaf: 0, connecting: 0 });
  return {
    log,
    metrics: createMetrics({ listeners: () => counts(), replicas }),
    status: createStatus({
      get source() {
        return about.source;
      },
      get dryRun() {
        return about.dryRun;
      },
      get patience() {
        return Math.max(600_000, about.interval * 3000);
      },
    }),
    listenersOf: (next) => {
      counts = next;
    },
  };
}
