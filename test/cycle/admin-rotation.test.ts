// The rotation of the admin's own password on a real server, with a store that fails at one request: what works always stands in the Secret.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Config, ConfigError, readConfig, readSettings } from '../../src/config.ts';
import { createAdminLogin } from '../../src/steward/admin-login.ts';
import type { AdminReport } from '../../src/steward/beside.ts';
import { type AdminRotation, createAdminRotation } from '../../src/steward/admin-rotation.ts';
import { type Connections, createConnections } from '../../src/postgres/connection.ts';
import { SourceError } from '../../src/model/source-error.ts';
import { fenceOf } from '../../src/postgres/fence.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { expectNoSecrets } from '../support/secrets.ts';

const OLD = 'the old password of ours';
let server: Postgres;
let store: MemoryStore;
let config: Config;
let connections: Connections;
let rotation: AdminRotation;
const ENV = { ADMIN_ROTATION: 'on', ADMIN_SECRET: 'admin', DB_USER: 'adm', RETRY_BACKOFF_BASE: '1' };
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.query(`CREATE ROLE adm LOGIN PASSWORD '${OLD}'`);
  store = createMemoryStore({ password: OLD });
  store.edit({ password: OLD }, { 'pgsteward.dev/rotate-at': 'now' });
  await restart();
});
afterEach(async () => {
  await connections.close();
  await server.query('DROP ROLE adm');
});

/** What a new process would be. */
async function restart(): Promise<void> {
  await connections?.close();
  config = readConfig({ ...ENV, DB_HOST: server.host, DB_PORT: String(server.port) });
  const login = createAdminLogin(config, store);
  connections = createConnections(config.server, () => undefined, login);
  rotation = createAdminRotation({ config, store, connections, login });
}
/** @param fence empty for none. */
async function run(fence = 'SELECT 1'): Promise<AdminReport> {
  await connections.withAdmin((client) => client.query('SELECT 1'));
  const report = await rotation.run(fence === '' ? undefined : fence, false, new AbortController().signal);
  expectNoSecrets(JSON.stringify(report), 'a report');
  return report;
}
const canLogin = (password: string | undefined): Promise<boolean> =>
  server.client('postgres', { user: 'adm', password: password ?? '' }).then(
    (client) => client.end().then(() => true),
    () => false,
  );
const stored = async (): Promise<unknown> => (await server.query(`SELECT rolpassword FROM pg_authid WHERE rolname = 'adm'`))[0]?.['rolpassword'];
const messages = (report: AdminReport): string[] => report.notices.map(({ kind, message }) => `${kind}: ${message}`);
/** The invariant of every step. */
async function expectWorking(): Promise<void> {
  const { password, 'password-next': next } = store.values() ?? {};
  expect([await canLogin(password), await canLogin(next)]).toContain(true);
}
async function expectRotated(): Promise<void> {
  const { password, ...rest } = store.values() ?? {};
  expect([password === OLD, await canLogin(password), rest]).toEqual([false, true, {}]);
}

it('asks for the settings that it needs, all in one message', () => {
  const message = (env: Record<string, string>): string => {
    try {
      return JSON.stringify(readConfig(env));
    } catch (error) {
      return (error as ConfigError).message;
    }
  };
  expect(message({ ADMIN_ROTATION: 'on', SOURCE: 'dir:/tmp' })).toContain('2 bad setting(s): ADMIN_ROTATION=on needs ADMIN_SECRET');
  expect(message({ ADMIN_ROTATION: 'on', SOURCE: 'dir:/tmp' })).toContain('ADMIN_ROTATION=on needs SOURCE=kubernetes and not dir:/tmp');
  for (const every of ['30s', 'keep', 'terminate', '1', '59m'])
    expect(message({ ADMIN_ROTATION_EVERY: every })).toContain(`ADMIN_ROTATION_EVERY=${every}: must be`);
  for (const secret of ['A', 'a/b/c', 'a/', '/b']) expect(message({ ADMIN_SECRET: secret })).toContain(`ADMIN_SECRET=${secret}: must be`);
  expect(readSettings({ ADMIN_ROTATION: 'on', ADMIN_SECRET: 'a.b-c/key_1' }).ADMIN_ROTATION_EVERY).toBe('30d');
});

it('without a fence it only says what it would do, and with a lost one it changes nothing on the server', async () => {
  const { planned, outcomes } = await run('');
  expect([planned.length, outcomes, store.values()]).toEqual([1, [], { password: OLD }]);
  const lost = await run(fenceOf('(SELECT WHERE false) none'));
  expect(lost.outcomes[0]).toMatchObject({ result: 'failed', class: 'fenced' });
  expect(await canLogin(OLD)).toBe(true);
});

