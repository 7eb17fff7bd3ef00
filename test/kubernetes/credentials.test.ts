// Generated passwords and connection Secrets on a real API server with the shipped Roles: from nothing to programs that log in, and back after every disturbance.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { KubeCase } from '../support/kube-case.ts';
import { kubeSecrets, queryBy, whoami } from '../support/kube-secrets.ts';
import { rememberPassword } from '../support/secrets.ts';

const at = new KubeCase();
const PSQL = '/usr/bin/psql';
/** The tests' server speaks no TLS. All that can be logged is: no password may be in it. */
const run = (env: Record<string, string> = {}): Promise<void> => at.run({ CONNECTION_SSLMODE: 'disable', LOG_LEVEL: 'trace', ...env });

const { pathOf, secretAt, valuesOf, names: secretNames } = kubeSecrets(at);
const psql = async (args: readonly string[], env: Record<string, string> = {}): Promise<string> =>
  (await promisify(execFile)(PSQL, [...args, '-AtXc', 'SELECT current_user'], { env })).stdout.trim();
it('a generated user goes from nothing to programs that log in with the connection Secret alone, and nothing is written twice', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  await at.users([
    {
      username: 'alice',
      password: { generate: { alphabet: 'hex', length: 40 } },
      connectionSecret: {
        name: 'alice-db',
        labels: { tier: 'db' },
        template: { PGSSLMODE: '{{ sslmode }}' },
        uris: { pooler: { host: 'pgbouncer', port: 6432 } },
      },
    },
    { username: 'bob', password: { generate: {} }, passwordSecretRef: { name: 'of-bob', key: 'pw' } },
  ]);
  await run();
  expect((await at.daemon.ready()).notices).toEqual([]);
  const generated = await valuesOf('user-alice-secret');
  expect(generated['password']).toMatch(/^[0-9a-f]{40}$/);
  expect((await secretAt('user-alice-secret'))?.metadata).toMatchObject({
    labels: { 'app.kubernetes.io/managed-by': 'pgsteward' },
    annotations: { 'pgsteward.dev/password-of': 'alice' },
  });
  const [pw = ''] = Object.values(await valuesOf('of-bob'));
  rememberPassword(pw);
  expect(pw).toMatch(/^[A-Za-z0-9]{32}$/);
  expect(await at.canLogin('bob', pw)).toBe(true);

  const written = await secretAt('alice-db');
  expect(written?.type).toBe('servicebinding.io/postgresql');
  expect(written?.metadata.labels).toMatchObject({ tier: 'db', 'app.kubernetes.io/managed-by': 'pgsteward' });
  expect(written?.metadata.managedFields?.map(({ manager, operation }) => [manager, operation])).toEqual([['pgsteward', 'Apply']]);
  expect(JSON.stringify(written?.metadata)).not.toContain(generated['password']);
  const values = await valuesOf('alice-db');
  expect(values).toMatchObject({ username: 'alice', password: generated['password'], PGHOST: at.server.host, database: 'postgres', PGSSLMODE: 'disable' });
  expect(values['pooler-uri']).toBe(`postgresql://alice:${generated['password']}@pgbouncer:6432/postgres?sslmode=disable`);
  expect(await whoami(values['uri'] ?? '')).toBe('alice');
  if (existsSync(PSQL)) {
    expect(await psql([values['uri'] ?? ''])).toBe('alice');
    expect(await psql([], Object.fromEntries(Object.entries(values).filter(([key]) => key.startsWith('PG'))))).toBe('alice');
  }

  for (let cycle = 0; cycle < 3; cycle += 1) expect((await at.daemon.cycle()).lastCycle?.result).toBe('converged');
  expect((await secretAt('alice-db'))?.metadata.resourceVersion).toBe(written?.metadata.resourceVersion);
  const audit = await at.server.query<{ change: string; role: string; object: string; sql: string }>(
    `SELECT change, role, object, sql FROM pgsteward.audit_log WHERE change ~ 'secret' ORDER BY object`,
  );
  expect(audit).toEqual([
    { change: 'write_connection_secret', role: 'alice', object: `secret ${at.namespace}/alice-db`, sql: '' },
    { change: 'create_secret', role: 'bob', object: 'secret of-bob', sql: '' },
    { change: 'create_secret', role: 'alice', object: 'secret user-alice-secret', sql: '' },
  ]);
});

