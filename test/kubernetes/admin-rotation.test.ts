// The rotation of the admin's own password on a real API server with the shipped Roles: on demand, by age, killed at every step, and refused in every way.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, it } from 'vitest';
import { type Gates, type Moment, MOMENTS, startGates } from '../support/gates.ts';
import { KubeCase } from '../support/kube-case.ts';
import { rememberPassword } from '../support/secrets.ts';

const at = new KubeCase();
const NAME = 'postgres-admin-credentials';
const OLD = 'the-old-password-of-the-admin';
/** Nothing but what a test does makes the daemon open sessions. */
const QUIET = { DRIFT_INTERVAL: '0', MAX_LISTENERS: '0', EVENT_TRIGGERS: 'off' };
/** The Secret alone says the password. */
const ENV = { DB_USER: 'adm', DB_PASS: '', ADMIN_ROTATION: 'on', ADMIN_SECRET: NAME, ...QUIET };
const run = (env: Record<string, string> = {}): Promise<void> => at.run({ ...ENV, ...env });
const ask = (value: string): Promise<void> => annotateSecret({ 'pgsteward.dev/rotate-at': value });

async function annotateSecret(annotations: Record<string, string | null>): Promise<void> {
  expect((await at.kube.api('PATCH', at.path('secrets', NAME), { metadata: { annotations } })).status).toBe(200);
}

interface Shown {
  readonly password: string;
  readonly next: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly version: string;
}
/** The Secret as it is; its passwords are looked for in all that pgsteward says. */
async function shown(): Promise<Shown> {
  const { metadata, data } = (await at.kube.api('GET', at.path('secrets', NAME))).json as {
    metadata: { annotations?: Record<string, string>; resourceVersion: string };
    data: Record<string, string>;
  };
  const text = (key: string): string | undefined => (data[key] === undefined ? undefined : Buffer.from(data[key], 'base64').toString());
  const [password = '', next] = [text('password'), text('password-next')];
  for (const one of [password, next ?? '']) rememberPassword(one);
  expect(text('username')).toBe('adm');
  return { password, next, annotations: metadata.annotations ?? {}, version: metadata.resourceVersion };
}

async function makeSecret(password: string): Promise<void> {
  rememberPassword(password);
  const data = { username: Buffer.from('adm').toString('base64'), password: Buffer.from(password).toString('base64') };
  await at.kube.api('POST', at.path('secrets'), { apiVersion: 'v1', kind: 'Secret', metadata: { name: NAME }, data });
}
const noticesOf = async (): Promise<string[]> =>
  (await at.daemon.status()).notices.filter(({ subject }) => subject === 'adm').map(({ kind, message }) => `${kind}: ${message}`);
const audit = (): Promise<{ change: string; object: string; sql: string; outcome: string }[]> =>
  at.server.query(`SELECT change, object, sql, outcome FROM pgsteward.audit_log WHERE change = 'rotate_admin_password' ORDER BY id`);
/** Whether the rotation that was asked for is done, and nothing of it is left. */
const isDone = async (asked: string): Promise<boolean> => {
  const { next, annotations } = await shown();
  return next === undefined && annotations['pgsteward.dev/rotated-for'] === asked;
};

beforeEach(async () => {
  await at.server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD '${OLD}'; CREATE SCHEMA pgsteward AUTHORIZATION adm`);
  await makeSecret(OLD);
  await at.users([{ username: 'alice' }]);
  await at.secret('alice', 'password-of-alice');
});

it('rotates when somebody asks, once for each asking; new sessions use the new password, and so does a restart that has only the Secret', async () => {
  await at.kube.component(at.namespace, 'admin-rotation');
  await run();
  await at.daemon.ready();
  expect((await at.daemon.cycle()).notices).toEqual([]);
  expect((await shown()).password).toBe(OLD);
  // The tests' server is a Secret of today: thirty days are far.
  const due = await at.metric('admin_rotation_due_timestamp');
  expect(due).toBeGreaterThan(Date.now() / 1000 + 29 * 86_400);
  at.server.mark();
  await ask('after the leak');
  expect((await at.daemon.cycle()).lastCycle?.result).toBe('changed');
  const first = await shown();
  expect(first.password).toMatch(/^[A-Za-z0-9]{32}$/);
  expect([first.next, first.annotations['pgsteward.dev/rotated-for']]).toEqual([undefined, 'after the leak']);
  expect(Date.now() - Date.parse(first.annotations['pgsteward.dev/generated-at'] ?? '')).toBeLessThan(30_000);
  expect([await at.canLogin('adm', OLD), await at.canLogin('adm', first.password)]).toEqual([false, true]);
  expect(at.server.log()).not.toContain(first.password);
  expect(await audit()).toEqual([
    { change: 'rotate_admin_password', object: `adm in secret ${at.namespace}/${NAME}`, sql: `ALTER ROLE "adm" PASSWORD ********`, outcome: 'applied' },
  ]);
  for (let cycle = 0; cycle < 2; cycle += 1) expect((await at.daemon.cycle()).lastCycle?.result).toBe('converged');
  expect((await shown()).version).toBe(first.version);
  // Every session is ended: those that follow log in anew.
  await at.server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'adm'`);
  await at.until(async () => (await at.daemon.status()).role === 'writer' && (await at.daemon.cycle()).lastCycle?.result === 'converged');
  await at.daemon.kill9();
  await run();
  expect((await at.daemon.ready()).lastCycle?.result).toBe('converged');
  expect((await shown()).version).toBe(first.version);
  await ask('once more');
  await at.daemon.cycle();
  const second = await shown();
  expect([second.password === first.password, await at.canLogin('adm', second.password)]).toEqual([false, true]);
});

