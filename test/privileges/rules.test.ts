// What the rules refuse, wait for, leave alone and give back: system schemas, things to come, PUBLIC, extensions, foreign grantors.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { stringify } from 'yaml';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { holdings, rawEntries } from './acl.ts';
import type { PlainDatabase, PlainRole } from './evaluator.ts';
import { QUIET, settles, writesDuring } from './quiet.ts';

let server: Postgres;
let steward: Steward;
let shop: pg.Client;
serverForAll(
  QUIET,
  (started) => (server = started),
  () => steward,
);
beforeEach(async () => {
  await server.query('CREATE ROLE shop_owner; CREATE ROLE outsider; CREATE ROLE other_outsider');
  await server.query('CREATE DATABASE shop OWNER shop_owner');
  shop = await server.client('shop');
  await shop.query('CREATE SCHEMA sales AUTHORIZATION shop_owner; SET ROLE shop_owner; CREATE TABLE sales.orders (id integer, email text); RESET ROLE');
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
});
afterEach(() => shop.end());

const declare = (roles: readonly PlainRole[], databases: readonly PlainDatabase[] = []): void =>
  steward.manifests.users(stringify({ ...(databases.length > 0 ? { databases } : {}), roles, users: [{ username: 'somebody', login: false }] }));
const held = (role: string): Promise<readonly string[]> => holdings(shop, role, server.major);
const settled = (): Promise<void> => settles(server, steward);
const ORDERS = { database: 'shop', schemas: ['sales'], tables: { orders: ['SELECT'] } } as const;
const ORDERS_HELD = ['schema shop: sales.sales USAGE', 'table shop: sales.orders SELECT'];

describe('what is refused', () => {
  it.each([
    ['pg_catalog', 'shop', { tables: { pg_authid: ['SELECT'] } }],
    ['information_schema', 'shop', { tables: { '*': ['SELECT'] } }],
    ['pg_toast', 'shop', { tables: { '*': ['SELECT'] } }],
    ['pgsteward', 'postgres', { tables: { managed_role: ['SELECT', 'DELETE'] } }],
    ['pgsteward', 'postgres', {}],
  ])('is what a document says about the schema %s of %s, with a reason, while the rest is granted', async (schema, database, objects) => {
    declare([{ name: 'reader', grants: [{ database, schemas: [schema], ...objects }, ORDERS] }]);
    for (let round = 0; round < 2; round += 1) {
      const report = await steward.cycle();
      const said = report.notices.filter((notice) => notice.kind === 'refused').map((notice) => notice.message);
      expect([...said, ...report.problems.map((problem) => problem.message)].join()).toContain(schema);
    }
    const client = await server.client(database);
    expect(await held('reader')).toEqual(ORDERS_HELD);
    const own = await client.query(`SELECT has_schema_privilege('reader', 'pgsteward', 'USAGE') AS usage WHERE to_regnamespace('pgsteward') IS NOT NULL`);
    expect(own.rows.filter((row: { usage: boolean }) => row.usage)).toEqual([]);
    const inside = await client.query(
      `SELECT c.relname FROM pg_class c, aclexplode(c.relacl) x WHERE x.grantee = 'reader'::regrole AND c.relnamespace = $1::regnamespace`,
      [schema],
    );
    expect(inside.rows).toEqual([]);
    await client.end();
  });

  it('is nothing of what `*` means: schemas of the system and of pgsteward are simply not in it', async () => {
    declare([{ name: 'reader', grants: [{ databases: ['shop', 'postgres'], schemas: ['*'], tables: { '*': ['SELECT'] } }] }]);
    const report = await steward.cycle();
    expect(report.notices.filter((notice) => notice.kind === 'refused')).toEqual([]);
    const home = await server.client('postgres');
    for (const client of [home, shop]) {
      const { rows } = await client.query<{ schema: string }>(
        `SELECT DISTINCT n.nspname AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) x WHERE x.grantee = 'reader'::regrole`,
      );
      expect(rows.map(({ schema }) => schema)).toEqual(client === shop ? ['sales'] : []);
    }
    await home.end();
    await settled();
  });
});

