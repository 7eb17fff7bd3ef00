// The hosts of one server: the primary is looked for among them, and the one that was it last is asked first. A former primary that comes back takes itself for one too.
import type { HostPort } from '../model/fleet.ts';

/** How far the history of a server goes: each promotion begins a timeline, which a former primary does not have. */
export interface Timeline {
  /** The server's own identifier; null where it does not tell, and then nothing can be compared. */
  readonly system: string | null;
  readonly number: number;
}

export interface Hosts {
  /** In the order in which they are tried. */
  inOrder(): readonly HostPort[];
  /** The one that was the primary last; the first one until any was. */
  readonly current: HostPort;
  /** Whether all were asked who is the primary, and it has answered since. */
  readonly isSettled: boolean;
  /** It does not answer, or is the primary no longer. */
  unsettle(): void;
  primary(host: HostPort, timeline: Timeline): void;
  /** Whether another one was the primary after this one. */
  isFormer(timeline: Timeline): boolean;
}

export function createHosts(hosts: readonly [HostPort, ...HostPort[]]): Hosts {
  let [current] = hosts;
  let latest: Timeline | undefined;
  let isSettled = false;
  return {
    inOrder: () => [current, ...hosts.filter((host) => host !== current)],
    get current() {
      return current;
    },
    get isSettled() {
      return isSettled;
    },
    unsettle: () => {
      isSettled = false;
    },
    primary: (host, timeline) => {
      [current, latest, isSettled] = [host, timeline, true];
    },
    isFormer: (timeline) => latest !== undefined && isBefore(timeline, latest),
  };
}

/** Of two that both take themselves for the primary, whether the first one was promoted earlier. */
export const isBefore = (one: Timeline, other: Timeline): boolean => one.system !== null && one.system === other.system && one.number < other.number;
