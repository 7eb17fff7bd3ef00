// Guardrails that count what acts with the rights of its owner: views that are followed, and functions of which nobody knows what they do.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { expect, it } from 'vitest';
import type { PlanView } from '../../src/commands/plan-view.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { callHere } from '../commands/call.ts';
import { daemonEnv } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const railOf = (definer: boolean | 'views' | 'left out'): object => ({
  name: 'payroll',
  never: 'SELECT',
  on: { database: 'hr', schema: 'hr', tables: ['salaries'] },
  by: '*',
  except: ['hr_owner', 'payroll_app'],
  ...(definer === 'left out' ? {} : { through: { definer } }),
});
const user = (username: string, more: object = {}): object => ({ username, database: 'hr', password: 'none', ...more });
const reads = (...tables: readonly string[]): object => ({
  grants: [{ database: 'hr', schemas: ['hr'], tables: Object.fromEntries(tables.map((name) => [name, ['SELECT']])) }],
});
const calls = (...functions: readonly string[]): object => ({
  grants: [{ database: 'hr', schemas: ['hr'], functions: Object.fromEntries(functions.map((name) => [name, ['EXECUTE']])) }],
});

const ODD_SQL = `"odd ""v"" → x, y"`;

/** All of it belongs to one who may not log in; nobody may call the functions yet. */
async function hr(more: readonly string[] = []): Promise<void> {
  await server.query('CREATE ROLE hr_owner NOLOGIN');
  await server.query('CREATE ROLE payroll_app NOLOGIN');
  await server.query('CREATE DATABASE hr OWNER hr_owner');
  const client = await server.client('hr');
  for (const sql of [
    'SET ROLE hr_owner',
    'CREATE SCHEMA hr',
    'GRANT USAGE ON SCHEMA hr TO PUBLIC',
    'CREATE TABLE hr.salaries (name text, amount int)',
    `INSERT INTO hr.salaries VALUES ('amy', 1)`,
    'CREATE TABLE hr.teams (name text)',
    'CREATE VIEW hr.rich AS SELECT name FROM hr.salaries',
    'CREATE VIEW hr.richer AS SELECT * FROM hr.rich',
    `CREATE VIEW hr.${ODD_SQL} AS SELECT count(*) FROM hr.richer`,
    'CREATE VIEW hr.team_names AS SELECT name FROM hr.teams',
    'CREATE MATERIALIZED VIEW hr.copied AS SELECT * FROM hr.richer',
    `CREATE FUNCTION hr.total(int) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT sum(amount) FROM hr.salaries'`,
    `CREATE FUNCTION hr.plain() RETURNS bigint LANGUAGE sql AS 'SELECT sum(amount) FROM hr.salaries'`,
    'REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA hr FROM PUBLIC',
    'RESET ROLE',
    ...more,
  ])
    await client.query(sql);
  await client.end();
}

const use = (document: object, definer: boolean | 'views' | 'left out' = true): void =>
  steward.manifests.users(stringify({ guardrails: [railOf(definer)], ...document }));
async function cycleOf(document: object, definer: boolean | 'views' | 'left out' = true, env: Readonly<Record<string, string>> = {}): Promise<CycleReport> {
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off', ...env });
  use(document, definer);
  return steward.cycle();
}
const linesOf = (wanted: string, { notices }: CycleReport): readonly string[] => notices.flatMap(({ kind, message }) => (kind === wanted ? [message] : []));
const refusedIn = (report: CycleReport): readonly string[] => linesOf('guardrail_refused', report).toSorted();
const brokenIn = (report: CycleReport): readonly string[] => linesOf('guardrail_broken', report);

