// run: the daemon. Puts its parts together and keeps them going until it is stopped.
import type { Config } from '../config.ts';
import { createSupervisor } from '../fleet/supervisor.ts';
import { createSteward } from '../fleet/steward.ts';
import { createView } from '../fleet/view.ts';
import { createHttpServer, type Shown } from '../http/http-server.ts';
import type { Log } from '../observe/log.ts';
import type { LogOutput } from '../observe/log-output.ts';
import { createAdminLogin } from '../steward/admin-login.ts';
import type { Wake } from '../steward/loop.ts';
import type { Replicas } from '../steward/replicas.ts';
import { replicasOf } from './replicas.ts';
import { createFleetSource, createSource } from './source.ts';

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

/** What goes on until it is stopped: one server, or several. */
interface Work {
  readonly source: string;
  readonly shown: Shown;
  /** @throws what keeps it from going on. */
  run(stop: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Until it is stopped. @throws what keeps it from beginning, or from going on. */
export async function run(options: RunOptions): Promise<void> {
  const { config, log, stop } = options;
  const work = await (config.fleet === undefined ? ofOneServer(options) : ofServers(options, config.fleet));
  const server = createHttpServer(work.shown);
  const address = await server.listen(config.http);
  log.info({ address, source: work.source, dryRun: config.dryRun }, 'pgsteward started');

  const deadline = new Promise<void>((resolve) => stop.addEventListener('abort', () => setTimeout(resolve, SHUTDOWN_MS).unref(), { once: true }));
  const finished = work.run(stop).catch((error: unknown) => {
    if (!stop.aborted) throw error;
  });
  await Promise.race([finished, deadline]);
  await Promise.race([Promise.all([server.close(), work.close()]), new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
  log.info('pgsteward stopped');
}

async function ofOneServer({ config, log, output, wake }: RunOptions): Promise<Work> {
  const ports = await createSource(config, (message) => log.warn(message));
  const replicas = await replicasOf(config, log);
  const store = config.adminRotation.isOn ? ports.secretStore : undefined;
  const about = { source: ports.description, dryRun: config.dryRun, interval: config.interval, log };
  const view = createView(about, () => replicas?.live().length ?? 1);
  const login = store && createAdminLogin(config, store);
  const steward = createSteward({ config, ports, view, output, wake, login, precedence: replicas?.of(config.source.id) });
  const shown = { registry: view.metrics.registry, status: view.status };
  return withReplicas({ source: ports.description, shown, ...steward }, replicas);
}

async function ofServers({ config, log, output, wake }: RunOptions, fleet: NonNullable<Config['fleet']>): Promise<Work> {
  const source = await createFleetSource(config, fleet, (message) => log.warn(message));
  const id = `${config.source.namespace}/${fleet.configMapName}`;
  const replicas = await replicasOf({ ...config, source: { ...config.source, id } }, log);
  const supervisor = createSupervisor({ config, fleet, source, log, output, wake, replicas });
  return withReplicas({ source: source.ports.description, ...supervisor }, replicas);
}

/** We are announced for as long as we work: with the signal the others go on as soon as the lock is given back, and not only when we are missed. */
function withReplicas(work: Work, replicas: Replicas | undefined): Work {
  if (replicas === undefined) return work;
  let attending: Promise<void> | undefined;
  return {
    ...work,
    run: (stop) => {
      attending = replicas.attend(stop);
      return work.run(stop);
    },
    close: async () => {
      await Promise.all([work.close(), attending]);
    },
  };
}
