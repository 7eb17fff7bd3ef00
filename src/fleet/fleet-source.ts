// Where the servers are declared: the ConfigMap that says which there are, and the places of their documents.
import { createHash } from 'node:crypto';
import type { Config } from '../config.ts';
import { aside, TooCostly } from '../async/aside.ts';
import { startOf } from '../document/lines.ts';
import type { Fleet } from '../model/fleet.ts';
import { SourceError } from '../model/source-error.ts';
import type { Ports } from '../sources/ports.ts';

export interface FleetSource {
  /** Of the ConfigMap that declares servers. */
  readonly ports: Ports;
  /** Of the document of one of them. */
  portsOf(source: Config['source'], warn: (message: string) => void): Ports;
  close(): Promise<void>;
}

export interface FleetReading {
  readonly fleet: Fleet;
  /** `namespace/name@version`; empty where it could not be read. */
  readonly from: string;
  /** Why it could not be read this time. */
  readonly failure: string | undefined;
}

const NOTHING: Fleet = { servers: [], invalid: new Set(), complete: false, reserved: new Set(), problems: [] };

/** A reader of the declared servers. What cannot be read says nothing about anybody. */
export function createFleetReader({ documents }: Pick<Ports, 'documents'>): (signal: AbortSignal) => Promise<FleetReading> {
  let last: { readonly digest: string; readonly fleet: Fleet } | undefined;
  return async (signal) => {
    try {
      const { content, file, ref, version } = await documents.read(signal, AbortSignal.timeout(10_000));
      const digest = createHash('sha256').update(content).digest('hex');
      if (last?.digest !== digest) last = { digest, fleet: await parsed(content, file, signal) };
      return { fleet: last.fleet, from: `${ref}@${version}`, failure: undefined };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SourceError)) throw error;
      return { fleet: NOTHING, from: '', failure: error.message };
    }
  };
}

async function parsed(content: Uint8Array, file: string, signal: AbortSignal): Promise<Fleet> {
  try {
    return await aside('servers', content.length, [content, file], signal);
  } catch (error) {
    if (!(error instanceof TooCostly)) throw error;
    return { ...NOTHING, problems: [{ severity: 'error', position: startOf(file), path: '', message: `servers.yaml ${error.message}` }] };
  }
}
