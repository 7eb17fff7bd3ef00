// Reconcile: one cycle, from the source to the report. What a cycle does reads here from top to bottom.
import pRetry from 'p-retry';
import type { Config } from './config.ts';
import { createBackoff } from './cycle/backoff.ts';
import { checkPasswords, readCredentials } from './cycle/credentials.ts';
import { createInputs, type Inputs } from './cycle/inputs.ts';
import { afterOutcomes, correctedRows, entryDigest, stateRows } from './cycle/remember.ts';
import type { CycleReport } from './cycle/report.ts';
import type { ManagedRole } from './core/catalog.ts';
import { type Change, keyOf, objectOf, sentenceOf, subjectOf } from './core/change.ts';
import type { Document } from './core/document/types.ts';
import type { Notice } from './core/notice.ts';
import { type Plan, planOf } from './core/plan.ts';
import { type ApplyContext, applyPlan, type Outcome } from './postgres/apply.ts';
import type { Connections } from './postgres/connection.ts';
import { classify, describeFailure } from './postgres/failures.ts';
import { fingerprint, type FingerprintFacts } from './postgres/fingerprint.ts';
import { ensureLedger, type LedgerState } from './postgres/ledger-schema.ts';
import { rememberSql } from './postgres/ledger-write.ts';
import { readCatalog } from './postgres/read-catalog.ts';
import { closeFinishedIntents } from './postgres/release.ts';
import { beginSql } from './postgres/transaction.ts';
import type { Source } from './sources/source.ts';
import { loadState, saveState } from './state/state-file.ts';

export interface ReconcilerOptions {
  readonly config: Config;
  readonly source: Source;
  readonly connections: Connections;
  readonly log: { info(message: string): void; warn(message: string): void };
  /** Called whenever the cycle makes progress, for the heartbeat. */
  readonly onProgress: () => void;
}

/** Runs one cycle under the writer's fence (undefined in a dry run, which writes nothing). Never throws but for an abort. */
export type Reconcile = (fence: string | undefined, signal: AbortSignal) => Promise<CycleReport>;

type ReadCatalog = Awaited<ReturnType<typeof readCatalog>>;

/** A catalog is read and a plan made at most this often in a cycle: what one pass uncovers, the next mends. */
const PASSES = 3;

