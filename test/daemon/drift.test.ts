// Drift at once: what somebody changes by hand is put right within a second where it is notified, and within DRIFT_INTERVAL where it is looked for.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Daemon, daemonEnv, Manifests, startDaemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
let daemon: Daemon;
let manifests: Manifests;
const DOCUMENT = stringify({
  roles: [{ name: 'reader', memberOf: [], grants: [{ database: 'shop', schemas: ['public'], tables: { goods: ['SELECT'] } }] }, { name: 'boss' }],
  users: [{ username: 'web', login: false, roles: ['reader'] }],
});
beforeEach(async () => {
  server = await startPostgres();
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE TABLE goods (id int); CREATE TABLE orders (id int)', 'shop');
  manifests = new Manifests();
  manifests.users(DOCUMENT);
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
const start = async (more: Readonly<Record<string, string>> = {}): Promise<void> => {
  daemon = await startDaemon(daemonEnv(server, manifests.folder, { SYNC_INTERVAL: '3600', ...more }));
  expect((await daemon.ready()).lastCycle?.result).toBe('changed');
};
const listening = (count: number): Promise<void> => expect.poll(() => metric('listeners{state="listening"}'), { timeout: 10_000 }).toBe(count);
/** Milliseconds from a change by hand until nothing of it is left. */
async function untilRepaired(sql: string, database: string, isWrong: string): Promise<number> {
  const client = await server.client(database);
  await client.query(sql);
  const began = performance.now();
  for (;;) {
    const { rows } = await client.query<{ wrong: boolean }>(`SELECT ${isWrong} AS wrong`);
    if (rows[0]?.wrong === false) break;
    if (performance.now() - began > 15_000) throw new Error(`${sql} was not put right`);
    await sleep(10);
  }
  await client.end();
  return performance.now() - began;
}
const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;

describe('a change by hand is put right at once', () => {
  it('where it fires an event: GRANT, REVOKE, default privileges', async () => {
    await start({ DRIFT_INTERVAL: '0' });
    await listening(1);
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      times.push(await untilRepaired('GRANT INSERT ON orders TO reader', 'shop', `has_table_privilege('reader', 'orders', 'INSERT')`));
      // Notifications lead to one look in two seconds.
      await sleep(2000);
    }
    await untilRepaired('REVOKE SELECT ON goods FROM reader', 'shop', `NOT has_table_privilege('reader', 'goods', 'SELECT')`);
    await untilRepaired(
      'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader',
      'shop',
      `EXISTS (SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) x WHERE x.grantee = 'reader'::regrole)`,
    );
    // eslint-disable-next-line no-console -- a figure for whoever reads the run.
    console.log(`a GRANT by hand was gone after a median of ${median(times).toFixed(0)} ms`);
    // What comes during a cycle may be mended by that very cycle.
    expect(await metric('wakeups_total{cause="database"}')).toBeGreaterThanOrEqual(4);
    expect(await metric('drift_total')).toBeGreaterThanOrEqual(4);
  });

  it('where none is fired: memberships, roles, settings, ACLs of databases, within DRIFT_INTERVAL', async () => {
    await start({ DRIFT_INTERVAL: '1' });
    for (const [sql, wrong] of [
      ['GRANT boss TO web', `pg_has_role('web', 'boss', 'MEMBER')`],
      ['ALTER ROLE web CREATEDB', `(SELECT rolcreatedb FROM pg_roles WHERE rolname = 'web')`],
      [`ALTER ROLE web SET work_mem = '1GB'`, `EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = 'web'::regrole)`],
      ['GRANT CREATE ON DATABASE shop TO reader', `has_database_privilege('reader', 'shop', 'CREATE')`],
    ] as const)
      expect(await untilRepaired(sql, 'postgres', wrong), sql).toBeLessThan(5000);
    // What comes during a cycle may be mended by that very cycle.
    expect(await metric('wakeups_total{cause="cluster"}')).toBeGreaterThanOrEqual(1);
  });

  it('our own changes wake nobody, and neither does what applications create', async () => {
    await start({ DRIFT_INTERVAL: '1' });
    await listening(1);
    manifests.users(DOCUMENT.replace('goods', 'orders'));
    await daemon.cycle();
    await server.query('CREATE TABLE more (id int); CREATE VIEW seen AS SELECT * FROM more; DROP VIEW seen', 'shop');
    await sleep(2500);
    expect(await metric('wakeups_total{cause="database"}')).toBe(0);
    expect(await metric('wakeups_total{cause="cluster"}')).toBe(0);
  });
});

describe('when an accelerator is broken, nothing is lost but time', () => {
  it('a listening session that is cut is opened again, and what happened meanwhile is found', async () => {
    await start({ DRIFT_INTERVAL: '0' });
    await listening(1);
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgsteward' AND datname = 'shop'`);
    await untilRepaired('GRANT INSERT ON orders TO reader', 'shop', `has_table_privilege('reader', 'orders', 'INSERT')`);
    await listening(1);
  });

  it('without event triggers a database with a session is looked at every DRIFT_INTERVAL', async () => {
    await start({ DRIFT_INTERVAL: '1', EVENT_TRIGGERS: 'off' });
    await listening(1);
    await untilRepaired('GRANT INSERT ON orders TO reader', 'shop', `has_table_privilege('reader', 'orders', 'INSERT')`);
  });

  it('without triggers, listeners and small looks the interval alone finds everything', async () => {
    await start({ DRIFT_INTERVAL: '0', EVENT_TRIGGERS: 'off', MAX_LISTENERS: '0', SYNC_INTERVAL: '1' });
    await untilRepaired('GRANT INSERT ON orders TO reader', 'shop', `has_table_privilege('reader', 'orders', 'INSERT')`);
    await untilRepaired('GRANT boss TO web', 'postgres', `pg_has_role('web', 'boss', 'MEMBER')`);
    await server.query('DROP TABLE goods; CREATE TABLE goods (id int)', 'shop');
    await expect
      .poll(async () => (await server.query(`SELECT has_table_privilege('reader', 'goods', 'SELECT') AS may`, 'shop'))[0]?.['may'], { timeout: 5000 })
      .toBe(true);
  });
});
