// Privileges on a real server: granted, kept, taken back, and right for objects that come later.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { sentenceOf } from '../../src/core/sentence.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, ddlOf, resetServer, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: 'off' } });
});
afterAll(() => server.stop());
afterEach(async () => {
  await steward.close();
  await resetServer(server);
});

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
