// An API server that is frozen, gives rights later, or holds what others made: the databases do not wait for it, and nothing is remembered for ever.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { SOURCE } from '../../src/model/secret-annotations.ts';
import { type FakeKube, startFakeKube } from '../support/fake-kube.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { resetServer, type Steward } from '../support/steward.ts';

let server: Postgres;
let kube: FakeKube;
let steward: Steward;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  kube = await startFakeKube();
  steward = await kube.steward(server);
});
afterEach(async () => {
  await steward.close();
  await kube.close();
  await resetServer(server);
});
const FORBIDDEN = { status: 403 };
const exists = async (user: string): Promise<boolean> => (await server.query(`SELECT FROM pg_roles WHERE rolname = '${user}'`)).length === 1;
const memberships = (user: string): Promise<unknown[]> =>
  server.query(`SELECT r.rolname AS role FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member::regrole::text = '${user}' ORDER BY 1`);

it('while the API server is frozen a cycle waits a few seconds for it at most, and what was changed by hand is repaired, the password too', async () => {
  const names = Array.from({ length: 60 }, (_, index) => `user${index}`);
  for (const name of names) kube.put(`user-${name}-secret`, `password-of-${name}`);
  kube.document(names.map((username) => ({ username, roles: ['readers'] })));
  expect((await steward.cycle()).result).toBe('changed');
  kube.fault = () => 'hang';
  await server.query(`CREATE ROLE writers; GRANT writers TO user1; REVOKE readers FROM user2; ALTER ROLE user3 PASSWORD 'planted'`);
  const from = performance.now();
  const report = await steward.cycle();
  expect(performance.now() - from).toBeLessThan(8000);
  expect([report.sourceFailure?.reason, report.error]).toEqual(['timeout', undefined]);
  expect([await memberships('user1'), await memberships('user2')]).toEqual([[{ role: 'readers' }], [{ role: 'readers' }]]);
  await (await server.client('postgres', { user: 'user3', password: 'password-of-user3' })).end();
});

it.each([
  ['may no longer be read', FORBIDDEN],
  ['is asked for in vain, as each connection breaks', 'lost'],
  ['is gone', { status: 404 }],
  ['is no Secret at all', { status: 200, body: 'no JSON' }],
] as const)('while the Secret of a user %s, memberships are repaired, and a role is taken from it, also by a process that never knew it', async (_, fault) => {
  kube.put('user-alice-secret', 'password-of-alice');
  const declare = (...roles: readonly string[]) =>
    kube.document([
      { username: 'alice', roles },
      { username: 'keeper', login: false, roles: ['readers', 'writers'] },
    ]);
  declare('readers', 'writers');
  expect((await steward.cycle()).result).toBe('changed');
  await server.query('CREATE ROLE planted');
  for (const round of ['who knew it', 'a new process']) {
    if (round === 'a new process') {
      await steward.close();
      steward = await kube.steward(server);
    }
    kube.fault = (_verb, name) => (name === 'user-alice-secret' ? fault : undefined);
    await server.query('GRANT planted TO alice; REVOKE readers FROM alice');
    const report = await steward.cycle();
    expect([report.error, await memberships('alice')], round).toEqual([undefined, [{ role: 'readers' }, { role: 'writers' }]]);
    declare('readers');
    await steward.cycle();
    expect(await memberships('alice'), round).toEqual([{ role: 'readers' }]);
    // Nobody touches the password meanwhile.
    await (await server.client('postgres', { user: 'alice', password: 'password-of-alice' })).end();
    kube.fault = () => undefined;
    declare('readers', 'writers');
    await steward.cycle();
  }
});

it('while nobody listens where the API server was, what was changed by hand is repaired, and it goes on with what was in force', async () => {
  kube.put('user-alice-secret', 'password-of-alice');
  kube.document([{ username: 'alice', roles: ['readers'] }]);
  await steward.cycle();
  await kube.stop();
  await server.query('CREATE ROLE planted; GRANT planted TO alice; REVOKE readers FROM alice');
  const report = await steward.cycle();
  expect([report.error, report.sourceFailure?.reason, await memberships('alice')]).toEqual([undefined, 'unavailable', [{ role: 'readers' }]]);
});

it('where Secrets alone do not answer, and where there are new ones, the cycle ends all the same', async () => {
  kube.put('user-alice-secret', 'password-of-alice');
  kube.document([{ username: 'alice' }]);
  await steward.cycle();
  kube.document([
    { username: 'alice', roles: ['readers'] },
    ...Array.from({ length: 40 }, (_, index) => ({ username: `new${index}`, password: { generate: {} } })),
  ]);
  kube.fault = (_, name) => (name.endsWith('-secret') ? 'hang' : undefined);
  const from = performance.now();
  await steward.cycle();
  expect(performance.now() - from).toBeLessThan(8000);
  expect(await memberships('alice')).toEqual([{ role: 'readers' }]);
});

it('who becomes the writer again and cannot read the document asks for no Secret: none is known to matter', async () => {
  const alice = { username: 'alice', password: { generate: {} }, connectionSecret: { name: 'alice-connection' } };
  kube.document([alice]);
  expect((await steward.cycle()).result).toBe('changed');
  const asked: string[] = [];
  kube.fault = (_, name) => {
    asked.push(name);
    return name === 'postgres-users-config' ? { status: 404 } : undefined;
  };
  expect((await steward.cycle('SELECT 2')).result).toBe('waiting');
  expect(asked.filter((name) => name !== 'postgres-users-config')).toEqual([]);
  kube.fault = () => undefined;
  expect((await steward.cycle('SELECT 2')).result).toBe('converged');
});

