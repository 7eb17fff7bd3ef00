// What is not there yet when a guardrail is asked: objects, databases and logins to come, and new names of roles.
import { stringify } from 'yaml';
import { expect, it } from 'vitest';
import type { CycleReport } from '../../src/steward/report.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const ON = { database: 'hr', schema: 'hr', tables: ['salaries', 'pay*'] };
const PAYROLL = { name: 'payroll', never: 'SELECT', on: ON, by: '*', through: { ownership: false } };
const user = (username: string, more: object = {}): object => ({ username, database: 'hr', password: 'none', ...more });

async function cycleOf(document: object, env: Readonly<Record<string, string>> = {}): Promise<CycleReport> {
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off', ...env });
  steward.manifests.users(stringify({ guardrails: [PAYROLL], ...document }));
  return steward.cycle();
}

const saidOf = ({ notices }: CycleReport, kind: string): readonly string[] => notices.flatMap((one) => (one.kind === kind ? [one.message] : []));

it.each(['on', 'off'])('a table of a name that another schema of the pattern has already may come in this one; event triggers %s', async (EVENT_TRIGGERS) => {
  await server.query('CREATE DATABASE hr');
  await server.query('CREATE SCHEMA t1; CREATE SCHEMA t2; CREATE TABLE t1.salaries ()', 'hr');
  const guardrails = [{ ...PAYROLL, on: { database: 'hr', schema: 't*', tables: ['salaries'] } }];
  const report = await cycleOf(
    { guardrails, users: [user('alice', { grants: [{ database: 'hr', schemas: ['t2'], tables: { '*': ['SELECT'] } }] })] },
    { EVENT_TRIGGERS },
  );
  expect(saidOf(report, 'guardrail_refused')).toContainEqual(expect.stringMatching(/future tables of postgres in schema t2 .*alice would have SELECT/));
  await server.query('CREATE TABLE t2.salaries ()', 'hr');
  expect(await server.query(`SELECT has_table_privilege('alice', 't2.salaries', 'SELECT') AS may`, 'hr')).toEqual([{ may: false }]);
});

it('who would need no grant on a table to come is refused the membership', async () => {
  await server.query('CREATE DATABASE hr');
  const report = await cycleOf({ users: [user('alice', { roles: ['pg_monitor', 'pg_read_all_data'] })] }, { ALLOWED_ROLES: 'pg_read_all_data,pg_monitor' });
  expect(saidOf(report, 'guardrail_refused')).toEqual([
    expect.stringMatching(/refuses to grant roles to alice: \[pg_read_all_data\]: .*tables to come in database hr/),
  ]);
});

it('a new database gives its owner and everybody what they have in its schema public', async () => {
  const guardrails = [{ name: 'no-creator', never: 'CREATE', on: { database: 'new', schema: 'public' }, by: '*' }];
  const databases = [{ name: 'new', create: true, owner: 'alice' }];
  const report = await cycleOf({ guardrails, databases, users: [{ username: 'alice', password: 'none' }] });
  expect(saidOf(report, 'guardrail_refused')).toContainEqual(
    expect.stringMatching(/refuses to create database: new owned by alice: \S+ would have CREATE on schema public/),
  );
});

it('what a role needs to get at its objects takes nothing from what its other rules give on a schema to come, nor the other way round', async () => {
  await server.query('CREATE DATABASE hr');
  const grants = [
    { database: 'hr', schemas: { 'h*': ['CREATE'] } },
    { database: 'hr', schemas: ['hr'], tables: { other: ['SELECT'] } },
  ];
  for (const never of ['CREATE', 'USAGE']) {
    const report = await cycleOf(
      { guardrails: [{ ...PAYROLL, never, on: { database: 'hr', schema: 'hr' } }], users: [user('alice', { grants })] },
      { EVENT_TRIGGERS: 'on' },
    );
    expect(saidOf(report, 'guardrail_refused')).toContainEqual(expect.stringMatching(`the event trigger there goes without.*${never} on schemas to come`));
    await steward.close();
  }
});

