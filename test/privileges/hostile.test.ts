// What somebody might try, and what must not happen by accident: nobody gains rights, and nobody loses what is theirs.
import { afterEach, describe, expect, it } from 'vitest';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { QUIET } from './quiet.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  QUIET,
  (started) => (server = started),
  () => steward,
);
afterEach(() => server.query('DROP FUNCTION IF EXISTS public.hashint8extended(bigint, integer), public.concat(bigint, text, numeric)'));

const start = async (document: string, env: Record<string, string> = {}): Promise<void> => {
  steward = await createSteward(server, env);
  steward.manifests.users(document);
};
const KEEPER = '\nusers: [{username: keeper, login: false}]';

describe('nobody gains rights', () => {
  it('by functions in the schema public that fit our queries better than those of the server', async () => {
    await server.query('CREATE DATABASE app');
    await server.query(`CREATE ROLE evil LOGIN PASSWORD 'evil evil'; GRANT USAGE, CREATE ON SCHEMA public TO evil`);
    await server.query('GRANT USAGE, CREATE ON SCHEMA public TO evil', 'app');
    const body = `LANGUAGE plpgsql AS $$ BEGIN IF current_user <> 'evil' THEN EXECUTE 'ALTER ROLE evil SUPERUSER'; END IF; RETURN 1; END $$`;
    for (const database of ['app', 'postgres']) {
      const evil = await server.client(database, { user: 'evil', password: 'evil evil' });
      await evil.query(`CREATE FUNCTION public.hashint8extended(bigint, integer) RETURNS bigint ${body}`);
      await evil.query(`CREATE FUNCTION public.concat(bigint, text, numeric) RETURNS text ${body}`);
      await evil.end();
    }
    await start(`roles: [{name: r, grants: [{database: app, schemas: [public], tables: {'*': [SELECT]}}]}]${KEEPER}`);
    for (let cycle = 0; cycle < 4; cycle += 1) await steward.cycle();
    expect(await server.query(`SELECT rolsuper FROM pg_roles WHERE rolname = 'evil'`)).toEqual([{ rolsuper: false }]);
  });

  it('on what an extension keeps from PUBLIC, by way of default privileges', async () => {
    await server.query('CREATE DATABASE app');
    const roles = `roles: [{name: mallory, grants: [{database: app, schemas: ['*'], functions: {'*': [EXECUTE]}}]}]${KEEPER}`;
    await start(roles);
    await steward.cycle();
    steward.manifests.users(`databases: [{name: app, extensions: [{name: dblink, schema: ext}]}]\n${roles}`);
    await steward.cycle();
    expect(await server.query(`SELECT has_function_privilege('mallory', 'ext.dblink_connect_u(text)', 'EXECUTE') AS may`, 'app')).toEqual([{ may: false }]);
  });

  it.each(['on', 'off'])(
    'of another login, by a pattern for foreign servers that finds one with a user mapping for PUBLIC (event triggers %s)',
    async (triggers) => {
      await server.query('CREATE DATABASE app');
      await server.query(
        `CREATE EXTENSION postgres_fdw; CREATE TABLE secret AS SELECT 7 AS id;
       CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '${server.port}', dbname 'app')`,
        'app',
      );
      const of = (servers: string) =>
        `users: [{username: mallory, roles: [writers], grants: [{database: app, schemas: {public: [CREATE]}, foreignServers: ${servers}}]}]`;
      await start(of(`{'*': [USAGE]}`), { EVENT_TRIGGERS: triggers });
      steward.manifests.secret('mallory', 'm');
      await steward.cycle();
      const reads = async (): Promise<unknown> => {
        const mallory = await server.client('app', { user: 'mallory', password: 'm' });
        try {
          await mallory.query(`BEGIN; CREATE FOREIGN TABLE public.theirs (id int) SERVER loop OPTIONS (schema_name 'public', table_name 'secret')`);
          return (await mallory.query('SELECT id FROM public.theirs')).rows;
        } catch (error) {
          return String(error);
        } finally {
          await mallory.end();
        }
      };
      expect(await reads()).toContain('user mapping not found');
      // It is made when the pattern has given USAGE already.
      await server.query(`CREATE USER MAPPING FOR PUBLIC SERVER loop OPTIONS (user 'postgres', password '${server.password}')`, 'app');
      expect(await reads()).toEqual([{ id: 7 }]);
      const report = await steward.cycle();
      expect(await reads()).toContain('permission denied for foreign server');
      expect(report.notices).toMatchObject([
        { kind: 'unmanaged', message: expect.stringContaining('a pattern does not mean the foreign server(s) loop of database app') },
      ]);
      await server.query(`ALTER SERVER loop OPTIONS (ADD fetch_size '7')`, 'app');
      expect(await reads()).toContain('permission denied for foreign server');
      expect((await steward.cycle()).planned).toEqual([]);
      // Whoever names it means it.
      steward.manifests.users(of(`{loop: [USAGE]}`));
      expect((await steward.cycle()).notices).toEqual([]);
      expect(await reads()).toEqual([{ id: 7 }]);
      // Without that mapping it is a server like others.
      steward.manifests.users(of(`{'l*': [USAGE]}`));
      await steward.cycle();
      expect(await reads()).toContain('permission denied for foreign server');
      await server.query('DROP USER MAPPING FOR PUBLIC SERVER loop', 'app');
      expect((await steward.cycle()).outcomes.map(({ change }) => change.kind)).toEqual(['grant_privilege']);
    },
  );

  it('on the ledger, by way of default privileges of our own role', async () => {
    await start(`roles: [{name: mallory, grants: [{schemas: {'*': [USAGE, CREATE]}, tables: {'*': [ALL]}}]}]${KEEPER}`);
    await steward.cycle();
    await server.query('DROP SCHEMA pgsteward CASCADE');
    await steward.cycle();
    await steward.cycle();
    expect(
      await server.query(
        `SELECT has_schema_privilege('mallory', 'pgsteward', 'USAGE') AS uses, has_table_privilege('mallory', 'pgsteward.managed_role', 'TRIGGER') AS triggers`,
      ),
    ).toEqual([{ uses: false, triggers: false }]);
  });

  it('on templates, by a pattern for all databases', async () => {
    await start(`roles: [{name: r, grants: [{databases: ['*'], databasePrivileges: [CONNECT, CREATE]}]}]${KEEPER}`);
    await steward.cycle();
    expect(await server.query(`SELECT datname FROM pg_database WHERE datacl::text ~ 'r=C' ORDER BY 1`)).toEqual([{ datname: 'postgres' }]);
  });
});

