// Rotation of generated passwords on a real API server: in place and with two users, under load, after kills, and when it has to wait.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { KubeCase } from '../support/kube-case.ts';
import { kubeSecrets, loginBy } from '../support/kube-secrets.ts';

const at = new KubeCase();
const secrets = kubeSecrets(at);
const ROTATIONS = Number(process.env['ROTATIONS'] ?? 15);
const CLIENTS = 20;

/** The tests' server speaks no TLS. */
const run = (env: Record<string, string> = {}): Promise<void> => at.run({ CONNECTION_SSLMODE: 'disable', ...env });
const web = (rotation: object, more: object = {}): object => ({ username: 'web', password: { generate: {} }, connectionSecret: 'web-db', rotation, ...more });
const twoUsers = (overlap = '2s'): object => ({ strategy: 'two-users', overlap });
const withRights = async (): Promise<void> => {
  await at.kube.component(at.namespace, 'connection-secrets');
  await at.kube.component(at.namespace, 'bulk-secrets');
};
const connected = async (): Promise<{ login: string; works: string } | undefined> => loginBy((await secrets.valuesOf('web-db'))['uri']);
const rotatedFor = async (): Promise<string | undefined> => (await secrets.secretAt('user-web-secret'))?.metadata.annotations?.['pgsteward.dev/rotated-for'];
const ask = (value: string): Promise<void> => secrets.annotate('user-web-secret', { 'pgsteward.dev/rotate-at': value });
const role = async (name: string): Promise<{ login: boolean; until: Date | null; password: boolean } | undefined> =>
  (
    await at.server.query<{ login: boolean; until: Date | null; password: boolean }>(
      `SELECT rolcanlogin AS login, NULLIF(rolvaliduntil, 'infinity') AS until, rolpassword IS NOT NULL AS password FROM pg_authid WHERE rolname = '${name}'`,
    )
  )[0];

/** Programs that read the connection Secret and connect anew, again and again. @returns how often, and how often in vain. */
function startClients(): { readonly stop: () => Promise<{ logins: number; failed: number }> } {
  let isOver = false;
  const count = { logins: 0, failed: 0 };
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (!isOver) {
      const found = await connected();
      count.logins += 1;
      if (found?.works !== 'web') count.failed += 1;
      await sleep(50);
    }
  });
  return {
    stop: async () => {
      isOver = true;
      await Promise.all(clients);
      return count;
    },
  };
}

it.each([
  ['two-users', twoUsers()],
  ['in-place', {}],
])(
  'programs that read the connection Secret and reconnect log in throughout many rotations: %s',
  async (strategy, rotation) => {
    await withRights();
    await at.users([web(rotation)]);
    await run();
    await at.daemon.ready();
    await at.until(async () => (await connected())?.works === 'web');
    const clients = startClients();
    for (let count = 1; count <= ROTATIONS; count += 1) {
      const before = (await secrets.valuesOf('web-db'))['password'];
      await ask(String(count));
      await at.until(async () => (await rotatedFor()) === String(count) && (await secrets.valuesOf('web-db'))['password'] !== before, 20);
      await sleep(100);
    }
    const { logins, failed } = await clients.stop();
    process.stdout.write(`${strategy}: ${ROTATIONS} rotations, ${logins} logins, ${failed} failed\n`);
    expect(logins).toBeGreaterThan(ROTATIONS);
    // In place nothing but a fraction of a second separates the old password from the new one in the Secret.
    expect(failed).toBeLessThanOrEqual(strategy === 'two-users' ? 0 : ROTATIONS * CLIENTS);
    expect((await secrets.names()).toSorted()).toEqual(['user-web-secret', 'web-db']);
  },
  600_000,
);