it('a role that has it and could not log in is a new login once it can', async () => {
  await server.query('CREATE DATABASE hr');
  await server.query('CREATE ROLE alice NOLOGIN');
  await server.query('CREATE SCHEMA hr; CREATE TABLE hr.salaries (); GRANT SELECT ON hr.salaries TO alice', 'hr');
  const report = await cycleOf({ guardrails: [{ ...PAYROLL, by: 'new' }], users: [user('alice', { grantsMode: 'additive', grants: [] })] });
  expect(saidOf(report, 'guardrail_refused')).toEqual([expect.stringContaining('refuses to alter user: alice (LOGIN)')]);
  expect(await server.query(`SELECT rolcanlogin AS login FROM pg_roles WHERE rolname = 'alice'`)).toEqual([{ login: false }]);
});

it('an heir does not get a database with which it would get more; what is left stays with the leaver, who cannot log in', async () => {
  const guardrails = [{ ...PAYROLL, on: { ...ON, schema: 'public' } }];
  const heir = { username: 'heir', password: 'none' };
  const databases = [{ name: 'hr', create: true, owner: 'leaver' }];
  await cycleOf({ guardrails, databases, users: [{ username: 'leaver', password: 'none' }, heir] }, { REASSIGN_TO: 'heir' });
  await server.query('CREATE TABLE salaries (); ALTER TABLE salaries OWNER TO postgres; GRANT SELECT ON salaries TO pg_database_owner', 'hr');
  steward.manifests.users(stringify({ guardrails, databases: [{ name: 'hr' }], users: [heir] }));
  const report = await steward.cycle();
  expect(saidOf(report, 'guardrail_refused')).toEqual([
    expect.stringMatching(/refuses to reassign what leaver owns .*heir would have SELECT on table public.salaries .*heir → pg_database_owner/),
  ]);
  expect(
    await server.query(`SELECT pg_get_userbyid(datdba) AS owner, rolcanlogin AS login FROM pg_database, pg_roles WHERE datname = 'hr' AND rolname = 'leaver'`),
  ).toEqual([{ owner: 'leaver', login: false }]);
});

it('a role that a guardrail leaves out keeps its name where by another one it would be a way, also of somebody who has another way', async () => {
  await server.query('CREATE DATABASE hr');
  await server.query('CREATE ROLE app; CREATE ROLE eve LOGIN; GRANT app TO eve');
  await server.query('CREATE SCHEMA hr; CREATE TABLE hr.salaries (); CREATE TABLE hr.payments ()', 'hr');
  await server.query('GRANT SELECT ON hr.salaries TO app; GRANT SELECT ON hr.payments TO eve', 'hr');
  const guardrails = [{ ...PAYROLL, except: ['app'] }];
  await cycleOf({ guardrails, roles: [{ name: 'app' }], users: [user('alice')] });
  steward.manifests.users(stringify({ guardrails, roles: [{ name: 'app2', renamedFrom: 'app' }], users: [user('alice')] }));
  expect(saidOf(await steward.cycle(), 'guardrail_refused')).toEqual([
    expect.stringMatching(/refuses to rename role: app to app2 .*eve would have SELECT on table hr.salaries .*eve → app2/),
  ]);
});

it('a role that somebody calls otherwise holds what it held, though nothing changes where it holds it', async () => {
  await server.query('CREATE DATABASE hr');
  await server.query('CREATE ROLE auditor LOGIN; CREATE ROLE team; GRANT team TO auditor');
  await server.query('CREATE SCHEMA hr; CREATE TABLE hr.salaries (); GRANT SELECT ON hr.salaries TO team', 'hr');
  expect(saidOf(await cycleOf({ users: [user('alice')] }), 'guardrail_broken')).toEqual([expect.stringContaining('auditor → team:')]);
  await server.query('ALTER ROLE team RENAME TO crew');
  expect(saidOf(await steward.cycle(), 'guardrail_broken')).toEqual([expect.stringContaining('auditor → crew:')]);
  expect((await steward.cycle()).unchanged).toBe(true);
});
