// Names and types are values: what a maker of objects calls them never becomes part of a statement, and each routine is told from every other.
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { ident } from './acl.ts';
import { QUIET, writesDuring } from './quiet.ts';

let server: Postgres;
let steward: Steward;
let mallory: pg.Client;
serverForAll(
  QUIET,
  (started) => (server = started),
  () => steward,
);
const ADMINS = ['superuser', 'plain admin'] as const;
const declare = (): void =>
  steward.manifests.users(
    stringify({
      roles: [{ name: 'app', grants: [{ database: 'shop', schemas: ['s'], functions: { '*': ['EXECUTE'] }, columns: { '*': { '*': ['SELECT'] } } }] }],
      users: [{ username: 'keeper', login: false }],
    }),
  );

/** Mallory may create in schema `s` of database `shop`; a plain admin is a member of its role, without which it could grant nothing there. */
async function start(admin: (typeof ADMINS)[number]): Promise<void> {
  await server.query(`CREATE ROLE mallory LOGIN PASSWORD 'mallory'`);
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE SCHEMA s; GRANT USAGE, CREATE ON SCHEMA s TO mallory', 'shop');
  if (admin === 'plain admin') {
    await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; GRANT mallory TO adm`);
    await server.query('CREATE DATABASE home OWNER adm');
    await server.query('ALTER SCHEMA s OWNER TO adm; GRANT USAGE, CREATE ON SCHEMA s TO mallory', 'shop');
  }
  steward = await createSteward(server, {
    RETRY_BACKOFF_BASE: '1',
    EVENT_TRIGGERS: 'auto',
    ...(admin === 'superuser' ? {} : { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home' }),
  });
  mallory = await server.client('shop', { user: 'mallory', password: 'mallory' });
  declare();
}
afterEach(() => mallory.end());

/** Routines of schema `s` that app may not execute. */
const withoutRight = async (): Promise<string[]> =>
  (
    await server.query<{ name: string }>(
      `SELECT oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = 's'::regnamespace AND NOT EXISTS (SELECT FROM aclexplode(proacl) x WHERE x.grantee = 'app'::regrole)`,
      'shop',
    )
  ).map(({ name }) => name);
/** What mallory revoked is granted again, wholly, and then there is nothing left to do. */
async function settles(): Promise<void> {
  await steward.cycle();
  const report = await steward.cycle();
  expect(report.outcomes.filter((outcome) => outcome.result !== 'applied')).toEqual([]);
  expect(await withoutRight()).toEqual([]);
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  expect(await server.query(`SELECT rolname FROM pg_roles WHERE rolsuper AND rolname <> 'postgres'`)).toEqual([]);
}

describe.each(ADMINS)('as %s', (admin) => {
  beforeEach(() => start(admin));

  it.each(['\x1f', ') ', '\n', '|', ', ', '"'])('a type whose name goes on as SQL after %j is a type like any other', async (separator) => {
    const type = ident(`x${separator}) TO mallory;ALTER ROLE mallory SUPERUSER;--`);
    await mallory.query(`CREATE TYPE s.${type} AS (a int); CREATE FUNCTION s.f(s.${type}) RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE FUNCTION s.${ident(`f${separator}s."x`)}() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION s.g(s.${type}[], VARIADIC s.${type}[]) RETURNS int LANGUAGE sql AS 'SELECT 1'`);
    await steward.cycle();
    await mallory.query(`REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA s FROM app`);
    await settles();
  });

  it('columns and tables whose names go on as SQL are columns and tables like any other', async () => {
    const evil = ident(`t\x1fc) ON s.x TO mallory; ALTER ROLE mallory SUPERUSER; --`);
    await mallory.query(`CREATE TABLE s.${evil} (${evil} int, "a\x1fb" int); CREATE TABLE s."t" ("c\x1fd" int)`);
    await steward.cycle();
    await mallory.query(`REVOKE SELECT (${evil}) ON s.${evil} FROM app`);
    await settles();
    expect(await server.query(`SELECT count(*)::int AS columns FROM pg_attribute WHERE attacl::text LIKE '%app=r%'`, 'shop')).toEqual([{ columns: 3 }]);
  });

  it('procedures that differ in their OUT arguments alone, and functions of the same name, are told from each other', async () => {
    await steward.cycle();
    await mallory.query(`CREATE PROCEDURE s.p(OUT a int, IN b int, IN c int) LANGUAGE plpgsql AS 'BEGIN END';
      CREATE PROCEDURE s.p(a int, b int, c int) LANGUAGE plpgsql AS 'BEGIN END'; CREATE PROCEDURE s.q(INOUT "a b" int, VARIADIC b text[]) LANGUAGE plpgsql AS 'BEGIN END';
      CREATE PROCEDURE s.f(OUT a int) LANGUAGE plpgsql AS 'BEGIN END'; CREATE FUNCTION s.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE FUNCTION s.o(int, OUT x int, OUT y int) LANGUAGE sql AS 'SELECT 1, 2';
      CREATE FUNCTION s.u(anyelement, "char", char, varchar(3), timestamptz[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE FUNCTION s.last(float8[], float8) RETURNS float8 LANGUAGE sql AS 'SELECT $1[1]';
      CREATE AGGREGATE s.median(float8 ORDER BY float8) (SFUNC = array_append, STYPE = float8[], FINALFUNC = s.last);
      CREATE AGGREGATE s.total(int) (SFUNC = int4pl, STYPE = int)`);
    // By the event trigger, or by default privileges.
    expect(await withoutRight()).toEqual([]);
    await mallory.query(`REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA s FROM app`);
    await settles();
  });
});

it('a user to whom somebody passed on a procedure that differs in its OUT arguments alone can still be removed', async () => {
  await start('superuser');
  const passing = (users: readonly string[]): void =>
    steward.manifests.users(stringify({ users: [{ username: 'keeper', login: false }, ...users.map((username) => ({ username, login: false }))] }));
  passing(['bob']);
  await steward.cycle();
  await server.query('CREATE ROLE carol');
  await server.query('GRANT USAGE ON SCHEMA s TO carol', 'shop');
  await mallory.query(`CREATE PROCEDURE s.p(OUT a int, IN b int, IN c int) LANGUAGE plpgsql AS 'BEGIN END'; CREATE PROCEDURE s.p(a int, b int, c int) LANGUAGE plpgsql AS 'BEGIN END';
    GRANT EXECUTE ON PROCEDURE s.p(OUT int, IN int, IN int) TO carol WITH GRANT OPTION`);
  await server.query('SET ROLE carol; GRANT EXECUTE ON PROCEDURE s.p(OUT int, IN int, IN int) TO bob', 'shop');
  passing([]);
  await steward.cycle();
  await steward.cycle();
  expect(await server.query(`SELECT rolname FROM pg_roles WHERE rolname = 'bob'`)).toEqual([]);
});
