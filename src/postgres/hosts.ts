// The hosts of one server: the primary is looked for among them, and the one that was it last is asked first.
import type { HostPort } from '../model/fleet.ts';

export interface Hosts {
  /** In the order in which they are tried. */
  inOrder(): readonly HostPort[];
  /** The one that was the primary last; the first one until any was. */
  readonly current: HostPort;
  primary(host: HostPort): void;
}

export function createHosts(hosts: readonly [HostPort, ...HostPort[]]): Hosts {
  let [current] = hosts;
  return {
    inOrder: () => [current, ...hosts.filter((host) => host !== current)],
    get current() {
      return current;
    },
    primary: (host) => {
      current = host;
    },
  };
}
