// Objects to come without event triggers: what `*` gives holds at once for whatever is created, exceptions hold after the next cycle, new databases are taken up,
// and default privileges are compared, repaired and removed like everything else.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { stringify } from 'yaml';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { holdings } from './acl.ts';
import type { Block, PlainDatabase } from './evaluator.ts';
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
  await server.query('CREATE ROLE shop_owner; CREATE ROLE sales_owner; CREATE ROLE importer; CREATE ROLE outsider');
  await server.query('CREATE DATABASE shop OWNER shop_owner');
  shop = await server.client('shop');
  await shop.query('CREATE SCHEMA sales AUTHORIZATION sales_owner; CREATE SCHEMA hr AUTHORIZATION shop_owner; GRANT CREATE, USAGE ON SCHEMA sales TO importer');
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1', EVENT_TRIGGERS: 'off' });
});
afterEach(() => shop.end());

const declare = (grants: readonly Block[], databases: readonly PlainDatabase[] = []): void =>
  steward.manifests.users(
    stringify({ ...(databases.length > 0 ? { databases } : {}), roles: [{ name: 'reader', grants }], users: [{ username: 'somebody', login: false }] }),
  );
const held = (): Promise<readonly string[]> => holdings(shop, 'reader', server.major);
const settled = (): Promise<void> => settles(server, steward);
const as = (role: string, sql: string): Promise<unknown> => shop.query(`SET ROLE ${role}; ${sql}; RESET ROLE`);
const defaultsOf = async (role: string): Promise<number> =>
  (await shop.query(`SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) x WHERE x.grantee = $1::regrole`, [role])).rowCount ?? 0;
const EVERYTHING: Block = {
  database: 'shop',
  schemas: ['sales'],
  tables: { '*': ['SELECT', 'INSERT'] },
  sequences: { '*': ['USAGE'] },
  functions: { '*': ['EXECUTE'] },
  types: { '*': ['USAGE'] },
};
const CREATE = (schema: string, name: string): string =>
  `CREATE TABLE ${schema}.${name}_table (id integer); CREATE VIEW ${schema}.${name}_view AS SELECT 1 AS id; CREATE SEQUENCE ${schema}.${name}_seq;
   CREATE FUNCTION ${schema}.${name}_call() RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE TYPE ${schema}.${name}_type AS ENUM ('a')`;
const created = (schema: string, name: string): string[] => [
  `table shop: ${schema}.${name}_table INSERT SELECT`,
  `table shop: ${schema}.${name}_view INSERT SELECT`,
  `sequence shop: ${schema}.${name}_seq USAGE`,
  `function shop: ${schema}.${name}_call() EXECUTE`,
  `type shop: ${schema}.${name}_type USAGE`,
];

describe('what `*` gives', () => {
  it('holds at once for what the owner of the schema, the owner of the database, a role with CREATE, and those in createdBy create', async () => {
    await shop.query('GRANT CREATE, USAGE ON SCHEMA sales TO shop_owner');
    declare([EVERYTHING], [{ name: 'shop', createdBy: ['outsider'] }]);
    await settled();
    await shop.query('GRANT CREATE ON SCHEMA sales TO outsider');
    for (const [index, creator] of ['sales_owner', 'shop_owner', 'importer', 'outsider'].entries()) await as(creator, CREATE('sales', `n${index}`));
    const expected = ['schema shop: sales.sales USAGE', ...[0, 1, 2, 3].flatMap((index) => created('sales', `n${index}`))].toSorted();
    expect(await held()).toEqual(expected);
    await settled();
    expect(await held()).toEqual(expected);
  });

  it('is not drift when it is there: nothing is written for new objects that default privileges have served', async () => {
    declare([EVERYTHING]);
    await settled();
    await as('sales_owner', CREATE('sales', 'fresh'));
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  });

  it('holds after the next cycle for what anybody else creates', async () => {
    declare([EVERYTHING]);
    await settled();
    await shop.query(CREATE('sales', 'foreign'));
    await settled();
    expect(await held()).toEqual(['schema shop: sales.sales USAGE', ...created('sales', 'foreign')].toSorted());
  });

  it('holds in schemas that are created later, where the schema is a pattern too', async () => {
    declare([{ ...EVERYTHING, schemas: ['*'] }]);
    await settled();
    await shop.query('CREATE SCHEMA later AUTHORIZATION sales_owner');
    await settled();
    await as('sales_owner', CREATE('later', 'fresh'));
    expect(await held()).toEqual(expect.arrayContaining(['schema shop: later.later USAGE', ...created('later', 'fresh')]));
    await settled();
  });

  it('does not reach into a schema that a more specific rule leaves out', async () => {
    declare([
      { database: 'shop', schemas: ['*'], tables: { '*': ['SELECT'] } },
      { database: 'shop', schemas: ['hr'], tables: { '*': [] } },
    ]);
    await settled();
    await as('shop_owner', 'CREATE TABLE hr.salaries (id integer)');
    await as('sales_owner', 'CREATE TABLE sales.orders (id integer)');
    expect((await held()).filter((line) => line.startsWith('table'))).toEqual(['table shop: sales.orders SELECT']);
    await settled();
    expect((await held()).filter((line) => line.startsWith('table'))).toEqual(['table shop: sales.orders SELECT']);
  });

  it('takes up a new database that a pattern names in the next cycle, with what is created there afterwards', async () => {
    declare([{ ...EVERYTHING, database: 'tenant_*', databasePrivileges: ['CONNECT'] }]);
    await settled();
    await server.query('CREATE DATABASE tenant_one OWNER shop_owner');
    const tenant = await server.client('tenant_one');
    await tenant.query('CREATE SCHEMA sales AUTHORIZATION sales_owner; CREATE TABLE sales.first (id integer)');
    await settled();
    await tenant.query('SET ROLE sales_owner; CREATE TABLE sales.second (id integer); RESET ROLE');
    const lines = await holdings(tenant, 'reader', server.major);
    await tenant.end();
    expect(lines).toEqual([
      'database tenant_one: .tenant_one CONNECT',
      'schema tenant_one: sales.sales USAGE',
      'table tenant_one: sales.first INSERT SELECT',
      'table tenant_one: sales.second INSERT SELECT',
    ]);
  });
});

