// The report of a cycle: what it found and did. Log, metrics, /status and Events are written from it and from nothing else.
import { type Change, type ChangeKind, type Entity, subjectOf } from '../core/change.ts';
import type { Problem } from '../core/document/types.ts';
import type { Notice } from '../core/notice.ts';
import type { Requests } from '../sources/annotations.ts';
import type { Outcome } from '../postgres/run-batch.ts';
import type { ProbeCounts } from './probes.ts';
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
  readonly problems: readonly Problem[];
  readonly notices: readonly Notice[];
  readonly breakerTripped: boolean;
  /** What the document names and we manage. */
  readonly entities: ReadonlyMap<string, Entity>;
  /** Users of our making → the user of the document that each logs in for. */
  readonly standIns: ReadonlyMap<string, string>;
  readonly users: number;
  readonly roles: number;
  /** When the validity of managed users ends, the soonest first. */
  readonly validity: readonly ValidityEnd[];
  /** By user, when its generated password is due to be replaced, in milliseconds since the epoch. */
  readonly rotationDue: ReadonlyMap<string, number>;
  /** When the admin's own password is due, in milliseconds since the epoch; undefined where that is not known or not done. */
  readonly adminRotationDue: number | undefined;
  readonly sourceFailure: { readonly reason: string; readonly message: string } | undefined;
  /** Why the cycle failed, without any secret. */
  readonly error: { readonly reason: string; readonly message: string } | undefined;
  /** Whether the cycle was answered by the fingerprint alone. */
  readonly unchanged: boolean;
  /** What was asked for by hand; undefined until the ConfigMap could be read. */
  readonly requests: Requests | undefined;
  /** Which document it is whose entries are followed: its version, and the SHA-256 of its content. */
  readonly document: { readonly version: string; readonly hash: string } | undefined;
  /** Users and roles that it declares, whether we manage them or not. */
  readonly declared: ReadonlyMap<string, Entity>;
}

/** Whether the cycle only said what it would do. */
export const isPreview = (report: CycleReport): boolean => report.result === 'dry_run' || report.result === 'paused';

/** Changes that concern no user of a document. */
const ABOUT_NO_USER: ReadonlySet<ChangeKind> = new Set([
  'create_database',
  'alter_database_owner',
  'create_schema',
  'alter_schema_owner',
  'create_extension',
  'install_event_trigger',
  'sync_trigger_rules',
  'remove_event_trigger',
  'rotate_admin_password',
]);

export interface Summary {
  readonly users_created: number;
  readonly users_updated: number;
  readonly users_deleted: number;
  readonly roles_created: number;
  readonly roles_deleted: number;
  readonly drift: number;
  readonly errors: number;
  readonly duration: number;
}

/** The counts of a cycle's one summary line; in a dry run or a pause, of what would have been done. */
export function summarize(report: CycleReport): Summary {
  const changes = isPreview(report) ? report.planned : report.outcomes.flatMap((outcome) => (outcome.result === 'applied' ? [outcome.change] : []));
  const roles = (kind: ChangeKind, entity: 'user' | 'role'): ReadonlySet<string> =>
    new Set(changes.flatMap((change) => (change.kind === kind && 'entity' in change && change.entity === entity ? [change.role] : [])));
  const created = roles('create_role', 'user');
  const deleted = new Set([
    ...roles('drop_role', 'user'),
    ...changes.flatMap((change) => (change.kind === 'disable_role' && change.keep ? [change.role] : [])),
  ]);
  const touched = new Set(changes.filter((change) => !('entity' in change) && !ABOUT_NO_USER.has(change.kind)).map(subjectOf));
  for (const name of [...roles('alter_role', 'user'), ...roles('adopt_role', 'user')]) touched.add(name);
  const failures = report.outcomes.filter((outcome) => outcome.result === 'failed').length;
  return {
    users_created: created.size,
    users_updated: [...touched].filter((name) => report.entities.get(name) !== 'role' && !created.has(name) && !deleted.has(name)).length,
    users_deleted: deleted.size,
    roles_created: roles('create_role', 'role').size,
    roles_deleted: roles('drop_role', 'role').size,
    drift: report.drift.length,
    errors:
      failures +
      report.problems.filter((problem) => problem.severity === 'error').length +
      (report.error === undefined ? 0 : 1) +
      (report.sourceFailure === undefined ? 0 : 1),
    duration: report.duration,
  };
}