/** Whether the server lets somebody run it. */
async function can(role: string, sql: string): Promise<boolean> {
  const client = await server.client('hr');
  try {
    await client.query(`SET SESSION AUTHORIZATION ${role}`);
    await client.query(sql);
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

it('grants on views that lead to what is guarded and on definer functions of whoever may are refused, and all others done', async () => {
  await hr();
  const alice = user('alice', {
    grants: [{ database: 'hr', schemas: ['hr'], tables: { '*': ['SELECT'], salaries: [] }, functions: { '*': ['EXECUTE'] } }],
  });
  const report = await cycleOf({ users: [alice] });
  const said = refusedIn(report);
  expect(said).toHaveLength(2);
  expect(said[0]).toMatch(/refuses to grant EXECUTE on function hr\.total\(integer\) in database hr to: alice: alice would have SELECT on table hr\.salaries/);
  expect(said[0]).toContain('through function hr.total(integer) in database hr, which runs with the rights of hr_owner; what it does is not looked at');
  expect(said[1]).toMatch(/refuses to grant SELECT on 4 tables of schema hr \(copied, odd "v" → x, y, rich, …|refuses to grant SELECT on 4 tables/);
  expect(said[1]).toContain('alice would have SELECT on table hr.salaries in database hr (granted to itself by this plan, through ');
  for (const [sql, may] of [
    ['SELECT FROM hr.rich', false],
    ['SELECT FROM hr.richer', false],
    [`SELECT FROM hr.${ODD_SQL}`, false],
    ['SELECT FROM hr.copied', false],
    ['SELECT hr.total(1)', false],
    ['SELECT hr.plain()', false],
    ['SELECT FROM hr.team_names', true],
    ['SELECT FROM hr.teams', true],
  ] as const)
    expect([sql, await can('alice', sql)]).toEqual([sql, may]);
  expect(brokenIn(report)).toEqual([]);
  const { rows } = await (async () => ({ rows: await server.query(`SELECT has_function_privilege('alice', 'hr.plain()', 'EXECUTE') AS may`, 'hr') }))();
  expect(rows).toEqual([{ may: true }]);

  // Functions do not count, and then views neither.
  use({ users: [alice] }, 'views');
  expect(refusedIn(await steward.cycle())).toEqual([expect.stringContaining('grant SELECT on 4 tables')]);
  expect(await can('alice', 'SELECT hr.total(1)')).toBe(true);
  use({ users: [alice] }, 'left out');
  expect(refusedIn(await steward.cycle())).toEqual([]);
  expect(await can('alice', `SELECT FROM hr.${ODD_SQL}`)).toBe(true);
});

it('what is broken already is told with its way, by roles that are not ours too', async () => {
  await hr([
    'CREATE ROLE auditor LOGIN',
    'CREATE ROLE team NOLOGIN',
    'GRANT team TO auditor',
    'GRANT SELECT ON hr.richer TO team',
    'CREATE ROLE caller LOGIN',
    'GRANT EXECUTE ON FUNCTION hr.total TO caller',
  ]);
  const first = await cycleOf({ users: [user('alice')] });
  expect(brokenIn(first).toSorted()).toEqual([
    'breaks the guardrail payroll: auditor has SELECT on table hr.salaries in database hr (auditor → team: granted to team by hr_owner, through view hr.richer in database hr, which reads it, or a part of it, with the rights of hr_owner)',
    'breaks the guardrail payroll: caller has SELECT on table hr.salaries in database hr (granted to itself by hr_owner, through function hr.total(integer) in database hr, which runs with the rights of hr_owner; what it does is not looked at)',
  ]);
  expect(first.guardrails).toEqual([{ name: 'payroll', refused: 0, broken: 2 }]);
  expect((await steward.cycle()).unchanged).toBe(true);
  // A view is replaced, and then leads somewhere else.
  await server.query('CREATE OR REPLACE VIEW hr.rich AS SELECT name FROM hr.teams', 'hr');
  expect(brokenIn(await steward.cycle())).toEqual([expect.stringContaining('caller has SELECT')]);
  await server.query('ALTER FUNCTION hr.total SECURITY INVOKER', 'hr');
  expect(brokenIn(await steward.cycle())).toEqual([]);
  use({ users: [user('alice')] }, 'left out');
  await server.query('ALTER FUNCTION hr.total SECURITY DEFINER', 'hr');
  expect(brokenIn(await steward.cycle())).toEqual([]);
});

it('memberships and logins that lead to a view or function are refused', async () => {
  await hr(['CREATE ROLE readers NOLOGIN', 'GRANT SELECT ON hr.rich TO readers', 'CREATE ROLE bob NOLOGIN', 'GRANT EXECUTE ON FUNCTION hr.total TO bob']);
  const report = await cycleOf({ users: [user('alice', { roles: ['readers'] }), user('bob', { grantsMode: 'additive', grants: [] })] });
  expect(refusedIn(report)).toEqual([
    expect.stringMatching(/refuses to alter user: bob .*through function hr\.total/),
    expect.stringMatching(/refuses to grant roles to alice: \[readers\].*alice → readers.*through view hr\.rich/),
  ]);
  expect(await server.query(`SELECT rolname AS name FROM pg_roles WHERE rolcanlogin AND rolname = 'bob'`)).toEqual([]);
});

it('whom the guardrail leaves out does not get what it owns there: not by a grant, and not by a membership', async () => {
  // What it owns is open to everybody, and harmless for as long as it may not read the table.
  const open = (owner: string): readonly string[] => [
    `CREATE ROLE ${owner} NOLOGIN`,
    `CREATE VIEW hr.by_${owner} AS SELECT * FROM hr.salaries`,
    `ALTER VIEW hr.by_${owner} OWNER TO ${owner}`,
    `GRANT SELECT ON hr.by_${owner} TO PUBLIC`,
  ];
  await hr([
    ...open('viewer'),
    ...open('member'),
    `CREATE FUNCTION hr.by_caller() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT sum(amount) FROM hr.salaries'`,
    'CREATE ROLE caller NOLOGIN',
    'ALTER FUNCTION hr.by_caller OWNER TO caller',
    'GRANT SELECT ON hr.salaries TO payroll_app',
    'CREATE ROLE anybody LOGIN',
  ]);
  const rail = { ...railOf(true), except: ['hr_owner', 'payroll_app', 'viewer', 'member', 'caller'] };
  const roles = [
    { name: 'viewer', ...reads('salaries') },
    { name: 'member', memberOf: ['payroll_app'] },
    { name: 'caller', memberOf: ['pg_read_all_data'] },
  ];
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off', ALLOWED_ROLES: 'pg_read_all_data' });
  const write = (definer: boolean | 'views'): void =>
    steward.manifests.users(stringify({ guardrails: [{ ...rail, through: { definer } }], roles, users: [user('alice')] }));
  write(true);
  const report = await steward.cycle();
  expect(refusedIn(report)).toEqual([
    expect.stringMatching(/refuses to grant SELECT on table hr\.salaries in database hr to: viewer: PUBLIC would have SELECT .*through view hr\.by_viewer/),
    expect.stringMatching(/refuses to grant roles to caller: \[pg_read_all_data\]: PUBLIC would have SELECT .*through function hr\.by_caller/),
    expect.stringMatching(/refuses to grant roles to member: \[payroll_app\]: PUBLIC would have SELECT .*through view hr\.by_member/),
  ]);
  expect(brokenIn(report)).toEqual([]);
  for (const sql of ['SELECT FROM hr.by_viewer', 'SELECT FROM hr.by_member', 'SELECT hr.by_caller()'])
    expect([sql, await can('anybody', sql)]).toEqual([sql, false]);
  write('views');
  expect(refusedIn(await steward.cycle())).toHaveLength(2);
  expect(await can('anybody', 'SELECT hr.by_caller()')).toBe(true);
});

it('one function that may call another, and one plan that opens several doors at once, are followed', async () => {
  await hr([
    'CREATE ROLE middle NOLOGIN',
    `CREATE FUNCTION hr.outer_one() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN hr.total(1); END'`,
    'ALTER FUNCTION hr.outer_one OWNER TO middle',
    'REVOKE EXECUTE ON FUNCTION hr.outer_one FROM PUBLIC',
  ]);
  const roles = [{ name: 'middle', ...calls('total') }];
  const users = [user('alice', calls('outer_one'))];
  const report = await cycleOf({ roles, users });
  expect(refusedIn(report)).toEqual([
    expect.stringMatching(/refuses to grant EXECUTE on function hr\.outer_one\(\) in database hr to: alice/),
    expect.stringMatching(/refuses to grant EXECUTE on function hr\.total\(integer\) in database hr to: middle: alice would have/),
  ]);
  expect(await can('alice', 'SELECT hr.outer_one()')).toBe(false);
});

it('a view with the rights of whoever asks is no way, and none above it is', async () => {
  if (server.major < 15) {
    steward = await createSteward(server);
    return;
  }
  await hr([
    'SET ROLE hr_owner',
    'CREATE VIEW hr.asks WITH (security_invoker) AS SELECT * FROM hr.salaries',
    'CREATE VIEW hr.above AS SELECT * FROM hr.asks',
    'RESET ROLE',
  ]);
  const report = await cycleOf({ users: [user('alice', reads('asks', 'above'))] });
  expect(refusedIn(report)).toEqual([]);
  expect([await can('alice', 'SELECT FROM hr.asks'), await can('alice', 'SELECT FROM hr.above')]).toEqual([false, false]);
});

it('a column of a view is a way, and so is writing through one', async () => {
  await hr(['GRANT UPDATE ON hr.salaries TO payroll_app']);
  const rail = { ...railOf(true), never: ['SELECT', 'UPDATE'] };
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off' });
  const grants = [{ database: 'hr', schemas: ['hr'], tables: { richer: ['UPDATE', 'DELETE'] }, columns: { rich: { name: ['SELECT'] } } }];
  steward.manifests.users(stringify({ guardrails: [rail], users: [user('alice', { grants })] }));
  expect(refusedIn(await steward.cycle())).toEqual([
    expect.stringMatching(/grant SELECT on column hr\.rich\.name in database hr to: alice: .*through view hr\.rich/),
    expect.stringMatching(
      /grant UPDATE on table hr\.richer in database hr to: alice: alice would have UPDATE .*through view hr\.richer in database hr, which writes it/,
    ),
  ]);
  expect([
    await can('alice', 'SELECT name FROM hr.rich'),
    await can('alice', `UPDATE hr.richer SET name = ''`),
    await can('alice', 'DELETE FROM hr.richer'),
  ]).toEqual([false, false, true]);
});

it('an heir that may is given nothing that is open to others', async () => {
  await hr(['GRANT SELECT ON hr.salaries TO payroll_app', 'CREATE ROLE alice LOGIN']);
  await cycleOf({ users: [user('maker'), user('bob')] }, true, { REASSIGN_TO: 'payroll_app', DELETION_POLICY: 'drop' });
  await server.query('CREATE VIEW hr.made AS SELECT * FROM hr.salaries; ALTER VIEW hr.made OWNER TO maker; GRANT SELECT ON hr.made TO alice', 'hr');
  use({ users: [user('bob')] });
  const report = await steward.cycle();
  expect(await can('alice', 'SELECT FROM hr.made')).toBe(false);
  expect(refusedIn(report)).toEqual([expect.stringMatching(/maker.*alice would have SELECT on table hr\.salaries .*through view hr\.made/)]);
  use({ users: [user('bob')] }, 'left out');
  expect(refusedIn(await steward.cycle())).toEqual([]);
});

it('a rename that lets somebody in through a view is refused', async () => {
  await hr(['CREATE ROLE amy LOGIN', 'GRANT SELECT ON hr.rich TO amy']);
  const rail = { ...railOf(true), by: ['analyst_*'] };
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off' });
  steward.manifests.users(stringify({ guardrails: [rail], users: [user('amy'), user('bob')] }));
  expect(refusedIn(await steward.cycle())).toEqual([]);
  steward.manifests.users(stringify({ guardrails: [rail], users: [{ ...user('analyst_amy'), renamedFrom: 'amy' }, user('bob')] }));
  expect(refusedIn(await steward.cycle())).toEqual([expect.stringMatching(/refuses to rename user: amy to analyst_amy .*through view hr\.rich/)]);
});

it('a snapshot says the same of views and functions as the server does', async () => {
  await hr(['CREATE ROLE auditor LOGIN', 'GRANT SELECT ON hr.richer TO auditor', 'CREATE ROLE caller LOGIN', 'GRANT EXECUTE ON FUNCTION hr.total TO caller']);
  const wanted = { database: 'hr', schemas: ['hr'], tables: { '*': ['SELECT'], salaries: [] }, functions: { '*': ['EXECUTE'] } };
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off' });
  use({ users: [user('alice', { grants: [wanted] })] });
  const env = { ...daemonEnv(server, steward.manifests.folder), STATE_FILE: steward.config.stateFile, EVENT_TRIGGERS: 'off' };
  const folder = scratch('definers');
  const [users, snapshot] = [join(folder, 'users.yaml'), join(folder, 'snapshot.json')];
  writeFileSync(users, stringify({ guardrails: [railOf(true)], users: [user('alice', { grants: [wanted] })] }));
  expect(await callHere(['snapshot', snapshot], '', env)).toMatchObject({ code: 0 });
  const viewOf = async (...args: readonly string[]): Promise<PlanView> =>
    JSON.parse((await callHere(['plan', '-o', 'json', '--document', users, '--without-secrets', ...args], '', env)).stdout) as PlanView;
  const [now, then] = [await viewOf(), await viewOf('--snapshot', snapshot)];
  expect({ ...then, server: null }).toEqual({ ...now, server: null });
  expect(now.result).toBe('refused');
  expect(now.notices.filter(({ kind }) => kind === 'guardrail_broken')).toHaveLength(2);
  expect(now.notices.filter(({ kind }) => kind === 'guardrail_refused')).toHaveLength(3);

  // One of an older version has none of it: then nobody knows, and nothing of it is given.
  const older = JSON.parse(readFileSync(snapshot, 'utf8')) as { databases: [string, { beside?: unknown }][] };
  for (const [, database] of older.databases) delete database.beside;
  writeFileSync(snapshot, JSON.stringify(older));
  const unknown = await viewOf('--snapshot', snapshot);
  expect(unknown.notices.filter(({ kind }) => kind === 'failed')).toEqual([
    expect.objectContaining({
      message: expect.stringMatching(/through views and functions of database hr, and what could lead there waits: an older version took/) as string,
    }),
  ]);
  expect(unknown.changes.flatMap(({ kind, sentence }) => (kind === 'grant_privilege' ? [sentence] : [])).toSorted()).toEqual([
    'grant CONNECT on database hr to: alice',
    'grant USAGE on schema hr in database hr to: alice',
  ]);
});
