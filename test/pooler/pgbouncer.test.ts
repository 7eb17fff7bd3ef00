// PgBouncer in transaction mode between pgsteward and the server: the same behaviour, one writer included.
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createAdminLogin } from '../../src/steward/admin-login.ts';
import { createAdminRotation } from '../../src/steward/admin-rotation.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { unprivileged } from '../support/binaries.ts';
import { type Daemon, daemonEnv, Manifests, startDaemon } from '../support/daemon.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { freePort, type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward } from '../support/steward.ts';

let server: Postgres;
let pooler: ChildProcess;
let port = 0;
const folder = mkdtempSync(join(tmpdir(), 'pgsteward-pooler-'));
beforeAll(async () => {
  server = await startPostgres();
  port = await freePort();
  const config = join(folder, 'pgbouncer.ini');
  writeFileSync(join(folder, 'users.txt'), `"postgres" "${server.password}"\n`);
  writeFileSync(
    config,
    `[databases]\n* = host=127.0.0.1 port=${server.port}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=${port}\nunix_socket_dir=\nauth_type=scram-sha-256\nauth_file=${join(folder, 'users.txt')}\npool_mode=transaction\ndefault_pool_size=4\n`,
  );
  const account = unprivileged();
  if (account !== undefined) for (const path of [folder, config, join(folder, 'users.txt')]) chownSync(path, account.uid, account.gid);
  pooler = spawn('pgbouncer', [config], { ...account, stdio: 'ignore', env: { PATH: `${process.env['PATH']}:/usr/sbin` } });
  process.on('exit', () => void pooler.kill('SIGKILL'));
  await new Promise((resolve, reject) => {
    pooler.once('error', () => reject(new Error('pgbouncer is not installed; on Debian: apt-get install pgbouncer')));
    setTimeout(resolve, 500);
  });
});
afterAll(async () => {
  pooler.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
  await server.stop();
});

it('creates, converges and removes, and the second instance waits until the first is gone', async () => {
  const manifests = new Manifests();
  const users = Array.from({ length: 20 }, (_, index) => ({ username: `user-${index}`, roles: ['team'] }));
  manifests.users(users);
  manifests.secrets(new Map(users.map(({ username }) => [username, 'p'])));
  const start = (more: Record<string, string> = {}): Promise<Daemon> =>
    startDaemon({ ...daemonEnv(server, manifests.folder, more), DB_PORT: String(port), SYNC_INTERVAL: '1' });
  const first = await start();
  expect((await first.ready()).lastCycle?.result).toBe('changed');
  await (await server.client('postgres', { user: 'user-19', password: 'p' })).end();
  const second = await start({ STATE_FILE: join(folder, 'second.json') });
  for (const end = Date.now() + 10_000; (await second.status().catch(() => undefined))?.role !== 'standby' && Date.now() < end;) await sleep(50);
  await sleep(3000);
  expect((await second.status()).role).toBe('standby');
  expect((await first.status()).role).toBe('writer');
  await first.kill9();
  for (const end = Date.now() + 5000; (await second.status()).role !== 'writer' && Date.now() < end;) await sleep(50);
  expect((await second.status()).role).toBe('writer');
  manifests.users(users.slice(1));
  for (const end = Date.now() + 10_000; Date.now() < end; await sleep(100))
    if ((await server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'user-0'`)).length === 0) break;
  expect(await server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'user-0'`)).toEqual([]);
  await second.kill9();
  manifests.remove();
});