it('who becomes the writer again sets no password that it knew from before, while the API server does not say the one of now', async () => {
  kube.put('user-alice-secret', 'leaked-password');
  kube.document([{ username: 'alice' }]);
  await steward.cycle();
  const other = await kube.steward(server);
  kube.put('user-alice-secret', 'password-of-now');
  await other.cycle();
  kube.fault = (_, name) => (name.endsWith('-secret') ? 'hang' : undefined);
  await server.query('ALTER ROLE alice CONNECTION LIMIT 3');
  const report = await steward.cycle('SELECT 2');
  expect(report.outcomes.map(({ change }) => change.kind)).toEqual(['alter_role']);
  await (await server.client('postgres', { user: 'alice', password: 'password-of-now' })).end();
  kube.fault = () => undefined;
  expect((await steward.cycle('SELECT 2')).notices).toEqual([]);
  await other.close();
});

it.each([
  ['does not answer', 'hang'],
  [
    'has a document that is of no use',
    { status: 200, body: JSON.stringify({ metadata: { uid: 'd', resourceVersion: '99', name: 'x' }, data: { 'users.yaml': 'users: [' } }) },
  ],
] as const)('who becomes the writer again does not go back to a document from before, while the API server %s', async (_, fault) => {
  kube.put('user-alice-secret', 'password-of-alice');
  kube.document([{ username: 'alice', roles: ['readers'] }]);
  await steward.cycle();
  const other = await kube.steward(server);
  kube.document([{ username: 'alice' }]);
  await other.cycle();
  kube.fault = (_verb, name) => (name === 'postgres-users-config' ? fault : undefined);
  const report = await steward.cycle('SELECT 2');
  expect([report.result, report.outcomes, await memberships('alice')]).toEqual(['waiting', [], []]);
  kube.fault = () => undefined;
  expect([(await steward.cycle('SELECT 2')).result, await memberships('alice')]).toEqual(['converged', []]);
  await other.close();
});

it('an API server that takes its time to refuse each of many new Secrets does not keep what is taken away waiting', async () => {
  kube.put('user-alice-secret', 'password-of-alice');
  kube.document([{ username: 'alice', roles: ['readers'] }]);
  await steward.cycle();
  kube.document([{ username: 'alice' }, ...Array.from({ length: 200 }, (_, index) => ({ username: `new${index}`, password: { generate: {} } }))]);
  kube.fault = (verb) => (verb === 'POST' ? { status: 500, after: 1500 } : undefined);
  const from = performance.now();
  const report = await steward.cycle();
  expect(performance.now() - from).toBeLessThan(16_000);
  expect(await memberships('alice')).toEqual([]);
  expect(report.outcomes.filter(({ change, result }) => change.kind === 'create_secret' && result === 'failed')).toHaveLength(200);
  // Those that were not tried are no worse off than the others.
  kube.fault = () => undefined;
  for (const end = performance.now() + 20_000; performance.now() < end && !(await exists('new199'));) {
    await sleep(500);
    await steward.cycle();
  }
  expect(await exists('new199')).toBe(true);
});

it('a right to make Secrets that is given later is noticed with the next attempt, though nothing else changes', async () => {
  kube.document([{ username: 'alice', password: { generate: {} } }]);
  kube.fault = (verb) => (verb === 'POST' ? FORBIDDEN : undefined);
  for (let round = 0; round < 3; round += 1) await steward.cycle();
  expect((await steward.cycle()).notices.map(({ kind }) => kind)).toContain('cannot');
  expect(await exists('alice')).toBe(false);
  kube.fault = () => undefined;
  for (const end = performance.now() + 15_000; performance.now() < end && !(await exists('alice'));) {
    await sleep(500);
    await steward.cycle();
  }
  expect(await exists('alice')).toBe(true);
  await (await server.client('postgres', { user: 'alice', password: kube.history('user-alice-secret')[0] ?? '' })).end();
  expect((await steward.cycle()).notices).toEqual([]);
});

it('a password that another document had made is not handed on by a connection Secret', async () => {
  kube.put('user-alice-secret', 'password-of-alice');
  kube.annotate('user-alice-secret', { [SOURCE]: 'elsewhere/users' });
  kube.document([{ username: 'alice', connectionSecret: 'alice-db' }]);
  const report = await steward.cycle();
  expect(report.notices.map(({ kind, message }) => [kind, message])).toEqual([
    [
      'refused',
      'the connection Secret postgres/alice-db is refused: the password in the Secret user-alice-secret was made for the document elsewhere/users, and is not ours to hand on',
    ],
  ]);
  expect(kube.history('alice-db')).toEqual([]);
});

it('a Secret that somebody makes between our look and our writing is not overwritten', async () => {
  kube.put('user-alice-secret', 'password-of-alice');
  kube.document([{ username: 'alice', connectionSecret: 'alice-db' }]);
  kube.fault = (verb, name) => {
    if (verb === 'PATCH' && name === 'alice-db' && kube.history(name).length === 0) kube.put(name, 'of somebody else');
    return undefined;
  };
  await steward.cycle();
  await sleep(2000);
  const report = await steward.cycle();
  expect(kube.history('alice-db')).toEqual(['of somebody else']);
  expect(report.notices.map(({ kind, message }) => [kind, message])).toMatchObject([
    ['refused', expect.stringContaining('somebody else made a Secret of that name')],
  ]);
});
