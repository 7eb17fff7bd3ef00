// Drain: sessions of users that are disabled, expired or removed end at once, after a time that outlives restarts, or never.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { expect, it } from 'vitest';
import { daemonEnv, startDaemon } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const KEEPER = { username: 'keeper' };
const start = async (users: readonly object[], env: Record<string, string> = {}): Promise<void> => {
  steward = await createSteward(server, env);
  steward.manifests.users(users);
  steward.manifests.secrets(new Map(users.map((user) => [(user as { username: string }).username, 'p'])));
  await steward.cycle();
};
const login = (user: string): Promise<pg.Client> => server.client('postgres', { user, password: 'p' });
const isOpen = (client: pg.Client): Promise<boolean> =>
  client.query('SELECT 1').then(
    () => true,
    () => false,
  );
const roleOf = async (name: string): Promise<unknown> => (await server.query(`SELECT rolcanlogin AS login FROM pg_roles WHERE rolname = '${name}'`))[0];
const rememberedOf = async (name: string) =>
  (await server.query<{ status: string; at: string | null }>(`SELECT status, disabled_at::text AS at FROM pgsteward.managed_role WHERE name = '${name}'`))[0];
/** Until a session of the server's own accounts has left pg_stat_activity. */
const gone = async (user: string): Promise<void> => {
  while ((await server.query(`SELECT 1 FROM pg_stat_activity WHERE usename = '${user}'`)).length > 0) await sleep(20);
};
const IN_A_SECOND = (): string => new Date(Date.now() + 1500).toISOString();

it("disabling a user ends its sessions at once and nobody else's, and a dry run says so and ends none", async () => {
  await start([{ username: 'alice' }, KEEPER]);
  await server.query(`CREATE ROLE stranger LOGIN PASSWORD 'p'`);
  const [alice, keeper, stranger] = await Promise.all([login('alice'), login('keeper'), login('stranger')]);
  steward.manifests.users([{ username: 'alice', login: false }, KEEPER]);
  const preview = await createSteward(server, { DRY_RUN: 'true' }, steward.manifests);
  expect((await preview.cycle()).planned.map((change) => change.kind)).toEqual(['alter_role', 'end_sessions']);
  expect(await isOpen(alice)).toBe(true);
  const report = await steward.cycle();
  expect(report.outcomes.map((outcome) => [outcome.change.kind, outcome.result])).toEqual([
    ['alter_role', 'applied'],
    ['end_sessions', 'applied'],
  ]);
  expect([await isOpen(alice), await isOpen(keeper), await isOpen(stranger)]).toEqual([false, true, true]);
  expect((await steward.cycle()).result).toBe('converged');
  await Promise.all([keeper.end(), stranger.end()]);
});

it('a duration counts from the disabling, also over a restart, and then the sessions are ended', async () => {
  await start([{ username: 'alice' }, KEEPER], { DRAIN: '1d' });
  const alice = await login('alice');
  steward.manifests.users([{ username: 'alice', login: false, drain: '2s' }, KEEPER]);
  const report = await steward.cycle();
  expect(report.notices).toEqual([
    expect.objectContaining({ kind: 'kept', subject: 'alice', message: expect.stringContaining('1 session(s) go on until') as string }),
  ]);
  expect(report.result).toBe('changed');
  const { at } = (await rememberedOf('alice')) ?? {};
  expect(at).toEqual(expect.any(String));
  // Both rows come from one transaction: no kill between them can make the time longer.
  expect(
    await server.query(`SELECT m.xmin = a.xmin AS together FROM pgsteward.managed_role m JOIN pg_authid a ON a.rolname = m.name WHERE m.name = 'alice'`),
  ).toEqual([{ together: true }]);
  steward = await steward.restart();
  expect((await steward.cycle()).planned).toEqual([]);
  expect([await isOpen(alice), (await rememberedOf('alice'))?.at]).toEqual([true, at]);
  await sleep(2000);
  expect((await steward.cycle()).planned).toEqual([{ kind: 'end_sessions', role: 'alice', sessions: 1 }]);
  expect(await isOpen(alice)).toBe(false);
  steward.manifests.users([{ username: 'alice' }, KEEPER]);
  await steward.cycle();
  expect((await rememberedOf('alice'))?.at).toBe(null);
});

