// What an owner may do anyway, or everybody where we cannot grant, is not wanted, not revoked, and not counted: on every kind of object.
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { unprivileged } from '../support/binaries.ts';
import { serverForAll } from '../support/lifecycle.ts';
import { MemorySecrets } from '../support/memory-secrets.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { sentenceOf } from '../../src/changes/change.ts';
import { QUIET, writesDuring } from './quiet.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { ...QUIET },
  (started) => (server = started),
  () => steward,
);

/** One object of each kind that has an owner, as its owner is changed, and each in the words of a block. */
const OWNED = [
  'SCHEMA own',
  'TABLE own.t',
  'SEQUENCE own.s',
  'FUNCTION own.f(integer)',
  'PROCEDURE own.p()',
  'TYPE own.e',
  'LANGUAGE lang_one',
  'FOREIGN DATA WRAPPER wrapper_one',
  'SERVER server_one',
  'LARGE OBJECT 4711',
] as const;
const SETUP = `CREATE SCHEMA own; CREATE TABLE own.t (a integer, b integer); CREATE SEQUENCE own.s; CREATE FUNCTION own.f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
  CREATE PROCEDURE own.p() LANGUAGE sql AS 'SELECT 1'; CREATE TYPE own.e AS ENUM ('a'); CREATE TRUSTED LANGUAGE lang_one HANDLER plpgsql_call_handler; CREATE FOREIGN DATA WRAPPER wrapper_one;
  CREATE SERVER server_one FOREIGN DATA WRAPPER wrapper_one; SELECT lo_create(4711)`;
const EVERYTHING = `
      - database: shop
        databasePrivileges: [ALL]
        schemas: {own: [ALL]}
        tables: {'*': [ALL]}
        columns: {t: {a: [ALL]}}
        sequences: {'*': [ALL]}
        functions: {'*': [ALL]}
        types: {'*': [ALL]}
        languages: {lang_one: [ALL]}
        foreignDataWrappers: {wrapper_one: [ALL]}
        foreignServers: {server_one: [ALL]}
        largeObjects: {'4711': [ALL]}
      - {database: shop, schemas: {public: [ALL]}}
      - {tablespaces: {space_one: [ALL]}}`;
const said = (report: Awaited<ReturnType<Steward['cycle']>>): string => report.notices.map(({ kind, message }) => `${kind}: ${message}`).join('\n');

async function owned(by: string): Promise<void> {
  await server.query(`CREATE ROLE ${by}`);
  await server.query(`CREATE DATABASE shop OWNER ${by}`);
  await server.query(SETUP, 'shop');
  for (const what of OWNED.filter((one) => !one.startsWith('FOREIGN DATA'))) await server.query(`ALTER ${what} OWNER TO ${by}`, 'shop');
  // Of a foreign data wrapper only a superuser can become the owner, and stay it afterwards.
  await server.query(`ALTER ROLE ${by} SUPERUSER; ALTER FOREIGN DATA WRAPPER wrapper_one OWNER TO ${by}; ALTER ROLE ${by} NOSUPERUSER`, 'shop');
  const folder = join(server.dataDir, '..', `space-${Math.random()}`);
  mkdirSync(folder);
  const account = unprivileged();
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
  await server.query(`CREATE TABLESPACE space_one OWNER ${by} LOCATION '${folder}'`);
}
afterEach(() => server.query('DROP TABLESPACE IF EXISTS space_one'));

describe('the rights of an owner', () => {
  it.each(['exact', 'with the grant option', 'additive', 'none at all'])('are not touched on any kind, whatever its entry declares (%s)', async (how) => {
    await owned('boss');
    steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
    // What an owner took from itself is its own business.
    await server.query('REVOKE INSERT ON own.t FROM boss', 'shop');
    const block =
      how === 'none at all'
        ? 'grants: []'
        : `grantsMode: ${how === 'additive' ? 'additive' : 'authoritative'}\n    grants:${how === 'with the grant option' ? EVERYTHING.replaceAll('[ALL]', '[{privilege: ALL, grantable: true}]') : EVERYTHING}`;
    steward.manifests.users(`roles:\n  - name: boss\n    ${block}\nusers: [{username: keeper, login: false}]`);
    const first = await steward.cycle();
    const made = first.outcomes.map(({ change }) => sentenceOf(change)).filter((line) => /grant|revoke/i.test(line) && line.includes('boss'));
    // Below 15 the schema public is the superuser's.
    expect([made.filter((line) => server.major >= 15 || !line.includes('schema public')), first.problems], said(first)).toEqual([[], []]);
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
    const second = await steward.cycle();
    expect([second.planned, second.drift, second.result]).toEqual([[], [], 'converged']);
  });
});

