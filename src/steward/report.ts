// The report of a cycle: what it found and did. Log, metrics, /status and Events are written from it and from nothing else.
import { type Change, type ChangeKind, type Entity, subjectOf } from '../changes/change.ts';
import { definitionOf } from '../changes/table.ts';
import { onceFor } from '../model/once-for.ts';
import type { Problem } from '../model/entries.ts';
import type { GuardrailCount } from '../guard/say.ts';
import { aboutNotice, type Notice } from '../changes/notice.ts';
import type { Sources } from '../model/sources.ts';
import type { WhyNot } from '../postgres/outage-of.ts';
import type { Requests } from '../model/requests.ts';
import type { Outcome } from '../postgres/run.ts';
import type { AuditStand } from './audit-stand.ts';
import type { ProbeCounts } from './probe-memos.ts';
import type { ValidityEnd } from './validity.ts';

/** How a cycle ended; also a metric label. `waiting`: there is no document to follow yet. `paused`: as a dry run, because somebody asked for it. */
export const CYCLE_RESULTS = ['converged', 'changed', 'incomplete', 'dry_run', 'paused', 'waiting', 'failed'] as const;
export type CycleResult = (typeof CYCLE_RESULTS)[number];

export interface CycleReport {
  readonly result: CycleResult;
  /** Seconds. */
  readonly duration: number;
  /** `namespace/name@version` of the document in force; empty without one. */
  readonly why: string;
  /** What the first plan of the cycle held, in the order of execution. */
  readonly planned: readonly Change[];
  readonly outcomes: readonly Outcome[];
  /** Changes of the first plan that undo what somebody did by hand. */
  readonly drift: readonly Change[];
  /** Probes of passwords in this cycle, by outcome. */
  readonly probes: ProbeCounts;
  /** The audit log as it is after the cycle; undefined where that is not known. */
  readonly audit?: AuditStand | undefined;
  readonly problems: readonly Problem[];
  readonly notices: readonly Notice[];
  /** Each guardrail by its name, with how much it holds back and by how many it is broken. */
  readonly guardrails: readonly GuardrailCount[];
  readonly breakerTripped: boolean;
  /** What the document names and we manage. */
  readonly entities: ReadonlyMap<string, Entity>;
  /** Users of our making → the user of the document that each logs in for. */
  readonly turns: ReadonlyMap<string, string>;
  readonly users: number;
  readonly roles: number;
  /** When the validity of managed users ends, the soonest first. */
  readonly validity: readonly ValidityEnd[];
  /** By user, when its generated password is due to be replaced, in milliseconds since the epoch. */
  readonly rotationDue: ReadonlyMap<string, number>;
  /** When the admin's own password is due, in milliseconds since the epoch; undefined where that is not known or not done. */
  readonly adminRotationDue: number | undefined;
  /** Whether the state file does not say what holds, because it cannot be written; there is a notice. */
  readonly stateUnwritten: boolean;
  readonly sourceFailure: { readonly reason: string; readonly message: string } | undefined;
  /** Why the cycle failed, without any secret. */
  readonly error: WhyNot | undefined;
  /** Whether the cycle was answered by the fingerprint alone. */
  readonly unchanged: boolean;
  /** What was asked for by hand; undefined until the ConfigMap could be read. */
  readonly requests: Requests | undefined;
  /** Which document it is whose entries are followed: its version, and the SHA-256 of its content. */
  readonly document: { readonly version: string; readonly hash: string } | undefined;
  /** Whose what of it is, where there are authors. */
  readonly sources: Sources | undefined;
  /** Users and roles that it declares, whether we manage them or not. */
  readonly declared: ReadonlyMap<string, Entity>;
}

/** Whether the cycle only said what it would do. */
export const isPreview = (report: CycleReport): boolean => report.result === 'dry_run' || report.result === 'paused';

/** The errors of a cycle, each by its reason: summary and metrics count the same. */
export function errorsOf({ sourceFailure, error, outcomes, problems, notices }: CycleReport): readonly string[] {
  const tried = outcomes.flatMap((outcome) => (outcome.result === 'failed' ? [outcome.class] : []));
  const told = (error: 'itself' | 'its change'): string[] => notices.flatMap((notice) => (aboutNotice(notice).error === error ? [notice.kind] : []));
  return [
    ...(sourceFailure === undefined ? [] : [`source_${sourceFailure.reason}`]),
    ...(error === undefined ? [] : [error.reason]),
    ...problems.flatMap(({ severity }) => (severity === 'error' ? ['document'] : [])),
    ...tried,
    // What failed in this cycle has a notice as well, and so has what failed before and waits.
    ...told('its change').slice(tried.length),
    ...told('itself'),
  ];
}

export interface Summary {
  readonly users_created: number;
  readonly users_updated: number;
  readonly users_deleted: number;
  readonly roles_created: number;
  readonly roles_deleted: number;
  /** Memberships, privileges and default privileges that are given. */
  readonly grants: number;
  /** The same that are taken away; also all at once from a role that leaves. */
  readonly revokes: number;
  readonly passwords: number;
  readonly drift: number;
  readonly errors: number;
  readonly duration: number;
}

/** The counts of a cycle's one summary line; in a dry run or a pause, of what would have been done. */
export const summarize = onceFor((report: CycleReport): Summary => {
  const changes = isPreview(report) ? report.planned : report.outcomes.flatMap((outcome) => (outcome.result === 'applied' ? [outcome.change] : []));
  const roles = (kind: ChangeKind, entity: 'user' | 'role'): ReadonlySet<string> =>
    new Set(changes.flatMap((change) => (change.kind === kind && 'entity' in change && change.entity === entity ? [change.role] : [])));
  const count = (as: 'grants' | 'revokes' | 'passwords'): number => changes.filter((change) => definitionOf(change).counts === as).length;
  const created = roles('create_role', 'user');
  const deleted = new Set([
    ...roles('drop_role', 'user'),
    ...changes.flatMap((change) => (change.kind === 'disable_role' && change.keep ? [change.role] : [])),
  ]);
  const touched = new Set(changes.filter((change) => !('entity' in change) && !definitionOf(change).isOfNoUser).map(subjectOf));
  for (const name of [...roles('alter_role', 'user'), ...roles('adopt_role', 'user'), ...roles('rename_role', 'user')]) touched.add(name);
  return {
    users_created: created.size,
    users_updated: [...touched].filter((name) => report.entities.get(name) !== 'role' && !created.has(name) && !deleted.has(name)).length,
    users_deleted: deleted.size,
    roles_created: roles('create_role', 'role').size,
    roles_deleted: roles('drop_role', 'role').size,
    grants: count('grants'),
    revokes: count('revokes'),
    passwords: count('passwords'),
    drift: report.drift.length,
    errors: errorsOf(report).length,
    duration: report.duration,
  };
});
