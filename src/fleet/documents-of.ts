// The documents of a declared server: one ConfigMap of ours, or several and those of authors.
import type { ServerEntry } from '../model/fleet.ts';
import type { Config } from '../config.ts';
import type { Ports } from '../sources/ports.ts';
import type { ManyDocuments } from '../steward/many-documents.ts';
import type { FleetSource } from './fleet-source.ts';
import { watchAll } from './watch-all.ts';

export interface ServerDocuments {
  /** Of its first document, and of the Secrets of all. */
  readonly ports: Ports;
  /** undefined where that document is all. */
  readonly many: ManyDocuments | undefined;
}

/** Where a server's documents are. @param config as its entry says. */
export function documentsOf(
  { documents, authors }: ServerEntry,
  config: Pick<Config, 'source'>,
  fleet: Pick<FleetSource, 'portsOf'>,
  warn: (message: string) => void,
): ServerDocuments {
  const ports = fleet.portsOf(config.source, warn);
  if (documents.length === 1 && authors.length === 0) return { ports, many: undefined };
  // The further ones are read for their text alone, so they watch no Secrets.
  const further = (configMapName: string): Ports => fleet.portsOf({ ...config.source, configMapName, secretAccess: 'get' }, () => undefined);
  const all = documents.map(({ name }, index) => ({ name, ports: index === 0 ? ports : further(name) }));
  const { namespace } = config.source;
  const more = all.slice(1).map((one) => one.ports.watcher);
  return {
    ports: { ...ports, watcher: watchAll(ports, more, authors) },
    many: {
      authors,
      finder: ports.finder,
      documents: all.map(({ name, ports: { documents: source } }) => ({
        ref: `${namespace}/${name}`,
        read: (signal, patience) => source.read(signal, patience),
      })),
    },
  };
}