it.each<[string, number, () => Error]>([
  ['the first request is forbidden', 1, () => new SourceError('forbidden', 'we may not patch it')],
  ['the second request is forbidden', 2, () => new SourceError('forbidden', 'we may not patch it')],
  ['the second request fails for good', 2, () => new SourceError('unavailable', 'the API server answered 422')],
])('%s: the old password or the next one works, and the rotation is done when the fault is over', async (_name, number, fault) => {
  let isFaulty = true;
  const before = await stored();
  store.onChange = (count) => {
    if (isFaulty && count === number) throw fault();
    return undefined;
  };
  const report = await run();
  expect(report.outcomes[0]?.result).toBe('failed');
  await expectWorking();
  const { 'password-next': next, ...rest } = store.values() ?? {};
  expect(rest).toEqual({ password: OLD });
  // Where nothing was written for sure, everybody else who uses the Secret can go on.
  const isSure = (fault() as SourceError).reason === 'forbidden';
  expect([messages(report)[0]?.startsWith('cannot: '), await canLogin(OLD), next === undefined]).toEqual([isSure, isSure, isSure]);
  // The very same: a pooler may keep a copy of it.
  expect((await stored()) === before).toBe(isSure);
  isFaulty = false;
  await restart();
  await run();
  await expectRotated();
  // What somebody asked for is answered by a rotation that began after it, as far as we know.
  expect(store.annotations()['pgsteward.dev/rotated-for']).toBe(isSure ? 'now' : undefined);
});

it('where the right to write is taken away in the middle, later attempts do not touch the password on the server', async () => {
  store.onChange = (count) => {
    if (count >= 2) throw new SourceError('forbidden', 'we may not patch it');
    return undefined;
  };
  const row = (): Promise<object[]> => server.query(`SELECT xmin::text FROM pg_authid WHERE rolname = 'adm'`);
  expect(messages(await run())[0]).toContain('the old password is in force again');
  const before = await row();
  await restart();
  expect(messages(await run())[0]).toMatch(/^cannot: .*we may not patch it/);
  expect([await row(), await canLogin(OLD)]).toEqual([before, true]);
  store.onChange = () => undefined;
  await restart();
  await run();
  await expectRotated();
});

it('a lost answer, a conflict and an edit of the annotations in between are gone over', async () => {
  store.onChange = (count) => {
    if (count === 2) store.edit(store.values(), { theirs: 'x' });
    return count === 3 ? 'lost' : undefined;
  };
  expect((await run()).outcomes[0]?.result).toBe('applied');
  await expectRotated();
  expect(store.annotations()).toMatchObject({ theirs: 'x', 'pgsteward.dev/rotated-for': 'now' });
  expect(await run()).toMatchObject({ planned: [], outcomes: [], notices: [] });
});

it('an answer that is lost for good sets nothing back, as the Secret may hold the new password alone', async () => {
  const read = store.read.bind(store);
  let isLost = false;
  store.onChange = (count) => {
    isLost = count === 2;
    return isLost ? 'lost' : undefined;
  };
  store.read = (...args) => (isLost ? Promise.reject(new SourceError('unavailable', 'the API server is gone')) : read(...args));
  expect((await run()).outcomes[0]?.result).toBe('failed');
  expect(await canLogin(OLD)).toBe(false);
  await expectRotated();
  isLost = false;
  await restart();
  expect(await run()).toMatchObject({ planned: [], outcomes: [], notices: [] });
});

it.each<[string, SourceError['reason']]>([
  ['the API server asks us to slow down', 'throttled'],
  ['our token is no longer accepted', 'unauthorized'],
  ['the right to read the Secret is gone', 'forbidden'],
])('an answer that is lost, after which %s, sets nothing back', async (_name, reason) => {
  const read = store.read.bind(store);
  let isLost = false;
  store.onChange = (count) => {
    isLost = count === 2;
    return isLost ? 'lost' : undefined;
  };
  store.read = (...args) => (isLost ? Promise.reject(new SourceError(reason, 'it cannot be read', { retryable: reason === 'throttled' })) : read(...args));
  expect((await run()).outcomes[0]?.result).toBe('failed');
  await expectRotated();
});

it('a request that nobody answered and that is carried out late sets nothing back', async () => {
  store.onChange = (count) => {
    if (count >= 2 && count <= 4) throw new SourceError('timeout', 'the API server did not answer', { retryable: true });
    // By now one of them was carried out: the last of ours comes too late.
    if (count === 5) store.edit({ password: store.values()?.['password-next'] ?? '' });
    return undefined;
  };
  await run();
  await expectRotated();
});

it.each(['old', 'new'])('what another instance has made next stays beside the %s password', async (which) => {
  const other = 'the next password of another instance';
  store.onChange = async (count) => {
    if (count !== 2) return undefined;
    const { password = '', 'password-next': next = '' } = store.values() ?? {};
    store.edit({ password: which === 'old' ? password : next, 'password-next': other });
    return undefined;
  };
  await run();
  // That instance is killed between its new verifier and its Secret.
  await server.query(`ALTER ROLE adm PASSWORD '${other}'`);
  await expectWorking();
  await restart();
  await run();
  await run();
  await expectRotated();
});

