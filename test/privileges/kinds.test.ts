// Every kind of object: what is declared is granted, what is changed by hand is repaired within one cycle, and others keep what they hold.
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { OBJECT_KINDS, type ObjectKind } from '../../src/model/kinds.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { holdings, rawEntries } from './acl.ts';
import type { Block, Wish } from './evaluator.ts';
import { QUIET, writesDuring } from './quiet.ts';

interface KindCase {
  /** The keys of a block that declares these privileges on the first of two objects. */
  readonly block: (wishes: readonly Wish[]) => Block;
  readonly privilege: string;
  /** Another privilege of the kind, where it has one. */
  readonly extra?: string;
  /** Both objects as GRANT names them. */
  readonly on: readonly [string, string];
  /** The first as `holdings` names it. */
  readonly name: string;
  /** Of its columns. */
  readonly columns?: readonly [string, string];
}

const KIND_CASES: Readonly<Record<ObjectKind, KindCase>> = {
  database: {
    block: (wishes) => ({ databasePrivileges: wishes }),
    privilege: 'CONNECT',
    extra: 'TEMPORARY',
    on: ['DATABASE shop', 'DATABASE other'],
    name: 'database shop: .shop',
  },
  schema: {
    block: (wishes) => ({ schemas: { sales: wishes } }),
    privilege: 'CREATE',
    extra: 'USAGE',
    on: ['SCHEMA sales', 'SCHEMA hr'],
    name: 'schema shop: sales.sales',
  },
  table: {
    block: (wishes) => ({ schemas: ['sales'], tables: { orders: wishes } }),
    privilege: 'SELECT',
    extra: 'DELETE',
    on: ['TABLE sales.orders', 'TABLE hr.people'],
    name: 'table shop: sales.orders',
  },
  column: {
    block: (wishes) => ({ schemas: ['sales'], columns: { orders: { 'e-mail': wishes } } }),
    privilege: 'SELECT',
    extra: 'UPDATE',
    on: ['TABLE sales.orders', 'TABLE hr.people'],
    name: 'column shop: sales.orders.e-mail',
    columns: [' ("e-mail")', ' (name)'],
  },
  sequence: {
    block: (wishes) => ({ schemas: ['sales'], sequences: { 'Order No': wishes } }),
    privilege: 'USAGE',
    extra: 'UPDATE',
    on: ['SEQUENCE sales."Order No"', 'SEQUENCE hr.numbers'],
    name: 'sequence shop: sales.Order No',
  },
  function: {
    block: (wishes) => ({ schemas: ['sales'], functions: { 'total(integer, text[])': wishes } }),
    privilege: 'EXECUTE',
    on: ['ROUTINE sales.total(integer, text[])', 'ROUTINE sales.total(integer)'],
    name: 'function shop: sales.total(integer, text[])',
  },
  type: {
    block: (wishes) => ({ schemas: ['sales'], types: { state: wishes } }),
    privilege: 'USAGE',
    on: ['TYPE sales.state', 'TYPE hr.grade'],
    name: 'type shop: sales.state',
  },
  language: {
    block: (wishes) => ({ languages: { lang_one: wishes } }),
    privilege: 'USAGE',
    on: ['LANGUAGE lang_one', 'LANGUAGE lang_two'],
    name: 'language shop: .lang_one',
  },
  foreign_data_wrapper: {
    block: (wishes) => ({ foreignDataWrappers: { wrapper_one: wishes } }),
    privilege: 'USAGE',
    on: ['FOREIGN DATA WRAPPER wrapper_one', 'FOREIGN DATA WRAPPER wrapper_two'],
    name: 'foreign_data_wrapper shop: .wrapper_one',
  },
  foreign_server: {
    block: (wishes) => ({ foreignServers: { server_one: wishes } }),
    privilege: 'USAGE',
    on: ['FOREIGN SERVER server_one', 'FOREIGN SERVER server_two'],
    name: 'foreign_server shop: .server_one',
  },
  large_object: {
    block: (wishes) => ({ largeObjects: { '4711': wishes } }),
    privilege: 'SELECT',
    extra: 'UPDATE',
    on: ['LARGE OBJECT 4711', 'LARGE OBJECT 4712'],
    name: 'large_object shop: .4711',
  },
  tablespace: {
    block: (wishes) => ({ tablespaces: { space_one: wishes } }),
    privilege: 'CREATE',
    on: ['TABLESPACE space_one', 'TABLESPACE space_two'],
    name: 'tablespace : .space_one',
  },
  parameter: {
    block: (wishes) => ({ parameters: { log_statement: wishes } }),
    privilege: 'SET',
    extra: 'ALTER SYSTEM',
    on: ['PARAMETER log_statement', 'PARAMETER log_duration'],
    name: 'parameter : .log_statement',
  },
};

