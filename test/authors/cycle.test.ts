// Authors on a real server: who declares what from where, in any order, and what becomes of it when one is gone, wrong or takes something back.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Author } from '../../src/model/fleet.ts';
import { Manifests } from '../support/daemon.ts';
import { authorOf } from '../support/authors.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward | undefined;

beforeAll(async () => {
  server = await startPostgres();
});
afterEach(async () => {
  await steward?.close();
  steward = undefined;
  await resetServer(server);
});
afterAll(() => server.stop());

async function begin(authors: readonly Author[], own: readonly object[] = [{ username: 'operator_user', login: false }]): Promise<Steward> {
  const manifests = new Manifests();
  manifests.users(own);
  steward = await createSteward(server, {}, manifests, undefined, undefined, true, authors);
  return steward;
}

const names = async (): Promise<readonly string[]> =>
  (await server.query<{ rolname: string }>(`SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres' ORDER BY 1`)).map(
    ({ rolname }) => rolname,
  );

const members = async (): Promise<readonly string[]> =>
  (
    await server.query<{ line: string }>(
      `SELECT m.roleid::regrole || ' ' || m.member::regrole AS line FROM pg_auth_members m WHERE m.roleid::regrole::text !~ '^pg_' AND m.member::regrole::text <> 'postgres' ORDER BY 1`,
    )
  ).map(({ line }) => line);

const sources = async (): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(
    (await server.query<{ name: string; source: string }>('SELECT name, source FROM pgsteward.managed_role')).map(({ name, source }) => [name, source]),
  );

const user = (username: string, more: object = {}): object => ({ username, login: false, database: username.split('_')[0], ...more });

/** What an application's repository brings: its database, and a role that it shares. */
const shop = {
  users: [user('shop_app')],
  databases: [{ name: 'shop', owner: 'shop_owner', create: true }],
  roles: [
    { name: 'shop_owner' },
    { name: 'shop_reader', sharedWith: ['bill'], grants: [{ database: 'shop', schemas: ['public'], tables: { outbox: ['SELECT'] } }] },
  ],
};
/** What another one's brings. */
const bill = { users: [user('bill_connector', { roles: ['shop_reader'] })] };
const both = [authorOf('shop', { create: true }), authorOf('bill')];

describe('two repositories', () => {
  it.each([
    ['the owner of the database', 'shop', 'bill'],
    ['whoever it is shared with', 'bill', 'shop'],
  ] as const)('lead to access whoever is first: %s', async (_who, first, second) => {
    await server.query('CREATE DATABASE bill');
    const documents = { shop, bill };
    const one = await begin(both);
    const { manifests } = one;
    const cycle = () => one.cycle();
    manifests.author(first, documents[first]);
    await cycle();
    expect(await members()).toEqual([]);
    manifests.author(second, documents[second]);
    const report = await cycle();
    expect(report.result).toBe('changed');
    expect(await members()).toEqual(['shop_reader bill_connector']);
    await server
      .query('SET ROLE shop_owner; CREATE TABLE IF NOT EXISTS outbox (id int)', 'shop')
      .catch(() => server.query('CREATE TABLE outbox (id int)', 'shop'));
    await cycle();
    const [may] = await server.query<{ yes: boolean }>(`SELECT has_table_privilege('bill_connector', 'outbox', 'SELECT') AS yes`, 'shop');
    expect(may?.yes).toBe(true);
    expect(await sources()).toMatchObject({
      shop_reader: 'author:shop',
      shop_app: 'author:shop',
      bill_connector: 'author:bill',
      operator_user: 'postgres/postgres-users-config',
    });
    const again = await cycle();
    expect(again.outcomes).toEqual([]);
  });

  it('and taking it back takes the membership, also from an entry that became wrong', async () => {
    await server.query('CREATE DATABASE bill');
    const first = await begin(both);
    const { manifests } = first;
    const cycle = () => first.cycle();
    const restart = () => first.restart();
    manifests.author('shop', shop);
    manifests.author('bill', bill);
    await cycle();
    expect(await members()).toEqual(['shop_reader bill_connector']);
    manifests.author('bill', { users: [user('bill_connector', { roles: ['shop_reader'], nonsense: 1 })] });
    await cycle();
    expect(await members()).toEqual(['shop_reader bill_connector']);
    steward = await restart();
    manifests.author('shop', { ...shop, roles: [{ name: 'shop_owner' }, { name: 'shop_reader' }] });
    await steward.cycle();
    expect(await members()).toEqual([]);
    expect(await names()).toContain('bill_connector');
  });
});