it('two users take turns: programs land in the role of the document, and the password before ends on the server by itself', async () => {
  await withRights();
  await at.users([web(twoUsers('3s'), { roles: ['team'], connectionLimit: 7, settings: { statement_timeout: '5s' } })]);
  await run();
  await at.daemon.ready();
  await at.until(async () => (await connected())?.login === 'web-1');
  expect(await connected()).toEqual({ login: 'web-1', works: 'web' });
  expect(await role('web')).toEqual({ login: false, until: null, password: false });
  expect(await role('web-2')).toEqual({ login: false, until: null, password: false });
  const first = await secrets.valuesOf('web-db');
  expect((await secrets.secretAt('user-web-secret'))?.metadata.annotations).toMatchObject({
    'pgsteward.dev/password-of': 'web',
    'pgsteward.dev/login': 'web-1',
  });

  await ask('now');
  await at.until(async () => (await secrets.valuesOf('web-db'))['username'] === 'web-2', 10);
  expect(await connected()).toEqual({ login: 'web-2', works: 'web' });
  expect(await loginBy(first['uri'])).toEqual({ login: 'web-1', works: 'web' });
  await at.until(async () => (await role('web-1'))?.until !== null, 10);
  const { until } = (await role('web-1')) ?? {};
  expect((until?.getTime() ?? 0) - Date.now()).toBeLessThanOrEqual(3100);

  // Asked for again at once, it waits for the overlap: whoever still has the first password keeps it as long as was said.
  await ask('again');
  await at.until(async () => (await at.daemon.status()).notices.some(({ kind, message }) => kind === 'pending' && message.includes('overlap')));
  expect((await role('web-1'))?.until).toEqual(until);
  await at.until(async () => (await connected())?.login === 'web-1');
  expect(await loginBy(first['uri'])).toBeUndefined();
  await at.until(async () => !((await role('web-2'))?.login ?? true));
  expect(await role('web-2')).toEqual({ login: false, until: null, password: false });
  const limits = await at.server.query(`SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname ~ '^web' ORDER BY 1`);
  expect(limits.map(({ rolconnlimit }) => rolconnlimit)).toEqual([7, 7, 7]);
  await at.until(async () => (await at.daemon.cycle()).lastCycle?.result === 'converged');
  expect(await at.daemon.status()).toMatchObject({ lastCycle: { drift: 0 }, notices: [] });
});

