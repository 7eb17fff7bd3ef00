// Random contents of databases: schemas, objects of every kind, owners, default privileges and grants made by hand, as SQL.
import fc from 'fast-check';
import { ident, type ObjectWithAcl, sqlOf } from './acl.ts';
import { allPrivileges } from './evaluator.ts';

export const DATABASES = ['rt_a', 'rt_b'] as const;
export const SCHEMAS = ['sa', 'sb', 'Odd "s"'] as const;
/** Roles that own things and that no document names. */
export const OWNERS = ['o_one', 'o_two'] as const;
/** Roles that no document names. */
export const OUTSIDERS = ['x_one', 'X "two"'] as const;
/** Roles that every document declares, one way or another; the last one owns things too. */
export const MANAGED = ['m_one', 'm_two', 'M "three" é', 'm_owner'] as const;
export const USER = 'u_one';

/** What a schema can hold; `@` stands for it. */
export const CONTENTS: readonly (readonly [alter: string, create: string])[] = [
  ['TABLE @.t_one', 'CREATE TABLE @.t_one (id integer, email text, note text)'],
  ['TABLE @.t_two', 'CREATE TABLE @.t_two (id integer PRIMARY KEY, email text)'],
  ['TABLE @.t_serial', 'CREATE TABLE @.t_serial (id serial, "Extra é" text)'],
  ['TABLE @."Weird ""t"" é"', 'CREATE TABLE @."Weird ""t"" é" (id integer)'],
  ['TABLE @.inv_a', 'CREATE TABLE @.inv_a (id integer, email text)'],
  ['VIEW @.inv_view', "CREATE VIEW @.inv_view AS SELECT 1 AS id, 'x'::text AS email"],
  ['MATERIALIZED VIEW @.m_one', 'CREATE MATERIALIZED VIEW @.m_one AS SELECT 1 AS id'],
  ['TABLE @.p_one', 'CREATE TABLE @.p_one (id integer, email text) PARTITION BY RANGE (id); CREATE TABLE @.p_rest PARTITION OF @.p_one DEFAULT'],
  ['FOREIGN TABLE @.f_table', 'CREATE FOREIGN TABLE @.f_table (id integer, email text) SERVER rt_server'],
  ['SEQUENCE @.sq_one', 'CREATE SEQUENCE @.sq_one'],
  ['SEQUENCE @.sq_two', 'CREATE SEQUENCE @.sq_two'],
  ['FUNCTION @.f_one(integer)', 'CREATE FUNCTION @.f_one(integer) RETURNS integer LANGUAGE sql AS $$SELECT $1$$'],
  ['FUNCTION @.f_one(text, integer[])', 'CREATE FUNCTION @.f_one(text, integer[]) RETURNS text LANGUAGE sql AS $$SELECT $1$$'],
  ['FUNCTION @.f_two()', 'CREATE FUNCTION @.f_two(OUT a integer, OUT b integer) LANGUAGE sql AS $$SELECT 1, 2$$'],
  ['PROCEDURE @.p_call(integer)', 'CREATE PROCEDURE @.p_call(integer) LANGUAGE sql AS $$SELECT 1$$'],
  ['AGGREGATE @.agg_one(integer)', "CREATE AGGREGATE @.agg_one(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0')"],
  ['TYPE @.ty_enum', "CREATE TYPE @.ty_enum AS ENUM ('a', 'b')"],
  ['DOMAIN @.ty_dom', 'CREATE DOMAIN @.ty_dom AS text CHECK (length(VALUE) < 9)'],
  ['TYPE @.ty_comp', 'CREATE TYPE @.ty_comp AS (a integer, b text)'],
  ['TYPE @.ty_range', 'CREATE TYPE @.ty_range AS RANGE (SUBTYPE = integer)'],
];

const grantee = fc.constantFrom('', ...MANAGED, ...MANAGED, USER, ...OUTSIDERS);
const schema = fc.record({
  owner: fc.constantFrom<string>(...OWNERS, ...OWNERS, ...OWNERS, 'm_owner'),
  contents: fc.uniqueArray(fc.nat(CONTENTS.length - 1), { minLength: 4, maxLength: 12 }),
  /** New owners of some of the contents. */
  moved: fc.array(fc.tuple(fc.nat(11), fc.constantFrom(...OWNERS, 'm_owner', 'x_one')), { maxLength: 3 }),
});
const KINDS_OF_DEFAULTS = {
  TABLES: allPrivileges('table', 14),
  SEQUENCES: allPrivileges('sequence', 14),
  ROUTINES: ['EXECUTE'],
  TYPES: ['USAGE'],
} as const;
const defaults = fc.record({
  database: fc.constantFrom(...DATABASES),
  creator: fc.constantFrom<string>(...OWNERS, 'm_owner', 'x_one'),
  /** undefined: in every schema. */
  schema: fc.option(fc.constantFrom(...SCHEMAS), { nil: undefined }),
  kind: fc.constantFrom(...(Object.keys(KINDS_OF_DEFAULTS) as (keyof typeof KINDS_OF_DEFAULTS)[])),
  privilege: fc.nat(6),
  grantee,
  grantable: fc.boolean(),
  revoke: fc.integer({ min: 0, max: 5 }).map((number) => number === 0),
});
const grant = fc.record({
  database: fc.constantFrom(...DATABASES),
  object: fc.nat(999),
  privilege: fc.nat(7),
  grantee,
  grantable: fc.boolean(),
  /** The role that grants it, having got it WITH GRANT OPTION; undefined: the object's owner. */
  via: fc.option(fc.constantFrom<string>('x_one', 'X "two"', 'm_one', 'm_two'), { nil: undefined, freq: 2 }),
});

