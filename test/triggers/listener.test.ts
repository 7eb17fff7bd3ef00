// Who is told: a listener hears of every change of privileges that is not ours, whoever tries to hide it, and DDL goes on where nobody can be told.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type pg from 'pg';
import { stringify } from 'yaml';
import { QUIET } from '../privileges/quiet.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { DEFAULT_MAJOR } from '../support/binaries.ts';
import { createSteward, type Steward } from '../support/steward.ts';

const major = Number(process.env['PG_MAJOR'] ?? DEFAULT_MAJOR);
let server: Postgres;
let steward: Steward;
let app: pg.Client;
let listener: pg.Client;
let heard = 0;
serverForAll(
  // The smallest queue that there may be; a setting from PostgreSQL 17 on.
  { ...QUIET, max_prepared_transactions: '0', ...(major >= 17 ? { max_notify_queue_pages: '64' } : {}) },
  (started) => (server = started),
  () => steward,
);
beforeEach(async () => {
  await server.query(`CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE makers; GRANT makers TO app; CREATE ROLE reader`);
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE SCHEMA sales; GRANT USAGE, CREATE ON SCHEMA sales TO makers', 'shop');
  app = await server.client('shop', { user: 'app', password: 'app' });
  listener = await server.client('shop');
  steward = await createSteward(server);
  steward.manifests.users(
    stringify({
      roles: [{ name: 'kafka', grants: [{ database: 'shop', schemas: ['sales'], tables: { '*': ['SELECT'] } }] }],
      users: [{ username: 'connector', login: false }],
    }),
  );
  await steward.cycle();
  heard = 0;
  listener.on('notification', () => (heard += 1));
  await listener.query('LISTEN pgsteward');
});
afterEach(async () => {
  await listener.end();
  await app.end();
});

/** Notifications after a statement of the application. */
async function after(sql: string): Promise<number> {
  // What was sent before, by whatever prepared the test, comes with an answer at the latest.
  await listener.query('SELECT 1');
  heard = 0;
  await app.query(sql);
  await listener.query('SELECT 1');
  await sleep(20);
  return heard;
}

it('what the trigger itself grants wakes nobody, a GRANT by hand wakes one', async () => {
  expect(await after('CREATE TABLE sales.outbox (id int)')).toBe(0);
  expect(await after('GRANT INSERT ON sales.outbox TO reader')).toBe(1);
});

it.each([
  ['by the parameter that our own sessions set', `SET pgsteward.applying = 'on'`],
  ['by the parameter in its transaction', `BEGIN; SET LOCAL pgsteward.applying = 'on'`],
  ['by the parameter after the trigger has used it', `BEGIN; SET LOCAL pgsteward.applying = 'on'; CREATE TABLE sales.other (id int)`],
  ['by another search_path', 'CREATE TEMP TABLE pg_settings (id int); SET search_path = pg_temp'],
])('a GRANT is not hidden %s', async (_name, sql) => {
  await app.query('CREATE TABLE sales.outbox (id int)');
  expect(await after(`${sql}; GRANT INSERT ON sales.outbox TO reader; COMMIT`)).toBe(1);
});

it('the trigger leaves the parameter as it was, so that what our own transaction grants next wakes nobody', async () => {
  heard = 0;
  await server.query(`BEGIN; SET LOCAL pgsteward.applying = 'on'; CREATE TABLE sales.ours (id int); GRANT SELECT ON sales.ours TO reader; COMMIT`, 'shop');
  await listener.query('SELECT 1');
  await sleep(20);
  expect(heard).toBe(0);
});

it('a failure inside of the trigger wakes the cycle', async () => {
  await server.query('ALTER FUNCTION pgsteward_trigger.rules(text[]) RENAME TO gone', 'shop');
  expect(await after('CREATE TABLE sales.outbox (id int)')).toBe(1);
});

it.skipIf(major < 17)('with a queue that is more than half full DDL and GRANT go on', async () => {
  // A listener that is in a transaction holds the queue's tail.
  await listener.query('BEGIN; SELECT 1');
  const filler = await server.client('shop');
  const usage = async (): Promise<number> => (await filler.query<{ usage: number }>('SELECT pg_notification_queue_usage() AS usage')).rows[0]?.usage ?? 0;
  for (let turn = 0; (await usage()) < 0.97 && turn < 200; turn += 1)
    await filler.query(`SELECT pg_notify('other', repeat('x', 7900) || '${turn}')`).catch(() => undefined);
  while (
    await filler.query(`SELECT pg_notify('other', repeat('y', 7900))`).then(
      () => true,
      () => false,
    )
  );
  await filler.end();
  await app.query('CREATE TABLE sales.outbox (id int); GRANT INSERT ON sales.outbox TO reader');
  await listener.query('ROLLBACK');
  expect(await server.query(`SELECT has_table_privilege('kafka', 'sales.outbox', 'SELECT') AS may`, 'shop')).toEqual([{ may: true }]);
});
