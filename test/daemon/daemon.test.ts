// The daemon as a process: it waits for what is not there, answers over HTTP, has one writer, and ends cleanly in the middle of anything.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { readSettings } from '../../src/config.ts';
import { type Daemon, daemonEnv, Manifests, ROOT, startDaemon } from '../support/daemon.ts';
import { freePort, type Postgres, startPostgres } from '../support/postgres.ts';
import { resetServer } from '../support/steward.ts';

let server: Postgres;
let manifests: Manifests;
const daemons: Daemon[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
afterEach(async () => {
  await Promise.all(daemons.splice(0).map((daemon) => daemon.kill9()));
  manifests.remove();
  await resetServer(server);
});

const start = async (env: Record<string, string> = {}): Promise<Daemon> => {
  const daemon = await startDaemon(daemonEnv(server, manifests.folder, env));
  daemons.push(daemon);
  return daemon;
};
const prepare = (users: readonly object[] = [{ username: 'alice', roles: ['read_only'] }]): void => {
  manifests = new Manifests();
  manifests.users(users);
  manifests.secrets(new Map(users.map((user) => [(user as { username: string }).username, 'p'])));
};
/** The limit is for a machine that has much else to do. */
const until = async (check: () => Promise<boolean> | boolean): Promise<void> => {
  for (const end = Date.now() + 100_000; !(await check()); await sleep(20)) if (Date.now() > end) throw new Error('not within 100 s');
};

it('serves metrics, health, readiness and status, and logs JSON with the four fields', async () => {
  prepare([{ username: 'alice', roles: ['read_only'] }, { username: 'lost' }]);
  manifests.secret('lost', undefined);
  const daemon = await start();
  await daemon.ready();
  expect(await daemon.get('/healthz')).toMatchObject({ code: 200 });
  expect(await daemon.get('/readyz')).toMatchObject({ code: 200 });
  const { body } = await daemon.get('/metrics');
  for (const name of ['reconciliations_total 1', 'users_managed 1', 'roles_managed 1', 'errors_total 1', 'drift_total 0', 'users_without_secret 1'])
    expect(body).toContain(`postgres_controller_${name}`);
  expect(body).toMatch(/postgres_controller_last_reconciliation_timestamp \d+/);
  expect((await daemon.status()).notices).toEqual([expect.objectContaining({ kind: 'secret', subject: 'lost' })]);
  for (const line of daemon.lines())
    expect(line).toMatchObject({
      timestamp: expect.stringMatching(/Z$/) as string,
      level: expect.stringMatching(/^[A-Z]+$/) as string,
      module: 'pgsteward',
      message: expect.any(String) as string,
    });
});

it('starts before the database is there, and survives its restart', async () => {
  prepare();
  await server.kill9();
  const daemon = await start({ SYNC_INTERVAL: '0.5' });
  await until(async () => (await daemon.get('/healthz').catch(() => ({ code: 0 }))).code === 200);
  expect((await daemon.status()).role).not.toBe('writer');
  await server.start();
  await until(async () => (await daemon.status()).lastCycle?.result === 'converged');
  await server.kill9();
  await server.start();
  await server.query('ALTER ROLE alice NOLOGIN');
  await until(async () => (await server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'alice' AND rolcanlogin`)).length === 1);
});

it('lets one instance write, and the second takes over when it dies', async () => {
  prepare();
  const first = await start({ SYNC_INTERVAL: '1' });
  await first.ready();
  const second = await start({ SYNC_INTERVAL: '1', STATE_FILE: `${manifests.folder}/.state2.json` });
  await until(async () => (await second.status().catch(() => undefined))?.role === 'standby');
  expect((await second.get('/readyz')).code).toBe(200);
  await sleep(1500);
  expect((await second.status()).lastCycle).toBe(null);
  await first.kill9();
  await until(async () => (await second.status()).role === 'writer');
});

it('ends within ten seconds of SIGTERM, also while the server hangs', async () => {
  prepare(Array.from({ length: 300 }, (_, index) => ({ username: `user-${index}` })));
  const daemon = await start();
  await until(async () => (await server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'user-1'`)).length === 1);
  server.pause();
  const began = Date.now();
  expect(await daemon.stop()).toBe(0);
  server.resume();
  expect(Date.now() - began).toBeLessThan(10_000);
});

