// Metrics: written from reports of cycles. Label values come from closed sets only.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type CycleReport, CYCLE_RESULTS, errorsOf, isPreview } from '../steward/report.ts';
import { PROBE_OUTCOMES } from '../steward/probe.ts';
import { rotationsAt, SPANS, validityAt, type ValidityEnd } from '../steward/validity.ts';
import { CHANGE_KINDS } from '../changes/table.ts';
import { createAuthorMetrics } from './author-metrics.ts';
import { NOTICE_KINDS } from '../changes/notice.ts';
import { OUTAGE_REASONS, type OutageReason } from '../model/outage.ts';
import type { WatchObserver } from '../model/watched.ts';
import { WAKE_CAUSES, type Woken } from '../model/wake.ts';
import type { Residents } from '../postgres/residents.ts';

export type WatchMetrics = Omit<WatchObserver, 'changed' | 'refused'>;

export interface Metrics {
  readonly registry: Registry;
  record(report: CycleReport): void;
  setWriter(isWriter: boolean): void;
  /** Whether the status ConfigMap may be old. */
  setStale(isStale: boolean): void;
  /** Another instance of the same document is the writer, and nothing is wrong. */
  standsBy(): void;
  /** Counts what a cycle was woken by. */
  woken(woken: Woken): void;
  /** Hears how the watches are. */
  readonly watching: WatchMetrics;
}

const NO_LISTENERS: ReturnType<Residents['counts']> = { listening: 0, deaf: 0, connecting: 0 };