it('with the right to watch Secrets it rotates as soon as somebody asks', async () => {
  await at.kube.component(at.namespace, 'admin-rotation');
  await at.kube.component(at.namespace, 'bulk-secrets');
  await run();
  await at.daemon.ready();
  await at.until(async () => (await at.metric('watch_connected{watch="secret"}')) === 1);
  await ask('at once');
  await at.until(() => isDone('at once'));
});

it('rotates by age, which counts from its own annotation, and from the making of the Secret without one', async () => {
  await at.kube.component(at.namespace, 'admin-rotation');
  await annotateSecret({ 'pgsteward.dev/generated-at': new Date(Date.now() - 3 * 86_400_000).toISOString() });
  await run({ ADMIN_ROTATION_EVERY: '4d' });
  await at.daemon.ready();
  expect((await at.metric('admin_rotation_due_timestamp')) - Date.now() / 1000).toBeCloseTo(86_400, -2);
  expect((await shown()).password).toBe(OLD);
  await at.daemon.stop();
  await run({ ADMIN_ROTATION_EVERY: '2d' });
  await at.daemon.ready();
  const after = await shown();
  expect(after.annotations).not.toHaveProperty('pgsteward.dev/rotated-for');
  expect([after.password === OLD, await at.canLogin('adm', after.password)]).toEqual([false, true]);
  expect((await at.metric('admin_rotation_due_timestamp')) - Date.now() / 1000).toBeCloseTo(2 * 86_400, -2);
});

async function gated(moment: Moment, act: () => Promise<'goes on' | 'ends'>): Promise<Gates> {
  const gates = await startGates({ kubeconfig: at.kube.kubeconfig(), postgres: at.server.port, secret: NAME, admin: 'adm' }, moment, act);
  await run(gates.env);
  return gates;
}

it.each(MOMENTS)('killed %s it leaves a password that works in the Secret, and the next start logs in with it and finishes', async (moment) => {
  await at.kube.component(at.namespace, 'admin-rotation');
  await ask('for a crash');
  const gates = await gated(moment, async () => {
    at.daemon.process.kill('SIGKILL');
    return Promise.resolve('ends');
  });
  await at.until(() => gates.reached() && at.daemon.process.signalCode === 'SIGKILL', 5);
  await sleep(50);
  gates.close();
  const { password, next } = await shown();
  const step = MOMENTS.indexOf(moment);
  const isAltered = step >= MOMENTS.indexOf('after ALTER');
  const isReplaced = moment === 'after Secret';
  expect([password === OLD, next !== undefined]).toEqual([!isReplaced, step >= MOMENTS.indexOf('after next') && !isReplaced]);
  expect([await at.canLogin('adm', password), await at.canLogin('adm', next ?? '')]).toEqual([!isAltered || isReplaced, isAltered && !isReplaced]);
  await run();
  await at.until(() => isDone('for a crash'));
  const after = await shown();
  expect([after.password === OLD, await at.canLogin('adm', after.password), await at.canLogin('adm', OLD)]).toEqual([false, true, false]);
  expect((await at.daemon.cycle()).lastCycle?.result).toBe('converged');
  expect(await noticesOf()).toEqual([]);
});