it('what somebody edits in a connection Secret is drift and repaired, what others add stays, and a key that left the template goes', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  const users = (template: object): Promise<void> =>
    at.users([{ username: 'alice', password: { generate: {} }, connectionSecret: { name: 'alice-db', template } }]);
  await users({ EXTRA: 'of {{ username }}' });
  await run({ WATCH: 'off' });
  await at.daemon.ready();
  const before = await valuesOf('alice-db');
  const drift = await at.metric('drift_total');
  await at.kube.api('PATCH', pathOf('alice-db'), { data: { PGHOST: Buffer.from('evil').toString('base64'), theirs: 'eA==', uri: null } });
  expect((await at.daemon.cycle()).lastCycle?.drift).toBe(1);
  expect(await valuesOf('alice-db')).toEqual({ ...before, theirs: 'x' });
  expect(await at.metric('drift_total')).toBe(drift + 1);
  await users({});
  expect((await at.daemon.cycle()).lastCycle?.drift).toBe(0);
  const { EXTRA: _, ...rest } = before;
  expect(await valuesOf('alice-db')).toEqual({ ...rest, theirs: 'x' });
  await at.kube.api('DELETE', pathOf('alice-db'));
  await at.daemon.cycle();
  expect(await valuesOf('alice-db')).toEqual(rest);
});

it('with the right to watch, an edited and a deleted connection Secret are mended at once', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  await at.kube.component(at.namespace, 'bulk-secrets');
  await at.users([{ username: 'alice', password: { generate: {} }, connectionSecret: 'alice-db' }]);
  await run();
  await at.daemon.ready();
  const before = await valuesOf('alice-db');
  await at.until(async () => (await at.metric('watch_connected{watch="secret"}')) === 1);
  await at.kube.api('PATCH', pathOf('alice-db'), { data: { PGHOST: 'eA==' } });
  await at.until(async () => (await valuesOf('alice-db'))['PGHOST'] === before['PGHOST']);
  await at.kube.api('DELETE', pathOf('alice-db'));
  await at.until(async () => (await secretAt('alice-db')) !== undefined);
  expect(await valuesOf('alice-db')).toEqual(before);
});

it('a Secret that somebody else made is refused and left as it is', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'alice-db' }, data: { password: 'dGhlaXJz' } };
  await at.kube.api('POST', pathOf(''), body);
  await at.kube.api('POST', pathOf(''), { ...body, metadata: { name: 'user-bob-secret' }, data: { other: 'eA==' } });
  await at.users([
    { username: 'alice', password: { generate: {} }, connectionSecret: 'alice-db' },
    { username: 'bob', password: { generate: {} } },
  ]);
  await run();
  const { notices } = await at.daemon.ready();
  expect(notices.map(({ kind, subject }) => `${kind} ${subject}`).toSorted()).toEqual(['refused alice', 'secret bob']);
  expect(notices.find(({ subject }) => subject === 'bob')?.message).toContain('it has no key password');
  expect([(await secretAt('alice-db'))?.data, (await secretAt('user-bob-secret'))?.data]).toEqual([{ password: 'dGhlaXJz' }, { other: 'eA==' }]);
});

it('the connection Secret appears only when a grant that was pending took effect, also one of a role of a role', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  const block = (tables: object) => ({
    roles: [
      { name: 'outer', memberOf: ['inner'] },
      { name: 'inner', grants: [{ database: 'postgres', schemas: ['public'], tables }] },
    ],
  });
  const document = (tables: object): string =>
    JSON.stringify({ ...block(tables), users: [{ username: 'alice', roles: ['outer'], password: { generate: {} }, connectionSecret: 'alice-db' }] });
  await at.users(document({ orders: ['SELECT'] }));
  await run();
  await at.daemon.ready();
  const { notices } = await at.daemon.cycle();
  expect(notices.map(({ kind, subject }) => [kind, subject])).toContainEqual(['pending', 'alice']);
  expect([await at.exists('alice'), await secretNames()]).toEqual([true, ['user-alice-secret']]);
  await at.server.query('CREATE TABLE public.orders (id int)');
  try {
    await at.cycleUntil(async () => (await secretAt('alice-db')) !== undefined);
    expect(await queryBy((await valuesOf('alice-db'))['uri'] ?? '', 'SELECT * FROM public.orders')).toEqual([]);
  } finally {
    await at.server.query('DROP TABLE public.orders');
  }
});

it('a deleted Secret of a generated password is made anew, and a replaced one is followed: the connection Secret works after each cycle', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  await at.users([{ username: 'alice', password: { generate: {} }, connectionSecret: 'alice-db' }]);
  await run({ WATCH: 'off' });
  await at.daemon.ready();
  const first = await valuesOf('alice-db');
  await at.kube.api('DELETE', pathOf('user-alice-secret'));
  await at.daemon.cycle();
  const second = await valuesOf('alice-db');
  expect(second['password']).not.toBe(first['password']);
  expect(await whoami(second['uri'] ?? '')).toBe('alice');
  expect(await at.canLogin('alice', first['password'] ?? '')).toBe(false);
  rememberPassword('by-hand / @:?#%');
  await at.kube.api('PATCH', pathOf('user-alice-secret'), { data: { password: Buffer.from('by-hand / @:?#%').toString('base64') } });
  expect((await at.daemon.cycle()).lastCycle?.drift).toBe(0);
  expect(await whoami((await valuesOf('alice-db'))['uri'] ?? '')).toBe('alice');
  expect(await secretNames()).toEqual(['alice-db', 'user-alice-secret']);
});

