// import: what is so on a server as a document, of every kind and with every name; a plan for it is empty, and applied it changes nothing.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { callHere } from '../commands/call.ts';
import { ident } from '../privileges/acl.ts';
import { resetServer } from '../support/steward.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { imported, type ImportOptions, ownedDatabase, provedOn } from './importing.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
afterEach(() => resetServer(server));

/** A name that is a text and nothing else. */
const ODD = 'o\'d"d\nб; DROP ROLE x\u001f\u202e {{ x }} #';

const MAJOR = Number(process.env['PG_MAJOR'] ?? 18);

const proved = (options?: ImportOptions): ReturnType<typeof provedOn> => provedOn(server, options);
const databaseOf = (owner: string, name?: string): Promise<void> => ownedDatabase(server, owner, name);

it('says logins, roles, attributes, memberships, settings and comments, whatever the names are', async () => {
  await server.query(`CREATE ROLE grp; CREATE ROLE lead; CREATE ROLE ${ident(ODD)} LOGIN CONNECTION LIMIT 3 VALID UNTIL '2031-01-02 03:04:05.678+00';
    GRANT grp TO ${ident(ODD)} WITH ADMIN OPTION; GRANT lead TO grp;
    ALTER ROLE ${ident(ODD)} SET search_path = "$user", "Odd ""x"; ALTER ROLE ${ident(ODD)} SET work_mem = '12MB'; ALTER ROLE ${ident(ODD)} IN DATABASE postgres SET "app.x" = 'on';
    COMMENT ON ROLE ${ident(ODD)} IS E'it''s\\n"so"'; COMMENT ON ROLE grp IS 'group'`);
  const { document, said } = await proved();
  expect(document.roles).toEqual([
    { name: 'grp', memberOf: ['lead'], comment: 'group', grants: [] },
    { name: 'lead', grants: [] },
  ]);
  expect(document.users).toEqual([
    {
      username: ODD,
      password: 'none',
      roles: [{ name: 'grp', admin: true }],
      comment: 'it\'s\n"so"',
      connectionLimit: 3,
      validUntil: '2031-01-02T03:04:05.678Z',
      settings: { search_path: '"$user", "Odd ""x"', work_mem: '12MB' },
      databaseSettings: { postgres: { 'app.x': 'on' } },
      grants: [{ database: 'postgres', databasePrivileges: [] }],
    },
  ]);
  expect(said).toEqual(['postgres: is left out: it is the role that pgsteward itself works as']);
});

it.runIf(MAJOR >= 16)('says the options of memberships, which several have granted', async () => {
  await server.query(`CREATE ROLE grp; CREATE ROLE lead; CREATE ROLE amy LOGIN; GRANT grp TO lead WITH ADMIN OPTION;
    GRANT grp TO amy WITH INHERIT FALSE, SET FALSE; SET ROLE lead; GRANT grp TO amy WITH INHERIT FALSE, SET TRUE; RESET ROLE`);
  const { document } = await proved();
  expect(document.users[0]?.['roles']).toEqual([{ name: 'grp', inherit: false }]);
});

const SCHEMA = `CREATE SCHEMA ${ident(ODD)} AUTHORIZATION own; SET ROLE own; CREATE TABLE ${ident(ODD)}.${ident(ODD)} (${ident(ODD)} int, b int); CREATE TABLE ${ident(ODD)}.plain (a int);
  CREATE SEQUENCE ${ident(ODD)}.q; CREATE FUNCTION ${ident(ODD)}.${ident(ODD)}(int, varchar) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE PROCEDURE ${ident(ODD)}.p(INOUT a text) LANGUAGE sql AS 'SELECT 1'; CREATE TYPE ${ident(ODD)}.e AS ENUM ('a'); CREATE FUNCTION ${ident(ODD)}.f(${ident(ODD)}.e[]) RETURNS int LANGUAGE sql AS 'SELECT 1'; RESET ROLE;
  CREATE FOREIGN DATA WRAPPER w; CREATE SERVER srv FOREIGN DATA WRAPPER w; SELECT lo_create(4711)`;

