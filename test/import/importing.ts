// An import as somebody asks for it, within this process, and what is found out about the document that it gives.
import { serverOf } from '../../src/steward/server.ts';
import { readConfig } from '../../src/config.ts';
import { type ImportedServer, importServer } from '../../src/steward/import-server.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { expect } from 'vitest';
import { parse } from 'yaml';
import type { Postgres } from '../support/postgres.ts';
import { createSteward } from '../support/steward.ts';
import { allAcls } from './all-acls.ts';

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

interface Plain {
  readonly users: readonly Record<string, unknown>[];
  readonly roles?: readonly Record<string, unknown>[];
  readonly databases?: readonly Record<string, unknown>[];
}

/** Every ACL of a server, a line each, and every role, membership, setting and comment. */
export async function everythingOn(server: Postgres): Promise<{ readonly acls: readonly string[]; readonly rest: unknown }> {
  const acls: string[] = [];
  for (const { datname } of await server.query<{ datname: string }>(`SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1`)) {
    const client = await server.client(datname);
    acls.push(...(await allAcls(client)).map((line) => `${datname}: ${line}`));
    await client.end();
  }
  const rest = [
    'SELECT * FROM pg_authid ORDER BY rolname',
    'SELECT roleid, member, grantor, admin_option FROM pg_auth_members ORDER BY 1, 2, 3',
    'SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2',
    'SELECT objoid, description FROM pg_shdescription ORDER BY 1',
  ];
  return { acls, rest: await Promise.all(rest.map((sql) => server.query(sql))) };
}

/** The document of the server as it is, proved: a plan for it is empty, and a cycle with it leaves every ACL, role and membership as it was. */
export async function provedOn(server: Postgres, options: ImportOptions = {}): Promise<{ readonly document: Plain; readonly said: readonly string[] }> {
  const { text, remarks, differences, problems } = await imported(server, options);
  expect([...differences, ...problems], text).toEqual([]);
  const before = await everythingOn(server);
  const steward = await createSteward(server, options.env);
  steward.manifests.users(text);
  const report = await steward.cycle();
  expect(report.error).toBeUndefined();
  expect(await everythingOn(server), text).toEqual(before);
  await steward.close();
  return { document: parse(text) as Plain, said: remarks.map(({ subject, message }) => `${subject}: ${message}`) };
}

/** A database in which the schema public is its owner's own in every version. */
export async function ownedDatabase(server: Postgres, owner: string, name = 'shop'): Promise<void> {
  await server.query(`CREATE DATABASE ${name} OWNER ${owner}`);
  await server.query(`ALTER SCHEMA public OWNER TO ${owner}`, name);
}
