// run: the daemon. Puts its parts together and keeps them going until it is stopped.
import type { Config } from '../config.ts';
import { createAdminLogin } from '../steward/admin-login.ts';
import { createAdminRotation } from '../steward/admin-rotation.ts';
import { watchDrift } from '../steward/drift-watch.ts';
import { createHttpServer } from '../http/http-server.ts';
import { runLoop, type Wake } from '../steward/loop.ts';
import type { Log } from '../observe/log.ts';
import type { LogOutput } from '../observe/log-output.ts';
import { createMetrics } from '../observe/metrics.ts';
import { createShow } from '../observe/show.ts';
import { createStatus } from '../observe/status.ts';
import { createWatchObserver } from '../observe/watching.ts';
import { createConnections } from '../postgres/connection.ts';
import { describeFailure } from '../postgres/failures.ts';
import { createResidents } from '../postgres/residents.ts';
import { createReconciler } from '../steward/reconcile.ts';
import { asWriter, type WriterOptions } from '../steward/writer.ts';
import { replicasOf } from './replicas.ts';
import { createSource } from './source.ts';

/** A shutdown that is not done by then ends anyway: the server rolls back what was under way. */
const SHUTDOWN_MS = 8000;

export interface RunOptions {
  readonly config: Config;
  readonly log: Log;
  readonly output: LogOutput;
  /** Ends it. */
  readonly stop: AbortSignal;
  /** What asks for a cycle from outside. */
  readonly wake: Wake;
}

/** Until it is stopped. @throws what keeps it from beginning, or from going on. */
export async function run({ config, log, output, stop, wake }: RunOptions): Promise<void> {
  const ports = await createSource(config, (message) => log.warn(message));
  const store = config.adminRotation.isOn ? ports.secretStore : undefined;
  const login = store && createAdminLogin(config, store);
  const connections = createConnections(config.server, (error) => log.debug(`a session ended: ${describeFailure(error)}`), login);
  const status = createStatus({ source: ports.description, dryRun: config.dryRun, patience: Math.max(600_000, config.interval * 3000) });
  const residents = createResidents({ connections, max: config.maxListeners, onHeard: (database) => wake.request('database', database) });
  const replicas = await replicasOf(config, log);
  const metrics = createMetrics({ listeners: () => residents.counts(), replicas: () => replicas?.live().length ?? 1 });
  const reconciler = createReconciler({
    config,
    ports,
    connections,
    residents,
    adminRotation: store && login && createAdminRotation({ config, store, connections, login }),
    log: { warn: (message) => log.warn(message) },
    onProgress: () => status.beat(),
  });
  const server = createHttpServer({ registry: metrics.registry, status });
  const show = createShow({ ports, metrics, status, log, output, dryRun: config.dryRun, statusConfigMap: config.statusConfigMap });
  const address = await server.listen(config.http);
  log.info({ address, source: ports.description, dryRun: config.dryRun }, 'pgsteward started');

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
        const report = await reconciler.cycle(fence, signal, woken);
        await show(report, signal);
        return report.error === undefined;
      },
    });

  // For the life of the process, whatever its role: it only wakes.
  const watching = config.watch === 'on' ? ports.watcher?.watch(createWatchObserver(wake, metrics.watching, log), stop) : undefined;

  const looking = watchDrift(config.driftInterval, reconciler, wake, stop);

  // It goes with the signal: the others go on as soon as the lock is given back, and not only when we are missed.
  const attending = replicas?.attend(stop);

  const writer: WriterOptions = {
    connections,
    adminDatabase: config.server.adminDatabase,
    source: config.source.id,
    precedence: replicas?.of(config.source.id),
    interval: config.interval,
    reconciler,
    residents,
    metrics,
    status,
    log,
    show,
    cycles,
  };
  const work = async (): Promise<void> => {
    if (config.dryRun) {
      status.setRole('dry_run');
      await cycles(undefined, stop);
    }
    while (!stop.aborted) await asWriter(writer, stop);
  };

  const deadline = new Promise<void>((resolve) => stop.addEventListener('abort', () => setTimeout(resolve, SHUTDOWN_MS).unref(), { once: true }));
  const finished = work().catch((error: unknown) => {
    if (!stop.aborted) throw error;
  });
  await Promise.race([finished, deadline]);
  residents.close();
  await connections.close();
  await Promise.race([Promise.all([server.close(), watching, looking, attending, ports.close()]), new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
  log.info('pgsteward stopped');
}
