// Shows the report of a cycle wherever one looks: metrics, /status, the log, and in Kubernetes Events and the status ConfigMap.
import type { CycleReport } from '../steward/report.ts';
import type { Ports } from '../sources/ports.ts';
import { createAnnouncer } from './announcements.ts';
import { createAuthorShow, type ToldAuthor } from './author-show.ts';
import { conditionsOf } from './conditions.ts';
import type { Log } from './log.ts';
import type { LogOutput } from './log-output.ts';
import type { Metrics } from './metrics.ts';
import { createReportLog } from './report-log.ts';
import type { Status } from './status.ts';

export interface ShowOptions {
  readonly ports: Pick<Ports, 'announcer' | 'statusPublisher'>;
  /** Authors who are told of their own. */
  readonly authors?: readonly ToldAuthor[];
  readonly metrics: Metrics;
  readonly status: Status;
  readonly log: Log;
  readonly output: LogOutput;
  /** Nothing is written, also not to Kubernetes. */
  readonly dryRun: boolean;
  readonly statusConfigMap: 'on' | 'off';
}

/** Never throws but for an abort. */
export type Show = (report: CycleReport, signal: AbortSignal) => Promise<void>;

export function createShow({ ports, authors = [], metrics, status, log, output, dryRun, statusConfigMap }: ShowOptions): Show {
  const writeReport = createReportLog(log, output);
  const announcementsOf = createAnnouncer();
  const tellAuthors = createAuthorShow(authors, statusConfigMap);

  const inKubernetes: Show = async (report, signal) => {
    await ports.announcer?.announce(announcementsOf(report), signal);
    const stale = statusConfigMap === 'on' ? await ports.statusPublisher?.publish(conditionsOf(report), signal) : undefined;
    // What an author lacks is said here, and is no alarm of ours.
    const theirs = await tellAuthors(report, signal);
    const told = stale ?? theirs;
    status.setStale(told);
    metrics.setStale(stale !== undefined);
    if (told !== undefined) await ports.announcer?.announce([{ reason: 'StatusNotWritten', type: 'Warning', note: told }], signal);
  };

  return async (report, signal) => {
    metrics.record(report);
    status.record(report);
    await writeReport(report);
    if (!dryRun) await inKubernetes(report, signal);
    status.beat();
  };
}
