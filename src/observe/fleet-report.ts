// What is said of servers.yaml: in the log when it is new, in metrics, and in Kubernetes as Events on its ConfigMap and in the status ConfigMap beside it.
import { Gauge, type Registry } from 'prom-client';
import { formatProblem } from '../document/format.ts';
import type { Condition } from '../model/announced.ts';
import type { Fleet } from '../model/fleet.ts';
import type { Ports } from '../sources/ports.ts';
import type { Log } from './log.ts';

export interface FleetReportOptions {
  readonly ports: Pick<Ports, 'announcer' | 'statusPublisher'>;
  readonly log: Pick<Log, 'error' | 'warn' | 'info'>;
  readonly registry: Registry;
  readonly dryRun: boolean;
  readonly statusConfigMap: 'on' | 'off';
  /** Whether it is us, of several replicas, who say it in Kubernetes. */
  readonly tells: () => boolean;
}

export interface FleetFindings {
  readonly fleet: Fleet;
  readonly failure: string | undefined;
}

const SHOWN = 3;

/** @returns tells of one look. @param waiting servers that cannot be begun yet. Never throws but for an abort. */
export function createFleetReport({
  ports,
  log,
  registry,
  dryRun,
  statusConfigMap,
  tells,
}: FleetReportOptions): (findings: FleetFindings, waiting: readonly string[], signal: AbortSignal) => Promise<void> {
  const gauge = (name: string, help: string): Gauge => new Gauge({ name: `postgres_controller_${name}`, help, registers: [registry] });
  const errors = gauge('servers_errors', 'Errors of servers.yaml as it is now');
  const stale = gauge('servers_unreadable', '1 while servers.yaml cannot be read, and the servers are kept as they were');
  let said: ReadonlySet<string> = new Set();
  return async ({ fleet, failure }, waiting, signal) => {
    const wrong = fleet.problems.filter(({ severity }) => severity === 'error').map(formatProblem);
    const unread = failure === undefined ? [] : [`servers.yaml cannot be read, and every server is kept as it was: ${failure}`];
    const late = waiting.map((name) => `the server ${name} waits for the end of another one, or for a document that a server with a wrong entry still has`);
    const all = [...unread, ...wrong, ...late];
    for (const message of all) if (!said.has(message)) log.error(message);
    if (said.size > 0 && all.length === 0) log.info('nothing is wrong with servers.yaml any longer');
    said = new Set(all);
    if (failure === undefined) errors.set(wrong.length);
    stale.set(failure === undefined ? 0 : 1);
    if (dryRun || !tells()) return;
    if (all.length > 0) await ports.announcer?.announce([{ reason: 'ServersInvalid', type: 'Warning', note: some(all) }], signal);
    if (statusConfigMap === 'on') await ports.statusPublisher?.publish({ overall: overallOf(all, fleet), applied: undefined, entities: undefined }, signal);
  };
}

const overallOf = (wrong: readonly string[], { servers }: Fleet): Condition =>
  wrong.length > 0
    ? { ready: false, reason: 'ServersInvalid', message: some(wrong) }
    : { ready: true, reason: 'Declared', message: `${servers.length} server(s) are declared` };

const some = (texts: readonly string[]): string => `${texts.slice(0, SHOWN).join('; ')}${texts.length > SHOWN ? `; and ${texts.length - SHOWN} more` : ''}`;
