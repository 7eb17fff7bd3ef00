// What an author tried on a real server to get what is not its own, to stay beyond its quota, or to stop others: each of these worked once.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Author } from '../../src/model/fleet.ts';
import { Manifests } from '../support/daemon.ts';
import { authorOf } from '../support/authors.ts';
import { MemorySecrets } from '../support/memory-secrets.ts';
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

const OPERATOR = [{ username: 'operator_user', login: false }];

async function begin(authors: readonly Author[], own: readonly object[] | string = OPERATOR): Promise<Steward> {
  const manifests = new Manifests();
  manifests.users(own);
  return (steward = await createSteward(server, {}, manifests, undefined, new MemorySecrets(), true, authors));
}

const beginning = async (...given: Parameters<typeof begin>) => {
  const one = await begin(...given);
  return { manifests: one.manifests, cycle: () => one.cycle() };
};

const column = async (sql: string, database?: string): Promise<readonly string[]> =>
  (await server.query<{ line: string }>(`SELECT line FROM (${sql}) x(line) ORDER BY 1`, database)).map(({ line }) => line);

const names = (): Promise<readonly string[]> => column(`SELECT rolname::text FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'`);
const owners = (): Promise<readonly string[]> => column(`SELECT datname || ' ' || datdba::regrole FROM pg_database WHERE datname IN ('shop', 'common')`);
const schemas = (): Promise<readonly string[]> =>
  column(`SELECT nspname || ' ' || nspowner::regrole FROM pg_namespace WHERE nspname IN ('app', 'theirs')`, 'shop');
const members = (): Promise<readonly string[]> =>
  column(
    `SELECT m.roleid::regrole || ' ' || m.member::regrole FROM pg_auth_members m WHERE m.roleid::regrole::text !~ '^pg_' AND m.member::regrole::text <> 'postgres'`,
  );

const none = { users: [], allowEmpty: true };
const user = (username: string, more: object = {}): object => ({ username, login: false, database: 'shop', ...more });

describe('a database or schema of somebody else', () => {
  const taking = [{ name: 'shop', owner: 'shop_owner', schemas: [{ name: 'app', owner: 'shop_owner' }] }];

  it('is not taken by an entry that stays in force while its owner is declared by nobody', async () => {
    await server.query('CREATE ROLE dba');
    await server.query('CREATE DATABASE shop OWNER dba');
    await server.query('CREATE SCHEMA app AUTHORIZATION dba', 'shop');
    const { manifests, cycle } = await beginning([authorOf('shop')]);
    manifests.author('shop', { ...none, roles: [{ name: 'shop_owner' }], databases: taking });
    await cycle();
    manifests.author('shop', { ...none, databases: [{ name: 'shop', owner: 'none' }] });
    await cycle();
    await cycle();
    expect(await owners()).toEqual(['shop dba']);
    expect(await schemas()).toEqual(['app dba']);
  });

  // Below 15 the owner of a database has to be given what it has on the schema public from 15 on.
  it('gives an owner that is refused nothing on its schema public', async () => {
    await server.query('CREATE ROLE dba');
    await server.query('CREATE DATABASE shop OWNER dba');
    const { manifests, cycle } = await beginning([authorOf('shop', { schemas: ['app'] })]);
    manifests.author('shop', { ...none, roles: [{ name: 'shop_owner' }], databases: [{ name: 'shop', owner: 'shop_owner' }] });
    await cycle();
    expect(await owners()).toEqual(['shop dba']);
    const entries = `SELECT privilege_type FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'public' AND grantee = 'shop_owner'::regrole`;
    expect(await column(entries, 'shop')).toEqual([]);
  });

  it('is not taken by declaring the role that owns it, which nobody recorded', async () => {
    await server.query('CREATE ROLE shop_dba');
    await server.query('CREATE DATABASE shop OWNER shop_dba');
    await server.query('CREATE SCHEMA app AUTHORIZATION shop_dba', 'shop');
    const { manifests, cycle } = await beginning([authorOf('shop')]);
    manifests.author('shop', { ...none, roles: [{ name: 'shop_owner' }, { name: 'shop_dba' }], databases: taking });
    await cycle();
    await cycle();
    expect(await owners()).toEqual(['shop shop_dba']);
    expect(await schemas()).toEqual(['app shop_dba']);
  });

  it('is its own to hand on where its own role has it', async () => {
    await server.query('CREATE DATABASE shop');
    const { manifests, cycle } = await beginning([authorOf('shop')]);
    manifests.author('shop', { ...none, roles: [{ name: 'shop_owner' }, { name: 'shop_next' }], databases: taking });
    await cycle();
    expect(await owners()).toEqual(['shop shop_owner']);
    manifests.author('shop', { ...none, roles: [{ name: 'shop_owner' }, { name: 'shop_next' }], databases: [{ ...taking[0], owner: 'shop_next' }] });
    await cycle();
    expect(await owners()).toEqual(['shop shop_next']);
  });
});

