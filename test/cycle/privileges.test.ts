// Privileges on a real server: granted, kept, taken back, and right for objects that come later.
import { expect, it } from 'vitest';
import { sentenceOf } from '../../src/changes/change.ts';
import { serverForAll } from '../support/lifecycle.ts';
import { WITHOUT_HISTORY } from '../support/older-ledger.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const start = async (document: string, env: Record<string, string> = {}): Promise<void> => {
  steward = await createSteward(server, env);
  steward.manifests.users(document);
  steward.manifests.secrets(
    new Map([
      ['web', 'w'],
      ['migrator', 'm'],
    ]),
  );
};

it('a runtime user works with all tables of now and later, and can create none', async () => {
  await server.query('CREATE DATABASE shop');
  const owner = await server.client('shop');
  await owner.query(`CREATE TABLE orders (id serial PRIMARY KEY, note text); CREATE TABLE schema_migrations (v int); CREATE TABLE payroll (v int);
    CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'`);
  await start(`
databases:
  - {name: shop, owner: shop_owner, public: revoked, schemas: [public, {name: reporting, owner: shop_owner}]}
roles:
  - name: web_runtime
    grants:
      - database: shop
        databasePrivileges: [CONNECT]
        schemas: [public]
        tables: {'*': [SELECT, INSERT, UPDATE, DELETE], schema_migrations: [SELECT], payroll: []}
        sequences: {'*': [USAGE, SELECT]}
        functions: {'*': [EXECUTE]}
        columns: {payroll: {v: [SELECT]}}
users:
  - {username: web, database: shop, roles: [web_runtime]}
  - {username: migrator, database: shop, roles: [shop_owner], assumeRole: shop_owner}
`);
  const first = await steward.cycle();
  expect(first.error).toBeUndefined();
  expect(first.notices).toEqual([]);
  expect(first.result).toBe('changed');
  server.mark();
  const second = await steward.cycle();
  expect(second.planned.map(sentenceOf)).toEqual([]);
  expect(second.result).toBe('converged');
  expect((await steward.cycle()).unchanged).toBe(true);
  expect(ddlOf(server.log())).toEqual([]);
  const web = await server.client('shop', { user: 'web', password: 'w' });
  await web.query('INSERT INTO orders (note) VALUES (1); SELECT f(1) FROM orders; SELECT * FROM schema_migrations; SELECT v FROM payroll');
  for (const sql of ['CREATE TABLE foo (id int)', 'DELETE FROM schema_migrations', 'INSERT INTO payroll VALUES (1)', 'CREATE SCHEMA x'])
    await expect(web.query(sql)).rejects.toThrow('permission denied');
  const migrator = await server.client('shop', { user: 'migrator', password: 'm' });
  await migrator.query('CREATE TABLE later (id serial)');
  await web.query('INSERT INTO later DEFAULT VALUES');
  await Promise.all([web.end(), migrator.end(), owner.end()]);
});

it('a database is created with its owner, schemas and extensions, handed over when it has another owner, and never dropped', async () => {
  await server.query('CREATE DATABASE old');
  await start(`
databases:
  - name: fresh
    owner: fresh_owner
    create: true
    schemas: [{name: reporting, owner: reporting_owner}, plain]
    extensions: [{name: pg_trgm, schema: extensions}, {name: hstore, schema: plain}]
  - {name: old, owner: fresh_owner, schemas: [{name: public, owner: reporting_owner}]}
  - {name: postgres, owner: fresh_owner}
  - {name: elsewhere}
users: [{username: web}]
`);
  const report = await steward.cycle();
  expect(report.notices.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
    'refused: fresh_owner is refused as the owner of database postgres: the database holds the memory of pgsteward (DB_NAME)',
    'pending: what is said of database elsewhere waits until it exists; `create: true` creates it',
  ]);
  expect(report.result).toBe('changed');
  const owners = `SELECT datname, datdba::regrole::text AS owner FROM pg_database WHERE datname IN ('fresh', 'old', 'postgres') ORDER BY 1`;
  expect(await server.query(owners)).toEqual([
    { datname: 'fresh', owner: 'fresh_owner' },
    { datname: 'old', owner: 'fresh_owner' },
    { datname: 'postgres', owner: 'postgres' },
  ]);
  const schemas = `SELECT nspname, nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname IN ('reporting', 'plain') ORDER BY 1`;
  expect(await server.query(schemas, 'fresh')).toEqual([
    { nspname: 'plain', owner: 'postgres' },
    { nspname: 'reporting', owner: 'reporting_owner' },
  ]);
  expect(
    await server.query(`SELECT extname, extnamespace::regnamespace::text AS schema FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1`, 'fresh'),
  ).toEqual([
    { extname: 'hstore', schema: 'plain' },
    { extname: 'pg_trgm', schema: 'extensions' },
  ]);
  expect(await server.query(`SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'public'`, 'old')).toEqual([
    { owner: 'reporting_owner' },
  ]);
  expect((await steward.cycle()).result).toBe('converged');
  steward.manifests.users('users: [{username: web}]');
  await steward.cycle();
  expect(await server.query('SELECT count(*)::int AS databases FROM pg_database WHERE NOT datistemplate')).toEqual([{ databases: 3 }]);
  expect(await server.query(`SELECT count(*)::int AS schemas FROM pg_namespace WHERE nspname IN ('reporting', 'plain')`, 'fresh')).toEqual([{ schemas: 2 }]);
});

