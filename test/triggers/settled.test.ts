// The short way of the event trigger: what was settled beforehand for new relations is what the long way would have granted.
import { beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Block } from '../privileges/evaluator.ts';
import { QUIET, settles, writesDuring } from '../privileges/quiet.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  QUIET,
  (started) => (server = started),
  () => steward,
);
beforeEach(async () => {
  // There are no default privileges of whoever may create only as a member.
  await server.query('CREATE ROLE app LOGIN; CREATE ROLE app_group; GRANT app_group TO app');
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE SCHEMA sales; CREATE SCHEMA app_x; CREATE SCHEMA other; GRANT USAGE, CREATE ON SCHEMA sales, app_x, other TO app_group', 'shop');
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
});

const ODD = `od'd "x"\u001f; DROP ROLE app`;
const block = (schemas: readonly string[], more: object): Block => ({ database: 'shop', schemas, ...more });
const declare = (roles: Readonly<Record<string, readonly Block[]>>): void =>
  steward.manifests.users(stringify({ roles: Object.entries(roles).map(([name, grants]) => ({ name, grants })), users: [{ username: 'u', login: false }] }));

/** Runs as the application, and says who was granted what. */
async function made(sql: string, as = 'app'): Promise<readonly string[]> {
  const client = await server.client('shop');
  await client.query(`SET SESSION AUTHORIZATION ${as}; ${sql}; RESET SESSION AUTHORIZATION`);
  const { rows } = await client.query<{ line: string }>(
    `SELECT format('%s %s %s%s', c.oid::regclass, CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END, x.privilege_type, CASE WHEN x.is_grantable THEN '*' ELSE '' END) AS line
      FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) x WHERE c.relowner = '${as}'::regrole AND x.grantee <> c.relowner ORDER BY 1`,
  );
  await client.end();
  return rows.map(({ line }) => line);
}
const drop = (): Promise<unknown> =>
  server.query(
    `DO $$ DECLARE item record; BEGIN FOR item IN SELECT oid::regclass AS name, relkind FROM pg_class WHERE relowner = 'app'::regrole AND relkind IN ('r', 'p', 'v', 'm')
      LOOP EXECUTE format('DROP %s IF EXISTS %s CASCADE', CASE item.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, item.name); END LOOP; END $$`,
    'shop',
  );

/** Rules of the trigger, put there by hand as the document of a function. */
async function follow(change: (rules: Record<string, unknown>) => object): Promise<void> {
  const [row] = await server.query<{ rules: Record<string, unknown> }>(`SELECT pgsteward_trigger.rules(VARIADIC '{}') AS rules`, 'shop');
  const text = JSON.stringify(change(row?.rules ?? {})).replaceAll("'", "''");
  await server.query(
    `CREATE OR REPLACE FUNCTION pgsteward_trigger.rules(VARIADIC path text[]) RETURNS jsonb LANGUAGE plpgsql STABLE AS 'BEGIN RETURN pg_catalog.jsonb_extract_path($r$${text}$r$::pg_catalog.jsonb, VARIADIC path); END'`,
    'shop',
  );
}
const longWay = (): Promise<void> => follow((rules) => ({ ...rules, settled: {} }));
const shortWay = (): Promise<void> => follow(({ settled, database }) => ({ settled, database, role: {} }));