it('says grants on every kind of object by exact names, with grant options and several grantors', async () => {
  await server.query('CREATE ROLE own; CREATE ROLE mid; CREATE ROLE web');
  await databaseOf('own');
  await server.query(SCHEMA, 'shop');
  await server.query(
    `GRANT USAGE ON SCHEMA ${ident(ODD)} TO web WITH GRANT OPTION; GRANT SELECT, INSERT ON ${ident(ODD)}.${ident(ODD)} TO web; GRANT UPDATE (${ident(ODD)}) ON ${ident(ODD)}.${ident(ODD)} TO web;
     GRANT ALL ON ${ident(ODD)}.plain TO web; GRANT USAGE ON SEQUENCE ${ident(ODD)}.q TO web; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA ${ident(ODD)} TO web; GRANT USAGE ON TYPE ${ident(ODD)}.e TO web WITH GRANT OPTION;
     GRANT USAGE ON FOREIGN DATA WRAPPER w TO web; GRANT USAGE ON FOREIGN SERVER srv TO web; GRANT SELECT ON LARGE OBJECT 4711 TO web; GRANT USAGE ON LANGUAGE plpgsql TO web; GRANT CREATE ON TABLESPACE pg_default TO web;
     GRANT CONNECT, TEMPORARY ON DATABASE shop TO web; GRANT USAGE ON SCHEMA ${ident(ODD)} TO mid; GRANT SELECT ON ${ident(ODD)}.plain TO mid WITH GRANT OPTION; SET ROLE mid; GRANT SELECT ON ${ident(ODD)}.plain TO web; RESET ROLE`,
    'shop',
  );
  const { document } = await proved();
  expect(document.databases).toEqual([{ name: 'shop', owner: 'own', schemas: [ODD] }]);
  expect(document.roles?.find(({ name }) => name === 'web')?.['grants']).toEqual([
    {
      database: 'shop',
      databasePrivileges: ['CONNECT', 'TEMPORARY'],
      languages: { plpgsql: ['USAGE'] },
      foreignDataWrappers: { w: ['USAGE'] },
      foreignServers: { srv: ['USAGE'] },
      largeObjects: { 4711: ['SELECT'] },
    },
    {
      database: 'shop',
      schemas: { [ODD]: [{ privilege: 'USAGE', grantable: true }] },
      functions: expect.arrayContaining([`p(text)`]) as unknown,
      tables: { [ODD]: ['SELECT', 'INSERT'], plain: ['ALL'] },
      sequences: { q: ['USAGE'] },
      types: { e: [{ privilege: 'USAGE', grantable: true }] },
      columns: { [ODD]: { [ODD]: ['UPDATE'] } },
      actions: ['EXECUTE'],
    },
    { tablespaces: { pg_default: ['CREATE'] } },
  ]);
});

it('says that a role has no USAGE of its own where it holds something in a schema of PUBLIC', async () => {
  await server.query('CREATE ROLE web; CREATE TABLE t (); GRANT SELECT ON t TO web');
  const { document } = await proved();
  expect(document.roles).toEqual([{ name: 'web', grants: [{ database: 'postgres', schemas: { public: [] }, tables: { t: ['SELECT'] } }] }]);
  await server.query('DROP TABLE t');
});

it('takes a name with a star for no pattern: it is told, and what is held stays', async () => {
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE ROLE web; CREATE TABLE "a*b" (); CREATE TABLE t (); GRANT SELECT ON "a*b", t TO web', 'shop');
  const { document, said } = await proved();
  expect(document.roles).toEqual([{ name: 'web', grants: [{ database: 'shop', schemas: { public: [] }, tables: { t: ['SELECT'] } }], grantsMode: 'additive' }]);
  expect(said).toContain('web: 1 of its grants cannot be said (a name with * in it is a pattern in a document); they stay');
});

