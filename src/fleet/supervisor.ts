// The supervisor: servers come, change and go as servers.yaml says, each with a life of its own. What cannot be read changes nothing.
import { Gauge } from 'prom-client';
import type { Config, FleetSettings } from '../config.ts';
import { createLanes } from '../async/lanes.ts';
import type { Shown } from '../http/http-server.ts';
import type { ServerEntry } from '../model/fleet.ts';
import { createFleetMetrics } from '../observe/fleet-metrics.ts';
import { createFleetReport } from '../observe/fleet-report.ts';
import { createFleetStatus } from '../observe/fleet-status.ts';
import type { Log } from '../observe/log.ts';
import type { LogOutput } from '../observe/log-output.ts';
import { createWatchObserver } from '../observe/watching.ts';
import { runLoop, type Wake } from '../steward/loop.ts';
import type { Replicas } from '../steward/replicas.ts';
import { createFleetReader, type FleetReading, type FleetSource } from './fleet-source.ts';
import { createKeptTogether } from './kept-together.ts';
import { reservedBy } from './server-config.ts';
import { type ServerLife, startServer } from './server-life.ts';

/** So many cycles begin side by side; one that takes longer than this makes room for another. */
const LANES = 8;
const LANE_MS = 3000;
/** What all stewards keep of catalogs from one look to the next: roles, memberships and grants. */
const KEPT_ROWS = 150_000;
/** With so many of them a server is a large one: so few of these are worked on at once, unless one takes longer than this. */
const LARGE = { rows: 20_000, lanes: 2, ms: 60_000 } as const;

export interface SupervisorOptions {
  readonly config: Config;
  readonly fleet: FleetSettings;
  readonly source: FleetSource;
  readonly log: Log;
  readonly output: LogOutput;
  /** What asks for a look from outside: at servers.yaml, and at every server. */
  readonly wake: Wake;
  /** undefined: whoever comes first to the lock of a server writes there. */
  readonly replicas: Replicas | undefined;
}

export interface Supervisor {
  readonly shown: Shown;
  run(stop: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const NO_METRICS = { connected: () => undefined, heard: () => undefined, restarted: () => undefined };

export function createSupervisor({ config, fleet, source, log, output, wake, replicas }: SupervisorOptions): Supervisor {
  const metrics = createFleetMetrics();
  const status = createFleetStatus({ source: source.ports.description, patience: Math.max(600_000, config.interval * 3000) });
  const tells = (): boolean => replicas?.isFirst(`${config.source.namespace}/${fleet.configMapName}`) !== false;
  const { dryRun, statusConfigMap } = config;
  const report = createFleetReport({ ports: source.ports, log, registry: metrics.own, dryRun, statusConfigMap, tells });
  const read = createFleetReader(source.ports);
  const { lives, ending, follow } = createLives({ config, fleet, source, log, output, replicas }, metrics, status);

  return {
    shown: { registry: metrics, status, ofServer: (server) => status.ofServer(server) },
    run: async (stop) => {
      const watching = config.watch === 'on' ? source.ports.watcher?.watch(createWatchObserver(wake, NO_METRICS, log), stop) : undefined;
      let waits = false;
      await runLoop({
        signal: stop,
        wake,
        interval: config.interval,
        retryIn: () => (waits ? 1000 : undefined),
        cycle: async (signal, woken) => {
          status.beat();
          const reading = await read(signal);
          const waiting = reading.failure === undefined ? follow(reading) : [];
          waits = waiting.length > 0;
          status.record(reading.fleet, reading.from, reading.failure);
          await report(reading, waiting, signal);
          if (woken.causes.has('signal')) for (const { wake: ofServer } of lives.values()) ofServer.request('signal');
          status.beat();
          return reading.failure === undefined;
        },
      });
      await watching;
      await Promise.all([...[...lives.values()].map((one) => one.end()), ...ending.values()]);
    },
    close: async () => {
      await Promise.all([source.ports.close(), source.close()]);
    },
  };
}

/** Which servers are kept, and how servers.yaml is followed. */
function createLives(options: Omit<SupervisorOptions, 'wake'>, metrics: ReturnType<typeof createFleetMetrics>, status: ReturnType<typeof createFleetStatus>) {
  const { log } = options;
  const kept = new Gauge({ name: 'postgres_controller_servers', help: 'Servers that are declared and kept', registers: [metrics.own] });
  const lives = new Map<string, ServerLife>();
  const ending = new Map<string, Promise<void>>();
  let reserved: ReadonlySet<string> = new Set();
  const life = {
    ...options,
    lanes: createLanes(LANES, LANE_MS),
    // Also of entries that are wrong, or wait.
    reserved: () => reservedBy([...lives.values()].map((one) => one.entry)).union(reserved),
    largeLanes: createLanes(LARGE.lanes, LARGE.ms),
    kept: createKeptTogether(KEPT_ROWS, LARGE.rows),
  };

  const start = (entry: ServerEntry): void => {
    const started = startServer(entry, life);
    lives.set(entry.name, started);
    metrics.add(entry.name, started.view.metrics.registry);
    status.add(entry.name, started.view.status);
    log.info({ server: entry.name }, 'the server is kept from now on');
  };
  const letGo = (name: string, one: ServerLife): void => {
    lives.delete(name);
    status.remove(name);
    log.info({ server: name }, 'the server is let go: it is no longer declared, and nothing on it is changed');
    ending.set(
      name,
      Promise.all([one.end(), metrics.remove(name)]).then(() => void ending.delete(name)),
    );
  };

  /** @returns servers that cannot be begun yet: their document is still kept for another one, or they have not ended. */
  const follow = ({ fleet }: FleetReading): readonly string[] => {
    const { servers, invalid, complete } = fleet;
    reserved = complete ? fleet.reserved : reserved.union(fleet.reserved);
    const declared = new Map(servers.map((entry) => [entry.name, entry]));
    for (const [name, one] of lives) if (complete && !declared.has(name) && !invalid.has(name)) letGo(name, one);
    const held = new Map(
      [...lives].filter(([name]) => !declared.has(name)).flatMap(([name, one]) => one.entry.documents.map((document) => [document.name, name])),
    );
    const waiting: string[] = [];
    for (const entry of servers) {
      const one = lives.get(entry.name);
      const holder = entry.documents.map(({ name }) => held.get(name)).find((name) => name !== undefined);
      if (holder !== undefined || ending.has(entry.name)) waiting.push(entry.name);
      else if (one === undefined) start(entry);
      else if (one.entry !== entry && digestOf(one.entry) !== digestOf(entry)) {
        log.info({ server: entry.name }, 'the entry of the server has changed: it is begun anew');
        one.change(entry);
      }
    }
    kept.set(lives.size);
    return waiting;
  };

  return { lives, ending, follow };
}

/** Where it stands in the file, and what is within it, is no change of it. */
const digestOf = (entry: ServerEntry): string =>
  JSON.stringify(entry, (key, value: unknown) => (key === 'position' ? undefined : value instanceof Set ? [...(value as ReadonlySet<unknown>)] : value));
