// Reconcile: one cycle, from the source to the report. What a cycle does reads here from top to bottom.
import pRetry from 'p-retry';
import type { Config } from './config.ts';
import { type Change, databaseOf, groupKeyOf, IN_KUBERNETES, keyOf } from './core/change.ts';
import type { Document } from './core/document/types.ts';
import { closedUsers } from './core/drain.ts';
import { declaringNames, namesIn } from './core/named.ts';
import type { Notice } from './core/notice.ts';
import { type Plan, planOf } from './core/plan.ts';
import type { DatabaseReading } from './core/privileges/plan-privileges.ts';
import { settleTurns } from './core/rotation.ts';
import { MAKES_PASSWORD, nextStep } from './core/secret-plan.ts';
import { databasesWithTrigger } from './core/triggers/plan-trigger.ts';
import { type Applied, createApplied } from './cycle/applied.ts';
import { withAdmin } from './cycle/admin-report.ts';
import type { AdminRotation } from './cycle/admin-rotation.ts';
import { createBackoff } from './cycle/backoff.ts';
import { checkPasswords, type Credentials, readCredentials } from './cycle/credentials.ts';
import { createDatabases } from './cycle/databases.ts';
import { appliedDigests, deafNotices, driftOf, failureNotices, newlineWarnings, notConverging } from './cycle/findings.ts';
import { createInputs } from './cycle/inputs.ts';
import { createMemory, withRows } from './cycle/memory.ts';
import { createProbes } from './cycle/probes.ts';
import { correctedRows } from './cycle/remember.ts';
import type { CycleReport } from './cycle/report.ts';
import { aboutInputs, counts, EMPTY, fromInputs, QUIET, resultOf } from './cycle/report-parts.ts';
import { createSecrets } from './cycle/secrets.ts';
import { validityEnds } from './cycle/validity.ts';
import type { Woken } from './loop.ts';
import { applyPlan } from './postgres/apply.ts';
import type { ApplyContext, Outcome } from './postgres/run-batch.ts';
import type { Connections } from './postgres/connection.ts';
import { classify, describeFailure, mayPass } from './postgres/failures.ts';
import { fingerprint, type FingerprintFacts } from './postgres/fingerprint.ts';
import { readCatalog } from './postgres/read-catalog.ts';
import { closeFinishedIntents, intentKey } from './postgres/release.ts';
import type { Residents } from './postgres/residents.ts';
import type { Source } from './sources/source.ts';

export interface ReconcilerOptions {
  readonly config: Config;
  readonly source: Source;
  readonly connections: Connections;
  readonly residents: Residents;
  /** undefined where our own password is not rotated. */
  readonly adminRotation?: AdminRotation | undefined;
  readonly log: { warn(message: string): void };
  /** Called whenever the cycle makes progress, for the heartbeat. */
  readonly onProgress: () => void;
}

export interface Reconciler {
  /**
   * Runs one cycle under the writer's fence (undefined in a dry run, which writes nothing). Never throws but for an abort.
   * @param woken why it runs: what woke it says which databases to look at, and after an interval all of them are.
   */
  cycle(fence: string | undefined, signal: AbortSignal, woken?: Woken): Promise<CycleReport>;
  /** Milliseconds until something that failed is due again. */
  retryIn(): number | undefined;
  /** Between cycles: whether somebody changed something since the last one that no notification tells us of. Never throws. */
  lookForDrift(): Promise<{ readonly cluster: boolean; readonly databases: readonly string[] }>;
}

type ReadCatalog = Awaited<ReturnType<typeof readCatalog>>;

/** Plans are made and applied at most this often in a cycle: what one pass uncovers, the next mends. */
const PASSES = 7;

/** A cycle after which nothing is left to do; while inputs and fingerprint are the same, neither is there anything to read. */
interface Settled {
  readonly inputs: string;
  readonly fingerprint: string;
  readonly facts: FingerprintFacts;
  readonly report: CycleReport;
}