it('an admin that is no superuser rotates with two users as well, without seeing any verifier', async () => {
  await at.server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'rotates-as-adm'`);
  await withRights();
  await at.users([web(twoUsers('2s'))]);
  await run({ DB_USER: 'adm', DB_PASS: 'rotates-as-adm' });
  await at.daemon.ready();
  for (const [asked, login] of ['web-1', 'web-2', 'web-1'].entries()) {
    await at.until(async () => (await connected())?.login === login);
    expect(await connected()).toEqual({ login, works: 'web' });
    await ask(`${asked}`);
  }
  await at.until(async () => (await connected())?.login === 'web-2');
  await at.until(async () => (await role('web-1'))?.password === false);
  expect(await role('web-1')).toEqual({ login: false, until: null, password: false });
});

it('the overlap ends on the server also while pgsteward is down, and a hand that prolongs it is corrected', async () => {
  await withRights();
  await at.users([web(twoUsers('2s'))]);
  await run();
  await at.daemon.ready();
  await at.until(async () => (await connected())?.login === 'web-1');
  const first = (await secrets.valuesOf('web-db'))['uri'];
  await ask('now');
  await at.until(async () => (await connected())?.login === 'web-2' && (await role('web-1'))?.until !== null, 10);
  await at.server.query(`ALTER ROLE "web-1" VALID UNTIL 'infinity'`);
  await at.daemon.cycle();
  await at.until(async () => ((await role('web-1'))?.until?.getTime() ?? Number.POSITIVE_INFINITY) < Date.now() + 2100, 10);
  await at.daemon.kill9();
  await at.until(async () => (await loginBy(first)) === undefined);
  expect(await role('web-1')).toMatchObject({ login: true, password: true });
  await run();
  await at.daemon.ready();
  await at.until(async () => (await role('web-1'))?.password === false);
  expect(await connected()).toEqual({ login: 'web-2', works: 'web' });
});

it('a password is replaced when it is as old as the document allows, and metrics say when that is', async () => {
  await withRights();
  await at.users([web({ every: '3s' })]);
  await run();
  await at.daemon.ready();
  const first = (await secrets.valuesOf('web-db'))['password'];
  expect(await at.metric('rotation_next_due_timestamp')).toBeGreaterThan(Date.now() / 1000 - 3);
  await at.until(async () => (await secrets.valuesOf('web-db'))['password'] !== first && (await connected())?.login === 'web');
  expect(await at.canLogin('web', first ?? '')).toBe(false);
  await at.users([web({ every: '30d' })]);
  // A cycle that began before the edit was seen is none of it.
  await at.until(async () => (await at.metric('rotation_next_due_timestamp')) - Date.now() / 1000 > 29 * 86_400);
});

it('a user that logged in alone makes way for two and back, and what programs hold works meanwhile', async () => {
  await withRights();
  await at.users([web({})]);
  await run();
  await at.daemon.ready();
  await at.until(async () => (await connected())?.login === 'web');
  const alone = (await secrets.valuesOf('web-db'))['uri'];
  await at.users([web(twoUsers('3s'))]);
  await at.daemon.cycle();
  await at.until(async () => (await connected())?.login === 'web-1', 10);
  expect(await loginBy(alone)).toEqual({ login: 'web', works: 'web' });
  await at.until(async () => (await role('web'))?.login === false);
  expect(await role('web')).toEqual({ login: false, until: null, password: false });
  await at.users([web({})]);
  await at.daemon.cycle();
  await at.until(async () => (await connected())?.login === 'web');
  // They go once programs are told of the other user: in a pass, or a cycle, that comes after.
  await at.until(async () => !(await at.exists('web-1')) && !(await at.exists('web-2')));
});

it('a Secret that somebody else made is not rotated, a deleted one is made for the other user, and the dry run shows a rotation and makes none', async () => {
  await withRights();
  await at.secret('own', 'made-by-hand-7');
  await at.users([web(twoUsers('2s')), { username: 'own', password: { generate: {} }, rotation: {} }]);
  await run();
  const { notices } = await at.daemon.ready();
  expect(notices.map(({ kind, subject }) => [kind, subject])).toEqual([['refused', 'own']]);
  expect(await at.canLogin('own', 'made-by-hand-7')).toBe(true);
  await at.until(async () => (await connected())?.login === 'web-1');
  const first = (await secrets.valuesOf('web-db'))['uri'];
  await secrets.remove('user-web-secret');
  await at.until(async () => (await connected())?.login === 'web-2');
  expect(await loginBy(first)).toEqual({ login: 'web-1', works: 'web' });
  await at.until(async () => !((await role('web-1'))?.login ?? true));
  await at.daemon.kill9();

  await ask('for a preview');
  const before = await secrets.secretAt('user-web-secret');
  await run({ DRY_RUN: 'true' });
  await at.daemon.ready();
  expect(at.daemon.output()).toContain('rotate secret: user-web-secret (a new password for web-1: somebody asked for it)');
  for (const line of [
    'let user log in: web-1 (LOGIN, with the password of its Secret)',
    `write connection secret: ${at.namespace}/web-db (for web-1: the password changed)`,
  ])
    expect(at.daemon.output()).toContain(line);
  expect((await secrets.secretAt('user-web-secret'))?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
});

/** What a rotation has done so far, step by step, by the names of who logs in now and who did. */
const STEPS: Readonly<Record<string, readonly ((asked: string, now: string, before: string) => Promise<boolean>)[]>> = {
  'two-users': [
    async (asked) => (await rotatedFor()) === asked,
    async (_, now) => (await role(now))?.password === true,
    async (_, now) => (await secrets.valuesOf('web-db'))['username'] === now,
    async (_, _now, before) => (await role(before))?.until !== null,
    async (_, _now, before) => (await role(before))?.login === false,
    async (_, _now, before) => (await role(before))?.password === false,
  ],
  'in-place': [
    async (asked) => (await rotatedFor()) === asked,
    async () => at.canLogin('web', (await secrets.valuesOf('user-web-secret'))['password'] ?? ''),
    async () => (await connected()) !== undefined,
  ],
};

it.each([
  ['two-users', twoUsers('1s')],
  ['in-place', {}],
])('killed after every step of a rotation, it ends with Secrets that work and no role too many: %s', async (strategy, rotation) => {
  await withRights();
  await at.users([web(rotation)]);
  await run();
  await at.daemon.ready();
  await at.until(async () => (await connected())?.works === 'web');
  await at.daemon.kill9();
  const steps = STEPS[strategy] ?? [];
  for (const [index, isDone] of steps.entries()) {
    const before = (await secrets.valuesOf('user-web-secret'))['username'] ?? 'web';
    const now = before === 'web-1' ? 'web-2' : 'web-1';
    await ask(`${index}`);
    await run();
    await at.until(async () => (await rotatedFor()) === `${index}` && (await isDone(`${index}`, now, before)), 1);
    await at.daemon.kill9();
    // With two users whatever stands there works at any moment; in place once the next cycle has been.
    if (strategy === 'two-users') expect((await connected())?.works, `after step ${index}`).toBe('web');
  }
  await run();
  await at.daemon.ready();
  await at.until(async () => (await connected())?.works === 'web');
  const passwords = await secrets.valuesOf('user-web-secret');
  expect(await at.canLogin(passwords['username'] ?? 'web', passwords['password'] ?? '')).toBe(true);
  expect(await secrets.names()).toEqual(['user-web-secret', 'web-db']);
  await at.until(async () => (await at.server.query(`SELECT 1 FROM pg_authid WHERE rolname ~ '^web' AND rolpassword IS NOT NULL`)).length === 1);
  expect((await at.server.query(`SELECT 1 FROM pg_roles WHERE rolname ~ '^web'`)).length).toBe(strategy === 'two-users' ? 3 : 1);
});
