// What an admin without superuser takes for itself: from 16 on it can become the roles that it makes, and has none of their rights.
import { expect, it } from 'vitest';
import { sentenceOf } from '../../src/changes/change.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { max_prepared_transactions: '0' },
  (started) => (server = started),
  () => steward,
);
const from16 = Number(process.env['PG_MAJOR'] ?? 18) >= 16;

const start = async (document: string): Promise<void> => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'`);
  await server.query('CREATE DATABASE home OWNER adm');
  steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home' });
  steward.manifests.users(document);
  steward.manifests.secrets(new Map(['alice', 'bob', 'keeper'].map((name) => [name, 'p'])));
};
const inherited = (): Promise<object[]> =>
  server.query(`SELECT roleid::regrole::text AS role FROM pg_auth_members WHERE member = 'adm'::regrole AND inherit_option ORDER BY 1`);
const said = (report: Awaited<ReturnType<Steward['cycle']>>): string =>
  report.notices
    .filter(({ kind }) => kind !== 'fallback')
    .map(({ kind, message }) => `${kind}: ${message}`)
    .join('\n');
const DOCUMENT = `
databases:
  - {name: shop, owner: shop_owner, create: true, schemas: [app, {name: reports, owner: report_owner}, {name: moved, owner: report_owner}], extensions: [{name: hstore, schema: ext}]}
roles:
  - {name: reader, grants: [{database: shop, schemas: [app, reports, moved], tables: {'*': [SELECT]}}]}
users:
  - {username: alice, database: shop, roles: [reader, shop_owner, payroll, rds_iam]}
  - {username: bob, database: shop, roles: [report_owner]}
  - {username: keeper}
`;

it.runIf(from16)('it never has the rights of a role that it made, at no step of a life from the first to the last', async () => {
  await start(DOCUMENT);
  await server.query('CREATE ROLE payroll; CREATE ROLE rds_iam; GRANT payroll, rds_iam TO adm WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
  await server.query('CREATE TABLE salaries (id integer); ALTER TABLE salaries OWNER TO payroll', 'home');
  const rights = async (): Promise<object[]> => [
    ...(await inherited()),
    ...(await server.query(`SELECT 'salaries' AS role WHERE has_table_privilege('adm', 'salaries', 'SELECT')`, 'home')),
    ...(await server.query(`SELECT rolname AS role FROM pg_roles WHERE rolname !~ '^(adm|pg_)' AND pg_has_role('adm', oid, 'USAGE') AND NOT rolsuper`)),
  ];
  const first = await steward.cycle();
  expect([first.result, said(first)]).toEqual(['changed', '']);
  expect(await rights()).toEqual([]);
  expect((await steward.cycle()).result).toBe('converged');
  expect(
    await server.query(
      `SELECT nspname, nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname IN ('app', 'reports', 'moved', 'ext') ORDER BY 1`,
      'shop',
    ),
  ).toEqual([
    { nspname: 'app', owner: 'adm' },
    { nspname: 'ext', owner: 'adm' },
    { nspname: 'moved', owner: 'report_owner' },
    { nspname: 'reports', owner: 'report_owner' },
  ]);

  // Objects of the owners are granted on, now and to come; and a schema is handed over.
  await server.query('SET ROLE report_owner; CREATE TABLE reports.daily (id integer); CREATE TABLE moved.t (id integer)', 'shop');
  await server.query('CREATE SCHEMA hers AUTHORIZATION shop_owner', 'shop');
  steward.manifests.users(
    DOCUMENT.replace('app, {', '{name: hers, owner: report_owner}, app, {').replace('owner: shop_owner, create', 'owner: report_owner, create'),
  );
  expect(said(await steward.cycle())).toBe('');
  expect(
    await server.query(
      `SELECT has_table_privilege('reader', 'reports.daily', 'SELECT') AS may, datdba::regrole::text AS owner FROM pg_database WHERE datname = 'shop'`,
      'shop',
    ),
  ).toEqual([{ may: true, owner: 'report_owner' }]);
  expect(await server.query(`SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'hers'`, 'shop')).toEqual([{ owner: 'report_owner' }]);
  expect(await rights()).toEqual([]);
  expect((await steward.cycle()).result).toBe('converged');

  // Sessions of a user that leaves are ended, and what it has goes with it.
  const alice = await server.client('shop', { user: 'alice', password: 'p' });
  const ended = new Promise((resolve) => alice.on('error', resolve));
  steward.manifests.users(DOCUMENT.replace(/ {2}- \{username: alice.*\n/, ''));
  expect(said(await steward.cycle())).toBe('');
  await ended;
  expect(await server.query(`SELECT FROM pg_roles WHERE rolname = 'alice'`)).toEqual([]);
  expect(await rights()).toEqual([]);
});

it.runIf(from16)('sessions of a user that is disabled are ended, though the admin has no right of it before or after', async () => {
  await start('users: [{username: alice}, {username: keeper}]');
  await steward.cycle();
  const alice = await server.client('postgres', { user: 'alice', password: 'p' });
  const ended = new Promise((resolve) => alice.on('error', resolve));
  steward.manifests.users('users: [{username: alice, login: false}, {username: keeper}]');
  expect(said(await steward.cycle())).toBe('');
  await ended;
  expect(await inherited()).toEqual([]);
});

it.runIf(from16)('rights that it was lent for a moment are given back as they were, also where it only administers the role', async () => {
  await start('users: [{username: keeper}]');
  await server.query(`CREATE ROLE alice LOGIN PASSWORD 'p'; GRANT alice TO adm WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`);
  const rows = `SELECT grantor::regrole::text, admin_option, inherit_option, set_option FROM pg_auth_members WHERE member = 'adm'::regrole AND roleid = 'alice'::regrole ORDER BY 1`;
  const before = await server.query(rows);
  const alice = await server.client('postgres', { user: 'alice', password: 'p' });
  const ended = new Promise((resolve) => alice.on('error', resolve));
  steward.manifests.users('users: [{username: alice, login: false}, {username: keeper}]');
  expect(said(await steward.cycle())).toBe('');
  await ended;
  expect(await server.query(rows)).toEqual(before);
});

it.runIf(from16)('what an earlier version took is given back, and what others gave it stays', async () => {
  await start('users: [{username: alice}, {username: bob}, {username: keeper}]');
  await steward.cycle();
  await server.query('SET ROLE adm; GRANT alice, bob TO adm WITH INHERIT TRUE; RESET ROLE; CREATE ROLE lent; GRANT lent TO adm WITH INHERIT TRUE');
  await server.query('GRANT keeper TO adm WITH INHERIT TRUE, SET TRUE');
  steward.manifests.users('users: [{username: alice}, {username: keeper}]');
  const report = await steward.cycle();
  expect(report.outcomes.map(({ change, result }) => `${result} ${sentenceOf(change)}`).filter((line) => line.includes('inherit'))).toEqual([
    'applied stop inheriting the rights of: alice',
  ]);
  expect(await inherited()).toEqual([{ role: 'keeper' }, { role: 'lent' }]);
  expect((await steward.cycle()).result).toBe('converged');
});