describe('what does not exist yet', () => {
  it('is pending, by name, until the cycle after it appeared', async () => {
    await settledEmpty();
    declare([
      {
        name: 'reader',
        grants: [
          {
            database: 'shop',
            schemas: ['sales', 'later'],
            tables: { invoices: ['SELECT'] },
            functions: { 'total(integer)': ['EXECUTE'] },
            sequences: { numbers: ['USAGE'] },
          },
          { database: 'shop', largeObjects: { '4711': ['SELECT'] }, languages: { lang_one: ['USAGE'] } },
          { database: 'tomorrow', databasePrivileges: ['CREATE'] },
        ],
      },
    ]);
    for (let round = 0; round < 2; round += 1) {
      const { notices, result } = await steward.cycle();
      expect(['changed', 'converged']).toContain(result);
      const pending = notices.filter((notice) => notice.kind === 'pending');
      expect(pending.every((notice) => notice.subject === 'reader')).toBe(true);
      const said = pending.map((notice) => notice.message).join('\n');
      for (const name of ['invoices', 'total(integer)', 'numbers', 'later', '4711', 'lang_one', 'tomorrow']) expect(said).toContain(name);
    }
    await shop.query(`
      CREATE SCHEMA later AUTHORIZATION shop_owner;
      CREATE TABLE sales.invoices (id integer); CREATE TABLE later.invoices (id integer); CREATE SEQUENCE sales.numbers; CREATE SEQUENCE later.numbers;
      CREATE FUNCTION sales.total(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION sales.total(text) RETURNS integer LANGUAGE sql AS 'SELECT 1';
      CREATE FUNCTION later.total(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
      CREATE TRUSTED LANGUAGE lang_one HANDLER plpgsql_call_handler; SELECT lo_create(4711);`);
    await server.query('CREATE DATABASE tomorrow');
    const report = await steward.cycle();
    expect(report.notices).toEqual([]);
    expect(await held('reader')).toEqual(
      [
        'database tomorrow: .tomorrow CREATE',
        ...['sales', 'later'].flatMap((schema) => [
          `schema shop: ${schema}.${schema} USAGE`,
          `table shop: ${schema}.invoices SELECT`,
          `sequence shop: ${schema}.numbers USAGE`,
          `function shop: ${schema}.total(integer) EXECUTE`,
        ]),
        'language shop: .lang_one USAGE',
        'large_object shop: .4711 SELECT',
      ].toSorted(),
    );
    await settled();
  });

  const settledEmpty = async (): Promise<void> => {
    declare([{ name: 'reader', grants: [] }]);
    await settled();
    expect(await held('reader')).toEqual([]);
  };
});

describe('PUBLIC', () => {
  it('loses every right on the database and on the schema public where it is revoked, and gets it back by no hand', async () => {
    declare([], [{ name: 'shop', public: 'revoked' }]);
    await settled();
    await shop.query('GRANT CONNECT, TEMPORARY ON DATABASE shop TO PUBLIC; GRANT ALL ON SCHEMA public TO PUBLIC');
    expect((await steward.cycle()).drift.length).toBeGreaterThan(0);
    expect((await held('')).filter((line) => /^(database shop|schema shop: public)/.test(line))).toEqual([]);
  });

  it('has what its block says of the objects that the block names, and keeps the rest', async () => {
    await shop.query(`
      SET ROLE shop_owner; CREATE TABLE sales.notes (id integer); CREATE FUNCTION sales.purge() RETURNS integer LANGUAGE sql AS 'SELECT 1';
      CREATE FUNCTION sales.look() RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE TYPE sales.state AS ENUM ('a');
      GRANT SELECT ON sales.notes TO PUBLIC; RESET ROLE`);
    const before = await held('');
    declare([], [{ name: 'shop', public: { schemas: ['sales'], tables: { orders: ['SELECT'] }, functions: { purge: [] }, types: { '*': [] } } }]);
    await settled();
    const expected = before
      .filter((line) => !/sales\.(purge|state)/.test(line))
      .concat('schema shop: sales.sales USAGE', 'table shop: sales.orders SELECT')
      .toSorted();
    expect(await held('')).toEqual(expected);
    await shop.query('GRANT EXECUTE ON FUNCTION sales.purge() TO PUBLIC; GRANT INSERT ON sales.orders TO PUBLIC');
    await steward.cycle();
    expect(await held('')).toEqual(expected);
    await settled();
  });

  it('keeps what it holds on columns that no rule names, when what it holds on their table goes', async () => {
    await shop.query('GRANT SELECT, UPDATE ON sales.orders TO PUBLIC; GRANT SELECT (id), UPDATE (id, email) ON sales.orders TO PUBLIC');
    const columns = async (): Promise<readonly string[]> => (await held('')).filter((line) => line.startsWith('column '));
    const before = await columns();
    declare([], [{ name: 'shop', public: { schemas: ['sales'], tables: { orders: ['SELECT'] } } }]);
    await settled();
    expect(await columns()).toEqual(before);
    expect((await held('')).filter((line) => line.startsWith('table '))).toEqual(['table shop: sales.orders SELECT']);
  });
});