it('takes a name that YAML has another meaning for as a name, and writes again what it says again', async () => {
  await server.query('CREATE ROLE amy; CREATE ROLE bob');
  await server.query(
    `CREATE SCHEMA s; CREATE TABLE s."<<" ("<<" int, "&a" int); CREATE TABLE s."=" (); CREATE TABLE s."*" (); CREATE VIEW s."---" AS SELECT 1;
     GRANT SELECT ON s."<<" TO amy WITH GRANT OPTION; GRANT INSERT ON s."=" TO amy; GRANT UPDATE ON s."---" TO amy; GRANT USAGE ON SCHEMA s TO amy, bob;
     GRANT UPDATE ("<<"), INSERT ("&a") ON s."<<" TO bob`,
  );
  const { text, problems, differences } = await imported(server);
  expect([...problems, ...differences], text).toEqual([]);
  expect(text).toContain('"<<"');
  expect(text).not.toMatch(/[&*]a1/);
  await proved();
  await server.query('DROP SCHEMA s CASCADE');
});

it('is a verb: the document on standard output, remarks on standard error, and 0 for an empty plan', async () => {
  await server.query('CREATE ROLE amy LOGIN PASSWORD $$amy has a secret$$');
  const env = { DB_HOST: server.host, DB_PORT: String(server.port), DB_USER: server.user, DB_PASS: server.password };
  const { code, stdout, stderr } = await callHere(['import', '--roles', 'a*'], '', env);
  expect(parse(stdout)).toEqual({ users: [{ username: 'amy', password: 'none', grants: [{ database: 'postgres', databasePrivileges: [] }] }] });
  expect(stderr).toBe('a plan for this document is empty\n');
  expect(stdout + stderr).not.toMatch(/secret|SCRAM/);
  expect(code).toBe(0);
  const steps = await callHere(['import', '--roles', 'a*', '--adopt-plan'], '', { ...env, NAMESPACE: 'db' });
  expect(steps).toMatchObject({ code: 0, stdout });
  expect(steps.stderr).toContain('kubectl -n db set env deployment/pgsteward REVOKES=report DELETION_POLICY=retain\n');
  const refused = await callHere(['import', '--port', '1'], '', env);
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toMatch(/^pgsteward: .*ECONNREFUSED/);
  expect((await callHere(['import'], '', { DB_PORT: 'x' })).stderr).toMatch(/^pgsteward: the environment has 1 bad setting/);
});

it("says '*' where everybody who makes objects gives the same to those to come, with exceptions, and a preset where it fits", async () => {
  await server.query('CREATE ROLE own; CREATE ROLE web; CREATE ROLE reader; CREATE ROLE other');
  await server.query('CREATE DATABASE shop OWNER own');
  await server.query(
    `SET ROLE own; CREATE SCHEMA s; ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO web, reader; ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON SEQUENCES TO reader;
     ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT EXECUTE ON FUNCTIONS TO web; CREATE FUNCTION s.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION s.g() RETURNS int LANGUAGE sql AS 'SELECT 1';
     CREATE TABLE s.a (); CREATE TABLE s.b (); CREATE TABLE s.c (); CREATE TABLE s.d (); CREATE SEQUENCE s.q; REVOKE SELECT ON s.b FROM web; GRANT INSERT ON s.c TO web;
     GRANT USAGE ON SCHEMA s TO web, reader; RESET ROLE`,
    'shop',
  );
  const { document } = await proved();
  const grantsOf = (name: string): unknown => document.roles?.find((role) => role['name'] === name)?.['grants'];
  expect(grantsOf('web')).toEqual([
    { database: 'shop', schemas: { s: ['USAGE'] }, tables: { b: [], c: ['SELECT', 'INSERT'], '*': ['SELECT'] }, functions: { '*': ['EXECUTE'] } },
  ]);
  expect(grantsOf('reader')).toEqual([{ database: 'shop', schemas: ['s'], preset: 'read_only' }]);
});