export function createReconciler({ config, source, connections, residents, adminRotation, log, onProgress }: ReconcilerOptions): Reconciler {
  const sourceId = `${config.NAMESPACE}/${config.CONFIGMAP_NAME}`;
  const timeouts = { statementTimeout: config.DB_STATEMENT_TIMEOUT, lockTimeout: config.DB_LOCK_TIMEOUT };
  const inputReader = createInputs(source, { retries: config.MAX_RETRIES, base: config.RETRY_BACKOFF_BASE }, config.DB_NAME);
  const backoff = createBackoff(config.RETRY_BACKOFF_BASE, () => performance.now());
  const secrets = createSecrets({ source, config, sourceId, isDeferred: (key) => backoff.isDeferred(key) });
  const memory = createMemory({ config, source: sourceId, connections, timeouts, warn: (message) => log.warn(message) });
  const probes = createProbes(config, connections);
  const databases = createDatabases(connections, residents, config, timeouts);
  let settled: Settled | undefined;
  /** The server as the last cycle left it, and undefined while one runs. */
  let seen: Pick<Settled, 'fingerprint' | 'facts'> | undefined;
  /** The server just before the last pass read it: whatever came later is still to be found. */
  let last: typeof seen;
  let facts: FingerprintFacts | undefined;
  let lastInputs = '';
  /** The fence of the last cycle. */
  let lastWriter: string | undefined;
  let asked = aboutInputs(undefined);
  let intentsClosed = false;
  /** When time alone gives a plan something to do: the end of a validity, or of a drain. Infinity for never. */
  let due = Number.POSITIVE_INFINITY;

  const retried = <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> =>
    pRetry(work, {
      retries: config.MAX_RETRIES,
      factor: config.RETRY_BACKOFF_BASE,
      minTimeout: 250,
      maxTimeout: 10_000,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => mayPass(error),
    });

  /** Empty where it cannot be told, which equals nothing that is remembered. */
  const fingerprintNow = (of: FingerprintFacts): Promise<string> => connections.withAdmin((client) => fingerprint(client, of)).catch(() => '');

  const read = (document: Document): Promise<ReadCatalog> =>
    connections.withAdmin((client) =>
      readCatalog({
        client,
        source: sourceId,
        named: namesIn(document),
        declaring: declaringNames(document),
        closed: (now) => closedUsers(document, now).map((user) => user.username),
        defaultDatabase: config.DB_NAME,
        remembered: memory.remembered,
        triggerDatabases: memory.triggerDatabases,
        ...timeouts,
      }),
    );

  const plan = (
    document: Document,
    catalog: ReadCatalog,
    readings: ReadonlyMap<string, DatabaseReading>,
    credentials: Credentials,
    passwords: Parameters<typeof planOf>[0]['passwords'],
  ): Plan =>
    planOf({
      document,
      catalog,
      readings,
      revokes: config.REVOKES,
      triggers: config.EVENT_TRIGGERS,
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
        drain: config.DRAIN,
        defaultDatabase: config.DB_NAME,
      },
      defaultDatabase: config.DB_NAME,
      withoutSecret: credentials.withoutSecret,
      secrets: secrets.wishes(document, credentials, catalog.server.now),
      passwords,
      isDeferred: (key) => backoff.isDeferred(key),
      anyDeferred: backoff.any,
    });

  const applyContext = (catalog: ReadCatalog, fence: string, why: string, credentials: Credentials, signal: AbortSignal): ApplyContext => ({
    ...timeouts,
    connections,
    adminDatabase: config.DB_NAME,
    superuser: catalog.server.superuser,
    render: { major: catalog.server.major, grantor: catalog.server.grantor },
    source: sourceId,
    why,
    ledger: memory.hasLedger,
    fence,
    scramIterations: catalog.server.scramIterations,
    credentialOf: (role) => credentials.usable.get(role),
    workers: Math.min(config.DB_POOL_MAX_CONN, 3),
    sessions: config.DB_POOL_MAX_CONN,
    isNewFailure: (key) => !backoff.isKnown(key),
    signal,
    onProgress,
  });

  /** Once after a start, and after any release: intents whose work was done before a crash are closed. */
  const closeIntents = async (current: Plan, context: ApplyContext): Promise<void> => {
    if (intentsClosed || !memory.hasLedger) return;
    const wanted = [...current.changes, ...current.deferred, ...current.blocked.map((item) => item.change)];
    await closeFinishedIntents(new Set(wanted.map(intentKey)), context);
    intentsClosed = true;
  };

  const apply = async (
    changes: readonly Change[],
    context: ApplyContext,
    applied: Applied,
    writeSecrets: (changes: readonly Change[]) => Promise<Outcome[]>,
  ): Promise<Outcome[]> => {
    if (changes.some((change) => databaseOf(change) !== '')) intentsClosed = false;
    const outcomes = changes.some(({ kind }) => IN_KUBERNETES.has(kind)) ? await writeSecrets(changes) : await applyPlan(changes, context);
    for (const outcome of outcomes) {
      if (outcome.result === 'failed') backoff.fail(keyOf(outcome.change));
      if (outcome.result !== 'applied') continue;
      applied.add(outcome.change);
    }
    return outcomes;
  };

  /** Databases in which the plan wants nothing need not be read again while they stay as they are. */
  const settle = (current: Plan): void => {
    const open = [...current.changes, ...current.deferred, ...current.held, ...current.blocked.map((item) => item.change)];
    const busy = new Set(open.map(databaseOf));
    databases.settle((name) => !busy.has(name), current.noticesOf);
  };

  const cycle = async (writer: string | undefined, signal: AbortSignal, focus: ReadonlySet<string> | undefined): Promise<Partial<CycleReport>> => {
    let mayProbe = focus === undefined;
    /** Once a cycle, so that no user is tried twice. */
    const sweep = async (): Promise<boolean> => {
      const may = mayProbe;
      mayProbe = false;
      return may && (await probes.sweep());
    };
    const isDue = due <= performance.now();
    if (isDue) due = Number.POSITIVE_INFINITY;
    let inputs = await inputReader.read(signal);
    onProgress();
    const declared = inputs.document;
    asked = aboutInputs(inputs);
    // Paused: whatever writes needs a fence, and there is none.
    const fence = inputs.requests?.paused === true ? undefined : writer;
    if (declared === undefined) return { ...fromInputs(inputs), result: 'waiting' };
    // Another one was the writer in between.
    if (writer !== lastWriter) secrets.doubtAll();
    lastWriter = writer;
    await secrets.read(declared, signal);
    const versionNow = (): string => `${inputs.version}\n${secrets.version()}`;
    if (versionNow() !== lastInputs) backoff.clear();
    lastInputs = versionNow();
    if (settled?.inputs === lastInputs && !isDue) {
      const [now, same] = await Promise.all([fingerprintNow(settled.facts), databases.unchanged(focus)]);
      if (same && now === settled.fingerprint && !(await sweep())) return { ...settled.report, unchanged: true };
    }
    settled = undefined;
    if (fence !== undefined) await retried(() => memory.prepareLedger(), signal);

    let judged: { readonly document: Document; readonly secrets: unknown; readonly credentials: Credentials } | undefined;
    /** Again only where something may be otherwise than in the pass before. */
    const judge = (document: Document): Credentials => {
      const values = secrets.values(document);
      if (judged?.document === document && judged.secrets === inputs.secrets && values.size === 0) return judged.credentials;
      const credentials = readCredentials(document, values.size === 0 ? inputs.secrets : new Map([...inputs.secrets, ...values]), secrets.mayGenerate);
      judged = { document, secrets: inputs.secrets, credentials };
      return credentials;
    };
    const outcomes: Outcome[] = [];
    const applied = createApplied();
    const stuck: Notice[] = [];
    const undone = new Set<string>();
    let first: { readonly plan: Plan; readonly drift: readonly Change[] } | undefined;
    for (let pass = 1; ; pass += 1) {
      // Taken before the catalogs are read: a change in between then shows as one, and is never missed.
      const before = facts === undefined ? '' : await fingerprintNow(facts);
      last = facts === undefined || before === '' ? undefined : { facts, fingerprint: before };
      const unsettled = secrets.withTurns(declared);
      const credentials = judge(unsettled);
      const snapshot = await retried(() => read(unsettled), signal);
      const document = settleTurns(unsettled, snapshot);
      const imported = memory.firstContact(snapshot);
      const catalog = { ...snapshot, managed: withRows(snapshot.managed, imported) };
      if (memory.hasLedger && !catalog.hasLedger) memory.forgetLedger();
      onProgress();
      const { stale, unwitnessed } = await checkPasswords(credentials, catalog);
      await probes.follow(document, credentials, catalog, stale);
      await sweep();
      const aboutDatabases = [inputs.documentVersion, ...credentials.withoutSecret.keys()].join('\n');
      const readings = await databases.read(document, catalog, aboutDatabases, pass === 1 ? focus : undefined);
      facts = {
        readsVerifiers: catalog.server.readsVerifiers,
        ledger: catalog.hasLedger,
        major: catalog.server.major,
        declaring: [...declaringNames(document)],
        read: [...readings.keys()],
        counted: catalog.counted,
      };
      onProgress();
      const current = plan(document, catalog, readings, credentials, probes.withChanged(stale));
      due = performance.now() + (current.dueAt - catalog.server.now);
      first ??= { plan: current, drift: driftOf(current, document, memory.digests, catalog) };
      const found = {
        ...fromInputs(inputs),
        problems: [...inputs.problems, ...newlineWarnings(document, credentials)],
        planned: first.plan.changes,
        drift: first.drift,
        ...counts(current),
        validity: validityEnds(catalog, current.entities, document),
        breakerTripped: first.plan.breakerTripped || current.breakerTripped,
      };
      if (fence === undefined) {
        settle(current);
        const rotations = [...current.changes, ...current.deferred].filter((change) => change.kind === 'rotate_secret');
        const planned =
          rotations.length === 0
            ? found.planned
            : await secrets.foreseeing(rotations, document, catalog.server.now, async () => {
                const after = secrets.withTurns(declared);
                const known = judge(after);
                const { stale: later } = await checkPasswords(known, catalog);
                const next = plan(settleTurns(after, snapshot), catalog, readings, known, probes.withChanged(later));
                return [...rotations, ...next.changes.filter(({ kind }) => kind !== 'rotate_secret')];
              });
        return { ...found, planned, result: writer === undefined ? 'dry_run' : 'paused', notices: current.notices };
      }

      const { again, fresh } = applied.split(current.changes);
      for (const change of again) {
        backoff.undone(keyOf(change));
        undone.add(groupKeyOf(change));
        stuck.push(notConverging(change));
      }
      const changes = pass > PASSES ? [] : fresh;
      const rows = correctedRows(catalog, current.entities, document, unwitnessed);
      await retried(() => memory.write([...withRows(new Map(imported.map((role) => [role.name, role])), rows).values()], fence), signal);
      const withTrigger = databasesWithTrigger(catalog, readings, changes);
      await retried(() => memory.rememberTriggers(catalog.triggerDatabases, withTrigger, fence), signal);
      const context = applyContext(catalog, fence, inputs.why, credentials, signal);
      await closeIntents(current, context);
      const next = nextStep(changes, again, document);
      if (next.length > 0) {
        const results = await apply(next, context, applied, (some) => secrets.write(some, document, credentials, catalog.server.now, context));
        outcomes.push(...results);
        memory.note(catalog.managed, results);
        if (next.some(({ kind }) => MAKES_PASSWORD.has(kind))) inputs = await inputReader.readSecretsAgain(inputs, signal);
        lastInputs = versionNow();
        continue;
      }

      // Only now is it known that what succeeded is not wanted again.
      for (const { change, result } of outcomes) if (result === 'applied' && !undone.has(groupKeyOf(change))) backoff.succeed(change);
      settle(current);
      const notices = [...current.notices, ...failureNotices(outcomes, current, context.render, secrets.lastFailure), ...stuck];
      await memory.save(withRows(catalog.managed, rows), document, appliedDigests(document, current, outcomes, memory.digests));
      const report = { ...found, outcomes, notices, result: resultOf(inputs, notices, outcomes) };
      const isQuiet = memory.isPrepared && current.changes.length === 0 && current.deferred.length === 0 && notices.every((notice) => QUIET.has(notice.kind));
      if (isQuiet && before !== '' && (await fingerprintNow(facts)) === before)
        settled = {
          inputs: versionNow(),
          fingerprint: before,
          facts,
          report: { ...EMPTY, ...report, planned: [], outcomes: [], drift: [], result: report.result === 'changed' ? 'converged' : report.result },
        };
      return report;
    }
  };

  return {
    cycle: async (fence, signal, woken) => {
      const started = performance.now();
      const seconds = (): number => (performance.now() - started) / 1000;
      seen = undefined;
      try {
        const found = await cycle(fence, signal, focusOf(woken));
        if (facts !== undefined) seen = settled ?? last ?? { facts, fingerprint: await fingerprintNow(facts) };
        const notices = [...(found.notices ?? []), ...deafNotices(residents, config.DRIFT_INTERVAL), ...probes.notices()];
        // Until the ConfigMap could be read nobody knows whether it asks for a pause, and until there was a document nothing is written down.
        const mayWrite = asked.requests?.paused === false && memory.isPrepared;
        const admin = await adminRotation?.run(mayWrite ? fence : undefined, memory.hasLedger, signal);
        return withAdmin({ ...EMPTY, ...found, notices, ...asked, probes: probes.take(), duration: seconds() }, admin);
      } catch (error) {
        signal.throwIfAborted();
        settled = undefined;
        return { ...EMPTY, ...asked, duration: seconds(), error: { reason: classify(error), message: describeFailure(error) } };
      }
    },
    retryIn: () => {
      const next = Math.min(backoff.nextIn() ?? Number.POSITIVE_INFINITY, adminRotation?.nextIn() ?? Number.POSITIVE_INFINITY, due - performance.now());
      return Number.isFinite(next) ? next : undefined;
    },
    lookForDrift: async () => {
      const before = seen;
      if (before === undefined) return { cluster: false, databases: [] };
      const [now, drifted] = await Promise.all([fingerprintNow(before.facts), databases.driftedUnheard()]);
      // A cycle that began meanwhile looks itself.
      return seen === before ? { cluster: now !== '' && now !== before.fingerprint, databases: drifted } : { cluster: false, databases: [] };
    },
  };
}

/** Whoever woke us named the databases to look at; nobody did for an interval or a signal. */
const focusOf = (woken: Woken | undefined): ReadonlySet<string> | undefined =>
  woken === undefined || woken.requests === 0 || woken.causes.has('signal') ? undefined : woken.databases;