describe('an author that cannot be read', () => {
  it('keeps all that it had, after a restart too, and holds nobody else', async () => {
    await server.query('CREATE DATABASE shop');
    await server.query('CREATE DATABASE bill');
    const first = await begin(both);
    first.manifests.author('shop', { users: [user('shop_app')] });
    first.manifests.author('bill', { users: [user('bill_app'), user('bill_old')] });
    await first.cycle();
    first.manifests.author('shop', 'users: [');
    first.manifests.author('bill', { users: [user('bill_app')] });
    await first.cycle();
    expect(await names()).toEqual(['bill_app', 'operator_user', 'shop_app']);
    steward = await first.restart();
    const report = await steward.cycle();
    expect(await names()).toEqual(['bill_app', 'operator_user', 'shop_app']);
    expect(report.problems.map(({ source }) => source)).toContain('author:shop');
    expect(report.notices).toContainEqual(expect.objectContaining({ kind: 'kept', subject: 'shop_app' }));
  });

  it('whose ConfigMap is gone keeps, until the operator says otherwise and the grace is over', async () => {
    await server.query('CREATE DATABASE shop');
    const first = await begin([authorOf('shop'), authorOf('bill')]);
    first.manifests.author('shop', { users: [user('shop_app')] });
    await first.cycle();
    first.manifests.author('shop', undefined);
    await first.cycle();
    expect(await names()).toEqual(['operator_user', 'shop_app']);
    await first.close();
    const { manifests } = first;
    manifests.users([{ username: 'operator_user', login: false }]);
    steward = await createSteward(server, {}, manifests, undefined, undefined, true, [authorOf('shop', {}, { onGone: 'remove', grace: 3_600_000 })]);
    const early = await steward.cycle();
    expect(early.notices).toContainEqual(expect.objectContaining({ subject: 'shop_app', message: expect.stringContaining('as `grace` says') }));
    const again = async (env: Readonly<Record<string, string>> = {}): Promise<Steward> => {
      await steward?.close();
      manifests.users([{ username: 'operator_user', login: false }]);
      const authors = [authorOf('shop', {}, { onGone: 'remove', grace: 3_600_000 })];
      return (steward = await createSteward(server, env, manifests, undefined, undefined, true, authors));
    };
    const goneSince = async (): Promise<unknown> => (await server.query(`SELECT gone_since::text FROM pgsteward.managed_role WHERE name = 'shop_app'`))[0];
    const since = await goneSince();
    await (await again()).cycle();
    expect(await goneSince()).toEqual(since);
    await server.query(`UPDATE pgsteward.managed_role SET gone_since = gone_since - interval '59 minutes' WHERE name = 'shop_app'`);
    await (await again()).cycle();
    expect(await names()).toEqual(['operator_user', 'shop_app']);
    // One that is there again begins anew.
    manifests.author('shop', { users: [user('shop_app')] });
    await steward?.cycle();
    expect(await goneSince()).toEqual({ gone_since: null });
    manifests.author('shop', undefined);
    await steward?.cycle();
    await server.query(`UPDATE pgsteward.managed_role SET gone_since = gone_since - interval '61 minutes' WHERE name = 'shop_app'`);
    const planned = await (await again({ DRY_RUN: 'true' })).cycle();
    expect(planned.planned.map((change) => change.kind)).toContain('drop_role');
    await again();
    await steward?.cycle();
    await steward?.cycle();
    expect(await names()).toEqual(['operator_user']);
  });
});