it('a removed user loses its login at once, works on for the time that its entry had said, and is dropped after it', async () => {
  await start([{ username: 'alice', drain: '2s', roles: ['team'] }, KEEPER]);
  const alice = await login('alice');
  steward.manifests.users([KEEPER]);
  const first = await steward.cycle();
  expect(first.planned).toEqual([{ kind: 'disable_role', role: 'alice', keep: false }]);
  expect(first.notices.map((notice) => [notice.kind, notice.subject])).toEqual([
    ['kept', 'alice'],
    ['kept', 'team'],
  ]);
  steward = await steward.restart();
  await steward.cycle();
  expect([await roleOf('alice'), (await rememberedOf('alice'))?.status]).toEqual([{ login: false }, 'removing']);
  expect((await alice.query(`SELECT pg_has_role('team', 'USAGE') AS works`)).rows).toEqual([{ works: true }]);
  await sleep(2000);
  steward = await steward.restart();
  expect((await steward.cycle()).planned.map((change) => change.kind)).toEqual(['end_sessions', 'release_owned', 'drop_role', 'drop_role']);
  expect([await isOpen(alice), await roleOf('alice'), await roleOf('team')]).toEqual([false, undefined, undefined]);
});

it('keep never ends a session: the removed user is dropped when its last one is gone', async () => {
  await start([{ username: 'alice' }, KEEPER], { DRAIN: 'keep' });
  const alice = await login('alice');
  steward.manifests.users([KEEPER]);
  for (let cycle = 0; cycle < 3; cycle += 1)
    expect((await steward.cycle()).notices).toEqual([
      expect.objectContaining({ kind: 'kept', message: expect.stringContaining('for as long as they like') as string }),
    ]);
  expect(await isOpen(alice)).toBe(true);
  await alice.end();
  await gone('alice');
  expect((await steward.cycle()).planned.map((change) => change.kind)).toEqual(['release_owned', 'drop_role']);
  expect(await roleOf('alice')).toBe(undefined);
});

it('a server that is killed while sessions go on leaves nothing behind', async () => {
  await start([{ username: 'alice' }, KEEPER], { DRAIN: '1d' });
  const alice = await login('alice');
  steward.manifests.users([KEEPER]);
  await steward.cycle();
  await server.kill9();
  await server.start();
  expect(await isOpen(alice)).toBe(false);
  steward = await steward.restart();
  await steward.cycle();
  expect(await roleOf('alice')).toBe(undefined);
});

it('sessions end when the validity does, although nothing else has changed', async () => {
  await start([{ username: 'alice', validUntil: IN_A_SECOND() }, KEEPER]);
  const alice = await login('alice');
  await steward.cycle();
  expect((await steward.cycle()).unchanged).toBe(true);
  expect(await isOpen(alice)).toBe(true);
  await sleep(1600);
  expect((await steward.cycle()).planned).toEqual([{ kind: 'end_sessions', role: 'alice', sessions: 1 }]);
  expect(await isOpen(alice)).toBe(false);
  await steward.cycle();
  expect((await steward.cycle()).unchanged).toBe(true);
});

it('the policy disable leaves a user its roles while its sessions go on', async () => {
  await start([{ username: 'alice', roles: ['team'] }, KEEPER], { DELETION_POLICY: 'disable', DRAIN: 'keep' });
  const alice = await login('alice');
  steward.manifests.users([KEEPER]);
  await steward.cycle();
  const members = () => server.query(`SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = 'alice'`);
  expect([(await members()).length, (await rememberedOf('alice'))?.status]).toEqual([1, 'disabled']);
  await alice.end();
  await gone('alice');
  await steward.cycle();
  expect([(await members()).length, await roleOf('alice')]).toEqual([0, { login: false }]);
});

