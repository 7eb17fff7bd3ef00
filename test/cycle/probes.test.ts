// Probes: passwords that were changed by hand are found without pg_authid, and what cannot be told changes nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { CycleReport } from '../../src/steward/report.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { serverForAll } from '../support/lifecycle.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { startHoldingProxy } from '../support/delaying-proxy.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';
import { withTls } from '../support/tls.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { log_connections: 'on' },
  (started) => (server = started),
  () => steward,
);

/** A cycle may sweep each time it is asked to. */
const OFTEN = { SYNC_INTERVAL: '0.001' };
const PASSWORDS = new Map(['alice', 'bob', 'carol', 'dave'].map((name) => [name, `password of ${name}`]));
const start = async (mode: string, env: Record<string, string> = {}, more: Record<string, object> = {}): Promise<void> => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; CREATE SCHEMA pgsteward AUTHORIZATION adm`);
  steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', PASSWORD_PROBE: mode, ...OFTEN, ...env });
  steward.manifests.users([...PASSWORDS.keys()].map((username) => ({ username, ...more[username] })));
  steward.manifests.secrets(PASSWORDS);
  expect((await steward.cycle()).error).toBe(undefined);
};
const next = async (): Promise<CycleReport> => {
  await sleep(5);
  return steward.cycle();
};
const canLogin = (user: string): Promise<boolean> =>
  server.client('postgres', { user, password: PASSWORDS.get(user) ?? '' }).then(
    (client) => client.end().then(() => true),
    () => false,
  );
const changed = (report: CycleReport): string[] =>
  report.planned.flatMap((change) => (change.kind === 'set_password' && change.reason === 'drift' ? [change.role] : []));
/** Lines before the server's own rules, for as long as `work` takes. */
const withHba = async (lines: readonly string[], work: () => Promise<void>): Promise<void> => {
  const file = join(server.dataDir, 'pg_hba.conf');
  const before = readFileSync(file, 'utf8');
  const write = async (text: string): Promise<void> => {
    writeFileSync(file, text);
    await server.query('SELECT pg_reload_conf()');
    await sleep(200);
  };
  await write(`${lines.join('\n')}\n${before}`);
  try {
    await work();
  } finally {
    await write(before);
  }
};

it('salt finds a password that was changed, removed or made an MD5 hash, and sets it again; nobody fails to log in', async () => {
  await start('salt');
  server.mark();
  expect((await next()).probes).toEqual({ same: 4, differs: 0, unknown: 0 });
  const settled = await next();
  expect([settled.unchanged, settled.probes]).toEqual([true, { same: 4, differs: 0, unknown: 0 }]);
  expect(ddlOf(server.log())).toEqual([]);
  await server.query(`SET password_encryption = 'md5'; ALTER ROLE carol PASSWORD 'hijack'`);
  await server.query(`ALTER ROLE alice PASSWORD 'hijack'; ALTER ROLE bob PASSWORD NULL`);
  server.mark();
  const preview = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', PASSWORD_PROBE: 'salt', DRY_RUN: 'true' }, steward.manifests);
  expect(changed(await preview.cycle())).toEqual(['alice', 'bob', 'carol']);
  expect(ddlOf(server.log())).toEqual([]);
  const report = await next();
  expect([changed(report), report.drift.length, report.notices]).toEqual([['alice', 'bob', 'carol'], 3, []]);
  expect(await Promise.all([...PASSWORDS.keys()].map(canLogin))).toEqual([true, true, true, true]);
  expect([(await next()).result, (await next()).planned]).toEqual(['converged', []]);
  expect(server.log()).not.toMatch(/FATAL|connection authorized: user=(alice|bob|carol|dave) .*application_name=pgsteward/);
});

it('login finds a wrong password only, tries each user once a cycle and not again soon after it failed', async () => {
  await start('login', {}, { dave: { connectionLimit: 1 } });
  const held = await server.client('postgres', { user: 'dave', password: PASSWORDS.get('dave') ?? '' });
  server.mark();
  const first = await next();
  expect([first.probes, first.result]).toEqual([{ same: 3, differs: 0, unknown: 1 }, 'converged']);
  expect(first.notices).toEqual([
    expect.objectContaining({ kind: 'fallback', message: expect.stringContaining('1 user(s) (dave): the server answers 53300') as string }),
  ]);
  await held.end();
  await server.query(`ALTER ROLE alice PASSWORD 'hijack'; ALTER ROLE bob PASSWORD '${PASSWORDS.get('bob')}'`);
  server.mark();
  expect(changed(await next())).toEqual(['alice']);
  expect(await canLogin('alice')).toBe(true);
  await server.query(`ALTER ROLE alice PASSWORD 'again'`);
  expect([changed(await next()), changed(await next())]).toEqual([[], []]);
  expect(server.log().match(/FATAL: {2}password authentication failed for user "alice"/g)).toHaveLength(1);
});

it.each(['salt', 'login'])('%s computes no verifier for half an hour, neither one that a user stored nor one that a Secret held before', async (mode) => {
  const key = `${'A'.repeat(43)}=`;
  const endless = `SCRAM-SHA-256$30000000:AAAA$${key}:${key}`;
  await start(mode);
  // A user can store it by itself, but the server computes it once then.
  const operator = await server.client();
  await operator.query(`SET log_statement = 'none'`);
  await operator.query(`UPDATE pg_authid SET rolpassword = '${endless}' WHERE rolname = 'alice'`);
  await operator.end();
  await server.query(`UPDATE pgsteward.managed_role SET witness_iterations = 30000000, witness_version = 'other' WHERE name = 'bob'`);
  const from = performance.now();
  const report = await next();
  expect(performance.now() - from).toBeLessThan(6000);
  expect([changed(report), report.outcomes.map(({ result }) => result)]).toEqual([['alice'], ['applied', 'applied']]);
  expect([await canLogin('alice'), await canLogin('bob')]).toEqual([true, true]);
});

it.each(['salt', 'login'])('%s tells nothing of expired users and where pg_hba.conf asks for something else, and says so', async (mode) => {
  await start(mode, {}, { alice: { validUntil: '2020-01-01' } });
  await withHba(['host all bob all trust', 'host all carol all reject', 'host all dave all password'], async () => {
    server.mark();
    const report = await next();
    expect([changed(report), report.probes]).toEqual([[], { same: 0, differs: 0, unknown: 3 }]);
    expect(report.notices.map((notice) => [notice.kind, notice.message.replace(/;.*/, '')])).toEqual([
      ['fallback', `PASSWORD_PROBE=${mode} tells nothing of 1 user(s) (bob): the server asks for no password at all`],
      ['fallback', `PASSWORD_PROBE=${mode} tells nothing of 1 user(s) (carol): the server answers 28000`],
      ['fallback', `PASSWORD_PROBE=${mode} tells nothing of 1 user(s) (dave): the server asks for the password itself`],
    ]);
    // They are not asked again in the next cycle.
    expect((await next()).probes).toEqual({ same: 0, differs: 0, unknown: 0 });
  });
});

it('login tries no password that node-postgres reads otherwise than the server, for it would find the right one wrong', async () => {
  // The key is newer than Unicode 3.2, so the server takes the text as it is; node-postgres leaves out the variation selector behind it.
  PASSWORDS.set('erin', 'key \u{1F5DD}\uFE0F');
  try {
    await start('login');
    server.mark();
    const report = await next();
    expect([changed(report), report.probes]).toEqual([[], { same: 4, differs: 0, unknown: 1 }]);
    expect(report.notices).toMatchObject([{ kind: 'fallback', message: expect.stringContaining('otherwise than the server') as string }]);
    expect(server.log()).not.toContain('authentication failed');
  } finally {
    PASSWORDS.delete('erin');
  }
});

it('nothing is probed when it is off, and where pg_authid can be read', async () => {
  await start('off');
  await server.query(`ALTER ROLE alice PASSWORD 'hijack'`);
  const blind = await next();
  expect([changed(blind), blind.probes]).toEqual([[], { same: 0, differs: 0, unknown: 0 }]);
  steward = await steward.restart({ DB_USER: server.user, DB_PASS: server.password, PASSWORD_PROBE: 'salt' });
  const seeing = await steward.cycle();
  expect([changed(seeing), seeing.probes]).toEqual([['alice'], { same: 0, differs: 0, unknown: 0 }]);
});

it('a password that is changed again while we set it is said not to converge, and is backed off', async () => {
  await start('salt');
  await server.query(`ALTER ROLE alice PASSWORD 'hijack'`);
  // Whatever is set, the server holds something else by the time it is looked at.
  const proxy = await startHoldingProxy(server.port, async (sent) => {
    if (/ALTER ROLE "alice".* PASSWORD/.test(sent)) await server.query(`ALTER ROLE alice PASSWORD 'again'`);
  });
  steward = await steward.restart({ DB_PORT: String(proxy.port), DB_SSLMODE: 'disable' });
  const report = await next();
  expect(changed(report)).toEqual(['alice']);
  expect(report.outcomes.filter((outcome) => outcome.change.kind === 'set_password')).toHaveLength(1);
  expect(report.notices.map((notice) => notice.kind)).toEqual(['not_converging']);
  await proxy.close();
});

it('a server that delays failed logins is left alone after the first probes, so that it keeps slots for others', async () => {
  const delaying = await startPostgres({ settings: { shared_preload_libraries: 'auth_delay', 'auth_delay.milliseconds': '5000', max_connections: '20' } });
  const other = server;
  server = delaying;
  try {
    const names = Array.from({ length: 40 }, (_, index) => `user-${index}`);
    await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; CREATE SCHEMA pgsteward AUTHORIZATION adm`);
    const guest = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', PASSWORD_PROBE: 'salt', ...OFTEN });
    guest.manifests.users(names.map((username) => ({ username })));
    guest.manifests.secrets(new Map(names.map((name) => [name, `password of ${name}`])));
    await guest.cycle();
    const report = await guest.cycle();
    expect(changed(report)).toEqual([]);
    expect(report.probes.unknown).toBeLessThanOrEqual(4);
    expect(report.notices).toEqual([expect.objectContaining({ kind: 'fallback', message: expect.stringContaining('auth_delay') as string })]);
    const clients = await Promise.all(Array.from({ length: 8 }, () => server.client()));
    await Promise.all(clients.map((client) => client.end()));
    await guest.close();
  } finally {
    server = other;
    await delaying.stop();
  }
  await start('off');
});

it('goes over TLS as the other connections do, and counts its probes by outcome', async () => {
  const hba = ['hostnossl all alice,bob,carol,dave all reject'];
  const work = async (rootFile: string): Promise<void> => {
    await start('salt', { DB_HOST: 'localhost', DB_SSLMODE: 'verify-full', DB_SSL_ROOT_CERT: rootFile });
    expect((await next()).probes).toEqual({ same: 4, differs: 0, unknown: 0 });
    steward = await steward.restart({ PASSWORD_PROBE: 'login' });
    expect((await steward.cycle()).probes).toEqual({ same: 4, differs: 0, unknown: 0 });
    await server.query(`ALTER ROLE alice PASSWORD 'hijack'`);
    const metrics = createMetrics();
    const report = await next();
    metrics.record(report);
    expect(changed(report)).toEqual(['alice']);
    // The second look at alice is by the salt of what was set.
    const text = await metrics.registry.metrics();
    for (const [outcome, count] of [
      ['same', 4],
      ['differs', 1],
      ['unknown', 0],
    ] as const)
      expect(text).toContain(`postgres_controller_password_probes_total{outcome="${outcome}"} ${count}`);
  };
  await withTls(server, (rootFile) => withHba(hba, () => work(rootFile)));
});
