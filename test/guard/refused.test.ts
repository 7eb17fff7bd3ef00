// Guardrails on a real server: whatever would add a link to a way that one forbids is left out of the plan, and the rest is done.
import { stringify } from 'yaml';
import { expect, it } from 'vitest';
import { sentenceOf } from '../../src/changes/change.ts';
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

const PAYROLL = { name: 'payroll', never: 'SELECT', on: { database: 'hr', schema: 'hr', tables: ['salaries', 'pay*'] }, by: '*', except: ['payroll_app'] };
const IN_HR = { database: 'hr', schemas: ['hr'] };
const user = (username: string, more: object = {}): object => ({ username, database: 'hr', password: 'none', ...more });

/** The database that the guardrail is about, with somebody who owns it and cannot log in. */
async function hr(more: readonly string[] = []): Promise<void> {
  await server.query('CREATE ROLE hr_owner NOLOGIN');
  await server.query('CREATE DATABASE hr OWNER hr_owner');
  await server.query('CREATE SCHEMA hr AUTHORIZATION hr_owner', 'hr');
  for (const table of ['salaries', 'teams']) {
    await server.query(`CREATE TABLE hr.${table} (name text, amount int)`, 'hr');
    await server.query(`ALTER TABLE hr.${table} OWNER TO hr_owner`, 'hr');
  }
  for (const sql of more) await server.query(sql, 'hr');
}

async function cycleOf(document: object, env: Readonly<Record<string, string>> = {}): Promise<CycleReport> {
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off', ...env });
  steward.manifests.users(stringify({ guardrails: [PAYROLL], ...document }));
  return steward.cycle();
}

const refusedIn = ({ notices }: CycleReport): readonly string[] => notices.flatMap(({ kind, message }) => (kind === 'guardrail_refused' ? [message] : []));
const brokenIn = ({ notices }: CycleReport): readonly string[] =>
  notices.flatMap(({ kind, subject, message }) => (kind === 'guardrail_broken' ? [`${subject} ${message}`] : []));
const doneIn = ({ outcomes }: CycleReport): readonly string[] => outcomes.flatMap(({ result, change }) => (result === 'applied' ? [sentenceOf(change)] : []));
const may = async (role: string, what = 'hr.salaries', privilege = 'SELECT'): Promise<boolean | undefined> =>
  (await server.query<{ may: boolean }>(`SELECT has_table_privilege('${role}', '${what}', '${privilege}') AS may`, 'hr'))[0]?.may;

it('a grant to a login is refused for the guarded privilege on the guarded table, and all else of it is done', async () => {
  await hr();
  const report = await cycleOf({ users: [user('alice', { grants: [{ ...IN_HR, tables: { salaries: ['SELECT', 'INSERT'], teams: ['SELECT', 'INSERT'] } }] })] });
  expect(refusedIn(report)).toEqual([
    'the guardrail payroll refuses to grant SELECT on table hr.salaries in database hr to: alice: alice would have SELECT on table hr.salaries in database hr (granted to itself by this plan)',
  ]);
  expect([await may('alice'), await may('alice', 'hr.teams')]).toEqual([false, true]);
  expect([await may('alice', 'hr.salaries', 'INSERT'), await may('alice', 'hr.teams', 'INSERT')]).toEqual([true, true]);
  expect(report.guardrails).toEqual([{ name: 'payroll', refused: 1, broken: 0 }]);
  expect(brokenIn(report)).toEqual([]);
});

const READER = { name: 'payroll_reader', grants: [{ ...IN_HR, tables: { salaries: ['SELECT'] } }] };

it('a membership that leads there is refused; the role has what it shall have, and the user is made without it', async () => {
  await hr();
  const report = await cycleOf({ roles: [READER], users: [user('alice', { roles: ['payroll_reader'] }), user('bob')] });
  expect(refusedIn(report).toSorted()).toEqual([
    expect.stringContaining('refuses to grant SELECT on table hr.salaries in database hr to: payroll_reader: alice would have SELECT'),
    expect.stringContaining(
      'refuses to grant roles to alice: [payroll_reader]: alice would have SELECT on table hr.salaries in database hr (alice → payroll_reader: granted to payroll_reader by this plan)',
    ),
  ]);
  expect(await server.query(`SELECT rolname FROM pg_roles WHERE rolname IN ('alice', 'bob', 'payroll_reader') ORDER BY 1`)).toHaveLength(3);
  expect([await may('alice'), await may('payroll_reader')]).toEqual([false, false]);

  // Without the member the grant breaks nothing; then the member is what is refused.
  steward.manifests.users(stringify({ guardrails: [PAYROLL], roles: [READER], users: [user('alice'), user('bob')] }));
  expect(refusedIn(await steward.cycle())).toEqual([]);
  expect(await may('payroll_reader')).toBe(true);
  steward.manifests.users(stringify({ guardrails: [PAYROLL], roles: [READER], users: [user('alice', { roles: ['payroll_reader'] }), user('bob')] }));
  expect(refusedIn(await steward.cycle())).toEqual([expect.stringContaining('refuses to grant roles to alice: [payroll_reader]')]);
  expect(await may('alice')).toBe(false);
});

