// A steward: everything that keeps one server, put together. The daemon has one, or one for each server that is declared.
import type { Config } from '../config.ts';
import type { LogOutput } from '../observe/log-output.ts';
import { createShow } from '../observe/show.ts';
import { createWatchObserver } from '../observe/watching.ts';
import { type ConnectionSettings, createConnections } from '../postgres/connection.ts';
import { describeFailure } from '../postgres/failures.ts';
import { createResidents } from '../postgres/residents.ts';
import type { Ports } from '../sources/ports.ts';
import type { AdminLogin } from '../steward/admin-login.ts';
import { createAdminRotation } from '../steward/admin-rotation.ts';
import { watchDrift } from '../steward/drift-watch.ts';
import { runLoop, type Wake } from '../steward/loop.ts';
import type { ManyDocuments } from '../steward/many-documents.ts';
import { createReconciler } from '../steward/reconcile.ts';
import type { CycleReport } from '../steward/report.ts';
import { asWriter, type WriterOptions } from '../steward/writer.ts';
import type { View } from './view.ts';

export interface StewardOptions {
  /** Of one of several servers. */
  readonly name?: string;
  readonly config: Omit<Config, 'server'> & { readonly server: Config['server'] & ConnectionSettings; readonly isDeclared?: boolean };
  readonly ports: Ports;
  /** Where what `ports` reads is one document of several. */
  readonly many?: ManyDocuments | undefined;
  readonly view: View;
  readonly output: LogOutput;
  /** What asks for a cycle from outside. */
  readonly wake: Wake;
  /** undefined: the password is as the environment says. */
  readonly login: AdminLogin | undefined;
  /** Who goes first at the writer lock; undefined: whoever comes first. */
  readonly precedence?: WriterOptions['precedence'];
  /** Told after each cycle what is kept for the next, by whoever bounds that over all servers. */
  readonly onKept?: ((rows: number, release: () => void) => void) | undefined;
  /** Lets a cycle begin when it is its turn; undefined: at once. */
  readonly inTurn?: (<T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>) | undefined;
}

export interface Steward {
  /** Until the signal aborts. @throws what keeps it from going on. */
  run(stop: AbortSignal): Promise<void>;
  /** Ends its sessions, and whatever else it has open. */
  close(): Promise<void>;
}

export function createSteward({
  name = '',
  config,
  ports,
  many,
  view,
  output,
  wake,
  login,
  precedence,
  onKept,
  inTurn = (work) => work(),
}: StewardOptions): Steward {
  const { metrics, status, log } = view;
  const store = config.adminRotation.isOn ? ports.secretStore : undefined;
  const connections = createConnections(config.server, (error) => log.debug(`a session ended: ${describeFailure(error)}`), login);
  const residents = createResidents({ connections, max: config.maxListeners, onHeard: (database) => wake.request('database', database) });
  view.listenersOf(() => residents.counts());
  const reconciler = createReconciler({
    config,
    ports,
    many,
    connections,
    residents,
    adminRotation: store && login && createAdminRotation({ config, store, connections, login }),
    log: { warn: (message) => log.warn(message) },
    onProgress: () => status.beat(),
  });
  const { dryRun, statusConfigMap } = config;
  const show = createShow({ ports, authors: authorsOf(name, ports, many), metrics, status, log, output, dryRun, statusConfigMap });
  const cycles = (fence: string | undefined, signal: AbortSignal, wanted?: AbortSignal): Promise<void> =>
    runLoop({
      signal,
      until: wanted,
      wake,
      interval: config.interval,
      retryIn: () => reconciler.retryIn(),
      cycle: async (_signal, woken) => {
        status.beat();
        metrics.woken(woken);
        const report = await inTurn((): Promise<CycleReport> => reconciler.cycle(fence, signal, woken), signal);
        onKept?.(reconciler.kept(), () => reconciler.release());
        await show(report, signal);
        return report.error === undefined;
      },
    });

  const writer: WriterOptions = {
    connections,
    adminDatabase: config.server.adminDatabase,
    source: config.source.id,
    precedence,
    interval: config.interval,
    reconciler,
    residents,
    metrics,
    status,
    log,
    show,
    cycles,
  };
  /** For the life of the steward, whatever its role: they only wake. */
  let beside: readonly (Promise<void> | undefined)[] = [];
  return {
    run: async (stop) => {
      const watching = config.watch === 'on' ? ports.watcher?.watch(createWatchObserver(wake, metrics.watching, log), stop) : undefined;
      beside = [watching, watchDrift(config.driftInterval, reconciler, wake, stop)];
      if (config.dryRun) {
        status.setRole('dry_run');
        await cycles(undefined, stop);
      }
      while (!stop.aborted) await asWriter(writer, stop);
    },
    close: async () => {
      residents.close();
      await connections.close();
      await Promise.all([...beside, ports.close()]);
    },
  };
}

const authorsOf = (server: string, { forAuthor }: Ports, many: ManyDocuments | undefined) =>
  forAuthor === undefined ? [] : (many?.authors ?? []).map((author) => ({ name: author.name, ports: forAuthor(server, author) }));
