// The documents of a declared server: one ConfigMap of ours, or several and those of authors.
import type { ServerEntry } from '../model/fleet.ts';
import type { Config } from '../config.ts';
import type { Ports } from '../sources/ports.ts';
import type { ManyDocuments } from '../steward/many-documents.ts';
import type { FleetSource } from './fleet-source.ts';

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
  const sourceOf = (configMapName: string): Ports['documents'] => fleet.portsOf({ ...config.source, configMapName }, () => undefined).documents;
  const readers = documents.map(({ name }, index) => ({ name, source: index === 0 ? ports.documents : sourceOf(name) }));
  const { namespace } = config.source;
  return {
    ports,
    many: {
      authors,
      finder: ports.finder,
      documents: readers.map(({ name, source }) => ({ ref: `${namespace}/${name}`, read: (signal, patience) => source.read(signal, patience) })),
    },
  };
}