it('probes no password through a pooler, which answers with salts of its own, and says so', async () => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; DROP SCHEMA IF EXISTS pgsteward CASCADE; CREATE SCHEMA pgsteward AUTHORIZATION adm`);
  const manifests = new Manifests();
  manifests.users([{ username: 'probed' }]);
  manifests.secret('probed', 'a password that is probed');
  appendFileSync(join(folder, 'users.txt'), `"adm" "adm"\n"probed" "a password that is probed"\n`);
  pooler.kill('SIGHUP');
  await sleep(500);
  const daemon = await startDaemon({
    ...daemonEnv(server, manifests.folder, { DB_USER: 'adm', DB_PASS: 'adm', PASSWORD_PROBE: 'salt' }),
    DB_PORT: String(port),
    SYNC_INTERVAL: '0.2',
  });
  await daemon.ready();
  await sleep(1500);
  const { notices } = await daemon.status();
  expect(notices.map(({ kind, message }) => [kind, message.slice(0, 34)])).toEqual([['fallback', 'PASSWORD_PROBE=salt is not used, a']]);
  expect(await server.query(`SELECT count(*)::int AS times FROM pgsteward.audit_log WHERE change = 'set_password'`)).toEqual([{ times: 1 }]);
  await daemon.kill9();
  manifests.remove();
  await server.query(`DROP ROLE probed; DROP SCHEMA pgsteward CASCADE; DROP ROLE adm`);
});

it('hears nothing through a transaction pooler, says so, leaves nothing in the sessions of others, and finds changes by looking', async () => {
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE TABLE goods (id int)', 'shop');
  const manifests = new Manifests();
  manifests.users(
    'roles: [{name: reader, grants: [{database: shop, schemas: [public], tables: {goods: [SELECT]}}]}]\nusers: [{username: web, login: false, roles: [reader]}]',
  );
  const daemon = await startDaemon({ ...daemonEnv(server, manifests.folder, { DRIFT_INTERVAL: '1' }), DB_PORT: String(port), SYNC_INTERVAL: '3600' });
  const settled = async (accept: () => Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + 15_000; !(await accept()) && Date.now() < end;) await sleep(100);
    expect(await accept()).toBe(true);
  };
  await daemon.ready();
  await settled(async () => (await daemon.cycle()).notices.some(({ kind, message }) => kind === 'fallback' && message.includes('pooler')));
  await server.query('GRANT INSERT ON goods TO reader', 'shop');
  await settled(async () => (await server.query(`SELECT has_table_privilege('reader', 'goods', 'INSERT') AS may`, 'shop'))[0]?.['may'] === false);
  const left = await server.query(`SELECT FROM pg_stat_activity WHERE query ILIKE '%LISTEN pgsteward%' AND pid <> pg_backend_pid()`);
  expect(left).toEqual([]);
  await daemon.kill9();
  manifests.remove();
});

it('a pooler that keeps passwords itself refuses the new one of the admin: the old one is set back, and nobody is locked out', async () => {
  const old = 'the old password behind a pooler';
  await server.query(`CREATE ROLE keeper LOGIN PASSWORD '${old}'`);
  appendFileSync(join(folder, 'users.txt'), `"keeper" "${old}"\n`);
  pooler.kill('SIGHUP');
  await sleep(500);
  const store = createMemoryStore({ password: old });
  store.edit({ password: old }, { 'pgsteward.dev/rotate-at': 'now' });
  const config = readConfig({ ADMIN_ROTATION: 'on', ADMIN_SECRET: 'admin', DB_USER: 'keeper', DB_HOST: server.host, DB_PORT: String(port) });
  const login = createAdminLogin(config, store);
  const connections = createConnections(config.server, () => undefined, login);
  const rotation = createAdminRotation({ config, store, connections, login });
  const { outcomes, notices } = await rotation.run('SELECT 1', false, new AbortController().signal);
  expect(outcomes[0]?.result).toBe('failed');
  expect(notices[0]?.message).toMatch(/a login with the new password fails .* the old password is in force again/);
  expect(store.values()).toEqual({ password: old });
  await (await server.client('postgres', { user: 'keeper', password: old })).end();
  await connections.close();
  await server.query('DROP ROLE keeper');
});

it('what another client of our login left in the sessions behind the pooler, SET ROLE and parameters, changes nothing', async () => {
  await server.query('CREATE ROLE weak');
  const others = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const other = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password: server.password, database: 'postgres' });
      await other.connect();
      // A transaction that is open keeps the server's session to itself: so each has another one.
      await other.query('BEGIN');
      await other.query(`SET SESSION ROLE weak; SET SESSION search_path = evil; SET SESSION transform_null_equals = on; SET SESSION quote_all_identifiers = on;
        SET SESSION default_transaction_isolation = serializable`);
      return other;
    }),
  );
  for (const other of others) await other.query('COMMIT');
  expect((await others[0]?.query('SELECT current_user AS name'))?.rows).toEqual([{ name: 'weak' }]);
  for (const other of others) await other.end();
  const steward = await createSteward(server, { DB_PORT: String(port), DB_POOL_MAX_CONN: '3' });
  steward.manifests.users([{ username: 'alice', login: false, roles: ['team'] }]);
  const report = await steward.cycle();
  expect([report.result, report.error, report.notices, steward.warnings]).toEqual(['changed', undefined, [], []]);
  expect((await steward.cycle()).result).toBe('converged');
  expect(await server.query(`SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'pgsteward'`)).toEqual([{ tableowner: 'postgres' }]);
  await steward.close();
});
