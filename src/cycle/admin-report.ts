// What the rotation of our own password adds to the report of a cycle.
import type { Change } from '../core/change.ts';
import type { Notice } from '../core/notice.ts';
import type { Outcome } from '../postgres/run-batch.ts';
import type { CycleReport } from './report.ts';

export interface AdminReport {
  readonly planned: readonly Change[];
  readonly outcomes: readonly Outcome[];
  readonly notices: readonly Notice[];
  /** When the password is old enough, in milliseconds since the epoch. */
  readonly dueAt: number | undefined;
}

/** What holds until somebody mends it: with one of these a cycle is not complete. */
const OPEN: ReadonlySet<Notice['kind']> = new Set(['cannot', 'failed']);

/** The report with what became of our own password. */
export function withAdmin(report: CycleReport, admin: AdminReport | undefined): CycleReport {
  if (admin === undefined) return report;
  const { planned, outcomes, notices, dueAt } = admin;
  const isGood = report.result === 'converged' || report.result === 'changed';
  const changed = outcomes.length > 0 ? 'changed' : report.result;
  return {
    ...report,
    planned: [...report.planned, ...planned],
    outcomes: [...report.outcomes, ...outcomes],
    notices: [...report.notices, ...notices],
    adminRotationDue: dueAt,
    unchanged: report.unchanged && outcomes.length === 0,
    result: isGood ? (notices.some(({ kind }) => OPEN.has(kind)) ? 'incomplete' : changed) : report.result,
  };
}