describe('a superuser', () => {
  it.each([
    ['that was there before', 'role', {}],
    ['that was there before', 'user', {}],
    ['that somebody made one later', 'role', {}],
    ['that somebody made one later', 'user', {}],
    ['that somebody made one later', 'role', { DB_USER: 'adm', DB_PASS: 'adm' }],
  ])('%s (a %s) is refused by name, and nothing is granted, revoked or counted in any cycle', async (when, what, login) => {
    await owned('stranger');
    if (when === 'that was there before') await server.query('CREATE ROLE boss SUPERUSER LOGIN');
    await server.query(
      `CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; CREATE SCHEMA pgsteward AUTHORIZATION ${'DB_USER' in login ? 'adm' : 'postgres'}`,
    );
    if ('DB_USER' in login) {
      await server.query('ALTER DATABASE shop OWNER TO adm');
      for (const one of OWNED.filter((object) => !/LANGUAGE|FOREIGN DATA/.test(object))) await server.query(`ALTER ${one} OWNER TO adm`, 'shop');
    }
    steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1', ALLOWED_ROLES: 'boss', ...login });
    steward.manifests.secret('boss', 'password of boss');
    const entry = what === 'role' ? 'roles:\n  - name: boss' : 'users:\n  - username: boss\n    database: shop';
    steward.manifests.users(`${entry}\n    grants:${EVERYTHING}${what === 'role' ? '\nusers: [{username: keeper, login: false}]' : ''}`);
    for (const _ of [1, 2]) await steward.cycle();
    const acl = async (): Promise<unknown> =>
      (await server.query(`SELECT relacl::text ~ 'boss=' AS has FROM pg_class WHERE oid = 'own.t'::regclass`, 'shop'))[0]?.['has'];
    expect(await acl()).toBe(when === 'that was there before' ? null : true);
    await server.query('ALTER ROLE boss SUPERUSER; GRANT DELETE ON own.t TO boss; REVOKE SELECT ON own.t FROM boss', 'shop');
    await steward.cycle();
    for (const _ of [1, 2]) {
      const report = await steward.cycle();
      expect([report.planned.map(sentenceOf), report.drift]).toEqual([[], []]);
      expect(said(report)).toContain(`refused: the ${what} is refused: it is a superuser`);
    }
    expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  });
});

