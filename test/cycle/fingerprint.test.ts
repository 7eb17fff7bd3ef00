// Fingerprints: another answer whenever anything changed, also when something was dropped and made again under the next numbers.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type pg from 'pg';
import { fingerprint } from '../../src/postgres/fingerprint.ts';
import { databaseFingerprint } from '../../src/postgres/database-fingerprint.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
let client: pg.Client;
beforeAll(async () => {
  server = await startPostgres();
  client = await server.client();
  await client.query('CREATE DATABASE other');
});
afterAll(async () => {
  await client.end();
  await server.stop();
});

const ofCluster = (): Promise<string> =>
  fingerprint(client, { readsVerifiers: true, ledger: false, major: server.major, declaring: [], read: [], counted: [], leaving: [] });
/** What the changes below are made on, where it is not there yet. */
const OBJECTS = `DO $do$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'watched') THEN CREATE ROLE watched; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'again') THEN CREATE ROLE again; END IF;
END $do$; CREATE TABLE IF NOT EXISTS t (id int)`;
const everyDigest = async (): Promise<readonly string[]> => [
  await ofCluster(),
  await databaseFingerprint(client, { columns: false, database: false }),
  await databaseFingerprint(client, { columns: true, database: false }),
];
const ofDatabase = (): Promise<string> => databaseFingerprint(client, { columns: true, database: false });

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

it('other facts give another digest, also where there is nothing to find', async () => {
  const facts = { readsVerifiers: true, ledger: false, major: server.major, declaring: [], read: [], counted: [], leaving: [] };
  const all = [facts, { ...facts, declaring: ['nobody'] }, { ...facts, counted: [1] }, { ...facts, leaving: [1] }];
  const digests = new Set<string>();
  for (const one of all) digests.add(await fingerprint(client, one));
  expect(digests.size).toBe(all.length);
});

/** Everything that a plan depends on, changed by hand: one digest or the other is another one afterwards. */
it.each([
  ['an attribute of a role', 'ALTER ROLE watched CREATEDB'],
  ['the name of a role', 'ALTER ROLE watched RENAME TO renamed; ALTER ROLE renamed RENAME TO watched'],
  ['a password', `ALTER ROLE watched PASSWORD 'fingerprint-only'`],
  ['a comment on a role', `COMMENT ON ROLE watched IS 'x'`],
  ['a setting of a role', `ALTER ROLE watched SET work_mem = '2MB'`],
  ['a setting of a role in a database', `ALTER ROLE watched IN DATABASE postgres SET work_mem = '3MB'`],
  ['a membership', 'GRANT again TO watched'],
  ['an option of a membership', 'GRANT again TO watched WITH ADMIN OPTION'],
  ['a privilege on a database', 'GRANT CREATE ON DATABASE postgres TO watched'],
  ['the owner of a database', 'ALTER DATABASE other OWNER TO watched'],
  ['a privilege on a tablespace', 'GRANT CREATE ON TABLESPACE pg_default TO watched'],
  ['a privilege on a schema', 'GRANT CREATE ON SCHEMA public TO watched'],
  ['a privilege on a schema of the server', 'GRANT USAGE ON SCHEMA pg_toast TO watched'],
  ['a privilege on a table', 'GRANT SELECT ON t TO watched'],
  ['a privilege on a table of the server', 'GRANT SELECT ON pg_authid TO watched'],
  ['the owner of a table', 'ALTER TABLE t OWNER TO watched; ALTER TABLE t OWNER TO CURRENT_USER'],
  ['a privilege on a sequence', 'CREATE SEQUENCE IF NOT EXISTS counter; GRANT USAGE ON SEQUENCE counter TO watched'],
  ['a privilege on a view of the server', 'GRANT INSERT ON pg_stat_activity TO watched'],
  ['a privilege on a column', 'GRANT UPDATE (id) ON t TO watched'],
  ['a privilege on a column of the server', 'GRANT SELECT (rolpassword) ON pg_authid TO watched'],
  ['a privilege on a function', 'GRANT EXECUTE ON FUNCTION f() TO watched'],
  ['a privilege on a function of the server', 'GRANT EXECUTE ON FUNCTION pg_read_file(text) TO watched'],
  ['a privilege on a function of the server that had no ACL', 'GRANT EXECUTE ON FUNCTION pg_backend_pid() TO watched'],
  ['a privilege on a type', 'GRANT USAGE ON TYPE d TO watched'],
  ['a privilege on a type of the server', 'GRANT USAGE ON TYPE point TO watched'],
  ['a privilege on a language', 'GRANT USAGE ON LANGUAGE plpgsql TO watched'],
  ['a privilege on a foreign data wrapper', 'CREATE FOREIGN DATA WRAPPER w; GRANT USAGE ON FOREIGN DATA WRAPPER w TO watched'],
  ['a privilege on a foreign server', 'CREATE SERVER s FOREIGN DATA WRAPPER w; GRANT USAGE ON FOREIGN SERVER s TO watched'],
  ['a large object', 'SELECT lo_create(4711)'],
  ['a privilege on a large object', 'GRANT SELECT ON LARGE OBJECT 4711 TO watched'],
  ['default privileges', 'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO watched'],
  ['default privileges that are taken back', 'ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM watched'],
  ['what an extension has', 'ALTER EXTENSION plpgsql ADD FUNCTION f()'],
  ['one member of an extension in place of another', 'ALTER EXTENSION plpgsql DROP FUNCTION f(); ALTER EXTENSION plpgsql ADD DOMAIN d'],
  [
    'an event trigger',
    `CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION e()`,
  ],
  ['an event trigger that is switched off', 'ALTER EVENT TRIGGER e DISABLE'],
])('%s is seen by a fingerprint, whether columns are looked at or not', async (_name, sql) => {
  await client.query(`SELECT 1; ${OBJECTS}`);
  const before = await everyDigest();
  await client.query(sql);
  const after = await everyDigest();
  const differ = (at: number): boolean => before[at] !== after[at];
  expect([differ(0) || differ(1), differ(0) || differ(2)]).toEqual([true, true]);
  expect(await everyDigest()).toEqual(after);
});

it('what a role that is to be removed owns is seen, wherever it is', async () => {
  const [leaver] = await server.query<{ oid: number }>(`CREATE ROLE leaver; SELECT oid FROM pg_roles WHERE rolname = 'leaver'`);
  const oid = leaver?.oid ?? 0;
  const digest = (): Promise<string> =>
    fingerprint(client, { readsVerifiers: true, ledger: false, major: server.major, declaring: [], read: [], counted: [], leaving: [oid] });
  const before = await digest();
  await server.query('CREATE TABLE left_behind (id int); ALTER TABLE left_behind OWNER TO leaver', 'other');
  const owning = await digest();
  await server.query('DROP TABLE left_behind', 'other');
  expect(owning).not.toBe(before);
  expect(await digest()).not.toBe(owning);
});
