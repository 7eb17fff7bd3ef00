// What stands beside the plan, and what it adds to the report of a cycle: our own password, and our own rows.
import type { Change } from '../changes/change.ts';
import { isError, type Notice } from '../changes/notice.ts';
import type { Outcome } from '../postgres/run.ts';
import type { CycleReport } from './report.ts';

export interface Beside {
  readonly planned: readonly Change[];
  readonly outcomes: readonly Outcome[];
  readonly notices: readonly Notice[];
}

export interface AdminReport extends Beside {
  /** When the password is old enough, in milliseconds since the epoch. */
  readonly dueAt: number | undefined;
}

/** The report with what became of our own password. */
export const withAdmin = (report: CycleReport, admin: AdminReport | undefined): CycleReport =>
  admin === undefined ? report : { ...withBeside(report, admin), adminRotationDue: admin.dueAt };

/** The report with what keeps the state file from saying what holds. */
export const withUnwritten = (report: CycleReport, unwritten: Notice | undefined): CycleReport =>
  unwritten === undefined ? report : { ...withBeside(report, { planned: [], outcomes: [], notices: [unwritten] }), stateUnwritten: true };

/** The report with what keeps the operator's guardrails from being used as they are by now. */
export const withUnused = (report: CycleReport, unused: string | undefined): CycleReport =>
  unused === undefined ? report : withBeside(report, { planned: [], outcomes: [], notices: [{ kind: 'failed', subject: '', message: unused }] });

/** The report with what was done, or would be, beside the plan. */
export function withBeside(report: CycleReport, { planned, outcomes, notices }: Beside): CycleReport {
  const isGood = report.result === 'converged' || report.result === 'changed';
  const changed = outcomes.length > 0 ? 'changed' : report.result;
  return {
    ...report,
    planned: [...report.planned, ...planned],
    outcomes: [...report.outcomes, ...outcomes],
    notices: [...report.notices, ...notices],
    unchanged: report.unchanged && outcomes.length === 0,
    result: isGood ? (notices.some(isError) ? 'incomplete' : changed) : report.result,
  };
}
