// Privileges on what is not compared: a role of ours that holds some is told of, never passed over in silence.
import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { QUIET, writesDuring } from './quiet.ts';

let server: Postgres;
let steward: Steward;
let shop: pg.Client;
serverForAll(
  QUIET,
  (started) => (server = started),
  () => steward,
);
beforeEach(async () => {
  await server.query('CREATE DATABASE shop');
  shop = await server.client('shop');
  await shop.query(
    `CREATE SCHEMA sales; CREATE TABLE sales.orders (id integer); CREATE TYPE sales.span AS RANGE (SUBTYPE = integer, MULTIRANGE_TYPE_NAME = sales.spans)`,
  );
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
  steward.manifests.users(stringify({ roles: [{ name: 'reader', grants: [] }], users: [{ username: 'somebody', login: false }] }));
  await steward.cycle();
});
afterEach(() => shop.end());

/** Entries of the role in every ACL column of the database, whatever catalog it is in. */
async function entries(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ catalog: string; attribute: string }>(
    `SELECT c.oid::regclass::text AS catalog, a.attname AS attribute FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE a.atttypid = 'aclitem[]'::regtype AND c.relkind = 'r' AND c.relnamespace = 'pg_catalog'::regnamespace AND c.relname <> 'pg_init_privs'`,
  );
  let found = 0;
  for (const { catalog, attribute } of rows)
    found += (await client.query(`SELECT FROM ${catalog} t, aclexplode(t.${attribute}) x WHERE x.grantee = 'reader'::regrole`)).rowCount ?? 0;
  return found;
}

const STRANGE: readonly (readonly [what: string, sql: string, database: string, until: number])[] = [
  ['a function of the server', 'GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO reader', 'shop', 99],
  ['a table of the server', 'GRANT SELECT ON pg_catalog.pg_authid TO reader', 'shop', 99],
  ['a column of a table of the server', 'GRANT SELECT (rolpassword) ON pg_catalog.pg_authid TO reader', 'shop', 99],
  ['a view of the information schema', 'GRANT INSERT ON information_schema.tables TO reader', 'shop', 99],
  ['a function that somebody added to the schema of the server', 'GRANT EXECUTE ON FUNCTION pg_catalog.added() TO reader', 'shop', 99],
  ['the memory of pgsteward', 'GRANT SELECT, DELETE ON pgsteward.managed_role TO reader', 'postgres', 99],
  ['the schema pgsteward', 'GRANT USAGE ON SCHEMA pgsteward TO reader', 'postgres', 99],
  ["the type of a table's rows", 'GRANT USAGE ON TYPE sales.orders TO reader', 'shop', 99],
  ['a system column', 'GRANT SELECT (ctid) ON sales.orders TO reader', 'shop', 99],
  ['a multirange type', 'GRANT USAGE ON TYPE sales.spans TO reader', 'shop', 16],
];

it.for(STRANGE)('what a role of ours holds on %s is revoked or told', async ([, sql, database, until], { skip }) => {
  skip(server.major > until);
  const client = await server.client(database);
  await client.query(
    `SET allow_system_table_mods = on; ${sql.includes('added()') ? `CREATE FUNCTION pg_catalog.added() RETURNS integer LANGUAGE sql AS 'SELECT 1';` : ''} ${sql}`,
  );
  expect(await entries(client)).toBeGreaterThan(0);
  const report = await steward.cycle();
  const said = report.notices.filter((notice) => notice.subject === 'reader');
  const left = await entries(client);
  await client.query(`DROP OWNED BY reader; ${sql.includes('added()') ? 'DROP FUNCTION pg_catalog.added()' : ''}`);
  await client.end();
  if (left > 0) expect(said.map((notice) => notice.kind)).toEqual(['unmanaged']);
  await steward.cycle();
  expect((await steward.cycle()).notices).toEqual([]);
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
});
