// /status: what holds at present, as JSON without secrets.
import { formatProblem } from '../core/document/format.ts';
import { type CycleReport, summarize } from '../cycle/report.ts';
import { rotationsAt, validityAt, type ValidityEnd } from '../cycle/validity.ts';

export interface Status {
  record(report: CycleReport): void;
  setRole(role: Role): void;
  beat(): void;
  /** Whether the loop has moved within the last minutes. */
  isAlive(): boolean;
  /** Whether a first cycle has ended, or the instance stands by. */
  isReady(): boolean;
  toJson(): object;
}

type Role = 'starting' | 'standby' | 'writer' | 'dry_run';

/** @param patience milliseconds without a heartbeat after which the loop counts as stuck. */
export function createStatus(options: { readonly source: string; readonly dryRun: boolean; readonly patience: number; readonly now?: () => number }): Status {
  const now = options.now ?? Date.now;
  let role: Role = 'starting';
  let last: CycleReport | undefined;
  let lastEnd: number | undefined;
  let lastSuccess: number | undefined;
  let lastSourceSuccess: number | undefined;
  let ends: readonly ValidityEnd[] = [];
  let rotationDue: CycleReport['rotationDue'] = new Map();
  let heartbeat = now();
  const iso = (time: number | undefined): string | null => (time === undefined ? null : new Date(time).toISOString());
  return {
    record: (report) => {
      last = report;
      lastEnd = now();
      if (report.result !== 'failed' && report.result !== 'waiting') [ends, rotationDue] = [report.validity, report.rotationDue];
      if (report.result === 'converged' || report.result === 'changed') lastSuccess = lastEnd;
      if (report.sourceFailure === undefined && report.why !== '') lastSourceSuccess = lastEnd;
    },
    setRole: (next) => {
      role = next;
    },
    beat: () => {
      heartbeat = now();
    },
    isAlive: () => now() - heartbeat < options.patience,
    isReady: () => last !== undefined || role === 'standby',
    toJson: () => ({
      role,
      dryRun: options.dryRun,
      paused: last?.requests?.paused ?? false,
      source: { description: options.source, inForce: last?.why ?? null, lastSuccess: iso(lastSourceSuccess), failure: last?.sourceFailure ?? null },
      lastCycle: last === undefined ? null : { result: last.result, end: iso(lastEnd), error: last.error ?? null, ...summarize(last) },
      lastConverged: iso(lastSuccess),
      users: last?.users ?? 0,
      roles: last?.roles ?? 0,
      validity: validityNow(ends, now()),
      rotation: rotationNow(rotationDue, now()),
      breakerTripped: last?.breakerTripped ?? false,
      problems: (last?.problems ?? []).map((problem) => ({ severity: problem.severity, message: formatProblem(problem), user: problem.username ?? null })),
      notices: (last?.notices ?? []).map(({ kind, subject, message, sql }) => ({ kind, subject, message, sql: sql ?? null })),
    }),
  };
}

/** The next generated password to be replaced, and how many are overdue. */
function rotationNow(due: CycleReport['rotationDue'], now: number): object {
  const { next, overdue } = rotationsAt(due, now);
  return { next: next === undefined ? null : new Date(next.end).toISOString(), user: next?.user ?? null, overdue };
}

/** The next end of a validity with its user, and how many end soon or have ended. */
function validityNow(ends: readonly ValidityEnd[], now: number): object {
  const { soonest, expired, ending } = validityAt(ends, now);
  return { soonest: soonest === undefined ? null : new Date(soonest.end).toISOString(), user: soonest?.user ?? null, expired, ending };
}
