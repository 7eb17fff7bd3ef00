// Two users that take turns, and one of them that does not want to go: on a real server, with Secrets of a pretended API server.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ROTATE_AT } from '../../src/model/secret-annotations.ts';
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
});
afterEach(async () => {
  await steward.close();
  await kube.close();
  await resetServer(server);
});
const SECRET = 'user-shop-secret';
const declare = (entry: object): void => kube.document([{ username: 'shop', password: { generate: {} }, ...entry }]);
const turns = { rotation: { strategy: 'two-users', overlap: '1h' }, connectionSecret: 'shop-db' };
const cycle = async (): Promise<void> => expect((await steward.cycle()).error).toBe(undefined);
const roleOf = async (name: string): Promise<unknown> =>
  (
    await server.query(
      `SELECT rolcanlogin AS login, rolpassword IS NOT NULL AS password, coalesce(isfinite(rolvaliduntil), false) AS ends FROM pg_authid WHERE rolname = '${name}'`,
    )
  )[0];
const canLogin = (user: string, password: string): Promise<boolean> =>
  server.client('postgres', { user, password }).then(
    (client) => client.end().then(() => true),
    () => false,
  );
/** `shop-1` was told of, and makes way for `shop-2`. */
const inOverlap = async (): Promise<string> => {
  declare(turns);
  await cycle();
  const [first = ''] = kube.history(SECRET);
  kube.annotate(SECRET, { [ROTATE_AT]: 'now' });
  await cycle();
  expect([await roleOf('shop-1'), await canLogin('shop-1', first)]).toEqual([{ login: true, password: true, ends: true }, true]);
  return first;
};
const GONE = { login: false, password: false, ends: false };

describe.each([
  ['a superuser', {}],
  ['a CREATEROLE admin with probes', { DB_USER: 'adm', DB_PASS: 'adm', PASSWORD_PROBE: 'salt', SYNC_INTERVAL: '0.001' }],
])('as %s', (_, env) => {
  beforeEach(async () => {
    await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; GRANT CREATE ON DATABASE postgres TO adm`);
    // Below 16 who may give a password may not yet end sessions: docs/security.md says so.
    if (server.major < 16) await server.query('GRANT pg_signal_backend TO adm');
    steward = await kube.steward(server, env);
  });

  it('who chooses another password in the overlap has no overlap left', async () => {
    const before = await inOverlap();
    await cycle();
    expect(await canLogin('shop-1', before)).toBe(true);
    const leaving = await server.client('postgres', { user: 'shop-1', password: before });
    await leaving.query(`SET ROLE NONE; ALTER ROLE "shop-1" PASSWORD 'evil'`);
    await leaving.end();
    expect(await canLogin('shop-1', 'evil')).toBe(true);
    await cycle();
    await cycle();
    expect([await roleOf('shop-1'), await canLogin('shop-1', 'evil'), (await steward.cycle()).planned]).toEqual([GONE, false, []]);
  });

  it('who keeps its own row locked is ended, and its time runs out all the same', async () => {
    declare(turns);
    await cycle();
    const leaving = await server.client('postgres', { user: 'shop-1', password: kube.history(SECRET)[0] ?? '' });
    leaving.on('error', () => undefined);
    await leaving.query(`SET ROLE NONE; BEGIN; ALTER ROLE "shop-1" PASSWORD 'evil'`);
    kube.annotate(SECRET, { [ROTATE_AT]: 'now' });
    await cycle();
    expect(await roleOf('shop-1')).toEqual({ login: true, password: true, ends: true });
    await leaving.end().catch(() => undefined);
    expect(await canLogin('shop-1', 'evil')).toBe(false);
  });

  it('a password planted on the user of the document by a session that works as it never opens', async () => {
    const password = await inOverlap();
    const session = await server.client('postgres', { user: 'shop-1', password });
    expect((await session.query('SELECT current_user::text AS name')).rows).toEqual([{ name: 'shop' }]);
    await session.query(`ALTER ROLE shop PASSWORD 'evil'`);
    await session.end();
    declare({ connectionSecret: 'shop-db', rotation: { every: '90d' } });
    server.mark();
    for (let count = 0; count < 4; count += 1) await cycle();
    expect(await roleOf('shop')).toMatchObject({ login: true, password: true });
    expect(await canLogin('shop', 'evil')).toBe(false);
    expect([...server.log().matchAll(/ALTER ROLE "shop" LOGIN(.{9})/g)].map(([, after]) => after)).toEqual([' PASSWORD']);
  });
});