describe('nobody loses', () => {
  it('the rights of an owner that the very plan makes it', async () => {
    await server.query('CREATE DATABASE shop');
    await server.query('CREATE ROLE shop_owner; GRANT ALL ON DATABASE shop TO shop_owner; CREATE ROLE rep');
    await server.query('CREATE SCHEMA reporting; GRANT ALL ON SCHEMA reporting TO rep', 'shop');
    await start(
      `databases: [{name: shop, owner: shop_owner, schemas: [{name: reporting, owner: rep}]}]\nroles: [{name: shop_owner, grants: [{database: shop, schemas: [public]}]}, {name: rep, permissions: []}]${KEEPER}`,
    );
    expect((await steward.cycle()).result).toBe('changed');
    const rights = `SELECT has_database_privilege('shop_owner', 'shop', 'CREATE') AND has_database_privilege('shop_owner', 'shop', 'CONNECT')
      AND has_schema_privilege('rep', 'reporting', 'CREATE') AS own`;
    expect(await server.query(rights, 'shop')).toEqual([{ own: true }]);
    expect((await steward.cycle()).result).toBe('converged');
  });

  it('a role whose own entry said that it stays', async () => {
    await start(`roles: [{name: kept, deletionPolicy: retain, permissions: []}, {name: dis, deletionPolicy: disable, permissions: []}]${KEEPER}`);
    await steward.cycle();
    steward.manifests.users(KEEPER);
    await steward.cycle();
    expect(await server.query(`SELECT rolname FROM pg_roles WHERE rolname IN ('kept', 'dis') ORDER BY 1`)).toEqual([{ rolname: 'dis' }, { rolname: 'kept' }]);
  });

  it('default privileges, because the name of a database is misspelt', async () => {
    await server.query('CREATE DATABASE app');
    await server.query('CREATE ROLE importer');
    await server.query('GRANT CREATE, USAGE ON SCHEMA public TO importer', 'app');
    const document = (key: string): string =>
      `databases: [{${key}: app, createdBy: [importer]}]\nroles: [{name: r, grants: [{database: app, schemas: [public], tables: {'*': [SELECT]}}]}]${KEEPER}`;
    await start(document('name'));
    await steward.cycle();
    const rows = `SELECT defaclacl::text AS acl FROM pg_default_acl WHERE defaclrole = 'importer'::regrole`;
    const before = await server.query(rows, 'app');
    expect(before).toHaveLength(1);
    steward.manifests.users(document('nmae'));
    expect((await steward.cycle()).problems).not.toEqual([]);
    expect(await server.query(rows, 'app')).toEqual(before);
  });
});

describe('a database is looked at again', () => {
  it('when a role is no longer refused', async () => {
    await server.query('CREATE DATABASE app');
    await server.query('CREATE TABLE t (id int)', 'app');
    await server.query('CREATE ROLE r REPLICATION');
    await start(`roles: [{name: r, grants: [{database: app, schemas: [public], tables: {t: [SELECT]}}]}]${KEEPER}`);
    await steward.cycle();
    await steward.cycle();
    await server.query('ALTER ROLE r NOREPLICATION');
    await steward.cycle();
    expect(await server.query(`SELECT has_table_privilege('r', 't', 'SELECT') AS may`, 'app')).toEqual([{ may: true }]);
  });
});