export function createReconciler({ config, source, connections, log, onProgress }: ReconcilerOptions): Reconcile {
  const sourceId = `${config.NAMESPACE}/${config.CONFIGMAP_NAME}`;
  const timeouts = { statementTimeout: config.DB_STATEMENT_TIMEOUT, lockTimeout: config.DB_LOCK_TIMEOUT };
  const readInputs = createInputs(source, { retries: config.MAX_RETRIES, base: config.RETRY_BACKOFF_BASE });
  const backoff = createBackoff(config.RETRY_BACKOFF_BASE, () => performance.now());
  const state = loadState(config.STATE_FILE, sourceId);
  if (state.problem !== undefined) log.warn(`the state file ${config.STATE_FILE} ${state.problem}; it is written anew, and nothing is lost by that`);
  let remembered: ReadonlyMap<string, ManagedRole> = state.roles;
  let digests: ReadonlyMap<string, string> = new Map([...state.roles].flatMap(([name, role]) => (role.digest === null ? [] : [[name, role.digest]])));
  let savedState = '';
  let settled: { readonly inputs: string; readonly fingerprint: string; readonly report: CycleReport; readonly facts: FingerprintFacts } | undefined;
  let knownFacts: FingerprintFacts | undefined;
  let ledger: LedgerState | undefined;
  let ledgerComplaint = '';
  let documentVersion = '';
  let intentsClosed = false;

  const read = (document: Document): Promise<ReadCatalog> =>
    connections.withAdmin((client) =>
      readCatalog({ client, source: sourceId, named: namesOf(document), defaultDatabase: config.DB_NAME, remembered, ...timeouts }),
    );

  /** Empty where it cannot be told, which equals nothing that is remembered. */
  const fingerprintNow = (facts: FingerprintFacts): Promise<string> => connections.withAdmin((client) => fingerprint(client, facts)).catch(() => '');

  const retried = <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> =>
    pRetry(work, {
      retries: config.MAX_RETRIES,
      factor: config.RETRY_BACKOFF_BASE,
      minTimeout: 250,
      maxTimeout: 10_000,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => {
        const failure = classify(error);
        return failure === 'retry' || failure === 'connection';
      },
    });

  const plan = (
    document: Document,
    catalog: ReadCatalog,
    credentials: ReturnType<typeof readCredentials>,
    stale: Parameters<typeof planOf>[0]['passwords'],
  ): Plan =>
    planOf({
      document,
      catalog,
      law: {
        source: sourceId,
        adminLogin: config.DB_USER,
        protectedRoles: new Set(config.PROTECTED_ROLES),
        allowedRoles: new Set(config.ALLOWED_ROLES),
        allowedSettings: new Set(config.ALLOWED_SETTINGS.map((name) => name.toLowerCase())),
      },
      removal: {
        source: sourceId,
        policy: config.DELETION_POLICY,
        maxDeletions: config.MAX_DELETIONS,
        reassignTo: config.REASSIGN_TO,
        defaultDatabase: config.DB_NAME,
      },
      defaultDatabase: config.DB_NAME,
      withoutSecret: credentials.withoutSecret,
      passwords: stale,
      isDeferred: (key) => backoff.isDeferred(key),
    });

  /** First contact: what the state file knows becomes the ledger's, unless the ledger knows roles of ours already. */
  const firstContact = (catalog: ReadCatalog): ManagedRole[] => {
    const known = [...catalog.managed.values()].some((role) => role.source === sourceId);
    if (!catalog.hasLedger || known) return [];
    return [...remembered.values()].flatMap((role) => {
      const oid = catalog.oids.get(role.name);
      return oid === undefined || catalog.managed.has(role.name) || (role.oid !== 0 && role.oid !== oid) ? [] : [{ ...role, oid }];
    });
  };

  const writeRows = async (rows: readonly ManagedRole[], fence: string): Promise<void> => {
    if (rows.length === 0) return;
    remembered = withRows(remembered, rows);
    if (ledger?.usable === true) await connections.withAdmin((client) => client.query([beginSql(timeouts), fence, ...rememberSql(rows), 'COMMIT'].join(';\n')));
  };

  const persist = async (managed: ReadonlyMap<string, ManagedRole>, document: Document): Promise<void> => {
    remembered = managed;
    const rows = stateRows(managed, document, digests, config.DB_NAME);
    const text = JSON.stringify(rows);
    if (text === savedState) return;
    try {
      await saveState(config.STATE_FILE, rows);
    } catch (error) {
      if (savedState === '')
        log.warn(
          `the state file ${config.STATE_FILE} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}); ${ledger?.usable === true ? 'the ledger remembers everything' : 'and there is no ledger: what is ours is forgotten at a restart'}`,
        );
    }
    savedState = text;
  };

  const prepareLedger = async (): Promise<void> => {
    if (ledger?.usable === true) return;
    ledger = await connections.withAdmin((client) => ensureLedger(client, timeouts));
    if (!ledger.usable && ledgerComplaint !== ledger.reason) {
      ledgerComplaint = ledger.reason;
      log.warn(
        `there is no ledger: ${ledger.reason}. Until then ${config.STATE_FILE} alone remembers which roles are ours, changes and memory do not commit together, and there is no audit log in the database`,
      );
    }
  };

  const cycle = async (fence: string | undefined, signal: AbortSignal, started: number): Promise<CycleReport> => {
    const inputs = await readInputs(signal);
    onProgress();
    const base = emptyReport(inputs);
    const { document } = inputs;
    const finish = (report: Partial<CycleReport>): CycleReport => ({ ...base, ...report, duration: (performance.now() - started) / 1000 });
    if (document === undefined) return finish({ result: 'waiting' });
    if (inputs.version !== documentVersion) backoff.clear();
    documentVersion = inputs.version;

    if (settled !== undefined && settled.inputs === inputs.version) {
      const { facts } = settled;
      const now = await fingerprintNow(facts);
      if (now === settled.fingerprint)
        return {
          ...settled.report,
          ...base,
          users: settled.report.users,
          roles: settled.report.roles,
          notices: settled.report.notices,
          result: 'converged',
          unchanged: true,
          duration: (performance.now() - started) / 1000,
        };
    }
    settled = undefined;
    if (fence !== undefined) await retried(prepareLedger, signal);

    const credentials = readCredentials(document, inputs.secrets);
    const outcomes: Outcome[] = [];
    let first: Plan | undefined;
    let drift: readonly Change[] = [];
    const applied = new Set<string>();
    const notConverging: Notice[] = [];
    for (let pass = 1; ; pass += 1) {
      // Taken before the catalogs are read: a change in between then shows as one, and is never missed.
      const before = knownFacts === undefined ? '' : await fingerprintNow(knownFacts);
      const snapshot = await retried(() => read(document), signal);
      const imported = firstContact(snapshot);
      const catalog = { ...snapshot, managed: withRows(snapshot.managed, imported) };
      onProgress();
      knownFacts = { readsVerifiers: catalog.server.readsVerifiers, ledger: catalog.hasLedger };
      if (ledger?.usable === true && !catalog.hasLedger) ledger = undefined;
      const { stale, unwitnessed } = await checkPasswords(credentials, catalog);
      const current = plan(document, catalog, credentials, stale);
      if (first === undefined) {
        first = current;
        drift = driftOf(current, document, digests, catalog);
      }
      const counts = {
        users: [...current.entities.values()].filter((entity) => entity === 'user').length,
        roles: [...current.entities.values()].filter((entity) => entity === 'role').length,
      };
      if (fence === undefined)
        return finish({ result: 'dry_run', planned: current.changes, drift, notices: current.notices, breakerTripped: current.breakerTripped, ...counts });

      const repeated = current.changes.filter((change) => applied.has(keyOf(change)));
      for (const change of repeated) {
        backoff.fail(keyOf(change));
        notConverging.push({
          kind: 'not_converging',
          subject: subjectOf(change),
          message: `not converging: «${sentenceOf(change)}» succeeded and is still wanted (${objectOf(change)}); it is backed off`,
        });
      }
      const next = current.changes.filter((change) => !applied.has(keyOf(change)));
      const rows = correctedRows(catalog, current.entities, document, unwitnessed);
      await retried(() => writeRows([...withRows(new Map(imported.map((role) => [role.name, role])), rows).values()], fence), signal);
      if (next.length === 0 || pass > PASSES) {
        if (!intentsClosed && ledger?.usable === true) {
          await closeFinishedIntents(new Set(), { ...applyContext(catalog, fence, inputs, credentials, signal) });
          intentsClosed = true;
        }
        const failures = outcomes.flatMap((outcome): Notice[] => (outcome.result === 'failed' ? [failureNotice(outcome)] : []));
        const failedBefore = current.deferred.map((change): Notice => ({
          kind: 'failed',
          subject: subjectOf(change),
          message: `waiting to ${sentenceOf(change)}`,
        }));
        const notices = [
          ...current.notices,
          ...failures,
          ...failedBefore.filter((notice) => !failures.some((other) => other.subject === notice.subject)),
          ...notConverging,
        ];
        digests = appliedDigests(document, current, outcomes, digests);
        await persist(withRows(catalog.managed, rows), document);
        const incomplete = notices.some((notice) => !['refused', 'pending', 'kept'].includes(notice.kind)) || inputs.failure !== undefined;
        const report = finish({
          result: incomplete ? 'incomplete' : outcomes.length > 0 ? 'changed' : 'converged',
          planned: first.changes,
          outcomes,
          drift,
          notices,
          breakerTripped: first.breakerTripped || current.breakerTripped,
          ...counts,
        });
        const stable =
          current.deferred.length === 0 &&
          next.length === 0 &&
          notices.every((notice) => !['kept', 'failed', 'breaker', 'not_converging'].includes(notice.kind));
        if (stable) await settle(inputs, before, report);
        return report;
      }
      if (!intentsClosed && ledger?.usable === true) {
        const planned = new Set(
          [...current.changes, ...current.deferred, ...current.blocked.map((item) => item.change)].flatMap((change) =>
            change.kind === 'release_owned' ? [objectOf(change)] : [],
          ),
        );
        await closeFinishedIntents(planned, applyContext(catalog, fence, inputs, credentials, signal));
        intentsClosed = true;
      }
      intentsClosed = intentsClosed && !next.some((change) => change.kind === 'release_owned');
      const results = await applyPlan(next, applyContext(catalog, fence, inputs, credentials, signal));
      for (const outcome of results) {
        if (outcome.result === 'failed') backoff.fail(keyOf(outcome.change));
        else if (outcome.result === 'applied') {
          backoff.succeed(keyOf(outcome.change));
          applied.add(keyOf(outcome.change));
        }
      }
      outcomes.push(...results);
      if (ledger?.usable !== true) remembered = afterOutcomes(new Map([...remembered, ...catalog.managed]), results, sourceId);
    }
  };

  /** Remembers that nothing is left to do, so that the next cycle can ask one small question instead of reading everything. */
  const settle = async (inputs: Inputs, before: string, report: CycleReport): Promise<void> => {
    if (before === '' || knownFacts === undefined || (await fingerprintNow(knownFacts)) !== before) return;
    settled = { inputs: inputs.version, fingerprint: before, report: { ...report, planned: [], outcomes: [], drift: [] }, facts: knownFacts };
  };

  const applyContext = (
    catalog: ReadCatalog,
    fence: string,
    inputs: Inputs,
    credentials: ReturnType<typeof readCredentials>,
    signal: AbortSignal,
  ): ApplyContext => ({
    ...timeouts,
    connections,
    adminDatabase: config.DB_NAME,
    superuser: catalog.server.superuser,
    render: { major: catalog.server.major, grantor: catalog.server.grantor },
    source: sourceId,
    why: inputs.why,
    ledger: ledger?.usable === true,
    fence,
    scramIterations: catalog.server.scramIterations,
    credentialOf: (role) => credentials.usable.get(role),
    workers: Math.min(config.DB_POOL_MAX_CONN, 3),
    isNewFailure: (key) => !backoff.isKnown(key),
    signal,
    onProgress,
  });

  return async (fence, signal) => {
    const started = performance.now();
    try {
      return await cycle(fence, signal, started);
    } catch (error) {
      signal.throwIfAborted();
      settled = undefined;
      return {
        ...emptyReport(undefined),
        result: 'failed',
        duration: (performance.now() - started) / 1000,
        error: { reason: classify(error), message: describeFailure(error) },
      };
    }
  };
}