it('SET ROLE alone is a way, unless the guardrail says otherwise', async () => {
  await hr(['CREATE ROLE readers NOLOGIN', 'GRANT SELECT ON hr.salaries TO readers']);
  // Below 16 a membership has no options of its own.
  const users = [user('alice', { roles: [server.major < 16 ? 'readers' : { name: 'readers', inherit: false }] })];
  const first = await cycleOf({ users });
  expect(refusedIn(first)).toEqual([expect.stringMatching(/^the guardrail payroll refuses to grant roles to alice: \[readers\]: alice would have SELECT/)]);
  expect(await server.query(`SELECT FROM pg_auth_members WHERE member = 'alice'::regrole`)).toEqual([]);
  if (server.major < 16) return;
  expect(refusedIn(first)[0]).toContain('SET ROLE readers');
  steward.manifests.users(stringify({ guardrails: [{ ...PAYROLL, through: { setRole: false } }], users }));
  expect(refusedIn(await steward.cycle())).toEqual([]);
  expect(await server.query(`SELECT FROM pg_auth_members WHERE member = 'alice'::regrole`)).toHaveLength(1);
});

it('whom a guardrail leaves out may, and who gets it only through it; another way of the same role is told', async () => {
  await hr(['CREATE ROLE readers NOLOGIN', 'GRANT SELECT ON hr.salaries TO readers']);
  const app = { name: 'payroll_app', grants: [{ ...IN_HR, tables: { salaries: ['SELECT'] } }] };
  expect(refusedIn(await cycleOf({ roles: [app], users: [user('alice', { roles: ['payroll_app'] })] }))).toEqual([]);
  expect(await may('alice')).toBe(true);
  steward.manifests.users(stringify({ guardrails: [PAYROLL], roles: [app], users: [user('alice', { roles: ['payroll_app', 'readers'] })] }));
  expect(refusedIn(await steward.cycle())).toEqual([expect.stringContaining('refuses to grant roles to alice: [readers]')]);
});

it('a login is refused to a role that gets there already, and the role is otherwise as it shall be', async () => {
  await hr(['CREATE ROLE alice NOLOGIN', 'GRANT SELECT ON hr.salaries TO alice']);
  const report = await cycleOf({ users: [user('alice', { connectionLimit: 3, grantsMode: 'additive', grants: [] })] }, {});
  expect(refusedIn(report)).toEqual([expect.stringMatching(/refuses to alter user: alice .*LOGIN.*alice would have SELECT on table hr.salaries/)]);
  expect(await server.query(`SELECT rolcanlogin AS login FROM pg_roles WHERE rolname = 'alice'`)).toEqual([{ login: false }]);
});

it('a database or schema that would get an owner who may is refused, where the guardrail is about it', async () => {
  await hr();
  const guardrails = [{ name: 'no-creator', never: 'CREATE', on: { database: 'hr', schema: 'hr' }, by: '*' }];
  const databases = [{ name: 'hr', schemas: [{ name: 'hr', owner: 'alice' }] }];
  const report = await cycleOf({ guardrails, databases, users: [user('alice')] });
  expect(refusedIn(report)).toEqual([expect.stringMatching(/refuses to give schema hr in database hr to: alice .*alice would have CREATE on schema hr/)]);
  steward.manifests.users(stringify({ guardrails: [{ ...guardrails[0], through: { ownership: false } }], databases, users: [user('alice')] }));
  expect(refusedIn(await steward.cycle())).toEqual([]);
});