describe('others', () => {
  it('do not lose what a role of ours granted them with an option that it may not keep, unless that is said', async () => {
    declare([{ name: 'reader', grants: [ORDERS] }]);
    await settled();
    await shop.query(`GRANT SELECT ON sales.orders TO reader WITH GRANT OPTION; SET ROLE reader; GRANT SELECT ON sales.orders TO outsider; RESET ROLE`);
    const holds = async (): Promise<boolean> => (await held('outsider')).includes('table shop: sales.orders SELECT');
    const reports = [await steward.cycle(), await steward.cycle()];
    expect(await holds()).toBe(true);
    const said = reports.flatMap((report) => report.notices.map((notice) => notice.message)).join('\n');
    if ((await held('reader')).includes('table shop: sales.orders SELECT*')) expect(said).toContain('outsider');
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  });

  it('do not lose a column that a role of ours granted them with a right that it keeps, when its right on the whole table goes', async () => {
    declare([
      { name: 'reader', grants: [{ database: 'shop', schemas: ['sales'], columns: { orders: { email: [{ privilege: 'SELECT', grantable: true }] } } }] },
    ]);
    await settled();
    await shop.query('SET ROLE reader; GRANT SELECT (email) ON sales.orders TO outsider; RESET ROLE; GRANT SELECT ON sales.orders TO reader');
    const before = await rawEntries(shop, ['outsider'], server.major);
    const reports = [await steward.cycle(), await steward.cycle()];
    expect(await rawEntries(shop, ['outsider'], server.major)).toEqual(before);
    const said = reports.flatMap((report) => report.notices.map((notice) => notice.message)).join('\n');
    if ((await held('reader')).includes('table shop: sales.orders SELECT')) expect(said).toContain('outsider');
    expect(await held('reader')).toContain('column shop: sales.orders.email SELECT*');
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  });

  it('may also be the owner, to whom a role of ours granted something back: its own rights come from nobody', async () => {
    declare([{ name: 'reader', grants: [] }]);
    await settled();
    await shop.query(
      'GRANT USAGE ON SCHEMA sales TO reader; GRANT SELECT (id), UPDATE (id) ON sales.orders TO reader WITH GRANT OPTION; GRANT DELETE ON sales.orders TO reader WITH GRANT OPTION; SET ROLE reader; GRANT SELECT (id) ON sales.orders TO shop_owner; GRANT DELETE ON sales.orders TO shop_owner; RESET ROLE',
    );
    const reports = [await steward.cycle(), await steward.cycle()];
    const said = reports.flatMap((report) => report.notices.map((notice) => notice.message)).join('\n');
    if ((await held('reader')).length > 0) expect(said).toContain('shop_owner');
    await settled();
    await shop.query('SET ROLE shop_owner; SELECT * FROM sales.orders; DELETE FROM sales.orders; RESET ROLE');
  });

  it('may have granted something to a role of ours and no longer see the object: it is revoked, or the grantor is named', async () => {
    declare([{ name: 'reader', grants: [] }]);
    await settled();
    await shop.query(
      'GRANT USAGE ON SCHEMA sales TO outsider; GRANT SELECT ON sales.orders TO outsider WITH GRANT OPTION; SET ROLE outsider; GRANT SELECT ON sales.orders TO reader; RESET ROLE; REVOKE USAGE ON SCHEMA sales FROM outsider',
    );
    const before = await rawEntries(shop, ['outsider'], server.major);
    const reports = [await steward.cycle(), await steward.cycle()];
    const said = reports.flatMap((report) => report.notices.map((notice) => notice.message)).join('\n');
    if ((await held('reader')).length > 0) expect(said).toContain('outsider');
    expect(await rawEntries(shop, ['outsider'], server.major)).toEqual(before);
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  });

  it('may have granted something to a role of ours before they became members of the owner, as whom the server then takes them', async () => {
    declare([{ name: 'reader', grants: [] }]);
    await settled();
    await shop.query(
      'GRANT USAGE ON SCHEMA sales TO outsider; GRANT SELECT ON sales.orders TO outsider WITH GRANT OPTION; SET ROLE outsider; GRANT SELECT ON sales.orders TO reader; RESET ROLE; GRANT shop_owner TO outsider',
    );
    const before = await rawEntries(shop, ['outsider'], server.major);
    const reports = [await steward.cycle(), await steward.cycle(), await steward.cycle()];
    const said = reports.flatMap((report) => report.notices.map((notice) => notice.message)).join('\n');
    if ((await held('reader')).length > 0) expect(said).toContain('outsider');
    expect(await rawEntries(shop, ['outsider'], server.major)).toEqual(before);
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  });

  it('that a document does not name keep default privileges, also those that they gave to roles of ours where these are additive', async () => {
    await shop.query(
      'CREATE ROLE reader; ALTER DEFAULT PRIVILEGES FOR ROLE outsider GRANT SELECT ON TABLES TO reader, other_outsider; ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA sales GRANT INSERT ON TABLES TO reader',
    );
    const before = await rawEntries(shop, ['other_outsider', 'reader'], server.major);
    expect(before).toHaveLength(3);
    declare([{ name: 'reader', grants: [], grantsMode: 'additive' }]);
    await settled();
    expect(await rawEntries(shop, ['other_outsider', 'reader'], server.major)).toEqual(before);
    declare([{ name: 'reader', grants: [] }]);
    await settled();
    expect(await rawEntries(shop, ['other_outsider', 'reader'], server.major)).toEqual(before.filter((entry) => entry.includes('other_outsider=')));
  });
});

