// What became of a cycle that was asked for by hand, as text for people and as JSON.
import { sentenceOf } from '../changes/change.ts';
import { formatProblem } from '../document/format.ts';
import { oneLine } from '../document/show.ts';
import { noticeLine } from '../changes/notice.ts';
import type { Change } from '../changes/change.ts';
import type { CycleReport } from '../steward/report.ts';
import { harmless } from './harmless.ts';
import type { PlanPaint } from './plan-text.ts';
import { type PlanResult, resultOf, shownNotice } from './plan-view.ts';
import { RESULTS } from './plan-words.ts';
import { shownProblem } from './verdict.ts';

export interface Outcomes {
  readonly report: CycleReport;
  /** What was wanted beside a saved plan, and was not done. */
  readonly left: readonly Change[];
  readonly within: ReadonlyMap<string, string>;
}

export function resultOfOutcomes({ report: { notices, problems, error, sourceFailure, outcomes }, left }: Outcomes): PlanResult {
  const isBroken = error !== undefined || sourceFailure !== undefined || outcomes.some(({ result }) => result !== 'applied');
  return resultOf(left.length > 0, notices, problems, isBroken);
}

/** A line for each change, notice and problem, and a last one with counts. */
export function outcomesAsText(all: Outcomes, paint: PlanPaint): string {
  const { report, left } = all;
  const count = (result: string): number => report.outcomes.filter((outcome) => outcome.result === result).length;
  return [
    ...report.outcomes.map((outcome) =>
      outcome.result === 'applied'
        ? paint('gain', oneLine(`done: ${sentenceOf(outcome.change)}`))
        : paint('loss', oneLine(`not done: ${sentenceOf(outcome.change)}: ${outcome.message}`)),
    ),
    ...left.map((change) => paint('warning', oneLine(`left, as it is not in the saved plan: ${sentenceOf(change)}`))),
    ...report.notices.map((notice) => paint('warning', oneLine(`${notice.kind}: ${noticeLine(notice)}`))),
    ...report.problems.map((problem) => paint(problem.severity === 'error' ? 'loss' : 'warning', oneLine(formatProblem(problem)))),
    ...(report.error === undefined ? [] : [paint('loss', oneLine(`the cycle failed: ${report.error.message}`))]),
    `done: ${count('applied')}; failed: ${count('failed')}; skipped: ${count('skipped')}; notices: ${report.notices.length}; problems of the document: ${report.problems.length}`,
    RESULTS[resultOfOutcomes(all)],
    '',
  ].join('\n');
}

/** One object, whose form docs/verbs.md describes. */
export function outcomesAsJson(all: Outcomes): string {
  const { report, left, within } = all;
  const value = {
    version: 1,
    result: resultOfOutcomes(all),
    outcomes: report.outcomes.map((outcome) => ({
      kind: outcome.change.kind,
      sentence: sentenceOf(outcome.change),
      outcome: outcome.result,
      message: outcome.result === 'applied' ? null : outcome.message,
    })),
    left: left.map((change) => ({ kind: change.kind, sentence: sentenceOf(change) })),
    notices: report.notices.map(shownNotice),
    problems: report.problems.map((problem) => shownProblem(problem, within)),
    error: report.error?.message ?? null,
  };
  return `${harmless(JSON.stringify(value, undefined, 2))}\n`;
}
