// Reconcile: the parts of a cycle put together, and a report of each, whatever happens.
import { defaultsIn } from '../model/connection-content.ts';
import type { Woken } from '../model/wake.ts';
import type { AdminRotation } from './admin-rotation.ts';
import { type AuditBounds, createAuditRetention } from './audit-retention.ts';
import type { Approval } from './approval.ts';
import { createAuditHead } from './audit-stand.ts';
import { createBackoff } from './backoff.ts';
import { withAdmin, withBeside, withUnused, withUnwritten } from './beside.ts';
import { type CycleParts, runCycle } from './cycle.ts';
import { createDatabases } from './databases.ts';
import type { DriftLooker } from './drift-watch.ts';
import { deafNotices, newerNotices } from './server-notices.ts';
import { createHearing } from './hearing.ts';
import { createInputs } from './inputs.ts';
import { createIntents } from './intents.ts';
import { createLook } from './look.ts';
import { gathered, type ManyDocuments } from './many-documents.ts';
import { createMemory } from './memory.ts';
import { createPlanner } from './planner.ts';
import { createProbes, type ProbeSettings } from './probes.ts';
import { createRepeats } from './repeats.ts';
import type { CycleReport } from './report.ts';
import { createRevisions } from './revisions.ts';
import { aboutInputs, EMPTY, failedReport } from './report-parts.ts';
import { createRetried, type RetryOptions } from './retry.ts';
import { createSecrets, type SecretsOptions } from './secrets.ts';
import { serverOf, type ServerSettings } from './server.ts';
import type { Connections, ServerAddress } from '../postgres/connection.ts';
import { createRowKeeper } from '../postgres/kept-rows.ts';
import type { Residents } from '../postgres/residents.ts';
import type { Ports } from '../sources/ports.ts';

export interface ReconcilerSettings extends ServerSettings {
  readonly source: ServerSettings['source'] & { readonly namespace: string };
  readonly server: ServerSettings['server'] & ServerAddress;
  /** Whether servers.yaml declares the server, and not the environment. */
  readonly isDeclared?: boolean | undefined;
  /** Seconds between cycles. */
  readonly interval: number;
  /** Seconds between looks for drift. */
  readonly driftInterval: number;
  readonly retry: RetryOptions;
  readonly stateFile: string;
  readonly passwordProbe: ProbeSettings['mode'];
  /** Whether what holds is told there. */
  readonly statusConfigMap: 'on' | 'off';
  readonly audit: AuditBounds & { readonly maxRevisions: number };
  /** What connection Secrets say of the server. */
  readonly connectionSecrets: Omit<SecretsOptions['connection'], 'database'>;
}

export interface ReconcilerOptions {
  readonly config: ReconcilerSettings;
  readonly ports: Pick<Ports, 'documents' | 'secrets' | 'wholeSecrets' | 'secretStore' | 'statusPublisher'>;
  readonly connections: Connections;
  readonly residents: Residents;
  /** Where there are several documents of the operator, or authors: what `ports.documents` reads is then one of them. */
  readonly many?: ManyDocuments | undefined;
  /** undefined where our own password is not rotated. */
  readonly adminRotation?: AdminRotation | undefined;
  /** undefined where whatever is planned is done. */
  readonly approval?: Approval | undefined;
  /** For tests: whatever is kept of a reading is read again as well, and has to be the same. */
  readonly provesKept?: boolean;
  readonly log: { warn(message: string): void };
  /** Called whenever the cycle makes progress, for the heartbeat. */
  readonly onProgress: () => void;
}