it('a database that cannot be reached is its own failure, and the others go on', async () => {
  await server.query('CREATE DATABASE shut');
  await server.query('CREATE DATABASE open_one');
  await server.query('CREATE TABLE t (id int)', 'open_one');
  await server.query('ALTER DATABASE shut CONNECTION LIMIT 0');
  await server.query(
    "CREATE ROLE steward LOGIN CREATEROLE PASSWORD 's'; GRANT CREATE ON DATABASE postgres TO steward; ALTER DATABASE open_one OWNER TO steward",
  );
  await server.query('ALTER TABLE t OWNER TO steward', 'open_one');
  await start(
    `roles: [{name: reader, grants: [{databases: [shut, open_one], schemas: [public], tables: {t: [SELECT]}}]}]\nusers: [{username: web, database: open_one}]`,
    { DB_USER: 'steward', DB_PASS: 's' },
  );
  const report = await steward.cycle();
  expect(report.notices.map(({ message }) => message).join('\n')).toContain('database shut cannot be read, and its privileges stay as they are');
  expect(await server.query(`SELECT has_table_privilege('reader', 't', 'SELECT') AS may`, 'open_one')).toEqual([{ may: true }]);
});

it('a ledger that an older version made is read by a dry run as it is, and migrated by the first cycle that writes', async () => {
  await server.query('CREATE TABLE IF NOT EXISTS public.goods (id int)');
  await start(`roles: [{name: reader, grants: [{schemas: [public], tables: {goods: [SELECT]}}]}]\nusers: [{username: web}]`);
  expect((await steward.cycle()).result).toBe('changed');
  await server.query(
    `${WITHOUT_HISTORY}; ALTER TABLE pgsteward.managed_role DROP COLUMN privileges, DROP COLUMN drain, DROP COLUMN disabled_at, DROP COLUMN server, DROP COLUMN ledger, DROP COLUMN document, DROP COLUMN gone_since; DROP TABLE pgsteward.trigger_database, pgsteward.audit_repeat; DROP INDEX pgsteward.audit_log_intents; DELETE FROM pgsteward.migration WHERE version > 1`,
  );
  const preview = await steward.restart({ DRY_RUN: 'true' });
  expect((await preview.cycle()).planned.map(({ kind }) => kind)).toEqual(['prepare_ledger']);
  steward = await preview.restart({ DRY_RUN: 'false' });
  expect((await steward.cycle()).result).toBe('changed');
  expect((await steward.cycle()).result).toBe('converged');
  expect(await server.query(`SELECT name FROM pgsteward.managed_role WHERE privileges`)).toEqual([{ name: 'reader' }]);
  await server.query('DROP TABLE public.goods');
});

it('a dry run shows everything that is then done, also in databases, schemas and for creators that are still to come', async () => {
  await server.query('CREATE DATABASE old');
  await server.query('CREATE SCHEMA app; CREATE TABLE app.t (id int)', 'old');
  const document = `
databases:
  - {name: fresh, owner: fresh_owner, create: true, public: revoked, schemas: [{name: reporting, owner: reporting_owner}], createdBy: [helper]}
  - {name: old, owner: old_owner, public: revoked, schemas: [later, {name: app, owner: app_owner}]}
roles:
  - {name: helper, grants: [{databases: [fresh, old], schemas: {'*': [USAGE, CREATE]}}]}
  - {name: reader, memberOf: [helper], grants: [{databases: ['*'], databasePrivileges: [CONNECT]}, {databases: [fresh, old], schemas: ['*'], preset: read_only}]}
users:
  - {username: web, database: fresh, roles: [reader]}
  - {username: migrator, database: fresh, databases: [old], roles: [fresh_owner], assumeRole: fresh_owner}
`;
  await start(document, { DRY_RUN: 'true' });
  const preview = await steward.cycle();
  const shown = new Set(preview.planned.map(sentenceOf));
  steward = await steward.restart({ DRY_RUN: 'false' });
  const report = await steward.cycle();
  expect(report.notices).toEqual(preview.notices);
  expect(report.result).toBe('changed');
  expect(report.outcomes.map(({ change }) => sentenceOf(change)).filter((sentence) => !shown.has(sentence))).toEqual([]);
  expect(report.outcomes).toHaveLength(shown.size);
  server.mark();
  expect((await steward.cycle()).result).toBe('converged');
  expect(ddlOf(server.log())).toEqual([]);
});

it('a database that nobody changed is read again when another role that matters there is no superuser any longer', async () => {
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE ROLE "of extensions" SUPERUSER');
  await server.query(
    `CREATE SCHEMA app; CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION app.f() FROM PUBLIC;
     ALTER FUNCTION app.f() OWNER TO "of extensions"; ALTER EXTENSION plpgsql ADD FUNCTION app.f()`,
    'shop',
  );
  await start(`
roles: [{name: reader, grants: [{database: shop, schemas: [app], functions: {'f()': [EXECUTE]}}]}]
users: [{username: web, roles: [reader]}]
`);
  const may = async (): Promise<unknown> => (await server.query(`SELECT has_function_privilege('reader', 'app.f()', 'EXECUTE') AS may`, 'shop'))[0];
  for (let cycle = 0; cycle < 3; cycle += 1) await steward.cycle();
  expect(await steward.cycle()).toMatchObject({ unchanged: true });
  expect(await may()).toEqual({ may: false });
  await server.query('ALTER ROLE "of extensions" NOSUPERUSER');
  await steward.cycle();
  expect(await may()).toEqual({ may: true });
});