it('a role of ours that granted something loses it together with its way into the schema, in one cycle and without a complaint', async () => {
  declare(['first', 'second'].map((name) => ({ name, grants: [] })));
  await settled();
  await shop.query(
    `GRANT USAGE ON SCHEMA sales TO first; GRANT SELECT, UPDATE (id) ON sales.orders TO first WITH GRANT OPTION;
     SET ROLE first; GRANT SELECT, UPDATE (id) ON sales.orders TO second WITH GRANT OPTION; RESET ROLE`,
  );
  const report = await steward.cycle();
  expect(report.notices).toEqual([]);
  expect(report.result).toBe('changed');
  expect([await held('first'), await held('second')]).toEqual([[], []]);
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  // Where the first keeps what it has without the option, only what it passed on goes.
  declare([
    { name: 'first', grants: [ORDERS] },
    { name: 'second', grants: [] },
  ]);
  await settled();
  await shop.query('GRANT SELECT ON sales.orders TO first WITH GRANT OPTION; SET ROLE first; GRANT SELECT ON sales.orders TO second; RESET ROLE');
  expect((await steward.cycle()).notices).toEqual([]);
  expect([await held('first'), await held('second')]).toEqual([ORDERS_HELD, []]);
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
});

describe('a declaration that goes', () => {
  it('leaves what the role holds and says so, and the role takes it with it when it goes itself', async () => {
    declare([{ name: 'reader', grants: [ORDERS] }]);
    await settled();
    expect(await held('reader')).toEqual(ORDERS_HELD);
    declare([{ name: 'reader' }]);
    await steward.cycle();
    await shop.query('GRANT INSERT ON sales.orders TO reader');
    await settled();
    expect(await held('reader')).toEqual(['schema shop: sales.sales USAGE', 'table shop: sales.orders INSERT SELECT']);
    declare([{ name: 'reader', grants: [] }]);
    await settled();
    expect(await held('reader')).toEqual([]);
    declare([{ name: 'reader', grants: [ORDERS, { database: 'shop', schemas: ['sales'], sequences: { '*': ['USAGE'] } }] }]);
    await settled();
    declare([]);
    await steward.cycle();
    await steward.cycle();
    expect((await server.query(`SELECT rolname FROM pg_roles WHERE rolname = 'reader'`)).length).toBe(0);
    expect(await rawEntries(shop, ['reader'], server.major)).toEqual([]);
  });
});

