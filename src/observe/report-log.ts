// Report → log lines: one for each change, one for each thing that holds (when it is new), and one summary for each cycle.
import { formatProblem } from '../core/document/format.ts';
import { sentenceOf } from '../core/sentence.ts';
import { planLines } from '../core/plan-lines.ts';
import { type CycleReport, isPreview, summarize } from '../cycle/report.ts';
import type { Log } from './log.ts';

/** A writer of reports that says what holds once, and again only after it was gone. */
export function createReportLog(log: Log): (report: CycleReport) => void {
  let said = new Set<string>();
  let lastPreview = '';
  let paused = false;
  return (report) => {
    const holding = new Set<string>();
    const once = (level: 'warn' | 'error', message: string, fields: object = {}): void => {
      holding.add(message);
      if (!said.has(message)) log[level](fields, message);
    };
    for (const problem of report.problems) once(problem.severity === 'error' ? 'error' : 'warn', formatProblem(problem));
    if (report.sourceFailure !== undefined)
      once('error', `${report.sourceFailure.message}; the last good document stays in force`, { reason: report.sourceFailure.reason });
    if (report.error !== undefined) once('error', `the cycle failed: ${report.error.message}`, { reason: report.error.reason });
    for (const notice of report.notices)
      once(
        notice.kind === 'pending' || notice.kind === 'kept' ? 'warn' : 'error',
        notice.subject === '' ? notice.message : `${notice.subject}: ${notice.message}`,
        { kind: notice.kind, ...(notice.sql === undefined ? {} : { sql: notice.sql }) },
      );
    said = holding;
    if (report.requests !== undefined && report.requests.paused !== paused) {
      paused = report.requests.paused;
      log.warn(
        paused ? 'paused by the annotation pgsteward.dev/paused: nothing is written until it is taken away' : 'the pause is over: what waited is written',
      );
    }
    const mark = report.result === 'paused' ? '[PAUSED]' : '[DRY-RUN]';
    if (isPreview(report)) {
      const lines = planLines(report.planned).map((line) => `${mark} Would ${line}`);
      if (lines.join('\n') !== lastPreview) for (const line of lines) log.info(line);
      lastPreview = lines.join('\n');
    }
    const drift = new Set(report.drift);
    for (const { change, ...outcome } of report.outcomes) {
      const fields = { change: change.kind, outcome: outcome.result, ...(drift.has(change) ? { drift: true } : {}) };
      if (outcome.result === 'applied') log.info(fields, sentenceOf(change));
      else log.warn({ ...fields, reason: outcome.message }, `not done: ${sentenceOf(change)}`);
    }
    const summary = summarize(report);
    const level = report.unchanged ? 'debug' : 'info';
    log[level](
      { result: report.result, ...summary, duration: Number(summary.duration.toFixed(3)) },
      isPreview(report) ? `${mark} reconciliation summary: nothing was written` : 'reconciliation summary',
    );
  };
}