const withRows = (roles: ReadonlyMap<string, ManagedRole>, rows: readonly ManagedRole[]): ReadonlyMap<string, ManagedRole> =>
  rows.length === 0 ? roles : new Map([...roles, ...rows.map((role): [string, ManagedRole] => [role.name, role])]);

const namesOf = (document: Document): ReadonlySet<string> =>
  new Set([...document.invalid, ...document.users.flatMap((user) => [user.username, ...user.roles.map((role) => role.name)])]);

const emptyReport = (inputs: Inputs | undefined): CycleReport => ({
  result: 'failed',
  duration: 0,
  why: inputs?.why ?? '',
  planned: [],
  outcomes: [],
  drift: [],
  problems: inputs?.problems ?? [],
  notices: [],
  breakerTripped: false,
  users: 0,
  roles: 0,
  sourceFailure: inputs?.failure === undefined ? undefined : { reason: inputs.failure.reason, message: inputs.failure.message },
  error: undefined,
  unchanged: false,
});

const failureNotice = (outcome: Outcome & { result: 'failed' }): Notice => ({
  kind: outcome.class === 'cannot' ? 'cannot' : 'failed',
  subject: subjectOf(outcome.change),
  message: `could not ${sentenceOf(outcome.change)}: ${outcome.message}; it is tried again later`,
});

