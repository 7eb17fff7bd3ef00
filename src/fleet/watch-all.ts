// One watcher of all that says something of a server: the document that is read first, the operator's others, and the ConfigMaps of authors.
import type { Author } from '../model/fleet.ts';
import type { Ports, Watcher } from '../sources/ports.ts';

/** @param more watchers of further documents. */
export function watchAll({ watcher, finder }: Pick<Ports, 'watcher' | 'finder'>, more: readonly (Watcher | undefined)[], authors: readonly Author[]): Watcher {
  return {
    watch: async (observer, signal) => {
      // Whether a watch is open is said of the first document: a team that gives no right to watch is no alarm.
      const others = { ...observer, connected: () => undefined };
      await Promise.all([
        watcher?.watch(observer, signal),
        ...more.map((one) => one?.watch(others, signal)),
        ...authors.map(({ from }) => finder?.watch?.(from, others, signal)),
      ]);
    },
  };
}