it('refuses bad settings all at once, with exit code 1 and without the password', async () => {
  prepare();
  const daemon = await startDaemon({
    ...daemonEnv(server, manifests.folder),
    DB_PORT: 'many',
    SYNC_INTERVAL: '-1',
    DB_PASS: 'sesame',
    DELETION_POLICY: 'burn',
  });
  const code = await new Promise((resolve) => daemon.process.once('exit', resolve));
  expect(code).toBe(1);
  for (const name of ['DB_PORT=many', 'SYNC_INTERVAL=-1', 'DELETION_POLICY=burn']) expect(daemon.output()).toContain(name);
  expect(daemon.output()).not.toContain('sesame');
});

it('refuses arguments with exit code 1, says nothing of their values, and touches nothing', async () => {
  prepare();
  const daemon = await startDaemon(daemonEnv(server, manifests.folder), [`${ROOT}/src/main.ts`, '--dry-run', '--password=sesame']);
  expect(await new Promise((resolve) => daemon.process.once('exit', resolve))).toBe(1);
  expect(daemon.output()).toContain('unknown argument(s): --dry-run --password; every setting is a variable of the environment, as DRY_RUN=true');
  expect(daemon.output()).not.toContain('sesame');
  expect(await server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'alice'`)).toEqual([]);
});

it('refuses DB_PASS and DB_PASS_FILE together, but for the rotation that tries both', () => {
  const both = { DB_PASS: 'sesame', DB_PASS_FILE: '/etc/password' };
  expect(() => readSettings(both)).toThrow(
    /^the environment has 1 bad setting\(s\): DB_PASS and DB_PASS_FILE=\/etc\/password are both set, and only one of them can be meant$/,
  );
  for (const one of ['DB_PASS', 'DB_PASS_FILE'] as const) expect(readSettings({ [one]: both[one] })[one]).toBe(both[one]);
  expect(readSettings({ ...both, ADMIN_ROTATION: 'on', ADMIN_SECRET: 's' }).DB_PASS).toBe('sesame');
});

it('says in a dry run what it would do, line by line, and stays out of the writer lock', async () => {
  prepare();
  const daemon = await start({ DRY_RUN: 'true' });
  await daemon.ready();
  const lines = daemon.lines().map((line) => line.message);
  expect(lines).toContain('[DRY-RUN] Would create role: read_only');
  expect(lines).toContain('[DRY-RUN] Would create user: alice with roles [read_only]');
  expect(await server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'alice'`)).toEqual([]);
});

it('reads the admin password afresh from DB_PASS_FILE at each connect', async () => {
  prepare();
  const file = `${manifests.folder}/.admin-password`;
  writeFileSync(file, `${server.password}\n`);
  const { DB_PASS: _, ...env } = daemonEnv(server, manifests.folder, { DB_PASS_FILE: file, SYNC_INTERVAL: '1', HTTP_PORT: String(await freePort()) });
  const daemon = await startDaemon(env);
  daemons.push(daemon);
  expect((await daemon.ready()).lastCycle?.result).toBe('changed');
  rmSync(file);
});

it('shows no password and no verifier anywhere, with every level of logging on and statements that fail', async () => {
  const users = ['alice', 'broken', 'bob'].map((username) => ({ username, ...(username === 'broken' ? { settings: { work_mem: 'a lot' } } : {}) }));
  prepare(users);
  const secrets = new Map(users.map(({ username }, index) => [username, `Sesam-${index}-öffne-dich`]));
  manifests.secrets(secrets);
  server.mark();
  const daemon = await start({ LOG_LEVEL: 'trace' });
  await daemon.ready();
  manifests.secret('bob', 'Sesam-9-rotiert');
  await daemon.cycle();
  const verifiers = (await server.query<{ v: string }>(`SELECT rolpassword AS v FROM pg_authid WHERE rolname IN ('alice', 'broken', 'bob')`)).map(
    (row) => row.v,
  );
  expect(verifiers).toHaveLength(3);
  const rows = await server.query(`SELECT to_jsonb(a)::text FROM pgsteward.audit_log a UNION ALL SELECT to_jsonb(m)::text FROM pgsteward.managed_role m`);
  const shown = [
    daemon.output(),
    (await daemon.get('/status')).body,
    (await daemon.get('/metrics')).body,
    readFileSync(`${manifests.folder}/.state.json`, 'utf8'),
    JSON.stringify(rows),
  ].join('\n');
  for (const secret of [...secrets.values(), 'Sesam-9-rotiert']) {
    expect(shown).not.toContain(secret);
    expect(server.log()).not.toContain(secret);
  }
  for (const verifier of verifiers) for (const part of verifier.split(/[$:]/).slice(3)) expect(shown).not.toContain(part);
  expect(shown).not.toContain('SCRAM-SHA-256$');
});