it('a server that crashes just after the rotation has the new password, also where it is lazy about commits', async () => {
  const lazy = ['synchronous_commit = off', `wal_writer_delay = '10s'`];
  for (const setting of lazy) await server.query(`ALTER SYSTEM SET ${setting}`);
  await server.query('SELECT pg_reload_conf()');
  await connections.withAdmin((client) => client.query('SELECT pg_sleep(0.3)'));
  await server.query('CHECKPOINT');
  try {
    expect((await run()).outcomes[0]?.result).toBe('applied');
    await server.kill9();
    await server.start();
    await restart();
    await expectRotated();
  } finally {
    for (const name of ['synchronous_commit', 'wal_writer_delay']) await server.query(`ALTER SYSTEM RESET ${name}`);
    await server.query('SELECT pg_reload_conf()');
  }
});

it('a Secret that is deleted in between: the old password is in force again', async () => {
  store.onChange = (count) => {
    if (count === 2) store.edit(undefined);
    return undefined;
  };
  const report = await run();
  expect(messages(report)[0]).toContain('the old password is in force again');
  expect(await canLogin(OLD)).toBe(true);
  expect(messages(await run())[0]).toMatch(/^cannot: there is no Secret admin/);
});

it('what somebody wrote into the Secret meanwhile is overwritten where it does not work, and left where it does', async () => {
  store.onChange = (count) => {
    if (count === 2) store.edit({ ...store.values(), password: 'a password that opens nothing' });
    return undefined;
  };
  expect((await run()).outcomes[0]?.result).toBe('applied');
  await expectRotated();

  store.edit(store.values(), { 'pgsteward.dev/rotate-at': 'again' });
  store.onChange = async (count) => {
    if (count === 5) {
      await server.query(`ALTER ROLE adm PASSWORD 'a password of somebody else'`);
      store.edit({ ...store.values(), password: 'a password of somebody else' });
    }
    return undefined;
  };
  expect(messages(await run())[0]).toContain('somebody else set another password meanwhile, which works');
  expect(await canLogin(store.values()?.['password'])).toBe(true);
});

it('a password of your own under the next key is the one that is set', async () => {
  store.edit({ password: OLD, 'password-next': 'chosen by a person' });
  expect((await run()).outcomes[0]).toMatchObject({ result: 'applied', change: { reason: 'unfinished' } });
  expect([store.values(), await canLogin('chosen by a person')]).toEqual([{ password: 'chosen by a person' }, true]);
  // What was asked for before is answered by a password that nobody has seen.
  expect(rotation.nextIn()).toBe(0);
  expect((await run()).outcomes[0]).toMatchObject({ result: 'applied', change: { reason: 'request' } });
  await expectRotated();
  store.edit({ ...store.values(), 'password-next': '' });
  expect(messages(await run())[0]).toMatch(/^cannot: .* what the Secret holds under password-next is no password/);
});

it('a session that breaks while the verifier is set: nobody knows whether it was, and the next attempt goes on with the same password', async () => {
  const report = await run('SELECT pg_terminate_backend(pg_backend_pid())');
  expect(report.outcomes[0]).toMatchObject({ result: 'failed', class: 'connection' });
  const next = store.values()?.['password-next'];
  expect([next?.length, await canLogin(OLD)]).toEqual([32, true]);
  await restart();
  expect((await run()).outcomes[0]).toMatchObject({ result: 'applied', change: { reason: 'unfinished' } });
  expect(store.values()).toEqual({ password: next });
  await expectRotated();
});

it('a Secret that does not hold what logs us in is told, and no longer when it does', async () => {
  store.edit({ password: OLD }, { 'pgsteward.dev/rotated-for': 'now' });
  expect(messages(await run())).toEqual([]);
  store.edit({ password: 'something else entirely' });
  for (let cycle = 0; cycle < 2; cycle += 1) expect(messages(await run())[0]).toMatch(/^failed: .*does not hold our own password .*28P01/);
  // Whoever rotates by hand changes both; which comes first does not matter.
  await server.query(`ALTER ROLE adm PASSWORD 'something else entirely'`);
  store.edit({ password: 'something else entirely' });
  expect(messages(await run())).toEqual([]);
});

it.each(['a request', 'its age'])('rotates once for %s where what we write beside the password does not stay', async (reason) => {
  const change = store.change.bind(store);
  // As a webhook or a tool that knows every annotation does it.
  store.change = (place, { data }, before, signal) => change(place, { data, annotations: {} }, before, signal);
  if (reason === 'its age') store.edit({ password: OLD }, { 'pgsteward.dev/rotate-at': '', 'pgsteward.dev/generated-at': '2020-01-01T00:00:00Z' });
  expect((await run()).outcomes[0]?.result).toBe('applied');
  await expectRotated();
  const { password } = store.values() ?? {};
  for (let cycle = 0; cycle < 2; cycle += 1) {
    expect(messages(await run())[0]).toMatch(/^failed: .*does not keep the annotations/);
    expect(rotation.nextIn() ?? Number.POSITIVE_INFINITY).toBeGreaterThan(60_000);
  }
  expect(store.values()).toEqual({ password });
  // Whoever asks for another one is answered.
  store.edit(store.values(), { 'pgsteward.dev/rotate-at': 'another' });
  expect((await run()).outcomes[0]?.result).toBe('applied');
  expect(store.values()?.['password']).not.toBe(password);
});
