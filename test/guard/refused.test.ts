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
  for (const sql of ['SET ROLE hr_owner', 'CREATE SCHEMA hr', 'CREATE TABLE hr.salaries (name text, amount int)', 'CREATE TABLE hr.teams (name text)', ...more])
    await server.query(sql.startsWith('SET') ? 'SELECT' : sql, 'hr');
  for (const table of ['salaries', 'teams']) await server.query(`ALTER TABLE hr.${table} OWNER TO hr_owner`, 'hr');
  await server.query('ALTER SCHEMA hr OWNER TO hr_owner', 'hr');
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

it('a grant to a login is refused for the guarded table, and done for the others', async () => {
  await hr();
  const report = await cycleOf({ users: [user('alice', { grants: [{ ...IN_HR, tables: { salaries: ['SELECT'], teams: ['SELECT'] } }] })] });
  expect(refusedIn(report)).toEqual([
    'the guardrail payroll refuses to grant SELECT on table hr.salaries in database hr to: alice: alice would have SELECT on table hr.salaries in database hr (granted to itself by this plan)',
  ]);
  expect([await may('alice'), await may('alice', 'hr.teams')]).toEqual([false, true]);
  expect(report.guardrails).toEqual([{ name: 'payroll', refused: 1, broken: 0 }]);
  expect(brokenIn(report)).toEqual([]);
});
