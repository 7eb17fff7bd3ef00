// Guardrails about what is in no database: tablespaces and parameters.
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

const SPACE = { name: 'space', never: 'CREATE', on: { tablespaces: ['pg_d*'] }, by: '*', except: ['left_out'] };
const SETTING = { name: 'setting', never: ['SET', 'ALTER SYSTEM'], on: { parameters: ['LOG_*'] }, by: '*' };
const linesOf = (wanted: string, { notices }: CycleReport): readonly string[] =>
  notices.flatMap(({ kind, subject, message }) => (kind === wanted ? [`${subject}: ${message}`] : [])).toSorted();
const user = (username: string, more: object = {}): object => ({ username, password: 'none', ...more });
const use = (document: object): void => steward.manifests.users(stringify({ guardrails: server.major < 15 ? [SPACE] : [SPACE, SETTING], ...document }));

it('what would give somebody a tablespace is refused, and what somebody has already is told', async () => {
  await server.query('CREATE ROLE hoarder LOGIN');
  await server.query('CREATE ROLE makers NOLOGIN');
  await server.query('GRANT CREATE ON TABLESPACE pg_default TO hoarder, makers');
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off' });
  use({
    users: [user('alice', { grants: [{ tablespaces: { '*': ['CREATE'] } }] }), user('bob', { roles: ['makers'] }), user('left_out', { roles: ['makers'] })],
  });
  const report = await steward.cycle();
  expect(linesOf('guardrail_refused', report)).toEqual([
    expect.stringMatching(
      /^alice: the guardrail space refuses to grant CREATE on tablespace pg_default to: alice: alice would have CREATE on tablespace pg_default/,
    ),
    expect.stringMatching(/^bob: the guardrail space refuses to grant roles to bob: \[makers\]: bob would have CREATE on tablespace pg_default \(bob → makers/),
  ]);
  expect(linesOf('guardrail_broken', report)).toEqual([
    expect.stringMatching(/^hoarder: breaks the guardrail space: hoarder has CREATE on tablespace pg_default \(granted to itself by/),
  ]);
  const may = await server.query(
    `SELECT rolname AS name FROM pg_roles WHERE has_tablespace_privilege(oid, 'pg_default', 'CREATE') AND NOT rolsuper AND rolcanlogin`,
  );
  expect(may.map(({ name }) => name as string).toSorted()).toEqual(['hoarder', 'left_out']);
  // By hand, and at the next look although nothing else has changed.
  await server.query('REVOKE CREATE ON TABLESPACE pg_default FROM hoarder');
  expect(linesOf('guardrail_broken', await steward.cycle())).toEqual([]);
  await server.query('GRANT CREATE ON TABLESPACE pg_default TO PUBLIC');
  expect(linesOf('guardrail_broken', await steward.cycle())).toContainEqual(expect.stringContaining('PUBLIC has CREATE on tablespace pg_default'));
  await server.query('REVOKE CREATE ON TABLESPACE pg_default FROM PUBLIC, makers');
});

it('so is SET or ALTER SYSTEM on a parameter', async () => {
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off', ALLOWED_SETTINGS: 'log_statement' });
  if (server.major < 15) return;
  await server.query('CREATE ROLE tuner LOGIN');
  await server.query('GRANT ALTER SYSTEM ON PARAMETER log_min_messages TO tuner');
  use({ users: [user('alice', { grants: [{ parameters: { log_statement: ['SET'], work_mem: ['SET'] } }] })] });
  const report = await steward.cycle();
  expect(linesOf('guardrail_refused', report)).toEqual([
    expect.stringMatching(
      /^alice: the guardrail setting refuses to grant SET on parameter log_statement to: alice: alice would have SET on parameter log_statement/,
    ),
  ]);
  expect(linesOf('guardrail_broken', report)).toEqual([expect.stringContaining('tuner has ALTER SYSTEM on parameter log_min_messages')]);
  expect(
    await server.query(`SELECT has_parameter_privilege('alice', 'log_statement', 'SET') AS may, has_parameter_privilege('alice', 'work_mem', 'SET') AS other`),
  ).toEqual([{ may: false, other: true }]);
});
