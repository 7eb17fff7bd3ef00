// The composition root: settings, parts, signals and exit codes. The only file that touches the process.
import { type Config, ConfigError, readConfig } from './config.ts';
import { createAdminLogin } from './cycle/admin-login.ts';
import { createAdminRotation } from './cycle/admin-rotation.ts';
import { watchDrift } from './cycle/drift-watch.ts';
import { createServer } from './http/server.ts';
import { createWake, runLoop } from './loop.ts';
import { createAnnouncer } from './observe/announcements.ts';
import { conditionsOf } from './observe/conditions.ts';
import { createLog, type Log } from './observe/log.ts';
import { createMetrics } from './observe/metrics.ts';
import { createReportLog } from './observe/report-log.ts';
import { createStatus } from './observe/status.ts';
import { createWatchObserver } from './observe/watching.ts';
import { createConnections } from './postgres/connection.ts';
import { describeFailure } from './postgres/failures.ts';
import { createResidents } from './postgres/residents.ts';
import { acquireWriterLock } from './postgres/writer-lock.ts';
import { createReconciler } from './reconcile.ts';
import { createDirectorySource } from './sources/directory.ts';
import type { Source } from './sources/source.ts';

/** A shutdown that is not done by then ends anyway: the server rolls back what was under way. */
const SHUTDOWN_MS = 8000;

async function createSource(config: Config, log: Log): Promise<Source> {
  const names = { namespace: config.NAMESPACE, configMapName: config.CONFIGMAP_NAME };
  if (config.SOURCE.startsWith('dir:')) return createDirectorySource(config.SOURCE.slice('dir:'.length), names);
  // Loaded only where it is needed: the Kubernetes client costs more memory than the rest of pgsteward.
  const { createKubernetesSource } = await import('./sources/kubernetes.ts');
  return createKubernetesSource({
    ...names,
    secretAccess: config.SECRET_ACCESS,
    secretReadsPerCycle: config.SECRET_READS_PER_CYCLE,
    kubeconfig: config.KUBECONFIG,
    warn: (message) => log.warn(message),
  });
}

async function main(config: Config, log: Log): Promise<void> {
  const stop = new AbortController();
  const wake = createWake();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort(new Error(name)));
  process.on('SIGHUP', () => wake.request('signal'));

  const source = await createSource(config, log);
  const store = config.ADMIN_ROTATION === 'on' ? source.secretStore : undefined;
  const login = store && createAdminLogin(config, store);
  const connections = createConnections(config, (error) => log.debug(`a session ended: ${describeFailure(error)}`), login);
  const status = createStatus({ source: source.description, dryRun: config.DRY_RUN, patience: Math.max(600_000, config.SYNC_INTERVAL * 3000) });
  const residents = createResidents({ connections, max: config.MAX_LISTENERS, onHeard: (database) => wake.request('database', database) });
  const metrics = createMetrics({ listeners: () => residents.counts() });
  const reconciler = createReconciler({
    config,
    source,
    connections,
    residents,
    adminRotation: store && login && createAdminRotation({ config, store, connections, login }),
    log: { warn: (message) => log.warn(message) },
    onProgress: () => status.beat(),
  });
  const server = createServer({ registry: metrics.registry, status });
  const writeReport = createReportLog(log);
  const announcementsOf = createAnnouncer();
  const address = await server.listen({ host: config.HTTP_HOST, port: config.HTTP_PORT });
  log.info({ address, source: source.description, dryRun: config.DRY_RUN }, 'pgsteward started');

  const cycles = (fence: string | undefined, signal: AbortSignal): Promise<void> =>
    runLoop({
      signal,
      wake,
      interval: config.SYNC_INTERVAL,
      retryIn: () => reconciler.retryIn(),
      cycle: async (_signal, woken) => {
        status.beat();
        metrics.woken(woken);
        const report = await reconciler.cycle(fence, signal, woken);
        metrics.record(report);
        status.record(report);
        writeReport(report);
        if (!config.DRY_RUN) {
          await source.announce?.(announcementsOf(report), signal);
          if (config.STATUS_CONFIGMAP === 'on') await source.publish?.(conditionsOf(report), signal);
        }
        status.beat();
      },
    });

  // For the life of the process, whatever its role: it only wakes.
  const watching = config.WATCH === 'on' ? source.watch?.(createWatchObserver(wake, metrics.watching, log), stop.signal) : undefined;

  const looking = watchDrift(config.DRIFT_INTERVAL, reconciler, wake, stop.signal);

  const asWriter = async (): Promise<void> => {
    let waitingFor = '';
    const lock = await acquireWriterLock({
      connections,
      adminDatabase: config.DB_NAME,
      signal: stop.signal,
      onWait: (reason) => {
        status.beat();
        status.setRole('standby');
        if (reason !== waitingFor) log.info(`waiting to become the writer: ${reason}`);
        waitingFor = reason;
      },
    });
    status.setRole('writer');
    metrics.setWriter(true);
    if (waitingFor !== '') log.info('this instance is the writer now');
    try {
      await cycles(lock.fence, AbortSignal.any([stop.signal, lock.lost]));
    } catch (error) {
      if (!stop.signal.aborted && !lock.lost.aborted) throw error;
    } finally {
      metrics.setWriter(false);
      residents.follow([]);
      await lock.release();
    }
    if (lock.lost.aborted && !stop.signal.aborted) log.warn('the writer lock was lost: nothing is written until it is ours again');
  };

  const work = async (): Promise<void> => {
    if (config.DRY_RUN) {
      status.setRole('dry_run');
      await cycles(undefined, stop.signal);
    }
    while (!stop.signal.aborted) await asWriter();
  };

  const deadline = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => setTimeout(resolve, SHUTDOWN_MS).unref(), { once: true }));
  const finished = work().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  await Promise.race([finished, deadline]);
  residents.close();
  await connections.close();
  await Promise.race([Promise.all([server.close(), watching, looking, source.close()]), new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
  log.info('pgsteward stopped');
}

try {
  const config = readConfig(process.env);
  const log = createLog(config.LOG_LEVEL);
  await main(config, log).catch((error: unknown) => {
    log.fatal(`pgsteward ends: ${describeFailure(error)}`);
    process.exitCode = 1;
  });
} catch (error) {
  createLog('info').fatal(error instanceof ConfigError ? error.message : `pgsteward cannot start: ${describeFailure(error)}`);
  process.exitCode = 1;
}
process.exit();