const SETUP = `
  CREATE SCHEMA sales AUTHORIZATION shop_owner; CREATE SCHEMA hr AUTHORIZATION shop_owner;
  CREATE TRUSTED LANGUAGE lang_one HANDLER plpgsql_call_handler; CREATE TRUSTED LANGUAGE lang_two HANDLER plpgsql_call_handler;
  CREATE FOREIGN DATA WRAPPER wrapper_one; CREATE FOREIGN DATA WRAPPER wrapper_two;
  CREATE SERVER server_one FOREIGN DATA WRAPPER wrapper_one; CREATE SERVER server_two FOREIGN DATA WRAPPER wrapper_two;
  SELECT lo_create(4711), lo_create(4712);
  SET ROLE shop_owner;
  CREATE TABLE sales.orders (id integer, "e-mail" text); CREATE TABLE hr.people (name text);
  CREATE SEQUENCE sales."Order No"; CREATE SEQUENCE hr.numbers;
  CREATE FUNCTION sales.total(integer, text[]) RETURNS integer LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION sales.total(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
  CREATE TYPE sales.state AS ENUM ('new'); CREATE DOMAIN hr.grade AS integer;`;

let server: Postgres;
let steward: Steward;
let shop: pg.Client;
let outsiders: readonly string[];
const known = (kind: ObjectKind): boolean => kind !== 'parameter' || server.major >= 15;
const held = (role: string): Promise<readonly string[]> => holdings(shop, role, server.major);
const words = (kind: ObjectKind, privilege: string, which: 0 | 1 = 0): string =>
  `${privilege}${KIND_CASES[kind].columns?.[which] ?? ''} ON ${KIND_CASES[kind].on[which]}`;

/** What a role that declares the privilege on every kind holds. */
const wanted = (suffix = ''): readonly string[] =>
  OBJECT_KINDS.filter(known)
    .flatMap((kind) => `${KIND_CASES[kind].name} ${KIND_CASES[kind].privilege}${suffix}${kind === 'schema' ? ' USAGE' : ''}`)
    .toSorted();
const blocks = (wishOf: (privilege: string) => Wish): Block[] =>
  OBJECT_KINDS.filter(known).map((kind) => ({ database: 'shop', ...KIND_CASES[kind].block([wishOf(KIND_CASES[kind].privilege)]) }));

beforeAll(async () => {
  server = await startPostgres({ settings: { ...QUIET, allow_in_place_tablespaces: 'on' } });
  await server.query('CREATE ROLE shop_owner; CREATE ROLE outsider; CREATE ROLE "second outsider"');
  await server.query('CREATE DATABASE shop OWNER shop_owner');
  await server.query('CREATE DATABASE other');
  for (const name of ['space_one', 'space_two']) await server.query(`CREATE TABLESPACE ${name} LOCATION ''`);
  shop = await server.client('shop');
  await shop.query(`${SETUP}; RESET ROLE`);
  for (const kind of OBJECT_KINDS.filter(known))
    for (const which of [0, 1] as const) {
      const privilege = words(kind, KIND_CASES[kind].privilege, which);
      await shop.query(`GRANT ${privilege} TO outsider WITH GRANT OPTION; GRANT ${privilege} TO "second outsider"`);
    }
  outsiders = await rawEntries(shop, ['outsider', 'second outsider'], server.major);
  // Of the two parameters only the first may be handed out; both may be taken away.
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1', ALLOWED_SETTINGS: 'log_statement' });
  steward.manifests.users(
    stringify({
      roles: [
        { name: 'reader', grants: blocks((privilege) => privilege) },
        { name: 'delegator', grants: blocks((privilege) => ({ privilege, grantable: true })) },
        { name: 'adder', grants: blocks((privilege) => privilege), grantsMode: 'additive' },
      ],
      users: [{ username: 'somebody', login: false }],
    }),
  );
  expect((await steward.cycle()).result).toBe('changed');
});
afterAll(async () => {
  await shop.end();
  await steward.close();
  await server.stop();
});