describe('both ways give the same', () => {
  const RULES: readonly (readonly [string, Readonly<Record<string, readonly Block[]>>])[] = [
    [
      'a star',
      { a: [block(['sales'], { tables: { '*': ['SELECT'] }, sequences: { '*': ['USAGE'] } })], b: [block(['sales'], { tables: { '*': ['SELECT'] } })] },
    ],
    ['globs over a star', { a: [block(['sales'], { tables: { '*': ['SELECT', 'INSERT'], 'log_*': ['INSERT'], 'log_x*': [], '*_x': ['DELETE'] } })] }],
    ['globs that are as specific', { a: [block(['sales'], { tables: { 'lo*': ['SELECT'], '*_x': ['SELECT'], '*og': ['SELECT'] } })] }],
    ['an exact name', { a: [block(['sales'], { tables: { orders: ['SELECT'], '*': ['INSERT'] } })], b: [block(['*'], { tables: { log_x: ['SELECT'] } })] }],
    [
      'every schema',
      {
        a: [block(['*'], { tables: { '*': ['SELECT'] } }), block(['sales'], { tables: { 'o*': ['INSERT'] } })],
        b: [block(['other'], { tables: { '*': [] } })],
      },
    ],
    [
      'patterns of schemas',
      { a: [block(['app_*'], { tables: { '*': ['SELECT'], orders: ['INSERT'] } })], b: [block(['sales'], { tables: { '*': ['SELECT'] } })] },
    ],
    ['whom it is passed on by', { a: [block(['sales'], { tables: { '*': [{ privilege: 'SELECT', grantable: true }] } })] }],
    ['the owner', { app: [block(['sales'], { tables: { '*': ['SELECT'] } })], b: [block(['sales'], { tables: { '*': ['SELECT'] } })] }],
    ['odd names', { [ODD]: [block(['sales'], { tables: { '*': ['SELECT'], 'ünï*': ['INSERT'], '%*': ['UPDATE'], [String.raw`\*`]: ['DELETE'] } })] }],
    ['more globs than are settled', { a: [block(['sales'], { tables: Object.fromEntries([...'abcdefglmo'].map((letter) => [`${letter}*`, ['SELECT']])) })] }],
  ];
  const MAKE = ['sales', 'app_x', 'other']
    .flatMap((schema) =>
      ['orders', 'log_a', 'log_x', 'log_xx', '"ünïc"', '"%a"', String.raw`"\a"`, `"it's ""q"""`].map(
        (name) => `CREATE TABLE ${schema}.${name} (id serial, other int GENERATED ALWAYS AS IDENTITY)`,
      ),
    )
    .join('; ');
  it.each(RULES)('for %s, as the next cycle would have', async (_, roles) => {
    if (Object.hasOwn(roles, 'app')) await server.query('ALTER ROLE app NOLOGIN');
    declare(roles);
    await settles(server, steward);
    const more = '; CREATE VIEW sales.seen AS SELECT 1 AS id; CREATE TABLE other.copy AS SELECT 1 AS id; CREATE TEMP TABLE orders (id int)';
    const atOnce = await made(MAKE + more);
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
    await drop();
    await longWay();
    expect(await made(MAKE + more)).toEqual(atOnce);
  });
});

it('a new table needs nothing but what is settled', async () => {
  declare({ a: [block(['sales'], { tables: { '*': ['SELECT'], 'log_*': ['INSERT'] } })], b: [block(['sales'], { tables: { 'log_*': ['INSERT'] } })] });
  await settles(server, steward);
  await shortWay();
  expect(await made('CREATE TABLE sales.orders (id int); CREATE TABLE sales.log_x (id int)')).toEqual([
    'sales.log_x a INSERT',
    'sales.log_x b INSERT',
    'sales.orders a SELECT',
  ]);
});

describe('what default privileges give', () => {
  const ROLES = {
    a: [block(['sales'], { tables: { '*': ['SELECT', 'INSERT'], 'log_*': ['INSERT'] }, sequences: { '*': ['USAGE'] } })],
    b: [block(['sales'], { tables: { '*': ['SELECT', 'INSERT'], 'half_*': [{ privilege: 'UPDATE', grantable: true }] } })],
    [ODD]: [block(['sales'], { tables: { '*': [{ privilege: 'SELECT', grantable: true }, 'DELETE'] } })],
    c: [block(['sales'], { tables: { 'half_*': ['SELECT'] } })],
  };
  /** Without rules, by which the long way would take what it finds. */
  const withoutRules = (): Promise<void> => follow(({ settled, database, role }) => ({ settled, database, role }));
  beforeEach(async () => {
    // Not by membership: there are default privileges of his.
    await server.query('CREATE ROLE maker LOGIN');
    await server.query('GRANT USAGE, CREATE ON SCHEMA sales TO maker', 'shop');
    declare(ROLES);
    await settles(server, steward);
  });
  const odd = ODD.replaceAll('"', '""');
  const ORDERS = [
    'sales.orders a INSERT',
    'sales.orders a SELECT',
    'sales.orders b INSERT',
    'sales.orders b SELECT',
    `sales.orders "${odd}" DELETE`,
    `sales.orders "${odd}" SELECT*`,
  ].toSorted();
  const MORE = `CREATE TABLE sales.log_x (id serial); CREATE TABLE sales.half_x (id int); CREATE SEQUENCE sales.numbers`;

  it('is compared with what is settled alone, and stays', async () => {
    await withoutRules();
    expect((await made('CREATE TABLE sales.orders (id int)', 'maker')).toSorted()).toEqual(ORDERS);
  });

  it('is no obstacle for what is given to others beside it', async () => {
    await server.query('ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA sales REVOKE ALL ON TABLES FROM b', 'shop');
    await withoutRules();
    expect((await made('CREATE TABLE sales.orders (id int)', 'maker')).toSorted()).toEqual(ORDERS);
  });

  it.each([
    ['more', 'GRANT UPDATE ON TABLES TO a'],
    ['less', 'REVOKE SELECT ON TABLES FROM a'],
    ['something to who should have nothing', 'GRANT SELECT ON TABLES TO c'],
    ['something to somebody of no rule', 'GRANT SELECT ON TABLES TO app_group, PUBLIC'],
  ])('where somebody has them give %s is what the rules say', async (_, sql) => {
    await server.query(`ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA sales ${sql}`, 'shop');
    const atOnce = await made(`CREATE TABLE sales.orders (id int); ${MORE}`, 'maker');
    expect(atOnce.filter((line) => line.startsWith('sales.orders ') && !/ (?:app_group|PUBLIC) /.test(line)).toSorted()).toEqual(ORDERS);
    await server.query('DROP TABLE sales.orders, sales.log_x, sales.half_x; DROP SEQUENCE sales.numbers', 'shop');
    await longWay();
    expect(await made(`CREATE TABLE sales.orders (id int); ${MORE}`, 'maker')).toEqual(atOnce);
  });
});

