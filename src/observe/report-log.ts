// Report → log lines: one for each change, one for each thing that holds (when it is new), and one summary for each cycle.
import { formatProblem } from '../document/format.ts';
import { aboutNotice, noticeLine } from '../changes/notice.ts';
import { type Change, sentenceOf } from '../changes/change.ts';
import { lossOf } from '../changes/loss.ts';
import { planSentences } from '../changes/plan-lines.ts';
import { type CycleReport, errorsOf, isPreview, summarize } from '../steward/report.ts';
import type { Log } from './log.ts';
import type { LogOutput } from './log-output.ts';

/** So many lines are written at once: what they say has to be put into words, and everything else waits meanwhile. */
const LINES_AT_ONCE = 100;

/** A log that is not read keeps a cycle waiting for so long; what comes then is bounded by LogOutput. */
const PATIENCE_MS = 10_000;

/** `areShared`: the very same object stands for the fields of many lines. */
type Line = readonly [level: 'debug' | 'info' | 'warn' | 'error', fields: object, message: string, areShared?: true];

/** A writer of reports that says what holds once, and again only after it was gone. */
export function createReportLog(log: Log, { room, together }: Pick<LogOutput, 'room' | 'together'>): (report: CycleReport) => Promise<void> {
  let said: ReadonlySet<string> = new Set();
  let lastPreview: string | undefined;
  let paused = false;
  function* linesOf(report: CycleReport): Generator<Line> {
    const holding = new Set<string>();
    for (const line of holdingLines(report)) {
      const [, , message] = line;
      if (!said.has(message)) yield line;
      holding.add(message);
    }
    said = holding;
    if (report.requests !== undefined && report.requests.paused !== paused) {
      paused = report.requests.paused;
      yield [
        'warn',
        {},
        paused ? 'paused by the annotation pgsteward.dev/paused: nothing is written until it is taken away' : 'the pause is over: what waited is written',
      ];
    }
    const mark = report.result === 'paused' ? '[PAUSED]' : '[DRY-RUN]';
    if (isPreview(report)) {
      const lines = [...previewLines(report, mark)];
      const preview = lines.map(([, , message]) => message).join('\n');
      if (preview !== lastPreview) yield* lines;
      lastPreview = preview;
    }
    yield* outcomeLines(report);
    const summary = summarize(report);
    yield [
      report.unchanged ? 'debug' : 'info',
      { result: report.result, ...summary, duration: Number(summary.duration.toFixed(3)) },
      isPreview(report) ? `${mark} reconciliation summary: nothing was written` : 'reconciliation summary',
    ];
  }
  return async (report) => {
    const until = performance.now() + PATIENCE_MS;
    const lines = linesOf(report);
    const loggers = new Map<object, Log>();
    const some = (): boolean => {
      for (let written = 0; written < LINES_AT_ONCE; written += 1) {
        const line = lines.next();
        if (line.done === true) return true;
        write(log, line.value, loggers);
      }
      return false;
    };
    while (!together(some)) await room(until - performance.now());
  };
}

/** Fields that many lines share are put into words once. */
function write(log: Log, [level, fields, message, areShared]: Line, loggers: Map<object, Log>): void {
  if (areShared !== true) return log[level](fields, message);
  const own = loggers.get(fields) ?? log.child(fields);
  loggers.set(fields, own);
  own[level](message);
}

/** What holds, whether it was said before or not. */
function* holdingLines(report: CycleReport): Generator<Line> {
  for (const problem of report.problems) yield [problem.severity === 'error' ? 'error' : 'warn', {}, formatProblem(problem)];
  if (report.sourceFailure !== undefined)
    yield ['error', { reason: report.sourceFailure.reason }, `${report.sourceFailure.message}; the last good document stays in force`];
  if (report.error !== undefined) yield ['error', { reason: report.error.reason }, `the cycle failed: ${report.error.message}`];
  for (const notice of report.notices)
    yield [
      aboutNotice(notice).holdsBack ? 'error' : 'warn',
      {
        kind: notice.kind,
        ...(notice.advice === undefined ? {} : { sql: notice.advice.sql, sqlDatabase: notice.advice.database, sqlAs: notice.advice.as }),
      },
      noticeLine(notice),
    ];
}

/** What a change is, for whoever counts or looks for lines; `takes`: what somebody has no longer after it. */
function fieldsOf(change: Change, drift: ReadonlySet<Change>): object {
  const takes = lossOf(change);
  return { change: change.kind, ...(drift.has(change) ? { drift: true } : {}), ...(takes === undefined ? {} : { takes }) };
}

/** What would be done, and that it is nothing. */
function* previewLines(report: CycleReport, mark: string): Generator<Line> {
  const drift = new Set(report.drift);
  for (const { change, sentence } of planSentences(report.planned))
    yield ['info', { ...fieldsOf(change, drift), outcome: 'planned' }, `${mark} Would ${sentence}`];
  if (report.planned.length === 0) yield ['info', {}, `${mark} nothing to do${errorsOf(report).length === 0 ? '' : ', as far as the errors let anybody look'}`];
}

function* outcomeLines(report: CycleReport): Generator<Line> {
  const drift = new Set(report.drift);
  const applied = new Map<string, object>();
  for (const outcome of report.outcomes) {
    const { change, result } = outcome;
    if (result !== 'applied') {
      yield ['warn', { ...fieldsOf(change, drift), outcome: result, reason: outcome.message }, `not done: ${sentenceOf(change)}`];
      continue;
    }
    const key = `${change.kind} ${drift.has(change)} ${lossOf(change) ?? ''}`;
    const fields = applied.get(key) ?? { ...fieldsOf(change, drift), outcome: result };
    applied.set(key, fields);
    yield ['info', fields, sentenceOf(change), true];
  }
}