describe('members of an extension', () => {
  it('are left out of patterns, can be named, and keep what the extension gave', async () => {
    await shop.query(
      'CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION pg_stat_statements SCHEMA ext; CREATE TABLE ext.own (id integer)',
    );
    declare([
      {
        name: 'reader',
        grants: [{ database: 'shop', schemas: ['ext'], tables: { '*': ['SELECT'] }, functions: { '*': ['EXECUTE'], 'akeys(ext.hstore)': ['EXECUTE'] } }],
      },
    ]);
    await settled();
    expect(await held('reader')).toEqual(['function shop: ext.akeys(ext.hstore) EXECUTE', 'schema shop: ext.ext USAGE', 'table shop: ext.own SELECT']);
    await shop.query('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ext TO reader; GRANT SELECT ON ext.pg_stat_statements TO reader');
    const before = await rawEntries(shop, ['outsider', 'pg_read_all_stats'], server.major);
    await settled();
    expect(await held('reader')).toEqual(['function shop: ext.akeys(ext.hstore) EXECUTE', 'schema shop: ext.ext USAGE', 'table shop: ext.own SELECT']);
    expect(await rawEntries(shop, ['outsider', 'pg_read_all_stats'], server.major)).toEqual(before);
  });

  it('are refused by name where the extension keeps them from everybody', async () => {
    await shop.query('CREATE SCHEMA ext; CREATE EXTENSION pg_stat_statements SCHEMA ext');
    declare([{ name: 'reader', grants: [ORDERS, { database: 'shop', schemas: ['ext'], functions: { pg_stat_statements_reset: ['EXECUTE'] } }] }]);
    const report = await steward.cycle();
    expect(
      report.notices
        .filter((notice) => notice.kind === 'refused')
        .map((notice) => notice.message)
        .join(),
    ).toContain('pg_stat_statements_reset');
    expect((await held('reader')).filter((line) => !line.includes('ext.ext'))).toEqual(ORDERS_HELD);
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  });
});

it('the old key `privileges` of a user names tables of its database, with or without their schema', async () => {
  await shop.query('SET ROLE shop_owner; CREATE TABLE sales."Odd.name" (id integer); RESET ROLE; CREATE TABLE public.daily (id integer)');
  steward.manifests.users(
    stringify({
      users: [
        {
          username: 'old_style',
          database: 'shop',
          login: false,
          privileges: { daily: ['SELECT', 'insert'], 'sales.orders': ['SELECT'], 'sales.later': ['ALL'] },
        },
      ],
    }),
  );
  await settled();
  const expected = [
    'database shop: .shop CONNECT',
    'schema shop: public.public USAGE',
    'schema shop: sales.sales USAGE',
    'table shop: public.daily INSERT SELECT',
    'table shop: sales.orders SELECT',
  ];
  expect(await held('old_style')).toEqual(expected);
  await shop.query('GRANT UPDATE ON sales.orders TO old_style');
  await settled();
  expect(await held('old_style')).toEqual(expected);
});

it('a block that leaves DB_NAME unsaid and one that says it contradict each other like any two', async () => {
  const tables = (privileges: readonly string[]) => ({ schemas: ['public'], tables: { daily: privileges } });
  await server.query('CREATE TABLE daily (id integer)');
  declare([{ name: 'reader', grants: [tables(['SELECT']), { database: 'postgres', ...tables([]) }] }]);
  const report = await steward.cycle();
  await server.query('DROP TABLE daily');
  expect([...report.problems.map((problem) => problem.message), ...report.notices.map((notice) => notice.message)].join()).toContain('daily');
});

it('REVOKES=report shows and counts what is too much, and takes nothing away until it is lifted', async () => {
  steward = await steward.restart({ REVOKES: 'report' });
  declare([{ name: 'reader', grants: [ORDERS] }]);
  await steward.cycle();
  await shop.query('GRANT DELETE ON sales.orders TO reader; REVOKE SELECT ON sales.orders FROM reader');
  const report = await steward.cycle();
  expect(report.drift.length).toBeGreaterThan(0);
  expect(await held('reader')).toEqual(['schema shop: sales.sales USAGE', 'table shop: sales.orders DELETE SELECT']);
  const said = await steward.cycle();
  expect(JSON.stringify([said.notices, said.planned])).toContain('DELETE');
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  steward = await steward.restart({ REVOKES: '' });
  await steward.cycle();
  expect(await held('reader')).toEqual(ORDERS_HELD);
});
