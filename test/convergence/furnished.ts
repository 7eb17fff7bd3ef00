// A server as people leave it, and documents that ask little, much, and nothing any more of it.
import type { Postgres } from '../support/postgres.ts';

export const STRANGER = `o'x\u001f\n"; DROP TABLE t --`;
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const S = quoted(STRANGER);

/** What people leave on a server: names of every kind, grants by others, grants passed on, default privileges, columns, large objects, routines. */
export async function furnish(server: Postgres): Promise<void> {
  await server.query(
    `CREATE ROLE ${S}; CREATE ROLE keeper_group; CREATE ROLE "unknown (OID=4711)"; CREATE ROLE "Ünï 👩 $map"; CREATE ROLE __proto__;
     GRANT pg_monitor TO ${S}; GRANT keeper_group TO ${S} WITH ADMIN OPTION; COMMENT ON ROLE ${S} IS 'a "comment" \\ with everything';
     ALTER ROLE ${S} SET search_path = 'a b', "c""d"; ALTER ROLE __proto__ CONNECTION LIMIT 7 VALID UNTIL '-infinity'`,
  );
  for (const sql of ['CREATE DATABASE shop', `CREATE DATABASE "Odd ""db""" OWNER ${S}`, 'CREATE DATABASE closed ALLOW_CONNECTIONS false'])
    await server.query(sql);
  await server.query(
    `GRANT CONNECT ON DATABASE shop TO ${S} WITH GRANT OPTION; GRANT CONNECT ON DATABASE closed TO __proto__; GRANT CREATE ON TABLESPACE pg_default TO ${S}`,
  );
  if (server.major >= 15) await server.query(`GRANT SET ON PARAMETER work_mem TO ${S} WITH GRANT OPTION`);
  await server.query(
    `CREATE SCHEMA s AUTHORIZATION ${S}; CREATE TABLE s.t (a int, "b""\n" text); CREATE TABLE s."$map" (id serial PRIMARY KEY); CREATE VIEW s.v AS SELECT * FROM s.t;
     CREATE FUNCTION s."f""x"(integer, text[], OUT integer) LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE s.p(INOUT a integer, VARIADIC b text[]) LANGUAGE plpgsql AS 'BEGIN END';
     CREATE TYPE s.state AS ENUM ('on'); GRANT USAGE, CREATE ON SCHEMA s TO ${S}, __proto__ WITH GRANT OPTION;
     GRANT SELECT ON s.t TO ${S} WITH GRANT OPTION; GRANT UPDATE (a) ON s.t TO "Ünï 👩 $map"; GRANT SELECT (a) ON s.t TO PUBLIC;
     GRANT ALL ON ALL FUNCTIONS IN SCHEMA s TO "unknown (OID=4711)"; REVOKE EXECUTE ON PROCEDURE s.p FROM PUBLIC;
     SELECT lo_create(4711), lo_create(4712); GRANT SELECT ON LARGE OBJECT 4711 TO __proto__; GRANT SELECT ON pg_catalog.pg_authid TO __proto__;
     ALTER DEFAULT PRIVILEGES FOR ROLE ${S} IN SCHEMA s GRANT SELECT ON TABLES TO __proto__, keeper_group; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`,
    'shop',
  );
}

const everything = { '*': ['ALL'] };
const BLOCKS = {
  database: 'shop',
  schemas: ['*'],
  tables: everything,
  columns: { t: { a: ['SELECT'] } },
  functions: everything,
  sequences: everything,
  largeObjects: { '4712': ['SELECT'] },
};

export const USERS = [
  { username: 'alice', roles: ['team'], grants: [BLOCKS] },
  { username: 'bob', database: 'shop', grants: [{ database: '*', schemas: ['public', 's'], tables: { t: ['SELECT'] } }] },
  { username: 'carol', roles: ['team'], validUntil: '2020-01-01T00:00:00Z', drain: '1h' },
  { username: 'dave' },
  { username: 'erin', deletionPolicy: 'disable' },
];
export const PASSWORDS = USERS.map(({ username }) => [username, `the password of ${username}`] as const);

/** Documents that ask for little, for much, and for nothing any more. */
export const ASKS: readonly object[] = [
  { users: [{ username: 'nobody' }] },
  { users: USERS },
  { users: USERS.slice(0, 1) },
  {
    users: [
      { username: 'alice', roles: [] },
      { username: 'zoe', grants: [{ database: 'shop', schemas: ['s'], tables: everything }] },
    ],
  },
  {
    users: [
      { username: 'anna', renamedFrom: 'alice', roles: ['team'], grants: [BLOCKS] },
      { username: 'carla', renamedFrom: 'carol', disabled: true },
    ],
    roles: [{ name: 'erin-was', renamedFrom: 'erin' }],
  },
  {
    users: USERS.slice(0, 2).map((user) => ({ ...user, grantsMode: 'additive' })),
    roles: [
      { name: STRANGER, grants: [BLOCKS] },
      { name: '__proto__', grants: [] },
    ],
  },
  {
    users: [{ username: 'dave', disabled: true }],
    roles: [{ name: 'alice' }, { name: 'keeper_group', grants: [{ database: '*', schemas: ['*'], largeObjects: everything }] }],
  },
  {
    users: [{ username: 'bob' }],
    roles: [
      { name: 'unknown (OID=4711)', grants: [] },
      { name: 'Ünï 👩 $map', grants: [] },
    ],
  },
  {
    users: USERS,
    databases: [
      { name: 'shop', owner: 'team', public: [{ tables: everything, schemas: ['s'] }], createdBy: [STRANGER], schemas: [{ name: 's', owner: 'team' }] },
      { name: 'made', owner: 'alice' },
      { name: 'closed' },
    ],
  },
  {
    users: [{ username: 'nobody' }],
    databases: [
      { name: 'template1', public: [{ schemas: ['public'], tables: everything }] },
      { name: 'Odd "db"', owner: STRANGER },
    ],
  },
];

/** As the steward left it, and then as people do: what they passed on, made, renamed, set and opened. */
export async function live(server: Postgres): Promise<void> {
  const as = async (user: string, sql: string, database = 'shop') => server.query(`SET ROLE ${user}; ${sql}`, database);
  await as('alice', `GRANT SELECT ON s.t TO dave, ${S}`).catch(() => undefined);
  await server.query(
    `GRANT CREATE, USAGE ON SCHEMA s TO bob, alice WITH GRANT OPTION; GRANT SELECT ON s.t TO alice, bob WITH GRANT OPTION; GRANT CREATE ON DATABASE shop TO dave; GRANT SELECT (a) ON s.t TO bob WITH GRANT OPTION`,
    'shop',
  );
  await as(
    'alice',
    `GRANT SELECT ON s.t TO ${S}, dave WITH GRANT OPTION; GRANT USAGE ON SCHEMA s TO "unknown (OID=4711)"; CREATE TABLE s.hers (id int); GRANT SELECT ON s.hers TO bob`,
  );
  await as(
    'bob',
    `GRANT SELECT (a), SELECT ON s.t TO "Ünï 👩 $map"; CREATE FUNCTION s.his() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO alice`,
  );
  await server.query(`ALTER ROLE dave PASSWORD 'changed by hand'; ALTER ROLE erin PASSWORD NULL; ALTER ROLE carol VALID UNTIL 'infinity' LOGIN`);
}
