// Fingerprints: another answer whenever anything changed, also when something was dropped and made again under the next numbers.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type pg from 'pg';
import { fingerprint } from '../../src/postgres/fingerprint.ts';
import { databaseFingerprint } from '../../src/postgres/read-database.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
let client: pg.Client;
beforeAll(async () => {
  server = await startPostgres();
  client = await server.client();
});
afterAll(async () => {
  await client.end();
  await server.stop();
});

const ofCluster = (): Promise<string> =>
  fingerprint(client, { readsVerifiers: true, ledger: false, major: server.major, declaring: [], read: [], counted: [] });
const ofDatabase = (): Promise<string> => databaseFingerprint(client, { columns: true, rules: false });

it.each([
  ['a role', ofCluster, 'CREATE ROLE again', 'DROP ROLE again; CREATE ROLE again'],
  ['a membership', ofCluster, 'CREATE ROLE member; GRANT again TO member', 'REVOKE again FROM member; GRANT again TO member'],
  ['a schema', ofDatabase, 'CREATE SCHEMA again', 'DROP SCHEMA again; CREATE SCHEMA again'],
  ['a table', ofDatabase, 'CREATE TABLE t (id int)', 'DROP TABLE t; CREATE TABLE t (id int)'],
  [
    'a function',
    ofDatabase,
    `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    `DROP FUNCTION f(); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
  ],
  ['a type', ofDatabase, 'CREATE DOMAIN d AS int', 'DROP DOMAIN d; CREATE DOMAIN d AS int'],
])('%s that is dropped and made again in one transaction, a hundred times', async (_name, digest, first, again) => {
  await client.query(first);
  const seen = new Set([await digest()]);
  for (let round = 0; round < 100; round += 1) {
    await client.query(again);
    seen.add(await digest());
  }
  expect(seen.size).toBe(101);
});
