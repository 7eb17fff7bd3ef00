// An import as somebody asks for it, within this process, and what is found out about the document that it gives.
import { serverOf } from '../../src/steward/server.ts';
import { readConfig } from '../../src/config.ts';
import { type ImportedServer, importServer } from '../../src/steward/import-server.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import type { Postgres } from '../support/postgres.ts';

export interface ImportOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly isWanted?: (role: string) => boolean;
  readonly isWantedDatabase?: (name: string) => boolean;
}

/** The import of a server. */
export async function imported(
  server: Postgres,
  { env = {}, isWanted = () => true, isWantedDatabase = () => true }: ImportOptions = {},
): Promise<ImportedServer> {
  const config = readConfig({ DB_HOST: server.host, DB_PORT: String(server.port), DB_USER: server.user, DB_PASS: server.password, ...env });
  const connections = createConnections(config.server, () => undefined);
  try {
    return await importServer(serverOf(config, connections), { isWanted, isWantedDatabase });
  } finally {
    await connections.close();
  }
}
