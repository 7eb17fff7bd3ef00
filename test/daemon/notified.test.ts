// Whoever may connect may notify: that neither puts off the look at everything nor leads to more than one look in two seconds.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Daemon, daemonEnv, Manifests, startDaemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

const INTERVAL_S = 6;
let server: Postgres;
let daemon: Daemon;
let manifests: Manifests;
beforeEach(async () => {
  server = await startPostgres();
  await server.query(`CREATE ROLE anybody LOGIN PASSWORD 'anybody'`);
  for (const database of ['a_noisy', 'b_quiet']) {
    await server.query(`CREATE DATABASE ${database}`);
    await server.query('CREATE TABLE goods (id int)', database);
  }
  manifests = new Manifests();
  const grants = ['a_noisy', 'b_quiet'].map((database) => ({ database, schemas: ['public'], tables: { goods: ['SELECT'] } }));
  manifests.users(stringify({ users: [{ username: 'web', login: false, roles: ['reader'] }], roles: [{ name: 'reader', grants }] }));
});
afterEach(async () => {
  await daemon.kill9();
  manifests.remove();
  await server.stop();
});

const metric = async (name: string): Promise<number> => {
  const line = (await daemon.get('/metrics')).body.split('\n').find((text) => text.startsWith(`postgres_controller_${name} `));
  return Number(line?.split(' ').at(-1) ?? Number.NaN);
};

it('with a notification every 100 ms in one database, a change by hand in another is found within the interval', async () => {
  const env = { SYNC_INTERVAL: String(INTERVAL_S), MAX_LISTENERS: '1', EVENT_TRIGGERS: 'off', DRIFT_INTERVAL: '0' };
  daemon = await startDaemon(daemonEnv(server, manifests.folder, env));
  expect(await daemon.ready()).toMatchObject({ problems: [], lastCycle: { result: 'changed' } });
  await expect.poll(() => metric('listeners{state="listening"}'), { timeout: 10_000 }).toBe(1);
  const anybody = await server.client('a_noisy', { user: 'anybody', password: 'anybody' });
  const spam = setInterval(() => void anybody.query('NOTIFY pgsteward').catch(() => undefined), 100);
  try {
    await sleep(2000);
    const [looks, began] = [await metric('wakeups_total{cause="database"}'), performance.now()];
    const times: number[] = [];
    for (const privilege of ['INSERT', 'DELETE']) {
      await server.query(`GRANT ${privilege} ON goods TO reader`, 'b_quiet');
      const from = performance.now();
      const isWrong = async (): Promise<boolean> =>
        (await server.query<{ wrong: boolean }>(`SELECT has_table_privilege('reader', 'goods', '${privilege}') AS wrong`, 'b_quiet'))[0]?.wrong === true;
      while ((await isWrong()) && performance.now() - from < 60_000) await sleep(100);
      times.push(performance.now() - from);
    }
    const made = (await metric('wakeups_total{cause="database"}')) - looks;
    // The interval, and room for a cycle on a busy machine.
    expect(Math.max(...times)).toBeLessThan(INTERVAL_S * 2000);
    expect(made).toBeGreaterThan(0);
    // One in two seconds, one at either end, and those looks at everything that came while notifications waited.
    expect(made).toBeLessThanOrEqual((performance.now() - began) / 2000 + 2 + (performance.now() - began) / (INTERVAL_S * 900));
  } finally {
    clearInterval(spam);
    await anybody.end();
  }
});

it('with a notification every 100 ms, a password that was changed by hand is found by an admin that cannot read verifiers', async () => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; CREATE SCHEMA pgsteward AUTHORIZATION adm`);
  await server.query('CREATE DATABASE shop OWNER adm');
  await server.query('SET ROLE adm; CREATE SCHEMA sales', 'shop');
  manifests.users(stringify({ users: [{ username: 'web', grants: [{ database: 'shop', schemas: ['sales'] }] }] }));
  manifests.secret('web', 'password of web');
  const admin = { DB_USER: 'adm', DB_PASS: 'adm', PASSWORD_PROBE: 'salt' };
  daemon = await startDaemon(daemonEnv(server, manifests.folder, { ...admin, SYNC_INTERVAL: String(INTERVAL_S), MAX_LISTENERS: '1', DRIFT_INTERVAL: '0' }));
  expect(await daemon.ready()).toMatchObject({ problems: [], lastCycle: { result: 'changed' } });
  await expect.poll(() => metric('listeners{state="listening"}'), { timeout: 10_000 }).toBe(1);
  const anybody = await server.client('shop', { user: 'anybody', password: 'anybody' });
  const spam = setInterval(() => void anybody.query('NOTIFY pgsteward').catch(() => undefined), 100);
  const logsIn = (): Promise<boolean> =>
    server.client('postgres', { user: 'web', password: 'password of web' }).then(
      (client) => client.end().then(() => true),
      () => false,
    );
  try {
    await sleep(2000);
    for (const planted of ['one', 'two', 'three']) {
      await server.query(`ALTER ROLE web PASSWORD '${planted}'`);
      expect(await logsIn()).toBe(false);
      // At most one interval until a look at everything, half of one until a sweep is allowed again, and room for a busy machine.
      await expect.poll(logsIn, { timeout: INTERVAL_S * 2000, interval: 200 }).toBe(true);
    }
  } finally {
    clearInterval(spam);
    await anybody.end();
  }
});
