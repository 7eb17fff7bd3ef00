// Admins that may not create event triggers: it is said, nothing else is held up, and access comes by default privileges and the cycle.
import { afterEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { QUIET, writesDuring } from '../privileges/quiet.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  QUIET,
  (started) => (server = started),
  () => steward,
);
afterEach(() => server.query('DROP ROLE IF EXISTS rds_superuser').catch(() => undefined));

async function start(env: Readonly<Record<string, string>>): Promise<void> {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'`);
  await server.query('CREATE DATABASE home OWNER adm');
  await server.query('CREATE SCHEMA sales AUTHORIZATION adm', 'home');
  steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home', RETRY_BACKOFF_BASE: '1', ...env });
  steward.manifests.users(
    stringify({
      roles: [{ name: 'reader', grants: [{ schemas: ['sales'], tables: { orders: ['SELECT'] } }] }],
      users: [{ username: 'somebody', login: false }],
    }),
  );
}
const mayRead = async (): Promise<unknown> => (await server.query(`SELECT has_table_privilege('reader', 'sales.orders', 'SELECT') AS may`, 'home'))[0]?.['may'];

it('EVENT_TRIGGERS=auto does without them, says so once, and writes nothing when all is right', async () => {
  await start({});
  const report = await steward.cycle();
  expect(report.result).toBe('changed');
  expect(report.notices.map(({ kind, message }) => `${kind}: ${message}`).join('\n')).toContain('fallback: adm may not create event triggers');
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  await server.query('SET ROLE adm; CREATE TABLE sales.orders (id int)', 'home');
  await steward.cycle();
  expect(await mayRead()).toBe(true);
});

it('EVENT_TRIGGERS=on tries, says what the server answered without any SQL to run, and grants all the same', async () => {
  await start({ EVENT_TRIGGERS: 'on' });
  await server.query('SET ROLE adm; CREATE TABLE sales.orders (id int)', 'home');
  const report = await steward.cycle();
  expect(report.notices.map(({ kind, message, advice }) => [kind, /event trigger/.test(message), advice])).toEqual([['cannot', true, undefined]]);
  expect(report.outcomes.filter((outcome) => outcome.result === 'failed').map(({ change }) => change.kind)).toEqual(['install_event_trigger']);
  expect(await mayRead()).toBe(true);
  // Where nothing was installed, there is nothing to remember.
  expect(await server.query('SELECT FROM pgsteward.trigger_database', 'home')).toEqual([]);
});

it('an admin that inherits rds_superuser is taken at its word', async () => {
  await server.query('CREATE ROLE rds_superuser');
  await start({});
  await server.query('GRANT rds_superuser TO adm');
  const kinds = (await steward.cycle()).planned.map((change) => change.kind);
  expect(kinds).toContain('install_event_trigger');
  await server.query('DROP OWNED BY rds_superuser; DROP ROLE rds_superuser');
});