it('what a superuser may counts where the guardrail says so', async () => {
  await hr(['CREATE ROLE boss NOLOGIN SUPERUSER']);
  const users = [user('alice', { roles: ['boss'] })];
  const env = { ALLOWED_ROLES: 'boss' };
  const strict = { ...PAYROLL, except: ['postgres'], through: { superuser: true } };
  const report = await cycleOf({ guardrails: [strict], users }, env);
  expect(refusedIn(report)).toEqual([expect.stringMatching(/refuses to grant roles to alice: \[boss\]: alice would have SELECT .*boss is a superuser/)]);
  steward.manifests.users(stringify({ guardrails: [PAYROLL], users }));
  expect(refusedIn(await steward.cycle())).toEqual([]);
});

it('default privileges on objects to come are refused where one of them could be guarded, by a pattern or because it is not there', async () => {
  await hr();
  const users = [user('alice', { grants: [{ ...IN_HR, tables: { '*': ['SELECT'] } }] })];
  const report = await cycleOf({ users });
  expect(refusedIn(report).filter((line) => line.includes('future tables'))).not.toEqual([]);
  expect(doneIn(report).filter((line) => line.includes('future tables'))).toEqual([]);
  await server.query('SET ROLE hr_owner; CREATE TABLE hr.payments (id int)', 'hr');
  expect([await may('alice', 'hr.payments'), await may('alice', 'hr.teams')]).toEqual([false, true]);
  expect(refusedIn(await steward.cycle())).toContainEqual(expect.stringMatching(/grant SELECT on .*payments/));
  expect(await may('alice', 'hr.payments')).toBe(false);
  // What is named exactly, and there, is none that comes.
  steward.manifests.users(stringify({ guardrails: [{ ...PAYROLL, on: { ...PAYROLL.on, tables: ['salaries'] } }], users }));
  expect(refusedIn(await steward.cycle())).toEqual([expect.stringContaining('table hr.salaries in database hr to: alice')]);
});

it('PUBLIC is everybody, whomever a guardrail is against', async () => {
  await hr();
  const databases = [{ name: 'hr', public: [{ schemas: ['hr'], tables: { salaries: ['SELECT'] } }] }];
  const report = await cycleOf({ guardrails: [{ ...PAYROLL, by: ['nobody_yet'] }], databases, users: [user('alice')] });
  expect(refusedIn(report)).toEqual([expect.stringContaining('PUBLIC would have SELECT on table hr.salaries')]);
  expect(await may('alice')).toBe(false);
});

it('what somebody does by hand is told with its way at the next look, also of roles that are not ours, and stays', async () => {
  await hr(['CREATE ROLE auditor LOGIN', 'CREATE ROLE team NOLOGIN', 'GRANT team TO auditor']);
  const quiet = await cycleOf({ users: [user('alice')] });
  expect(brokenIn(quiet)).toEqual([]);
  expect((await steward.cycle()).unchanged).toBe(true);
  await server.query('GRANT SELECT ON hr.salaries TO team', 'hr');
  const told = await steward.cycle();
  expect(brokenIn(told)).toEqual([
    'auditor breaks the guardrail payroll: auditor has SELECT on table hr.salaries in database hr (auditor → team: granted to team by hr_owner)',
  ]);
  expect(told.guardrails).toEqual([{ name: 'payroll', refused: 0, broken: 1 }]);
  const again = await steward.cycle();
  expect([again.unchanged, brokenIn(again).length]).toEqual([true, 1]);
  await server.query('REVOKE team FROM auditor');
  expect(brokenIn(await steward.cycle())).toEqual([]);
  await server.query('GRANT SELECT (amount) ON hr.salaries TO auditor', 'hr');
  expect(brokenIn(await steward.cycle())).toEqual([expect.stringContaining('auditor has SELECT on column hr.salaries.amount in database hr')]);
});

it('rules of the event trigger for objects to come are refused as default privileges are', async () => {
  await hr();
  const wide = [user('alice', { grants: [{ ...IN_HR, tables: { 'p*': ['SELECT'], teams: ['SELECT'] } }] })];
  const report = await cycleOf({ users: wide }, { EVENT_TRIGGERS: 'on' });
  expect(refusedIn(report)).toEqual([
    expect.stringMatching(
      /refuses what alice would get on objects to come in database hr, and the event trigger there goes without: alice would have SELECT on tables to come in database hr/,
    ),
  ]);
  await server.query('CREATE TABLE hr.payments (id int)', 'hr');
  expect([await may('alice', 'hr.payments'), await may('alice', 'hr.teams')]).toEqual([false, true]);
  // A more specific rule of the same role leaves out what is guarded.
  const narrow = [user('alice', { grants: [{ ...IN_HR, tables: { 'p*': ['SELECT'], 'pay*': [], teams: ['SELECT'] } }] })];
  steward.manifests.users(stringify({ guardrails: [PAYROLL], users: narrow }));
  expect(refusedIn(await steward.cycle())).toEqual([]);
  await server.query('CREATE TABLE hr.pay_2 (id int); CREATE TABLE hr.plans (id int)', 'hr');
  expect([await may('alice', 'hr.pay_2'), await may('alice', 'hr.plans')]).toEqual([false, true]);
});

