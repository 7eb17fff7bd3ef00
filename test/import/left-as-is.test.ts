// import: what a document cannot or may not say is told with the reason, and stays as it is.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { callHere } from '../commands/call.ts';
import { scratch } from '../support/scratch.ts';
import { createSteward, resetServer } from '../support/steward.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { provedOn } from './importing.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
afterEach(() => resetServer(server));

const MAJOR = Number(process.env['PG_MAJOR'] ?? 18);
const proved = (): ReturnType<typeof provedOn> => provedOn(server);

it('names memberships that it would not give, and a plan for the document ends with 0 as long as they are as they were', async () => {
  await server.query('CREATE ROLE amy LOGIN; CREATE ROLE bob LOGIN; GRANT pg_monitor TO amy; GRANT pg_monitor TO bob WITH ADMIN OPTION');
  const env = { DB_HOST: server.host, DB_PORT: String(server.port), DB_USER: server.user, DB_PASS: server.password };
  const { code, stdout } = await callHere(['import'], '', env);
  expect(code).toBe(0);
  const file = join(scratch('import'), 'users.yaml');
  writeFileSync(file, stdout);
  const plan = (): ReturnType<typeof callHere> => callHere(['plan', '--document', file, '--without-secrets'], '', env);
  const first = await plan();
  expect(first, first.stdout).toMatchObject({ code: 0, stderr: '' });
  await server.query('REVOKE ADMIN OPTION FOR pg_monitor FROM bob');
  const second = await plan();
  expect(second.code).toBe(3);
  expect(second.stdout).toContain('bob: membership in pg_monitor is refused');
  expect(second.stdout).toContain('amy: membership in pg_monitor is there and stays');
});

it.runIf(MAJOR < 15)('says no owner of a database who may not do in the schema public what an owner that is named is given there', async () => {
  await server.query('CREATE ROLE own; CREATE ROLE other');
  await server.query('CREATE DATABASE shop OWNER own');
  await server.query('CREATE DATABASE market OWNER other');
  await server.query('GRANT USAGE, CREATE ON SCHEMA public TO other', 'market');
  const { document, said } = await proved();
  expect(document.databases).toEqual([{ name: 'market', owner: 'other' }]);
  expect(said).toContainEqual(
    expect.stringMatching(/^shop: the owner of the database, own, is left out: an owner that a document names is granted USAGE and CREATE/),
  );
});

it('leaves out whom no document may name, with the reason', async () => {
  await server.query(
    `CREATE ROLE boss SUPERUSER LOGIN; CREATE ROLE maker CREATEROLE; CREATE ROLE copy REPLICATION LOGIN; CREATE ROLE rds_superuser; CREATE ROLE amy LOGIN; GRANT pg_read_all_data TO amy`,
  );
  const { document, said } = await proved();
  expect(document.users).toEqual([expect.objectContaining({ username: 'amy', roles: ['pg_read_all_data'] })]);
  expect(said).toEqual(
    expect.arrayContaining([
      'boss: is left out: it is a superuser',
      'maker: is left out: it can create roles; ALLOWED_ROLES=maker allows it',
      'copy: is left out: it has the REPLICATION attribute',
      expect.stringMatching(/^rds_superuser: is left out: it belongs to the platform/),
      'amy: membership in pg_read_all_data is there and stays, but pgsteward would not give it: it is a predefined role; ALLOWED_ROLES=pg_read_all_data allows it',
    ]),
  );
});

it('takes nothing in a database that could not be read, and does not end with 0', async () => {
  await server.query('CREATE ROLE web; CREATE ROLE own');
  await server.query('CREATE DATABASE shop OWNER own');
  await server.query('CREATE TABLE t (); GRANT SELECT ON t TO web', 'shop');
  await server.query(`DO $$ BEGIN FOR i IN 1..1100 LOOP EXECUTE format('CREATE DOMAIN d%s AS int', i); END LOOP; END $$`, 'shop');
  const env = { DB_HOST: server.host, DB_PORT: String(server.port), DB_USER: server.user, DB_PASS: server.password, DB_SSLMODE: 'disable' };
  const { code, stdout, stderr } = await callHere(['import'], '', { ...env, MAX_OBJECTS: '1000' });
  expect(code, stderr).toBe(2);
  expect(stderr).toContain('shop: what roles hold in the database could not be looked at');
  expect(stderr).toContain('a plan for this document is empty, as far as the server could be read');
  const steward = await createSteward(server);
  steward.manifests.users(stdout);
  await steward.cycle();
  await steward.close();
  expect(await server.query(`SELECT has_table_privilege('web', 't', 'SELECT') AS may`, 'shop')).toEqual([{ may: true }]);
});

it('says the role that sessions begin as, and keeps what it cannot say', async () => {
  await server.query('CREATE ROLE grp; CREATE ROLE amy LOGIN; CREATE ROLE bob LOGIN; GRANT grp TO amy, bob');
  await server.query('CREATE DATABASE shop');
  await server.query('GRANT CONNECT ON DATABASE shop TO amy; ALTER ROLE amy IN DATABASE shop SET role = grp; ALTER ROLE bob SET role = grp');
  const { document, said } = await proved();
  expect(document.users[0]).toEqual({ username: 'amy', password: 'none', database: 'shop', roles: ['grp'], assumeRole: 'grp', grants: [] });
  expect(document.users[1]).not.toHaveProperty('settings');
  expect(said).toContain('bob: its settings are left out, and stay: the parameter role cannot be set by a document');
});