describe('a user that owns its own database', () => {
  const document = (more = ''): string =>
    `databases: [{name: shop, owner: bob, create: true}]\nusers: [{username: bob, database: shop, connectionSecret: bob-db${more}}]`;
  const start = async (text: string): Promise<MemorySecrets> => {
    const secrets = new MemorySecrets();
    steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1', CONNECTION_HOST: 'db' }, undefined, undefined, secrets);
    steward.manifests.secret('bob', 'password of bob');
    steward.manifests.users(text);
    return secrets;
  };

  it.each(['', ', grants: [{database: shop, databasePrivileges: [CONNECT, CREATE], schemas: {public: [USAGE, CREATE]}}]', ', grants: []'])(
    'converges at once, and its connection Secret is written (%s)',
    async (more) => {
      const secrets = await start(document(more));
      const first = await steward.cycle();
      expect([first.result, said(first)]).toEqual(['changed', '']);
      expect(first.outcomes.map(({ change }) => sentenceOf(change)).filter((line) => line.includes('CONNECT'))).toEqual([]);
      expect(secrets.values('postgres', 'bob-db').get('database')).toBe('shop');
      const second = await steward.cycle();
      expect([second.planned, second.drift, second.result]).toEqual([[], [], 'converged']);
      await (await server.client('shop', { user: 'bob', password: 'password of bob' })).end();
    },
  );

  it('converges also where the database is handed over, to it and from it again', async () => {
    await server.query('CREATE DATABASE shop');
    await server.query('REVOKE CONNECT ON DATABASE shop FROM PUBLIC');
    await start('users: [{username: bob, database: shop}]');
    await steward.cycle();
    steward.manifests.users(document());
    const handed = await steward.cycle();
    expect(handed.outcomes.map(({ change }) => sentenceOf(change)).filter((line) => line.includes('CONNECT'))).toEqual([]);
    expect((await steward.cycle()).result).toBe('converged');
    steward.manifests.users('databases: [{name: shop, owner: other}]\nusers: [{username: bob, database: shop}]');
    await steward.cycle();
    expect((await steward.cycle()).result).toBe('converged');
    expect(await server.query(`SELECT has_database_privilege('bob', 'shop', 'CONNECT') AS may`)).toEqual([{ may: true }]);
  });

  it('is given CONNECT where it is refused as the owner', async () => {
    await start('databases: [{name: postgres, owner: bob}]\nusers: [{username: bob, database: postgres}]');
    await server.query('REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
    await steward.cycle();
    expect(await server.query(`SELECT has_database_privilege('bob', 'postgres', 'CONNECT') AS may`)).toEqual([{ may: true }]);
    await server.query('GRANT CONNECT ON DATABASE postgres TO PUBLIC');
  });
});

describe('what everybody has', () => {
  it('is not missing where an admin without superuser cannot grant it, and is granted where it can', async () => {
    await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; CREATE ROLE stranger`);
    await server.query('CREATE DATABASE shop OWNER adm');
    await server.query(SETUP, 'shop');
    for (const what of OWNED.filter((one) => !/LANGUAGE|FOREIGN DATA/.test(one))) await server.query(`ALTER ${what} OWNER TO stranger`, 'shop');
    await server.query(
      `GRANT ALL ON SCHEMA own TO PUBLIC; GRANT ALL ON own.t TO PUBLIC; GRANT ALL ON SEQUENCE own.s TO PUBLIC; GRANT ALL ON FOREIGN SERVER server_one TO PUBLIC;
       GRANT ALL ON FOREIGN DATA WRAPPER wrapper_one TO PUBLIC; GRANT ALL ON LARGE OBJECT 4711 TO PUBLIC; CREATE SCHEMA pgsteward AUTHORIZATION adm; CREATE TYPE own.range AS RANGE (subtype = integer)`,
      'shop',
    );
    await server.query(
      'CREATE SCHEMA mine AUTHORIZATION adm; SET ROLE adm; CREATE FUNCTION mine.f() RETURNS integer LANGUAGE sql AS $$SELECT 1$$; RESET ROLE',
      'shop',
    );
    steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'shop', EVENT_TRIGGERS: 'off', RETRY_BACKOFF_BASE: '1' });
    steward.manifests.users(`roles:
  - name: reader
    grants:
      - database: shop
        schemas: [own]
        tables: {t: [SELECT]}
        sequences: {s: [USAGE]}
        functions: {'f(integer)': [EXECUTE], 'range(integer, integer)': [EXECUTE], 'p()': [EXECUTE]}
        types: {e: [USAGE]}
        languages: {lang_one: [USAGE]}
        foreignDataWrappers: {wrapper_one: [USAGE]}
        foreignServers: {server_one: [USAGE]}
        largeObjects: {'4711': [SELECT]}
      - {database: shop, schemas: [mine], functions: {'f()': [EXECUTE]}}
users: [{username: keeper, login: false}]`);
    const first = await steward.cycle();
    expect([said(first), first.result]).toEqual(['', 'changed']);
    const second = await steward.cycle();
    expect([second.planned, second.drift, second.result]).toEqual([[], [], 'converged']);
    expect(await server.query(`SELECT proacl::text ~ 'reader=X' AS granted FROM pg_proc WHERE pronamespace = 'mine'::regnamespace`, 'shop')).toEqual([
      { granted: true },
    ]);
    // Once everybody has it no longer, it is missing, and said to be.
    await server.query('REVOKE SELECT ON own.t FROM PUBLIC', 'shop');
    expect(said(await steward.cycle())).toContain('cannot grant SELECT on table own.t in database shop to: reader');
  });
});