describe('a user of the operator with two users that log in by turns', () => {
  const rotating = (strategy: string) =>
    JSON.stringify({
      users: [
        {
          username: 'shop',
          database: 'shop',
          roles: ['reporting'],
          password: { generate: {} },
          connectionSecret: { name: 'shop-connection' },
          rotation: { every: '30d', strategy, ...(strategy === 'two-users' ? { overlap: '1h' } : {}) },
        },
      ],
      roles: [{ name: 'reporting' }],
    });

  it('is not logged in for by a role that an author had first', async () => {
    await server.query('CREATE DATABASE shop');
    const { manifests, cycle } = await beginning([authorOf('shop', { names: ['shop-*'] })], rotating('in-place'));
    manifests.author('shop', { users: [user('shop-1'), user('shop-2')] });
    await cycle();
    expect(await members()).toEqual(['reporting shop']);
    manifests.users(rotating('two-users'));
    const report = await cycle();
    expect(report.problems.map(({ message }) => message)).toContainEqual(expect.stringContaining('shop-1'));
    await cycle();
    expect(await members()).toEqual(['reporting shop']);
  });
});

describe('a name that another author declared first, and nobody got', () => {
  it('has nothing of that one’s entry, as its password', async () => {
    await server.query('CREATE DATABASE shop');
    const scope = { names: ['*'], databases: ['shop'] };
    const { manifests, cycle } = await beginning([authorOf('bill', scope), authorOf('shop', scope)]);
    manifests.author('bill', { users: [{ username: 'common', database: 'shop', passwordSecretRef: { name: 'chosen' } }] });
    await cycle();
    manifests.author('bill', none);
    manifests.authorSecret('bill', 'chosen', 'chosen by somebody else');
    manifests.author('shop', { users: [{ username: 'common', database: 'shop', nonsense: 1 }] });
    await cycle();
    await cycle();
    expect(await names()).toEqual(['operator_user']);
  });

  it('is handed over as it is called, and not by a name that it has not yet', async () => {
    const role = (more: object) => JSON.stringify({ ...none, roles: [{ name: 'shop_x', memberOf: ['reporting'], ...more }, { name: 'reporting' }] });
    const { manifests, cycle } = await beginning([authorOf('shop')], role({}));
    await cycle();
    manifests.users(role({ movedTo: 'shop' }));
    manifests.author('shop', { ...none, roles: [{ name: 'shop_y', renamedFrom: 'shop_x' }] });
    await cycle();
    await cycle();
    expect(await names()).toEqual(['reporting', 'shop_x']);
    expect(await members()).toEqual(['reporting shop_x']);
  });
});