describe('what somebody else has', () => {
  it('no author takes: roles that were there, databases and schemas with another owner', async () => {
    await server.query('CREATE ROLE shop_old; CREATE ROLE dba; GRANT dba TO shop_old');
    await server.query('CREATE DATABASE shop OWNER dba');
    await server.query('CREATE SCHEMA theirs AUTHORIZATION dba', 'shop');
    const one = await begin([authorOf('shop', { create: true })]);
    const { manifests } = one;
    const cycle = () => one.cycle();
    manifests.author('shop', {
      users: [user('shop_app', { roles: ['shop_old', 'dba'] })],
      roles: [{ name: 'shop_old', comment: 'mine' }, { name: 'shop_owner' }],
      databases: [{ name: 'shop', owner: 'shop_owner', schemas: [{ name: 'theirs', owner: 'shop_owner' }] }],
    });
    const report = await cycle();
    expect(report.result).toBe('changed');
    expect(await members()).toEqual(['dba shop_old']);
    expect(await sources()).not.toHaveProperty('shop_old');
    const [owner] = await server.query<{ owner: string }>(`SELECT datdba::regrole::text AS owner FROM pg_database WHERE datname = 'shop'`);
    expect(owner?.owner).toBe('dba');
    const [schema] = await server.query<{ owner: string }>(`SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'theirs'`, 'shop');
    expect(schema?.owner).toBe('dba');
  });

  it('goes over where the one hands it over, the other declares it, and both scopes have it: without a moment in between', async () => {
    const authors = [authorOf('shop', { names: ['shop_*', 'common'] }), authorOf('bill', { names: ['bill_*', 'common'] })];
    const one = await begin(authors);
    const { manifests } = one;
    const cycle = () => one.cycle();
    const [oid] = [async () => (await server.query<{ oid: number }>(`SELECT oid::int FROM pg_roles WHERE rolname = 'common'`))[0]?.oid];
    const none = { users: [], allowEmpty: true };
    manifests.author('shop', { ...none, roles: [{ name: 'common' }] });
    manifests.author('bill', { ...none, roles: [{ name: 'common' }] });
    await cycle();
    expect(await names()).toEqual(['operator_user']);
    manifests.author('bill', none);
    await cycle();
    const before = await oid();
    expect(await sources()).toMatchObject({ common: 'author:shop' });
    manifests.author('bill', { ...none, roles: [{ name: 'common' }] });
    await cycle();
    expect(await sources()).toMatchObject({ common: 'author:shop' });
    manifests.author('shop', { ...none, roles: [{ name: 'common', movedTo: 'bill' }] });
    await cycle();
    expect(await sources()).toMatchObject({ common: 'author:bill' });
    const handed = (): Promise<readonly object[]> =>
      server.query(`SELECT role, object, why, outcome FROM pgsteward.audit_log WHERE change = 'hand_over_role' ORDER BY id DESC LIMIT 1`);
    const why = expect.stringMatching(/^bill\/.*@/) as string;
    expect(await handed()).toEqual([{ role: 'common', object: 'from author:shop to author:bill', why, outcome: 'applied' }]);
    // And to the operator, and back again.
    manifests.author('bill', { ...none, roles: [{ name: 'common', movedTo: 'operator' }] });
    manifests.users(JSON.stringify({ users: [{ username: 'operator_user', login: false }], roles: [{ name: 'common' }] }));
    await cycle();
    expect(await sources()).toMatchObject({ common: 'postgres/postgres-users-config' });
    expect(await handed()).toEqual([expect.objectContaining({ object: 'from author:bill to postgres/postgres-users-config' })]);
    manifests.users(JSON.stringify({ users: [{ username: 'operator_user', login: false }], roles: [{ name: 'common', movedTo: 'bill' }] }));
    manifests.author('bill', { ...none, roles: [{ name: 'common' }] });
    await cycle();
    expect(await sources()).toMatchObject({ common: 'author:bill' });
    manifests.users([{ username: 'operator_user', login: false }]);
    manifests.author('shop', none);
    await cycle();
    await cycle();
    expect(await oid()).toBe(before);
    expect(await sources()).toMatchObject({ common: 'author:bill' });
  });
});

describe('Secrets', () => {
  it('of an author’s users are read in its own namespace alone', async () => {
    await server.query('CREATE DATABASE shop');
    const one = await begin([authorOf('shop')], [{ username: 'other', database: 'postgres' }]);
    const { manifests } = one;
    const cycle = () => one.cycle();
    manifests.secret('other', 'not for the shop');
    manifests.authorSecret('shop', 'user-shop-app-secret', 'password of the shop');
    manifests.author('shop', {
      users: [
        { username: 'shop_app', database: 'shop' },
        { username: 'shop_thief', database: 'shop', passwordSecretRef: { name: 'user-other-secret' } },
      ],
    });
    await cycle();
    expect(await names()).toEqual(['other', 'shop_app']);
    const client = await server.client('shop', { user: 'shop_app', password: 'password of the shop' });
    await client.end();
  });
});