it("says no '*' where somebody else makes objects that do not give it", async () => {
  await server.query('CREATE ROLE own; CREATE ROLE web; CREATE ROLE other');
  await databaseOf('own');
  await server.query(
    `SET ROLE own; CREATE SCHEMA s; ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO web; CREATE TABLE s.a (); CREATE TABLE s.b (); GRANT USAGE ON SCHEMA s TO web; RESET ROLE;
     CREATE TABLE s.c (); ALTER TABLE s.c OWNER TO other; GRANT SELECT ON s.c TO web`,
    'shop',
  );
  const { document, said } = await proved();
  expect(document.roles?.find(({ name }) => name === 'web')).toEqual({
    name: 'web',
    grants: [{ database: 'shop', schemas: ['s'], tables: ['a', 'b', 'c'], actions: ['SELECT'] }],
    grantsMode: 'additive',
  });
  expect(said).toEqual([
    expect.any(String),
    "web: is written as grantsMode: additive, as not all that it holds can be said: default privileges of own give it something on tables to come in schema s of database shop, and those of other, who may make such there as well, not the same: '*' in a document is for all who make objects, and there is no way to say it of some alone; give it by all of them or by none, and import again",
  ]);
});

it('says why default privileges of somebody cannot be said who may make nothing there', async () => {
  await server.query('CREATE ROLE own; CREATE ROLE web; CREATE ROLE "gone; away"');
  await databaseOf('own');
  await server.query(`ALTER DEFAULT PRIVILEGES FOR ROLE "gone; away" GRANT SELECT ON TABLES TO web`, 'shop');
  const { said } = await proved();
  expect(said.filter((line) => line.startsWith('web:'))).toEqual([
    `web: is written as grantsMode: additive, as not all that it holds can be said: default privileges of "gone; away" give it something on tables to come in database shop, and "gone; away" owns nothing there and holds no CREATE: as long as the database's createdBy does not name it, '*' in a document is not for what it makes`,
  ]);
});

it("says '*' of every schema where the default privileges are for all of them", async () => {
  await server.query('CREATE ROLE own; CREATE ROLE web');
  await databaseOf('own');
  await server.query(
    `SET ROLE own; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO web; CREATE SCHEMA s; CREATE SCHEMA u; CREATE TABLE s.a (); CREATE TABLE u.b (); REVOKE SELECT ON u.b FROM web; GRANT USAGE ON SCHEMA s TO web; RESET ROLE`,
    'shop',
  );
  const { document } = await proved();
  expect(document.roles?.find(({ name }) => name === 'web')).toEqual({
    name: 'web',
    grants: [
      { database: 'shop', schemas: { '*': [] }, tables: { '*': ['SELECT'] } },
      { database: 'shop', schemas: ['s'] },
      { database: 'shop', schemas: { u: [] }, tables: { b: [] } },
    ],
  });
});

it('says what PUBLIC may do where it is not what the server gives it by itself, and no more', async () => {
  await server.query('CREATE ROLE own');
  await databaseOf('own');
  await databaseOf('own', 'closed');
  await server.query(
    `SET ROLE own; CREATE SCHEMA s; CREATE SCHEMA u; GRANT USAGE ON SCHEMA s TO PUBLIC; CREATE TABLE s.a (id int); CREATE TABLE u.b (id int, ${ident(ODD)} int); GRANT SELECT ON s.a TO PUBLIC; GRANT INSERT (${ident(ODD)}) ON u.b TO PUBLIC;
     CREATE FUNCTION s.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION s.g() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION s.f FROM PUBLIC; CREATE TYPE s.e AS ENUM ('a'); REVOKE USAGE ON TYPE s.e FROM PUBLIC; RESET ROLE;
     REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC; REVOKE TEMPORARY ON DATABASE shop FROM PUBLIC`,
    'shop',
  );
  await server.query('REVOKE ALL ON DATABASE closed FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC', 'closed');
  const { document } = await proved();
  expect(document.databases).toEqual([
    { name: 'closed', owner: 'own', public: 'revoked' },
    {
      name: 'shop',
      owner: 'own',
      schemas: ['s', 'u'],
      public: [
        { databasePrivileges: ['CONNECT'], languages: { plpgsql: [] } },
        { schemas: { s: ['USAGE'] }, tables: { a: ['SELECT'] }, functions: { 'f(integer)': [] }, types: { e: [] } },
        { schemas: { u: [] }, columns: { b: { [ODD]: ['INSERT'] } } },
      ],
    },
  ]);
});