export const randomServer = fc.record({
  schemas: fc.record({
    rt_a: fc.array(schema, { minLength: 2, maxLength: 3 }),
    rt_b: fc.array(schema, { minLength: 1, maxLength: 2 }),
  }),
  defaults: fc.array(defaults, { maxLength: 5 }),
  grants: fc.array(grant, { maxLength: 24, size: '+1' }),
});
export type RandomServer = typeof randomServer extends fc.Arbitrary<infer T> ? T : never;
export type RandomGrant = RandomServer['grants'][number];

const to = (role: string): string => (role === '' ? 'PUBLIC' : ident(role));

/** The SQL for one database: default privileges first, so that they take part, then schemas with what is in them. */
export function contentsSql(random: RandomServer, database: (typeof DATABASES)[number]): string {
  const statements: string[] = [];
  const described = random.schemas[database].map((entry, index) => ({ ...entry, name: SCHEMAS[index] ?? 'sz' }));
  for (const { name, owner } of described) statements.push(`CREATE SCHEMA ${ident(name)} AUTHORIZATION ${ident(owner)}`);
  for (const item of random.defaults) {
    if (item.database !== database || (item.schema !== undefined && !described.some(({ name }) => name === item.schema))) continue;
    const privileges = KINDS_OF_DEFAULTS[item.kind];
    const privilege = privileges[item.privilege % privileges.length] ?? '';
    const where = `ALTER DEFAULT PRIVILEGES FOR ROLE ${ident(item.creator)}${item.schema === undefined ? '' : ` IN SCHEMA ${ident(item.schema)}`}`;
    if (item.revoke) statements.push(`${where} REVOKE ${privilege} ON ${item.kind} FROM ${to(item.grantee)}`);
    else
      statements.push(`${where} GRANT ${privilege} ON ${item.kind} TO ${to(item.grantee)}${item.grantable && item.grantee !== '' ? ' WITH GRANT OPTION' : ''}`);
  }
  for (const { name, owner, contents, moved } of described) {
    const chosen = contents.flatMap<string>((index) => CONTENTS[index] ?? []);
    const created = chosen.filter((_, index) => index % 2 === 1);
    const altered = chosen.filter((_, index) => index % 2 === 0);
    statements.push(`SET ROLE ${ident(owner)}`, ...created.map((sql) => sql.replaceAll('@', ident(name))), 'RESET ROLE');
    for (const [index, heir] of moved) {
      const target = altered[index % altered.length];
      if (target !== undefined) statements.push(`ALTER ${target.replaceAll('@', ident(name))} OWNER TO ${ident(heir)}`);
    }
  }
  return statements.join(';\n');
}

/** The SQL of one grant made by hand on one of these objects; the server may refuse it. */
export function grantSql(random: RandomGrant, objects: readonly ObjectWithAcl[], major: number): string | undefined {
  const object = objects[random.object % Math.max(1, objects.length)];
  if (object === undefined || random.via === random.grantee) return undefined;
  const privileges = allPrivileges(object.kind, major);
  const privilege = privileges[random.privilege % privileges.length] ?? '';
  const column = object.kind === 'column' ? ` (${ident(object.column)})` : '';
  const words = `GRANT ${privilege}${column} ON ${sqlOf(object)} TO`;
  const option = random.grantable && random.grantee !== '' ? ' WITH GRANT OPTION' : '';
  if (random.via === undefined || random.via === object.owner) return `${words} ${to(random.grantee)}${option}`;
  const reach = object.schema === '' ? '' : `GRANT USAGE ON SCHEMA ${ident(object.schema)} TO ${ident(random.via)}; `;
  return `${reach}${words} ${ident(random.via)} WITH GRANT OPTION; SET ROLE ${ident(random.via)}; ${words} ${to(random.grantee)}${option}`;
}

/** Takes away what a case left behind in one database: what the roles own, hold and gave, and what PUBLIC lost. */
export const clearSql = (database: string): string =>
  [
    ...SCHEMAS.map((name) => `DROP SCHEMA IF EXISTS ${ident(name)} CASCADE`),
    ...[...OWNERS, ...OUTSIDERS, ...MANAGED, USER].map((role) => `DROP OWNED BY ${ident(role)}`),
    `GRANT CONNECT, TEMPORARY ON DATABASE ${ident(database)} TO PUBLIC`,
    'GRANT USAGE ON SCHEMA public TO PUBLIC',
    // Where the schema public is the superuser's, it is a creator too; the functions of range types are then made with its default privileges.
    'ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON ROUTINES TO PUBLIC; ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO PUBLIC',
    ...Object.keys(KINDS_OF_DEFAULTS).map((kind) => `ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON ${kind} FROM PUBLIC`),
    ...['TABLES', 'SEQUENCES'].map((kind) => `ALTER DEFAULT PRIVILEGES REVOKE ALL ON ${kind} FROM PUBLIC`),
  ].join(';\n');
