// Locks that others hold: a cycle waits for them a few times and not once for each, and does everything else meanwhile.
import { beforeEach, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { stringify } from 'yaml';
import { QUIET } from '../privileges/quiet.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

const LOCK_TIMEOUT_S = 2;
const MANY = 500;
let server: Postgres;
let steward: Steward;
serverForAll(
  { ...QUIET, log_statement: 'none', max_prepared_transactions: '5' },
  (started) => (server = started),
  () => steward,
);
beforeEach(async () => {
  steward = await createSteward(server, { DB_LOCK_TIMEOUT: String(LOCK_TIMEOUT_S), EVENT_TRIGGERS: 'off', RETRY_BACKOFF_BASE: '1' });
});

const from = (first: number, last: number): string => `generate_series(${first}, ${last}) AS i`;
/** Runs a statement for each of many, by a template of format(). */
const each = (template: string, first: number, last: number): string =>
  `DO $do$ BEGIN EXECUTE (SELECT string_agg(format('${template}', i), ';') FROM ${from(first, last)}); END $do$`;

/** Holds what a statement locks; the answer ends it. */
async function held(sql: string, database: string): Promise<() => Promise<void>> {
  const client: pg.Client = await server.client(database, { user: 'maker', password: 'maker' });
  await client.query(`BEGIN; ${sql}`);
  return async () => {
    await client.query('ROLLBACK').catch(() => undefined);
    await client.end();
  };
}

/** Seconds that a cycle takes, and what it says. */
async function timedCycle() {
  const began = performance.now();
  const report = await steward.cycle();
  return { report, seconds: (performance.now() - began) / 1000 };
}

const count = async (sql: string, database: string): Promise<number> => Number((await server.query<{ count: string }>(sql, database))[0]?.count);

describe('tables', () => {
  const readable = (database: string): Promise<number> =>
    count(
      `SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' AND has_table_privilege('reader', oid, 'SELECT')`,
      database,
    );
  beforeEach(async () => {
    await server.query(`CREATE ROLE maker LOGIN PASSWORD 'maker'`);
    for (const database of ['shop', 'other']) {
      await server.query(`CREATE DATABASE ${database}`);
      await server.query(`CREATE SCHEMA app AUTHORIZATION maker; SET ROLE maker; ${each('CREATE TABLE app.t%s (id int)', 1, MANY + 100)}`, database);
    }
    const grants = ['shop', 'other'].map((database) => ({ database, schemas: ['app'], tables: { '*': ['SELECT'] }, sequences: { '*': ['USAGE'] } }));
    steward.manifests.users(stringify({ roles: [{ name: 'reader', grants }], users: [{ username: 'web', login: false, roles: ['reader'] }] }));
  });

  it.each([
    ['locked by LOCK TABLE', each('LOCK TABLE app.t%s', 1, MANY)],
    ['that an open transaction alters', each('ALTER TABLE app.t%s SET (fillfactor = 90)', 1, MANY)],
    ['of which an open transaction has granted something', each('GRANT INSERT ON app.t%s TO maker', 1, MANY)],
    ['that are truncated in an open transaction', each('TRUNCATE app.t%s', 1, MANY)],
  ])('500 tables %s hold up the cycle for a few waits, and everything else is done in it', async (name, sql) => {
    const end = await held(sql, 'shop');
    const { report, seconds } = await timedCycle();
    // One wait, and what there is to do on a busy machine; each of them by itself would be half an hour.
    expect(seconds).toBeLessThan(LOCK_TIMEOUT_S * 10);
    expect(report.error).toBe(undefined);
    expect(await readable('other')).toBe(MANY + 100);
    const done = await readable('shop');
    // Below 18 a GRANT takes no lock on a table, and waits only for whoever changed its row.
    expect(done).toBe(name.includes('LOCK TABLE') && server.major < 18 ? MANY + 100 : 100);
    if (done === 100) {
      const failed = report.outcomes.filter((outcome) => outcome.result === 'failed');
      expect(failed).toHaveLength(MANY);
      expect(failed[0]).toMatchObject({ class: 'retry', message: expect.stringContaining('of maker in database shop') as string });
    }
    await end();
    await expect.poll(async () => (await steward.cycle(), readable('shop')), { timeout: 60_000, interval: 500 }).toBe(MANY + 100);
  });

  it('those that a prepared transaction has locked are left out and named, and the rest is done', async () => {
    const client = await server.client('shop', { user: 'maker', password: 'maker' });
    await client.query(`BEGIN; ${each('ALTER TABLE app.t%s ADD COLUMN more int', 1, MANY)}; PREPARE TRANSACTION 'in the way'`);
    await client.end();
    const { report, seconds } = await timedCycle();
    const prepared = await server.client('shop');
    try {
      expect(seconds).toBeLessThan(LOCK_TIMEOUT_S * 10);
      expect(await readable('shop')).toBe(100);
      expect(report.outcomes.find((outcome) => outcome.result === 'failed')).toMatchObject({ message: expect.stringContaining(`'in the way'`) as string });
    } finally {
      await prepared.query(`ROLLBACK PREPARED 'in the way'`);
      await prepared.end();
    }
  });
});

it('a plain admin leaves out what is locked, however the tables and whoever locks them are called', async () => {
  const odd = [`a"b`, `c'd`, 'e\nf', 'g\u001fh', `;DROP TABLE x;--`, 'ü'.repeat(31), 'plain', '$1', '%s%I', 'pgsteward'];
  const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
  const maker = `ma"k'er\u001f`;
  await server.query(`CREATE ROLE steward LOGIN CREATEROLE CREATEDB PASSWORD 'plain-admin-only'; CREATE ROLE ${quoted(maker)} LOGIN PASSWORD 'maker'`);
  await server.query(`GRANT ${quoted(maker)} TO steward`);
  await server.query('CREATE DATABASE shop OWNER steward');
  const tables = odd.map((name) => `CREATE TABLE app.${quoted(name)} (id int)`).join(';');
  await server.query(`CREATE SCHEMA app AUTHORIZATION ${quoted(maker)}; SET ROLE ${quoted(maker)}; ${tables}; CREATE TABLE app.free (id int)`, 'shop');
  await steward.close();
  steward = await createSteward(server, { DB_USER: 'steward', DB_PASS: 'plain-admin-only', DB_NAME: 'shop', DB_LOCK_TIMEOUT: '1', EVENT_TRIGGERS: 'off' });
  const grants = [{ database: 'shop', schemas: ['app'], tables: { '*': ['SELECT'] } }];
  steward.manifests.users(stringify({ roles: [{ name: 'reader', grants }], users: [{ username: 'web', login: false, roles: ['reader'] }] }));
  const client = await server.client('shop', { user: maker, password: 'maker' });
  await client.query(`BEGIN; ${odd.map((name) => `ALTER TABLE app.${quoted(name)} ADD COLUMN more int`).join(';')}`);
  const { report, seconds } = await timedCycle();
  const readable = `SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' AND has_table_privilege('reader', oid, 'SELECT')`;
  expect(await count(readable, 'shop'), JSON.stringify([report.notices, report.outcomes])).toBe(1);
  expect(seconds).toBeLessThan(LOCK_TIMEOUT_S * 10);
  expect(report.outcomes.filter(({ result }) => result === 'failed')).toHaveLength(odd.length);
  await client.query('ROLLBACK');
  await client.end();
  await expect.poll(async () => (await steward.cycle(), count(readable, 'shop')), { timeout: 30_000, interval: 500 }).toBe(odd.length + 1);
});

it('functions, of which nobody can tell who has locked which, are found by trying', async () => {
  await server.query(`CREATE ROLE maker LOGIN PASSWORD 'maker'`);
  await server.query('CREATE DATABASE shop');
  const make = each('CREATE FUNCTION app.f%s() RETURNS int LANGUAGE sql RETURN 1; REVOKE EXECUTE ON FUNCTION app.f%1$s() FROM PUBLIC', 1, 150);
  await server.query(`CREATE SCHEMA app AUTHORIZATION maker; SET ROLE maker; ${make}`, 'shop');
  const grants = [{ database: 'shop', schemas: ['app'], functions: { '*': ['EXECUTE'] } }];
  steward.manifests.users(stringify({ roles: [{ name: 'reader', grants }], users: [{ username: 'web', login: false, roles: ['reader'] }] }));
  const end = await held(each('GRANT EXECUTE ON FUNCTION app.f%s() TO maker WITH GRANT OPTION', 21, 80), 'shop');
  const { seconds } = await timedCycle();
  expect(seconds).toBeLessThan(LOCK_TIMEOUT_S * 10);
  const callable = `SELECT count(*) FROM pg_proc WHERE pronamespace = 'app'::regnamespace AND has_function_privilege('reader', oid, 'EXECUTE')`;
  expect(await count(callable, 'shop')).toBe(90);
  await end();
});

it('roles whose rows somebody has locked hold up neither other roles nor the databases', async () => {
  await server.query(`CREATE ROLE maker SUPERUSER LOGIN PASSWORD 'maker'`);
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE SCHEMA app; CREATE TABLE app.t (id int)', 'shop');
  const names = Array.from({ length: 60 }, (_, index) => `u${index + 1}`);
  const document = (connectionLimit: number, privilege: string) =>
    stringify({
      roles: [{ name: 'reader', grants: [{ database: 'shop', schemas: ['app'], tables: { t: [privilege] } }] }],
      users: names.map((username) => ({ username, login: false, roles: ['reader'], connectionLimit })),
    });
  steward.manifests.users(document(1, 'SELECT'));
  expect((await steward.cycle()).result).toBe('changed');
  const end = await held(each('ALTER ROLE u%s CONNECTION LIMIT 9', 1, 40), 'shop');
  steward.manifests.users(document(2, 'INSERT'));
  const { seconds } = await timedCycle();
  expect(seconds).toBeLessThan(LOCK_TIMEOUT_S * 20);
  expect(await count(`SELECT count(*) FROM pg_roles WHERE rolconnlimit = 2`, 'postgres')).toBe(20);
  expect(await count(`SELECT count(*) FROM pg_class WHERE oid = 'app.t'::regclass AND has_table_privilege('reader', oid, 'INSERT')`, 'shop')).toBe(1);
  await end();
});
