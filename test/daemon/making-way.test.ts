// Making way: the owner of a database drops, renames and copies it while the real daemon listens there, and each works the first time.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Daemon, daemonEnv, Manifests, startDaemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
let daemon: Daemon;
let manifests: Manifests;
const DATABASES = ['shop', 'store', `odd "name' 1`] as const;
beforeEach(async () => {
  server = await startPostgres({ settings: { log_connections: 'on' } });
  await server.query(`CREATE ROLE owner LOGIN PASSWORD 'owner' CREATEDB`);
  for (const name of DATABASES) await asOwner(`CREATE DATABASE "${name.replaceAll('"', '""')}"`);
  manifests = new Manifests();
  manifests.users(
    stringify({
      roles: [{ name: 'reader', grants: DATABASES.map((database) => ({ database, schemas: ['*'], tables: { '*': ['SELECT'] } })) }],
      users: [{ username: 'web', login: false, roles: ['reader'] }],
    }),
  );
  daemon = await startDaemon(daemonEnv(server, manifests.folder, { SYNC_INTERVAL: '3600', DRIFT_INTERVAL: '1' }));
  expect((await daemon.ready()).lastCycle?.result).toBe('changed');
  await listening(DATABASES.length);
});
afterEach(async () => {
  await daemon.kill9();
  manifests.remove();
  await server.stop();
});

const METRIC = 'postgres_controller_listeners{state="listening"} ';
const listening = (count: number): Promise<void> =>
  expect
    .poll(async () => (await daemon.get('/metrics')).body.split('\n').find((line) => line.startsWith(METRIC)), { timeout: 20_000 })
    .toBe(`${METRIC}${count}`);
async function asOwner(sql: string): Promise<void> {
  const owner = await server.client('postgres', { user: 'owner', password: 'owner' });
  try {
    await owner.query(sql);
  } finally {
    await owner.end();
  }
}
const sessionsIn = async (database: string): Promise<number> =>
  (await server.query(`SELECT FROM pg_stat_activity WHERE datname = '${database.replaceAll("'", "''")}'`)).length;

it.each([
  ['copies', 'CREATE DATABASE copy TEMPLATE shop', 'shop'],
  ['renames', 'ALTER DATABASE shop RENAME TO former', 'shop'],
  ['drops', 'DROP DATABASE shop', 'shop'],
  ['drops one with an odd name as', 'DROP DATABASE "odd ""name\' 1"', `odd "name' 1`],
])('the owner %s a database where we listen, at the first attempt', async (_what, sql, database) => {
  expect(await sessionsIn(database)).toBe(1);
  await asOwner(sql);
});

it('the owner does one after the other, and somebody drops with force: afterwards everything that is left is listened to, and nothing is wrong', async () => {
  await asOwner('CREATE DATABASE copy TEMPLATE shop');
  await asOwner('ALTER DATABASE shop RENAME TO former');
  await asOwner('DROP DATABASE former');
  await asOwner('ALTER DATABASE copy RENAME TO shop');
  await listening(DATABASES.length);
  // By a superuser: the server lets nobody else end sessions of one, and does not wait for them either.
  await server.query('DROP DATABASE store WITH (FORCE)');
  await sleep(3000);
  await listening(DATABASES.length - 1);
  const { lastCycle } = await daemon.cycle();
  expect(lastCycle?.errors).toBe(0);
  expect(daemon.lines().filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
});

it('a session that we had to give up comes back when a copy is made, and what was changed meanwhile is put right', async () => {
  await asOwner('CREATE DATABASE copy TEMPLATE shop');
  await server.query('CREATE TABLE t (id int); GRANT INSERT ON t TO reader', 'shop');
  const isWrong = async (): Promise<unknown> => (await server.query(`SELECT has_table_privilege('reader', 't', 'INSERT') AS wrong`, 'shop'))[0]?.['wrong'];
  await expect.poll(isWrong, { timeout: 15_000 }).toBe(false);
  // In the copy roles of ours hold what they hold in the original, until it is found: the document does not name it.
  const defaults = async (): Promise<number> => (await server.query('SELECT FROM pg_default_acl', 'copy')).length;
  await expect.poll(defaults, { timeout: 15_000 }).toBe(0);
  const listeners = `SELECT FROM pg_stat_activity WHERE datname = 'shop' AND application_name ~ '^pgsteward'`;
  await expect.poll(async () => (await server.query(listeners)).length, { timeout: 15_000 }).toBe(1);
});