/** @param listeners resident sessions by state, asked for whenever somebody reads the metrics, and so is how many replicas live. */
export function createMetrics({
  listeners = () => NO_LISTENERS,
  replicas = () => 1,
  now = Date.now,
}: { readonly listeners?: () => ReturnType<Residents['counts']>; readonly replicas?: () => number; readonly now?: () => number } = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const prefix = 'postgres_controller_';
  const counter = (name: string, help: string, labelNames: string[] = []) => new Counter({ name: prefix + name, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: string[] = []) => new Gauge({ name: prefix + name, help, labelNames, registers });
  const cycles = counter('reconciliations_total', 'Reconciliation cycles that ended');
  const lastCycle = gauge('last_reconciliation_timestamp', 'When the last cycle ended, in seconds since the epoch');
  const driftTotal = counter('drift_total', 'Differences found that somebody made on the server');
  const users = gauge('users_managed', 'Users that the document names and pgsteward manages');
  const roles = gauge('roles_managed', 'Roles that users name and pgsteward manages');
  const errors = counter('errors_total', 'Errors of any kind, as the summary of each cycle counts them');
  const lastError = gauge('last_error_timestamp', 'When the last error was seen, in seconds since the epoch');
  const results = counter('cycles_total', 'Cycles by how they ended', ['result']);
  const duration = new Histogram({
    name: `${prefix}cycle_duration_seconds`,
    help: 'How long a cycle took',
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
    registers,
  });
  const driftBy = counter('drift_changes_total', 'Drift by kind of change', ['kind']);
  const pending = gauge('pending_changes', 'Changes that the last cycle wanted and could not or (dry run) would not make', ['kind']);
  const changes = counter('changes_total', 'Changes by kind and outcome', ['kind', 'outcome']);
  const failures = counter('failures_total', 'Failures by reason', ['reason']);
  const stale = gauge('status_stale', '1 while the status ConfigMap cannot be written, and may say what no longer holds');
  const stateStale = gauge('state_file_stale', '1 while the state file cannot be written, and may say what no longer holds');
  const outage = gauge('outage', '1 while nothing can be done on the server, by why', ['reason']);
  const guardrailRefused = gauge('guardrail_refused', 'Changes that a guardrail holds back at present', ['guardrail']);
  const guardrailBroken = gauge('guardrail_broken', 'Roles that have on the server what a guardrail forbids, each once a database', ['guardrail']);
  const notices = gauge('notices', 'What holds at present, by kind', ['kind']);
  const breaker = gauge('breaker_tripped', '1 while removals are held because there are too many of them');
  const invalid = gauge('document_errors', 'Errors of the users document as it is now');
  const withoutSecret = gauge('users_without_secret', 'Users whose Secret cannot be used');
  const sourceSuccess = gauge('source_last_success_timestamp', 'When the source was last read, in seconds since the epoch', ['source']);
  const passwordAge = gauge('password_last_set_timestamp', 'When a password was last set by this process, in seconds since the epoch');
  const probes = counter('password_probes_total', 'Probes of passwords on the server, by outcome', ['outcome']);
  const adminRotationDue = gauge(
    'admin_rotation_due_timestamp',
    "When the admin's own password is to be rotated next, in seconds since the epoch; 0 where it is not",
  );
  const writer = gauge('is_writer', '1 on the instance that holds the writer lock');
  const paused = gauge('paused', '1 while somebody has asked by an annotation that nothing is written');
  const watchConnected = gauge('watch_connected', '1 while a watch is open', ['watch']);
  const watchHeard = gauge('watch_last_success_timestamp', 'When a list or a watch last brought anything, in seconds since the epoch', ['watch']);
  const watchRestarts = counter('watch_restarts_total', 'How often a watch had to begin again, by why', ['watch', 'reason']);
  const wakeups = counter('wakeups_total', 'Cycles that began before their interval was over, by what woke them', ['cause']);
  const joined = counter('wakeups_joined_total', 'Wake-ups that shared a cycle with others');
  let ends: readonly ValidityEnd[] = [];
  let rotationDue: CycleReport['rotationDue'] = new Map();
  /** A gauge of what changes between cycles: asked for whenever somebody reads the metrics. */
  const counted = (name: string, help: string, collect: (gauge: Gauge) => void, labelNames: string[] = []): void =>
    registry.registerMetric(
      new Gauge({
        name: prefix + name,
        help,
        labelNames,
        registers: [],
        collect() {
          collect(this);
        },
      }),
    );
  counted('validity_soonest_end_timestamp', 'When the validity of the next managed user ends, in seconds since the epoch; 0 where none does', (soonest) =>
    soonest.set((validityAt(ends, now()).soonest?.end ?? 0) / 1000),
  );
  counted('rotation_next_due_timestamp', 'When the next generated password is due to be replaced, in seconds since the epoch; 0 where none is', (next) =>
    next.set((rotationsAt(rotationDue, now()).next?.end ?? 0) / 1000),
  );
  counted('rotations_overdue', 'Generated passwords that should have been replaced by now', (overdue) => overdue.set(rotationsAt(rotationDue, now()).overdue));
  counted('users_expired', 'Managed users whose validity is over', (expired) => expired.set(validityAt(ends, now()).expired));
  counted(
    'listeners',
    'Resident sessions in managed databases, by whether they hear of changes',
    (gauges) => {
      for (const [state, count] of Object.entries(listeners())) gauges.set({ state }, count);
    },
    ['state'],
  );
  counted('replicas_live', 'Replicas that this one sees, itself among them', (live) => live.set(replicas()));
  counted(
    'users_validity_ending',
    'Managed users whose validity ends within a span',
    (ending) => {
      const found = validityAt(ends, now()).ending;
      for (const [within] of SPANS) ending.set({ within }, found[within]);
    },
    ['within'],
  );
  for (const cause of WAKE_CAUSES) wakeups.inc({ cause }, 0);
  for (const kind of CHANGE_KINDS) pending.set({ kind }, 0);
  for (const kind of NOTICE_KINDS) notices.set({ kind }, 0);
  for (const result of CYCLE_RESULTS) results.inc({ result }, 0);
  breaker.set(0);
  writer.set(0);
  paused.set(0);

  const fail = (reason: string): void => {
    errors.inc();
    failures.inc({ reason });
    lastError.set(now() / 1000);
  };
  const setOutage = (now?: OutageReason): void => {
    for (const reason of OUTAGE_REASONS) outage.set({ reason }, reason === now ? 1 : 0);
  };
  setOutage();
  const byAuthor = createAuthorMetrics(registry, now);
  return {
    registry,
    setStale: (isStale) => stale.set(isStale ? 1 : 0),
    standsBy: () => setOutage(),
    setWriter: (isWriter) => writer.set(isWriter ? 1 : 0),
    woken: ({ causes, requests }) => {
      for (const cause of causes) wakeups.inc({ cause });
      if (requests > 1) joined.inc(requests - 1);
    },
    watching: {
      connected: (watch, isConnected) => watchConnected.set({ watch }, isConnected ? 1 : 0),
      heard: (watch) => watchHeard.set({ watch }, now() / 1000),
      restarted: (watch, reason) => watchRestarts.inc({ watch, reason }),
    },
    record: (report) => {
      cycles.inc();
      results.inc({ result: report.result });
      lastCycle.set(now() / 1000);
      duration.observe(report.duration);
      if (report.sourceFailure === undefined && report.requests !== undefined) sourceSuccess.set({ source: 'document' }, now() / 1000);
      for (const reason of errorsOf(report)) fail(reason);
      setOutage(report.error?.outage);
      for (const outcome of PROBE_OUTCOMES) probes.inc({ outcome }, report.probes[outcome]);
      paused.set(report.requests?.paused === true ? 1 : 0);
      invalid.set(report.problems.filter((problem) => problem.severity === 'error').length);
      if (report.result === 'failed' || report.result === 'waiting') return;
      byAuthor(report);
      users.set(report.users);
      roles.set(report.roles);
      ends = report.validity;
      rotationDue = report.rotationDue;
      if (report.adminRotationDue !== undefined) adminRotationDue.set(report.adminRotationDue / 1000);
      // One that is no longer declared is no longer told of.
      guardrailRefused.reset();
      guardrailBroken.reset();
      for (const { name: guardrail, refused, broken } of report.guardrails) {
        guardrailRefused.set({ guardrail }, refused);
        guardrailBroken.set({ guardrail }, broken);
      }
      breaker.set(report.breakerTripped ? 1 : 0);
      stateStale.set(report.stateUnwritten ? 1 : 0);
      for (const kind of NOTICE_KINDS) notices.set({ kind }, report.notices.filter((notice) => notice.kind === kind).length);
      withoutSecret.set(report.notices.filter((notice) => notice.kind === 'secret').length);
      driftTotal.inc(report.drift.length);
      for (const [kind, { length }] of Map.groupBy(report.drift, (change) => change.kind)) driftBy.inc({ kind }, length);
      const open = new Map<string, number>();
      for (const change of isPreview(report) ? report.planned : report.outcomes.flatMap((outcome) => (outcome.result === 'applied' ? [] : [outcome.change])))
        open.set(change.kind, (open.get(change.kind) ?? 0) + 1);
      for (const kind of CHANGE_KINDS) pending.set({ kind }, open.get(kind) ?? 0);
      for (const [outcome, of] of Map.groupBy(report.outcomes, ({ result }) => result))
        for (const [kind, { length }] of Map.groupBy(of, ({ change }) => change.kind)) {
          changes.inc({ kind, outcome }, length);
          if (outcome === 'applied' && kind === 'set_password') passwordAge.set(now() / 1000);
        }
    },
  };
}