describe('exceptions by name', () => {
  it('are right after the cycle that follows the creation, whoever created it', async () => {
    declare([{ database: 'shop', schemas: ['sales'], tables: { '*': ['SELECT', 'INSERT'], schema_migrations: ['SELECT'], payroll: [], 'log_*': ['INSERT'] } }]);
    await settled();
    await as(
      'sales_owner',
      'CREATE TABLE sales.schema_migrations (id integer); CREATE TABLE sales.payroll (id integer); CREATE TABLE sales.log_2027 (id integer)',
    );
    await shop.query('CREATE TABLE sales.orders (id integer)');
    const report = await steward.cycle();
    expect(report.result).toBe('changed');
    expect(await held()).toEqual([
      'schema shop: sales.sales USAGE',
      'table shop: sales.log_2027 INSERT',
      'table shop: sales.orders INSERT SELECT',
      'table shop: sales.schema_migrations SELECT',
    ]);
    await settled();
  });
});

describe('default privileges', () => {
  const DRIFTS: readonly [string, string][] = [
    [
      'revoked',
      'ALTER DEFAULT PRIVILEGES FOR ROLE sales_owner IN SCHEMA sales REVOKE SELECT ON TABLES FROM reader; ALTER DEFAULT PRIVILEGES FOR ROLE sales_owner REVOKE SELECT ON TABLES FROM reader',
    ],
    ['granted in the schema beyond the document', 'ALTER DEFAULT PRIVILEGES FOR ROLE sales_owner IN SCHEMA sales GRANT DELETE ON TABLES TO reader'],
    ['granted everywhere beyond the document', 'ALTER DEFAULT PRIVILEGES FOR ROLE sales_owner GRANT DELETE ON TABLES TO reader'],
    ['granted with an option', 'ALTER DEFAULT PRIVILEGES FOR ROLE sales_owner IN SCHEMA sales GRANT SELECT ON TABLES TO reader WITH GRANT OPTION'],
    ['granted for a creator that nobody named', 'ALTER DEFAULT PRIVILEGES FOR ROLE outsider GRANT SELECT ON TABLES TO reader'],
    ['granted on schemas', 'ALTER DEFAULT PRIVILEGES FOR ROLE sales_owner GRANT CREATE ON SCHEMAS TO reader'],
  ];
  it.each(DRIFTS)('that were %s by hand are repaired in one cycle', async (_name, sql) => {
    declare([EVERYTHING]);
    await settled();
    const before = await shop.query('SELECT defaclrole, defaclnamespace, defaclobjtype, defaclacl::text FROM pg_default_acl ORDER BY 1, 2, 3');
    await shop.query(sql);
    const report = await steward.cycle();
    expect(report.drift.length).toBeGreaterThan(0);
    const after = await shop.query('SELECT defaclrole, defaclnamespace, defaclobjtype, defaclacl::text FROM pg_default_acl ORDER BY 1, 2, 3');
    const sorted = (rows: readonly { defaclacl: string }[]): unknown[] =>
      rows.map((row) => ({ ...row, defaclacl: row.defaclacl.slice(1, -1).split(',').toSorted() }));
    expect(sorted(after.rows as { defaclacl: string }[])).toEqual(sorted(before.rows as { defaclacl: string }[]));
    await settled();
  });

  it('go when no rule wants them any longer, and those of others stay', async () => {
    await shop.query('ALTER DEFAULT PRIVILEGES FOR ROLE sales_owner IN SCHEMA sales GRANT SELECT ON TABLES TO outsider');
    declare([EVERYTHING]);
    await settled();
    expect(await defaultsOf('reader')).toBeGreaterThan(0);
    declare([{ database: 'shop', schemas: ['sales'], tables: { orders: ['SELECT'] } }]);
    await settled();
    expect([await defaultsOf('reader'), await defaultsOf('outsider')]).toEqual([0, 1]);
  });

  it('of functions keep PUBLIC out where its block says so, for what is created from then on', async () => {
    declare([{ ...EVERYTHING, schemas: ['*'] }], [{ name: 'shop', public: { schemas: ['*'], functions: { '*': [] } } }]);
    await settled();
    await as('sales_owner', CREATE('sales', 'fresh'));
    await steward.cycle();
    expect((await holdings(shop, '', server.major)).filter((line) => line.startsWith('function'))).toEqual([]);
    expect(await held()).toEqual(expect.arrayContaining(created('sales', 'fresh')));
    await settled();
  });
});