const repair = async (sql: string): Promise<void> => {
  await shop.query(sql);
  const report = await steward.cycle();
  expect(report.drift.length, sql).toBeGreaterThan(0);
  expect(report.result).toBe('changed');
  expect(await held('reader')).toEqual(wanted());
  expect(await held('delegator')).toEqual(wanted('*'));
  expect(await rawEntries(shop, ['outsider', 'second outsider'], server.major)).toEqual(outsiders);
};

describe('privileges', () => {
  it('are granted on every kind, each by itself, and a second cycle writes nothing', async () => {
    expect(outsiders.length).toBeGreaterThan(2 * OBJECT_KINDS.filter(known).length);
    expect(await held('reader')).toEqual(wanted());
    expect(await held('delegator')).toEqual(wanted('*'));
    expect(await held('adder')).toEqual(wanted());
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  });

  describe.each(OBJECT_KINDS)('on a %s', (kind) => {
    const { privilege, extra, on } = KIND_CASES[kind];

    it('are granted again within one cycle when somebody revoked them', async ({ skip }) => {
      skip(!known(kind));
      await repair(`REVOKE ${words(kind, privilege)} FROM reader`);
      await repair(`REVOKE ${words(kind, privilege)} FROM delegator`);
      await repair(`REVOKE GRANT OPTION FOR ${words(kind, privilege)} FROM delegator`);
    });

    it('are revoked within one cycle when somebody granted them beyond the document', async ({ skip }) => {
      skip(!known(kind));
      await repair(`GRANT ${words(kind, privilege, 1)} TO reader`);
      await repair(`GRANT ${words(kind, privilege)} TO reader WITH GRANT OPTION`);
      if (extra !== undefined && kind !== 'schema') await repair(`GRANT ${words(kind, extra)} TO reader`);
      await repair(`GRANT ALL ON ${on[1]} TO reader WITH GRANT OPTION`);
    });

    it('are revoked also where another role than the owner granted them', async ({ skip }) => {
      skip(!known(kind));
      // Whoever grants has to see the object.
      await shop.query('GRANT USAGE ON SCHEMA sales, hr TO outsider');
      const before = outsiders;
      outsiders = await rawEntries(shop, ['outsider', 'second outsider'], server.major);
      await repair(`SET ROLE outsider; GRANT ${words(kind, privilege, 1)} TO reader; RESET ROLE`);
      await repair(`SET ROLE outsider; GRANT ${words(kind, privilege)} TO reader WITH GRANT OPTION; RESET ROLE`);
      await shop.query('REVOKE USAGE ON SCHEMA sales, hr FROM outsider');
      outsiders = before;
      expect(await rawEntries(shop, ['outsider', 'second outsider'], server.major)).toEqual(outsiders);
    });

    it('stay with a role whose grants are additive', async ({ skip }) => {
      skip(!known(kind));
      await shop.query(`GRANT ${words(kind, privilege, 1)} TO adder WITH GRANT OPTION; REVOKE ${words(kind, privilege)} FROM adder`);
      await steward.cycle();
      const lines = await held('adder');
      expect(lines).toHaveLength(wanted().length + 1);
      expect(lines).toEqual(expect.arrayContaining([...wanted()]));
      await shop.query(`REVOKE ${words(kind, privilege, 1)} FROM adder`);
    });
  });

  it('leave nothing to write after all of this', async () => {
    await steward.cycle();
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
    expect(await held('adder')).toEqual(wanted());
  });
});
