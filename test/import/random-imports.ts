// Random servers: the document of each is planned to nothing, and applied exactly it changes no ACL by a byte.
import fc from 'fast-check';
import type pg from 'pg';
import { expect } from 'vitest';
import { ident, readObjects } from '../privileges/acl.ts';
import {
  clearSql,
  contentsSql,
  DATABASES,
  grantSql,
  MANAGED,
  OUTSIDERS,
  OWNERS,
  type RandomServer,
  randomServer,
  SCHEMAS,
  USER,
} from '../privileges/random-server.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { allAcls, entriesIn } from './all-acls.ts';
import { imported } from './importing.ts';

export interface Imports {
  /** One random server after the other. */
  check(random: RandomServer): Promise<void>;
  /** Lines of all documents, and entries of all ACLs. */
  readonly sizes: { lines: number; entries: number; additive: number; roles: number };
  stop(): Promise<void>;
}

export const randomServers = (count: number, seed: number): readonly RandomServer[] => fc.sample(randomServer, { numRuns: count, seed });

/** Starts the server of random contents. */
export async function startImports(): Promise<Imports> {
  const server = await startPostgres();
  const clients = new Map<string, pg.Client>();
  for (const role of [...OWNERS, ...OUTSIDERS, ...MANAGED]) await server.query(`CREATE ROLE ${ident(role)}`);
  await server.query(`CREATE ROLE ${ident(USER)} LOGIN`);
  for (const [index, database] of DATABASES.entries()) {
    await server.query(`CREATE DATABASE ${database} OWNER ${OWNERS[index]}`);
    const client = await server.client(database);
    await client.query(
      'CREATE FOREIGN DATA WRAPPER rt_wrapper; CREATE SERVER rt_server FOREIGN DATA WRAPPER rt_wrapper; GRANT USAGE ON FOREIGN SERVER rt_server TO PUBLIC',
    );
    clients.set(database, client);
  }
  // What a trigger of the case before would give is no part of this one.
  const steward = await createSteward(server, { EVENT_TRIGGERS: 'off' });
  const sizes = { lines: 0, entries: 0, additive: 0, roles: 0 };
  const acls = async (): Promise<readonly string[]> =>
    (await Promise.all([...clients].map(async ([name, client]) => (await allAcls(client)).map((line) => `${name}: ${line}`)))).flat();
  return {
    sizes,
    check: async (random) => {
      for (const [database, client] of clients) await build(client, database as (typeof DATABASES)[number], random, server);
      await checkOne(server, steward, acls, sizes);
    },
    stop: async () => {
      for (const client of clients.values()) await client.end();
      await steward.close();
      await server.stop();
    },
  };
}

async function build(client: pg.Client, database: (typeof DATABASES)[number], random: RandomServer, { major }: Postgres): Promise<void> {
  await client.query(clearSql(database));
  await client.query(contentsSql(random, database));
  const objects = (await readObjects(client, major)).filter(
    ({ schema, kind, name }) => SCHEMAS.some((one) => one === schema) || (kind === 'database' && name === database),
  );
  for (const grant of random.grants) {
    const sql = grant.database === database ? grantSql(grant, objects, major) : undefined;
    // Refused where the server knows no such grant.
    if (sql !== undefined) await client.query(sql).catch(() => undefined);
    await client.query('RESET ROLE');
  }
}

async function checkOne(server: Postgres, steward: Steward, acls: () => Promise<readonly string[]>, sizes: Imports['sizes']): Promise<void> {
  await server.query('DROP SCHEMA IF EXISTS pgsteward CASCADE');
  const before = await acls();
  const { text, differences, problems, remarks } = await imported(server);
  try {
    expect([...differences, ...problems]).toEqual([]);
    steward.manifests.users(text);
    const report = await steward.cycle();
    expect(['converged', 'changed'], JSON.stringify([report.result, report.notices, report.problems])).toContain(report.result);
    expect(await acls()).toEqual(before);
  } catch (error) {
    if (error instanceof Error) error.message = `${error.message}\n\n${text}\n${remarks.map(({ subject, message }) => `${subject}: ${message}`).join('\n')}`;
    throw error;
  }
  sizes.lines += text.split('\n').length;
  sizes.entries += entriesIn(before);
  sizes.additive += text.split('grantsMode: additive').length - 1;
  sizes.roles += 8;
}