it('no connection Secret repeats what a Secret does not call the password of that user', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  rememberPassword('the-admins-password');
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'admin' }, data: { password: Buffer.from('the-admins-password').toString('base64') } };
  await at.kube.api('POST', pathOf(''), body);
  await at.users([{ username: 'alice', passwordSecretRef: { name: 'admin' }, connectionSecret: 'alice-db' }]);
  await run();
  const { notices } = await at.daemon.ready();
  expect(notices).toHaveLength(1);
  expect(notices[0]).toMatchObject({ kind: 'refused', subject: 'alice' });
  expect(notices[0]?.message).toContain('annotate it with pgsteward.dev/password-of=alice');
  expect([await at.canLogin('alice', 'the-admins-password'), await secretNames()]).toEqual([true, ['admin']]);
  await at.kube.api('PATCH', pathOf('admin'), { metadata: { annotations: { 'pgsteward.dev/password-of': 'bob, alice' } } });
  await at.cycleUntil(async () => (await secretAt('alice-db')) !== undefined);
});

it('two users whose connection Secrets turn out to be one, or the Secret of a password, do not overwrite each other', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  const here = at.namespace;
  await at.users([
    { username: 'alice', password: { generate: {} }, connectionSecret: 'shared' },
    { username: 'bob', password: { generate: {} }, connectionSecret: { name: 'shared', namespace: here } },
    { username: 'carol', password: { generate: {} }, connectionSecret: { name: 'user-alice-secret', namespace: here } },
  ]);
  await run();
  const { notices } = await at.daemon.ready();
  expect(notices.map(({ kind, subject }) => `${kind} ${subject}`).toSorted()).toEqual(['refused bob', 'refused carol']);
  expect((await valuesOf('shared'))['username']).toBe('alice');
  expect(Object.keys(await valuesOf('user-alice-secret'))).toEqual(['password']);
});

it('what was edited since it was last read is not overwritten blindly, and is mended by the cycles that follow', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  const users = ['a', 'b', 'c', 'd'];
  await at.users(users.map((username) => ({ username, password: { generate: {} }, connectionSecret: `${username}-db` })));
  await run({ SECRET_READS_PER_CYCLE: '1', WATCH: 'off' });
  await at.daemon.ready();
  for (const user of users) {
    await at.kube.api('PATCH', pathOf(`${user}-db`), { data: { PGHOST: 'eA==' } });
    await at.kube.api('DELETE', pathOf(`user-${user}-secret`));
  }
  await at.cycleUntil(async () => {
    const all = await Promise.all(users.map((user) => valuesOf(`${user}-db`)));
    const names = await Promise.all(all.map((values) => whoami(values['uri'] ?? '').catch(() => '')));
    return (await secretNames()).length === 8 && all.every((values) => values['PGHOST'] === at.server.host) && names.join('') === 'abcd';
  });
  await at.cycleUntil(async () => (await at.daemon.status()).lastCycle?.result === 'converged');
});

it('killed at any moment, it ends with one Secret whose password works', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);
  await at.users(users.map((username) => ({ username, password: { generate: {} }, connectionSecret: `${username}-db` })));
  const created = async (): Promise<number> => (await secretNames()).length;
  const roles = async (): Promise<number> => (await at.server.query(`SELECT 1 FROM pg_roles WHERE rolname ~ '^user-'`)).length;
  const passwords = async (): Promise<number> => (await at.server.query(`SELECT 1 FROM pg_authid WHERE rolname ~ '^user-' AND rolpassword IS NOT NULL`)).length;
  const moments: readonly (() => Promise<boolean>)[] = [
    async () => (await created()) > 0,
    async () => (await created()) >= users.length / 2,
    async () => (await roles()) > 0,
    async () => (await passwords()) > 0,
    async () => (await created()) > users.length,
  ];
  for (const moment of moments) {
    await run();
    await at.until(moment, 1);
    await at.daemon.kill9();
  }
  // What a rotation left half done is no different.
  await at.kube.api('DELETE', pathOf('user-user-3-secret'));
  await run();
  await at.until(async () => (await secretAt('user-user-3-secret')) !== undefined, 1);
  await at.daemon.kill9();
  await run();
  await at.daemon.ready();
  expect((await at.daemon.cycle()).notices).toEqual([]);
  expect(await secretNames()).toEqual(users.flatMap((name) => [`${name}-db`, `user-${name}-secret`]).toSorted());
  for (const name of users) expect(await whoami((await valuesOf(`${name}-db`))['uri'] ?? '')).toBe(name);
});
