// What a document may not hand out by the back door: code in templates, parameters by a pattern, and what an adopted user's members share.
import { expect, it } from 'vitest';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { QUIET } from './quiet.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { ...QUIET },
  (started) => (server = started),
  () => steward,
);
const start = async (document: string, env: Readonly<Record<string, string>> = {}): Promise<void> => {
  steward = await createSteward(server, env);
  steward.manifests.users(document);
};
const KEEPER = '\nusers: [{username: keeper, login: false}]';
const said = (report: Awaited<ReturnType<Steward['cycle']>>): string => report.notices.map(({ kind, message }) => `${kind}: ${message}`).join('\n');

it('nothing that leaves code behind is granted in a template, also by its exact name, and the rest is', async () => {
  await server.query('CREATE DATABASE mould IS_TEMPLATE true');
  await server.query('CREATE TABLE public.t (id integer)', 'mould');
  try {
    await start(`
databases: [{name: mould, owner: mallory, schemas: [{name: hers, owner: mallory}]}]
roles:
  - name: mallory
    grants:
      - {database: mould, databasePrivileges: [CONNECT, CREATE], schemas: {public: [USAGE, CREATE], '*': [CREATE]}, tables: {t: [SELECT, TRIGGER], '*': [SELECT, TRIGGER]}}
      - {database: template1, databasePrivileges: [CREATE], schemas: {public: [CREATE]}}${KEEPER}`);
    const report = await steward.cycle();
    const may = `SELECT has_database_privilege('mallory', 'mould', 'CREATE') OR has_database_privilege('mallory', 'template1', 'CREATE') OR has_table_privilege('mallory', 'public.t', 'TRIGGER')
      OR EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) x WHERE x.grantee = 'mallory'::regrole AND x.privilege_type = 'CREATE')
      OR EXISTS (SELECT FROM pg_namespace WHERE nspowner = 'mallory'::regrole) OR EXISTS (SELECT FROM pg_database WHERE datdba = 'mallory'::regrole)
      OR EXISTS (SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) x WHERE x.grantee = 'mallory'::regrole AND x.privilege_type IN ('CREATE', 'TRIGGER')) AS codes,
      has_table_privilege('mallory', 'public.t', 'SELECT') AS reads`;
    expect(await server.query(may, 'mould')).toEqual([{ codes: false, reads: true }]);
    expect(said(report)).toContain('CREATE on database mould is refused: what is made in a template is in every new database');
    expect(said(report)).toContain('TRIGGER on table public.t in database mould is refused');
    expect(said(report)).toContain('schema hers in database mould is refused');
    const second = await steward.cycle();
    expect([second.planned, second.drift]).toEqual([[], []]);
  } finally {
    await server.query('ALTER DATABASE mould IS_TEMPLATE false');
  }
});

it.runIf(Number(process.env['PG_MAJOR'] ?? 18) >= 15)(
  'what a document may not set for a user is not handed out either, by a pattern or by its name, unless the operator names it',
  async () => {
    await start(`roles: [{name: tuner, grants: [{parameters: {'*': [SET], log_min_duration_statement: [SET], log_duration: [SET, ALTER SYSTEM]}}]}]${KEEPER}`, {
      ALLOWED_SETTINGS: 'log_min_duration_statement',
    });
    const words = said(await steward.cycle());
    expect(words).toContain(
      'refused: SET on parameter log_duration is refused: it is not for ordinary users to set (context superuser); ALLOWED_SETTINGS=log_duration allows it',
    );
    expect(words).toContain('refused: ALTER SYSTEM on parameter log_duration is refused: it changes the whole server');
    const rows = await server.query<{ name: string; context: string }>(
      `SELECT s.name, s.context FROM pg_settings s WHERE has_parameter_privilege('tuner', s.name, 'SET') AND s.context <> 'user' ORDER BY 1`,
    );
    expect(rows).toEqual([{ name: 'log_min_duration_statement', context: 'superuser' }]);
    expect((await steward.cycle()).planned).toEqual([]);
  },
);

it('of a user that was there before it is said who has what it gets, before it is adopted and after', async () => {
  await server.query(
    'CREATE ROLE bob; CREATE ROLE eve; CREATE ROLE adm; CREATE ROLE friend; GRANT bob TO eve; GRANT bob TO adm WITH ADMIN OPTION; GRANT bob TO friend',
  );
  await start('roles: [{name: friend, memberOf: [bob]}]\nusers: [{username: bob, login: false}, {username: made, login: false}]');
  const message =
    'unmanaged: the role was there before, and adm (with ADMIN, and so who else is), eve are members of it: what it gets they have as well; revoke that where it is not meant';
  expect(said(await steward.cycle())).toBe(message);
  await server.query('GRANT made TO eve');
  expect(said(await steward.cycle())).toBe(message);
  await server.query('REVOKE bob FROM eve, adm');
  expect(said(await steward.cycle())).toBe('');
});