export interface Reconciler extends DriftLooker {
  /**
   * Runs one cycle under the writer's fence (undefined in a dry run, which writes nothing). Never throws but for an abort.
   * @param woken why it runs: what woke it says which databases to look at, and when an interval is over all of them are.
   */
  cycle(fence: string | undefined, signal: AbortSignal, woken?: Woken): Promise<CycleReport>;
  /** The report of a cycle that cannot begin; it asks for nothing but the document. Never throws but for an abort. */
  outage(cause: unknown, signal: AbortSignal): Promise<CycleReport>;
  /** Milliseconds until something that failed is due again. */
  retryIn(): number | undefined;
  /** How many rows of the catalogs are kept for the next look. */
  kept(): number;
  /** Keeps none of them: the next look reads, and plans, everything. */
  release(): void;
}

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { config, residents, adminRotation } = options;
  const { isDeclared = false } = config;
  const parts = partsOf(options);
  const { server, hearing, memory, look, probes, backoff, auditHead } = parts;
  const retention = createAuditRetention(config.audit, server);

  /** What stands beside the plan: our own password, our own rows, and what is to be said however the cycle went. */
  const complete = async (found: Partial<CycleReport>, fence: string | undefined, signal: AbortSignal, seconds: () => number): Promise<CycleReport> => {
    const notices = [
      ...(found.notices ?? []),
      ...deafNotices(residents, config.driftInterval, isDeclared),
      ...probes.notices(),
      ...newerNotices(look.facts?.major),
      ...auditHead.notices(),
    ];
    // Until the ConfigMap could be read nobody knows whether it asks for a pause, and until there was a document nothing is written down.
    const mayWrite = hearing.last?.requests?.paused === false && memory.isPrepared;
    const admin = await adminRotation?.run(mayWrite ? fence : undefined, memory.hasLedger, signal);
    const trimmed = await retention.run(mayWrite ? fence : undefined, look.facts?.ledger === true, signal);
    const hasWritten = found.unchanged !== true || trimmed.outcomes.length + (admin?.outcomes.length ?? 0) > 0;
    const audit = mayWrite && fence !== undefined && memory.hasLedger && hasWritten ? await auditHead.end(fence) : auditHead.last;
    const report = { ...EMPTY, ...found, notices, audit, ...aboutInputs(hearing.last), probes: probes.take(), duration: seconds() };
    return withAdmin(withBeside(withUnwritten(report, memory.unwritten), trimmed), admin);
  };

  return {
    cycle: async (fence, signal, woken) => {
      const started = performance.now();
      const seconds = (): number => (performance.now() - started) / 1000;
      look.begin();
      // Through all of the cycle the same ones hold.
      const unused = server.policy.renewal?.renew();
      try {
        const found = await runCycle(parts, fence, focusOf(woken), signal);
        await look.end();
        return withUnused(await complete(found, fence, signal, seconds), unused);
      } catch (error) {
        parts.databases.release();
        signal.throwIfAborted();
        look.forget();
        return failedReport(error, hearing.last, seconds(), isDeclared);
      }
    },
    outage: async (cause, signal) => {
      await hearing.readDocument(signal);
      signal.throwIfAborted();
      return failedReport(cause, hearing.last, 0, isDeclared);
    },
    retryIn: () => {
      const next = Math.min(backoff.nextIn() ?? Number.POSITIVE_INFINITY, adminRotation?.nextIn() ?? Number.POSITIVE_INFINITY, look.dueAt - performance.now());
      return Number.isFinite(next) ? next : undefined;
    },
    kept: () => parts.keeper.size(),
    release: () => {
      parts.keeper.forget();
      parts.planner.forget();
    },
    mayHaveDrifted: () => look.mayHaveDrifted(),
    lookForDrift: () => look.lookForDrift(),
  };
}

function partsOf({ config, ports, many, connections, residents, approval, provesKept, log, onProgress }: ReconcilerOptions): CycleParts {
  const { interval, retry } = config;
  const server = serverOf(config, connections);
  const { defaultDatabase } = server.policy;
  const backoff = createBackoff(retry.base, () => performance.now());
  const secrets = createSecrets({
    ...ports,
    namespace: config.source.namespace,
    connection: defaultsIn(config.connectionSecrets, defaultDatabase),
    sourceId: server.source,
  });
  const databases = createDatabases(server, residents, provesKept);
  const revisions = createRevisions(server, config.audit.maxRevisions);
  const memory = createMemory({ file: config.stateFile, server, warn: (message) => log.warn(message) });
  const documents = many === undefined ? ports.documents : gathered(many, server, memory);
  return {
    server,
    hearing: createHearing(createInputs({ ...ports, documents, retry, defaultDatabase, places: secrets.places, proves: provesKept }), ports.secrets),
    look: createLook(connections, databases),
    secrets,
    memory,
    probes: createProbes({ mode: config.passwordProbe, interval, address: config.server, isDeclared: config.isDeclared }, server),
    keeper: createRowKeeper(provesKept),
    planner: createPlanner(provesKept),
    databases,
    backoff,
    repeats: createRepeats(),
    intents: createIntents(),
    revisions,
    auditHead: createAuditHead(server, revisions, async () =>
      config.statusConfigMap === 'on' ? (await ports.statusPublisher?.published?.(AbortSignal.timeout(TOLD_MS)))?.['auditHead'] : undefined,
    ),
    approval,
    interval,
    retried: createRetried(retry),
    onProgress,
  };
}

/** Until what was told before we began is there; it is asked for again in the next cycle. */
const TOLD_MS = 5000;

/** Whoever woke us named the databases to look at. */
const focusOf = (woken: Woken | undefined): ReadonlySet<string> | undefined => (woken?.everything === false ? woken.databases : undefined);