it.each([
  ['a statement in place of privileges', 'GRANT SELECT ON TABLE', 'GRANT SELECT ON TABLE sales.kept TO PUBLIC; DROP TABLE sales.kept; GRANT SELECT ON TABLE'],
  ['another object beside the new one', 'ON TABLE %s TO', 'ON TABLE KEPT, %s TO'],
  ['a statement among grantees', `["b"]`, String.raw`["b\"; DROP TABLE sales.kept; --"]`],
  ['a statement among grantees that are said as SQL', `["b"]`, String.raw`["b"], "to": "\"b\"; DROP TABLE sales.kept"`],
])('with %s in what is settled the long way is gone, and nothing else runs', async (_, from, to) => {
  declare({ a: [block(['sales'], { tables: { '*': ['SELECT'] } })], b: [block(['sales'], { tables: { 'o*': ['SELECT'] } })] });
  await settles(server, steward);
  await server.query('CREATE TABLE sales.kept (id int)', 'shop');
  await follow(({ settled, ...rest }) => {
    const text = JSON.stringify(settled).replaceAll('":', '": ');
    expect(text).toContain(from);
    return { ...rest, settled: JSON.parse(text.replaceAll(from, to)) as unknown };
  });
  expect(await made('CREATE TABLE sales.orders (id int)')).toEqual(['sales.orders a SELECT', 'sales.orders b SELECT']);
  expect(await server.query(`SELECT relacl::text FROM pg_class WHERE oid = 'sales.kept'::regclass`, 'shop')).toEqual([
    { relacl: expect.not.stringContaining(',=r/') as unknown },
  ]);
});

it('a role that is gone takes nothing from those that it is named with', async () => {
  declare({ a: [block(['sales'], { tables: { '*': ['SELECT'] } })], b: [block(['sales'], { tables: { '*': ['SELECT'] } })] });
  await settles(server, steward);
  await server.query('DROP OWNED BY a', 'shop');
  await server.query('DROP ROLE a');
  expect(await made('CREATE TABLE sales.orders (id int)')).toEqual(['sales.orders b SELECT']);
});

it('a lock on a role is waited for once, and the application goes on', async () => {
  declare({ a: [block(['sales'], { tables: { '*': ['SELECT'] } })] });
  await settles(server, steward);
  const holder = await server.client('shop');
  await holder.query('BEGIN; DROP OWNED BY a; DROP ROLE a');
  server.mark();
  expect(await made('CREATE TABLE sales.orders (id int)')).toEqual([]);
  expect(server.log().match(/the rules of CREATE TABLE were not applied at once/g)).toHaveLength(1);
  await holder.query('ROLLBACK');
  await holder.end();
});

it('a copy of the database follows none of it', async () => {
  declare({ a: [block(['sales'], { tables: { '*': ['SELECT'] } })] });
  await settles(server, steward);
  await server.query('ALTER DATABASE shop RENAME TO former');
  const client = await server.client('former');
  await client.query('SET SESSION AUTHORIZATION app; CREATE TABLE sales.orders (id int)');
  expect((await client.query(`SELECT relacl FROM pg_class WHERE relname = 'orders'`)).rows).toEqual([{ relacl: null }]);
  await client.end();
});