it('what the event trigger may not follow of one role keeps back neither what others get from it nor what is taken from them', async () => {
  await hr(['CREATE SCHEMA pub']);
  const everything = { database: 'hr', schemas: ['pub'], tables: { '*': ['SELECT'] } };
  await cycleOf({ users: [user('bob', { grants: [everything] }), user('eve', { grants: [everything] })] }, { EVENT_TRIGGERS: 'on' });
  await server.query('CREATE TABLE pub.first (id int)', 'hr');
  expect([await may('bob', 'pub.first'), await may('eve', 'pub.first')]).toEqual([true, true]);
  const wide = { ...IN_HR, tables: { '*': ['SELECT'] } };
  steward.manifests.users(
    stringify({
      guardrails: [PAYROLL],
      users: [user('bob', { grants: [] }), user('eve', { grants: [everything] }), user('carl', { grants: [everything, wide] })],
    }),
  );
  const report = await steward.cycle();
  expect(refusedIn(report)).toContainEqual(expect.stringContaining('refuses what carl would get on objects to come in database hr'));
  await server.query('CREATE TABLE pub.second (id int); CREATE TABLE hr.pay_3 (id int)', 'hr');
  expect([await may('bob', 'pub.second'), await may('eve', 'pub.second'), await may('carl', 'hr.pay_3')]).toEqual([false, true, false]);
  const again = await steward.cycle();
  // The tables that are there are granted on one by one, and the trigger stays as it is.
  expect(doneIn(again).filter((line) => line.includes('event trigger'))).toEqual([]);
  expect([await may('carl', 'pub.second'), refusedIn(again).length > 0]).toEqual([true, true]);
});

it('another name is refused where it would make somebody one that a guardrail is against', async () => {
  await hr(['CREATE ROLE amy LOGIN', 'GRANT SELECT ON hr.salaries TO amy']);
  const rail = { ...PAYROLL, by: ['analyst_*'] };
  const report = await cycleOf({ guardrails: [rail], users: [user('amy'), user('bob')] });
  expect([refusedIn(report), brokenIn(report)]).toEqual([[], []]);
  steward.manifests.users(stringify({ guardrails: [rail], users: [{ ...user('analyst_amy'), renamedFrom: 'amy' }, user('bob')] }));
  expect(refusedIn(await steward.cycle())).toEqual([expect.stringContaining('refuses to rename user: amy to analyst_amy')]);
  expect(await server.query(`SELECT rolname AS name FROM pg_roles WHERE rolname ~ 'amy'`)).toEqual([{ name: 'amy' }]);
});

it('what was there already is no new login’s, and a new one gets none of it', async () => {
  await hr(['CREATE ROLE auditor LOGIN', 'GRANT SELECT ON hr.salaries TO auditor', 'CREATE ROLE readers', 'GRANT SELECT ON hr.salaries TO readers']);
  const report = await cycleOf({ guardrails: [{ ...PAYROLL, by: 'new' }], users: [user('alice', { roles: ['readers'] })] });
  expect(brokenIn(report)).toEqual([]);
  expect(refusedIn(report)).toEqual([expect.stringContaining('refuses to grant roles to alice: [readers]')]);
});

it('a database that the plan makes is refused where everybody could connect to it, unless the plan takes that back', async () => {
  const guardrails = [{ name: 'closed', never: 'CONNECT', on: { database: 'hr' }, by: '*', except: ['alice'], through: { ownership: false } }];
  const made = (more: object): object => ({ guardrails, databases: [{ name: 'hr', create: true, owner: 'hr_owner', ...more }], users: [user('alice')] });
  expect(refusedIn(await cycleOf(made({})))).toEqual([expect.stringMatching(/refuses to create database: hr .*PUBLIC would have CONNECT on database hr/)]);
  steward.manifests.users(stringify(made({ public: 'revoked' })));
  const done = await steward.cycle();
  expect([refusedIn(done), brokenIn(done)]).toEqual([[], []]);
  expect(await server.query(`SELECT has_database_privilege('public', 'hr', 'CONNECT') AS may`)).toEqual([{ may: false }]);
});