describe('a quota', () => {
  it('counts entries that became wrong, which stay in force', async () => {
    await server.query('CREATE DATABASE shop');
    const { manifests, cycle } = await beginning([authorOf('shop', { users: 2, declaredRoles: 1 })]);
    manifests.author('shop', { users: [user('shop_a'), user('shop_b')], roles: [{ name: 'shop_r' }] });
    await cycle();
    manifests.author('shop', {
      users: [user('shop_a', { nonsense: 1 }), user('shop_b', { nonsense: 1 }), user('shop_c'), user('shop_d')],
      roles: [{ name: 'shop_r', nonsense: 1 }, { name: 'shop_s' }],
    });
    await cycle();
    expect(await names()).toEqual(['operator_user', 'shop_a', 'shop_b', 'shop_r']);
  });

  it('counts roles that are made as they are named, and whose entries are wrong or one too many', async () => {
    await server.query('CREATE DATABASE shop');
    const { manifests, cycle } = await beginning([authorOf('shop', { declaredRoles: 1 })]);
    const roles = ['r', 's', 't', 'u'].map((letter) => `shop_${letter}`);
    manifests.author('shop', {
      users: [user('shop_a', { roles })],
      roles: [{ name: 'shop_r' }, { name: 'shop_s' }, { name: 'shop_t', nonsense: 1 }, { name: 'shop_u' }],
      databases: [{ name: 'shop', owner: 'shop_u', schemas: [{ name: 'app', owner: 'shop_s' }] }],
    });
    await cycle();
    await cycle();
    expect((await names()).filter((name) => roles.includes(name))).toHaveLength(1);
  });

  it('of connections counts what users keep whose entries are wrong or too much', async () => {
    await server.query('CREATE DATABASE shop');
    const { manifests, cycle } = await beginning([authorOf('shop', { connections: 10 })]);
    const limited = (username: string, connectionLimit: number, more: object = {}) =>
      user(username, { login: true, password: 'none', connectionLimit, ...more });
    const limits = () => column(`SELECT rolname || ' ' || rolconnlimit FROM pg_roles WHERE rolname ~ '^shop_'`);
    manifests.author('shop', { users: [limited('shop_a', 6), limited('shop_b', 4)] });
    await cycle();
    manifests.author('shop', { users: [limited('shop_a', 6, { nonsense: 1 }), limited('shop_b', 10), limited('shop_c', 1)] });
    await cycle();
    expect(await limits()).toEqual(['shop_a 6', 'shop_b 4']);
    manifests.author('shop', { users: [limited('shop_a', 6, { nonsense: 1 }), limited('shop_b', 3), limited('shop_c', 1)] });
    await cycle();
    expect(await limits()).toEqual(['shop_a 6', 'shop_b 3', 'shop_c 1']);
  });

  it('counts who is not named any more as long as nothing takes them away', async () => {
    await server.query('CREATE DATABASE shop');
    const { manifests, cycle } = await beginning([authorOf('shop', { users: 2, declaredRoles: 1 })]);
    manifests.author('shop', { users: [user('shop_a'), user('shop_b')] });
    await cycle();
    manifests.author('shop', { users: [user('shop_c'), user('shop_d')], databases: [{ name: 'shop', nonsense: 1 }] });
    await cycle();
    await cycle();
    expect(await names()).toEqual(['operator_user', 'shop_a', 'shop_b']);
    manifests.author('shop', { users: [user('shop_c'), user('shop_d')] });
    for (let at = 0; at < 3; at += 1) await cycle();
    expect(await names()).toEqual(['operator_user', 'shop_c', 'shop_d']);
  });
});

describe('whoever has something in common with an author', () => {
  it('loses no membership to a loop that a third one makes', async () => {
    const authors = ['one', 'two', 'three'].map((name) => authorOf(name));
    const { manifests, cycle } = await beginning(authors);
    manifests.author('one', { ...none, roles: [{ name: 'one_r', sharedWith: ['three'], memberOf: ['two_r'] }] });
    manifests.author('two', { ...none, roles: [{ name: 'two_r', sharedWith: ['one'], memberOf: ['three_r'] }] });
    manifests.author('three', { ...none, roles: [{ name: 'three_r', sharedWith: ['two'] }] });
    await cycle();
    expect(await members()).toEqual(['three_r two_r', 'two_r one_r']);
    manifests.author('three', { ...none, roles: [{ name: 'three_r', sharedWith: ['two'], memberOf: ['one_r'] }] });
    await cycle();
    await cycle();
    expect(await members()).toEqual(['three_r two_r', 'two_r one_r']);
  });

  it('keeps what its database’s entry gave, also after a restart, while another declares that too', async () => {
    await server.query('CREATE DATABASE common');
    const first = await begin([authorOf('shop', { databases: ['common'] }), authorOf('bill', { databases: ['common'] })]);
    const { manifests } = first;
    manifests.author('shop', {
      ...none,
      roles: [{ name: 'shop_maker' }, { name: 'shop_reader', grants: [{ database: 'common', schemas: ['public'], tables: { '*': ['SELECT'] } }] }],
      databases: [{ name: 'common', createdBy: ['shop_maker'] }],
    });
    await first.cycle();
    await first.cycle();
    const defaults = () => column(`SELECT defaclrole::regrole || ' ' || defaclacl::text FROM pg_default_acl`, 'common');
    const before = await defaults();
    expect(before.join()).toContain('shop_reader');
    manifests.author('bill', { ...none, databases: [{ name: 'common' }] });
    await first.cycle();
    expect(await defaults()).toEqual(before);
    steward = await first.restart();
    await steward.cycle();
    await steward.cycle();
    expect(await defaults()).toEqual(before);
  });

  it('removes what it no longer declares, whatever names others declare with it', async () => {
    await server.query('CREATE DATABASE shop');
    const scope = { databases: ['shop'], names: ['shop_*'] };
    const { manifests, cycle } = await beginning([authorOf('bill', scope), authorOf('shop', scope)]);
    manifests.author('shop', { users: [user('shop_a'), user('shop_b')] });
    await cycle();
    manifests.author('bill', { users: [user('shop_new')], databases: [{ name: 'shop' }] });
    manifests.author('shop', { users: [user('shop_a'), user('shop_new')], databases: [{ name: 'shop' }] });
    await cycle();
    await cycle();
    expect(await names()).toEqual(['operator_user', 'shop_a']);
  });
});
