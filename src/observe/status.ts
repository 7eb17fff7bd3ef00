// /status: what holds at present, as JSON without secrets.
import { headText } from '../model/audit-head.ts';
import { formatProblem } from '../document/format.ts';
import { type CycleReport, summarize } from '../steward/report.ts';
import { rotationsAt, validityAt, type ValidityEnd } from '../steward/validity.ts';

/** What one answer of /status may hold: so many problems and notices, each message and each SQL of so many characters; the log has all of them. */
export const STATUS_LIMITS = { items: 200, characters: 2000, sql: 10_000 } as const;

export interface Status {
  record(report: CycleReport): void;
  setRole(role: Role): void;
  /** Another instance of the same document is the writer: whatever kept this one from working is its own matter no longer. */
  standsBy(): void;
  /** Why the status ConfigMap may be old; undefined where it is not. */
  setStale(why: string | undefined): void;
  beat(): void;
  /** Whether the loop has moved within the last minutes. */
  isAlive(): boolean;
  /** Why nothing can be done; undefined where a first cycle has ended otherwise, or the instance stands by. */
  unreadiness(): string | undefined;
  /** @param items problems and notices that are shown. */
  toJson(items?: number): object;
}

/** Why an instance that has begun is not ready. */
export const NO_CYCLE_YET = 'no cycle has ended yet';

const shortened = (text: string): string => (text.length > STATUS_LIMITS.characters ? `${text.slice(0, STATUS_LIMITS.characters)}…` : text);

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
  let outage: CycleReport['error'];
  let stale: string | undefined;
  let audit: CycleReport['audit'];
  const iso = (time: number | undefined): string | null => (time === undefined ? null : new Date(time).toISOString());
  const isAlive = (): boolean => now() - heartbeat < options.patience;
  return {
    record: (report) => {
      last = report;
      outage = report.error;
      audit = report.audit ?? audit;
      lastEnd = now();
      if (report.result !== 'failed' && report.result !== 'waiting') [ends, rotationDue] = [report.validity, report.rotationDue];
      if (report.result === 'converged' || report.result === 'changed') lastSuccess = lastEnd;
      if (report.sourceFailure === undefined && report.requests !== undefined) lastSourceSuccess = lastEnd;
    },
    setRole: (next) => {
      role = next;
    },
    setStale: (why) => {
      stale = why;
    },
    standsBy: () => {
      outage = undefined;
    },
    beat: () => {
      heartbeat = now();
    },
    isAlive,
    unreadiness: () => outage?.message ?? (last !== undefined || role === 'standby' ? undefined : NO_CYCLE_YET),
    toJson: (items = STATUS_LIMITS.items) => ({
      role,
      dryRun: options.dryRun,
      alive: isAlive(),
      outage: outage === undefined ? null : { reason: outage.outage, message: outage.message },
      statusNotWritten: stale ?? null,
      paused: last?.requests?.paused ?? false,
      source: { description: options.source, inForce: last?.why ?? null, lastSuccess: iso(lastSourceSuccess), failure: last?.sourceFailure ?? null },
      lastCycle: last === undefined ? null : { result: last.result, end: iso(lastEnd), error: last.error ?? null, ...summarize(last) },
      lastConverged: iso(lastSuccess),
      audit: audit === undefined ? null : { head: headText(audit.head), revision: audit.revision ?? null },
      users: last?.users ?? 0,
      roles: last?.roles ?? 0,
      validity: validityNow(ends, now()),
      rotation: rotationNow(rotationDue, now()),
      breakerTripped: last?.breakerTripped ?? false,
      problems: (last?.problems ?? [])
        .slice(0, items)
        .map((problem) => ({ severity: problem.severity, message: shortened(formatProblem(problem)), user: problem.username ?? null })),
      notices: (last?.notices ?? []).slice(0, items).map(({ kind, subject, message, advice }) => ({
        kind,
        subject,
        message: shortened(message),
        sql: advice === undefined || advice.sql.length > STATUS_LIMITS.sql ? null : advice.sql,
        sqlDatabase: advice === undefined || advice.database === '' ? null : advice.database,
        sqlAs: advice?.as ?? null,
      })),
      leftOut: {
        problems: Math.max(0, (last?.problems.length ?? 0) - items),
        notices: Math.max(0, (last?.notices.length ?? 0) - items),
      },
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