it('works from the state file alone, and as an admin without superuser', async () => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; GRANT pg_signal_backend TO adm`);
  await start([{ username: 'alice', drain: '2s' }, KEEPER], { DB_USER: 'adm', DB_PASS: 'adm' });
  expect(steward.warnings.join()).toContain('there is no ledger');
  const alice = await login('alice');
  steward.manifests.users([KEEPER]);
  await steward.cycle();
  steward = await steward.restart();
  await steward.cycle();
  expect([await isOpen(alice), await roleOf('alice')]).toEqual([true, { login: false }]);
  await sleep(2000);
  await steward.cycle();
  expect([await isOpen(alice), await roleOf('alice')]).toEqual([false, undefined]);
});

it('the daemon ends sessions when their time is over and not with the next interval, also after it was killed meanwhile', async () => {
  await start([{ username: 'alice' }, { username: 'bob', validUntil: new Date(Date.now() + 6000).toISOString() }, KEEPER]);
  const [alice, bob, keeper] = await Promise.all([login('alice'), login('bob'), login('keeper')]);
  steward.manifests.users([{ username: 'bob', validUntil: new Date(Date.now() + 6000).toISOString() }, KEEPER]);
  const env = { ...daemonEnv(server, steward.manifests.folder, { DRAIN: '9s', DRIFT_INTERVAL: '0' }), SYNC_INTERVAL: '3600' };
  const first = await startDaemon(env);
  await first.ready();
  expect([await roleOf('alice'), await isOpen(alice)]).toEqual([{ login: false }, true]);
  await first.kill9();
  const second = await startDaemon(env);
  await second.ready();
  expect([await isOpen(alice), await isOpen(bob)]).toEqual([true, true]);
  // Bob's validity ends after about 6 seconds, and his sessions have 9 more.
  for (const end = Date.now() + 60_000; Date.now() < end && ((await isOpen(alice)) || (await isOpen(bob)));) await sleep(200);
  expect([await isOpen(alice), await isOpen(bob), await isOpen(keeper)]).toEqual([false, false, true]);
  for (const end = Date.now() + 30_000; Date.now() < end && (await roleOf('alice')) !== undefined;) await sleep(100);
  expect(await roleOf('alice')).toBe(undefined);
  await second.kill9();
  await keeper.end();
});

it.each([
  ['declared', { roles: [{ name: 'alice' }] }, [KEEPER]],
  ['only named', {}, [{ ...KEEPER, roles: ['alice'] }]],
])('a user that becomes a role, %s, loses its sessions with its login, and a dry run says so', async (_, more, users) => {
  await start([{ username: 'alice' }, KEEPER]);
  const [alice, keeper] = await Promise.all([login('alice'), login('keeper')]);
  steward.manifests.users(JSON.stringify({ users, ...more }));
  const preview = await createSteward(server, { DRY_RUN: 'true' }, steward.manifests);
  expect((await preview.cycle()).planned.map((change) => change.kind)).toContain('end_sessions');
  await steward.cycle();
  expect([await isOpen(alice), await isOpen(keeper), await roleOf('alice')]).toEqual([false, true, { login: false }]);
  expect((await steward.cycle()).result).toBe('converged');
  await keeper.end();
});

it('the sessions of a user that becomes a role go on for the drain, counted over a restart, and of an adopted role none is ended', async () => {
  await server.query(`CREATE ROLE theirs LOGIN PASSWORD 'p'`);
  await start([{ username: 'alice' }, KEEPER], { DRAIN: '1d' });
  const [alice, theirs] = await Promise.all([login('alice'), login('theirs')]);
  steward.manifests.users(JSON.stringify({ users: [{ ...KEEPER, roles: ['theirs'] }], roles: [{ name: 'alice' }] }));
  const report = await steward.cycle();
  expect(report.notices).toContainEqual(
    expect.objectContaining({ kind: 'kept', subject: 'alice', message: expect.stringContaining('a user no longer: 1 session(s) go on until') as string }),
  );
  const { at } = (await rememberedOf('alice')) ?? {};
  expect(at).not.toBeNull();
  steward = await steward.restart();
  await steward.cycle();
  expect([await isOpen(alice), (await rememberedOf('alice'))?.at]).toEqual([true, at]);
  await server.query(`UPDATE pgsteward.managed_role SET disabled_at = now() - interval '2 days' WHERE name = 'alice'`);
  steward = await steward.restart();
  await steward.cycle();
  expect([await isOpen(alice), await isOpen(theirs)]).toEqual([false, true]);
  steward.manifests.users([{ username: 'alice' }, KEEPER]);
  await steward.cycle();
  expect(await rememberedOf('alice')).toEqual({ status: 'active', at: null });
  await Promise.all([(await login('alice')).end(), theirs.end()]);
});