it('goes on when PostgreSQL is killed between the new verifier and the login', async () => {
  await at.kube.component(at.namespace, 'admin-rotation');
  await ask('and a crash of the server');
  const gates = await gated('before login', async () => {
    await at.server.kill9();
    await at.server.start();
    return 'goes on';
  });
  await at.until(() => gates.reached() && isDone('and a crash of the server'));
  const { password } = await shown();
  expect([password === OLD, await at.canLogin('adm', password)]).toEqual([false, true]);
  gates.close();
});

it('an instance that stands by from before the rotation takes over after it', async () => {
  await at.kube.component(at.namespace, 'admin-rotation');
  await run();
  await at.daemon.ready();
  const first = at.daemon;
  await run({ STATE_FILE: '/tmp/pgsteward-standby.json' });
  await at.until(async () => (await at.daemon.status().catch(() => undefined))?.role === 'standby');
  await ask('with a standby');
  await first.cycle();
  expect(await isDone('with a standby')).toBe(true);
  await first.kill9();
  await at.until(async () => (await at.daemon.status()).role === 'writer');
  expect((await at.daemon.cycle()).lastCycle?.result).toBe('converged');
  expect(await noticesOf()).toEqual([]);
});

it('sets the old password back when the server refuses a login with the new one, says so, and tries again', async () => {
  await at.kube.component(at.namespace, 'admin-rotation');
  await ask('with a strange pg_hba');
  const file = join(at.server.dataDir, 'pg_hba.conf');
  const hba = readFileSync(file, 'utf8');
  const setHba = async (text: string): Promise<void> => {
    writeFileSync(file, text);
    await at.server.query('SELECT pg_reload_conf()');
    await sleep(300);
  };
  const gates = await gated('after ALTER', async () => {
    await setHba(`host all adm 127.0.0.1/32 reject\n${hba}`);
    return 'goes on';
  });
  try {
    // The attempts that follow fail earlier, as the server lets us in with no password.
    const expected = /^adm: cannot rotate our own password: adm .*a login with the new password fails.*\(28000\).*the old password is in force again/;
    await at.until(() => at.daemon.lines().some(({ level, message }) => level === 'ERROR' && expected.test(message)));
    expect([(await shown()).password, (await shown()).next]).toEqual([OLD, undefined]);
  } finally {
    await setHba(hba);
  }
  expect(await at.canLogin('adm', OLD)).toBe(true);
  expect((await audit()).slice(0, 2).map(({ outcome }) => outcome)).toEqual(['applied', 'failed']);
  await at.until(() => isDone('with a strange pg_hba'));
  expect(await at.canLogin('adm', (await shown()).password)).toBe(true);
  gates.close();
});

it('sets back the very verifier that a superuser can read, also where it is an MD5 hash', async () => {
  await at.kube.component(at.namespace, 'admin-rotation');
  await at.server.query(`ALTER ROLE adm SUPERUSER; SET password_encryption = 'md5'; ALTER ROLE adm PASSWORD '${OLD}'`);
  const stored = (): Promise<object[]> => at.server.query(`SELECT rolpassword FROM pg_authid WHERE rolname = 'adm'`);
  const file = join(at.server.dataDir, 'pg_hba.conf');
  const hba = readFileSync(file, 'utf8');
  writeFileSync(file, `host all adm 127.0.0.1/32 md5\n${hba}`);
  await at.server.query('SELECT pg_reload_conf()');
  await sleep(300);
  const before = await stored();
  await ask('with MD5');
  const gates = await gated('before login', async () => {
    // A role that may have no session more: the test login fails, and says nothing about the password.
    await at.server.query('ALTER ROLE adm NOSUPERUSER CONNECTION LIMIT 0');
    return 'goes on';
  });
  try {
    await at.daemon.ready();
    await at.until(async () => (await noticesOf()).length > 0);
    expect((await noticesOf())[0]).toContain('too many connections for role "adm"');
    expect(await stored()).toEqual(before);
    await at.server.query('ALTER ROLE adm CONNECTION LIMIT -1');
    await at.until(() => isDone('with MD5'));
  } finally {
    writeFileSync(file, hba);
    await at.server.query('SELECT pg_reload_conf()');
  }
  gates.close();
});