/** Changes for entries that were applied just as they are now: so it was the server that changed. */
function driftOf(plan: Plan, document: Document, digests: ReadonlyMap<string, string>, catalog: ReadCatalog): Change[] {
  const settledUsers = new Set(document.users.filter((user) => digests.get(user.username) === entryDigest(user)).map((user) => user.username));
  return [...plan.changes, ...plan.blocked.map((item) => item.change)].filter((change) => {
    if (change.kind === 'set_password') return change.reason === 'drift';
    if (['adopt_role', 'forget_role', 'disable_role', 'end_sessions', 'release_owned', 'drop_role'].includes(change.kind)) return false;
    const subject = subjectOf(change);
    return settledUsers.has(subject) || (plan.entities.get(subject) === 'role' && catalog.managed.has(subject));
  });
}

/** The digests of entries that hold on the server by now; an entry that something went wrong with keeps its old one. */
function appliedDigests(document: Document, plan: Plan, outcomes: readonly Outcome[], before: ReadonlyMap<string, string>): Map<string, string> {
  const troubled = new Set([
    ...outcomes.flatMap((outcome) => (outcome.result === 'applied' ? [] : [subjectOf(outcome.change)])),
    ...plan.deferred.map(subjectOf),
    ...plan.blocked.map((item) => subjectOf(item.change)),
  ]);
  return new Map(
    document.users.flatMap((user): [string, string][] => {
      const name = user.username;
      if (plan.entities.has(name) && !troubled.has(name)) return [[name, entryDigest(user)]];
      const old = before.get(name);
      return old === undefined ? [] : [[name, old]];
    }),
  );
}
