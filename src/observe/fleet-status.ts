// /status of several servers: each as it would be alone, and what holds for the file that declares them.
import { formatProblem } from '../document/format.ts';
import type { Fleet } from '../model/fleet.ts';
import { NO_CYCLE_YET, type Status, STATUS_LIMITS } from './status.ts';

/** Where all servers are shown, so many problems and notices of each are. */
const ITEMS_OF_EACH = 10;

export interface FleetStatus {
  add(server: string, status: Status): void;
  remove(server: string): void;
  /** What was declared when it was last looked at. @param failure why it could not be read. */
  record(fleet: Fleet, from: string, failure: string | undefined): void;
  beat(): void;
  isAlive(): boolean;
  unreadiness(): string | undefined;
  toJson(): object;
  /** All that is known of one. */
  ofServer(server: string): object;
}

export function createFleetStatus(options: { readonly source: string; readonly patience: number; readonly now?: () => number }): FleetStatus {
  const now = options.now ?? Date.now;
  const servers = new Map<string, Status>();
  let declared: Fleet | undefined;
  let from = '';
  let failure: string | undefined;
  let heartbeat = now();
  const isAlive = (): boolean => now() - heartbeat < options.patience && [...servers.values()].every((status) => status.isAlive());
  const overall = (): object => ({
    source: { description: options.source, inForce: from === '' ? null : from, failure: failure ?? null },
    alive: isAlive(),
    servers: servers.size,
    invalid: [...(declared?.invalid ?? [])].toSorted(),
    problems: (declared?.problems ?? [])
      .slice(0, STATUS_LIMITS.items)
      .map((problem) => ({ severity: problem.severity, message: formatProblem(problem).slice(0, STATUS_LIMITS.characters) })),
  });
  return {
    add: (server, status) => void servers.set(server, status),
    remove: (server) => void servers.delete(server),
    record: (fleet, version, why) => {
      if (why === undefined) [declared, from] = [fleet, version];
      failure = why;
    },
    beat: () => {
      heartbeat = now();
    },
    isAlive,
    // One server of many that is out of reach must not keep a rollout from going on; what it is stands in /status, metrics and Events.
    unreadiness: () => {
      if (declared === undefined) return `servers.yaml was not read yet${failure === undefined ? '' : `: ${failure}`}`;
      const whys = [...servers].map(([server, status]) => [server, status.unreadiness()] as const);
      const unread = whys.filter(([, why]) => why === NO_CYCLE_YET);
      if (unread.length > 0) return `${NO_CYCLE_YET} on ${some(unread.map(([server]) => server))}`;
      if (servers.size === 0 || whys.some(([, why]) => why === undefined)) return undefined;
      return `nothing can be done on any server: ${some(whys.map(([server, why]) => `${server}: ${why}`))}`;
    },
    toJson: () => ({
      fleet: overall(),
      servers: Object.fromEntries([...servers].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, status]) => [name, status.toJson(ITEMS_OF_EACH)])),
    }),
    ofServer: (server) => {
      const status = servers.get(server);
      return status === undefined ? { error: 'there is no such server', servers: [...servers.keys()].toSorted() } : { server, ...status.toJson() };
    },
  };
}

const some = (texts: readonly string[]): string => `${texts.slice(0, 3).join('; ')}${texts.length > 3 ? `; and ${texts.length - 3} more` : ''}`;