it('without the component it names the right that is missing, leaves everything as it is, and goes on when the right is there', async () => {
  await ask('without a right');
  await run();
  await at.daemon.ready();
  const [notice] = await noticesOf();
  expect(notice).toMatch(/^cannot: cannot rotate our own password/);
  expect(notice).toContain(`we may not patch secrets ${NAME} in namespace ${at.namespace}; the Role needs the verb patch on secrets`);
  expect((await at.daemon.status()).lastCycle?.result).toBe('incomplete');
  expect([(await shown()).password, await at.canLogin('adm', OLD), await at.exists('alice')]).toEqual([OLD, true, true]);
  await at.kube.component(at.namespace, 'admin-rotation');
  await at.until(() => isDone('without a right'));
});

it('a dry run and a pause say what they would do and write nothing', async () => {
  await at.kube.component(at.namespace, 'admin-rotation');
  await ask('not now');
  await at.annotate({ 'pgsteward.dev/paused': 'true' });
  const { version } = await shown();
  for (const [env, mark] of [
    [{}, '[PAUSED]'],
    [{ DRY_RUN: 'true' }, '[DRY-RUN]'],
  ] as const) {
    await run(env);
    await at.daemon.ready();
    await at.daemon.cycle();
    expect(at.daemon.lines().map(({ message }) => message)).toContain(
      `${mark} Would rotate our own password: adm (in secret ${at.namespace}/${NAME}: somebody asked for it)`,
    );
    await at.daemon.kill9();
  }
  expect([(await shown()).version, await at.canLogin('adm', OLD)]).toEqual([version, true]);
});

it('refuses to rotate what no login could prove, what an operator keeps, and what is not the password', async () => {
  await at.kube.component(at.namespace, 'admin-rotation');
  await at.kube.api('PATCH', at.path('secrets', NAME), {
    metadata: { ownerReferences: [{ apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster', name: 'main', uid: '1-2-3', controller: true }] },
  });
  await ask('please');
  await run();
  await at.daemon.ready();
  expect((await noticesOf())[0]).toMatch(/^refused: .* belongs to Cluster main/);
  await at.kube.api('PATCH', at.path('secrets', NAME), { metadata: { ownerReferences: null } });

  // Somebody writes another value into the Secret, which the server does not know.
  await at.kube.api('PATCH', at.path('secrets', NAME), { data: { password: Buffer.from('not-the-password').toString('base64') } });
  await at.daemon.cycle();
  expect((await noticesOf())[0]).toMatch(/^cannot: .*the server refuses a login with what the Secret holds under password .*28P01/);
  await at.daemon.kill9();
  // A start without the right password in the Secret falls back on the other sources.
  await annotateSecret({ 'pgsteward.dev/rotate-at': null });
  await run({ DB_PASS: OLD });
  await at.daemon.ready();
  expect((await noticesOf())[0]).toMatch(/^failed: .*does not hold our own password .*28P01/);
  await at.daemon.kill9();

  const file = join(at.server.dataDir, 'pg_hba.conf');
  const hba = readFileSync(file, 'utf8');
  writeFileSync(file, `host all adm 127.0.0.1/32 trust\n${hba}`);
  try {
    await at.server.query('SELECT pg_reload_conf()');
    await sleep(300);
    await ask('under trust');
    await run();
    await at.daemon.ready();
    expect((await noticesOf())[0]).toMatch(/^cannot: .*the server lets us in with any password/);
    expect([(await shown()).password, (await shown()).next]).toEqual(['not-the-password', undefined]);
  } finally {
    writeFileSync(file, hba);
    await at.server.query('SELECT pg_reload_conf()');
  }
});

it('starts without the API server from the mounted file, also from the next key in its folder, and finishes when the API server is back', async () => {
  await at.kube.component(at.namespace, 'admin-rotation');
  const folder = at.server.dataDir;
  const [file, next] = [join(folder, '..', 'password'), join(folder, '..', 'password-next')];
  writeFileSync(file, OLD);
  writeFileSync(next, 'the-next-password-of-the-admin\n');
  rememberPassword('the-next-password-of-the-admin');
  // As a crash after the new verifier leaves it.
  await at.kube.api('PATCH', at.path('secrets', NAME), { data: { 'password-next': Buffer.from('the-next-password-of-the-admin').toString('base64') } });
  await at.server.query(`ALTER ROLE adm PASSWORD 'the-next-password-of-the-admin'`);
  at.kube.pause();
  try {
    await run({ DB_PASS_FILE: file });
    await at.until(async () => (await at.daemon.status().catch(() => undefined))?.role === 'writer');
  } finally {
    at.kube.resume();
  }
  await at.until(async () => {
    await at.daemon.cycle();
    return (await shown()).next === undefined;
  }, 200);
  expect((await shown()).password).toBe('the-next-password-of-the-admin');
});
