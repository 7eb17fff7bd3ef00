// docs/guardrails.md is true: its example says what the page shows, and ends as it says; the same is said against a snapshot.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { PlanView } from '../../src/commands/plan-view.ts';
import { callHere } from '../commands/call.ts';
import { daemonEnv, ROOT } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { createSteward, type Steward } from '../support/steward.ts';

const page = readFileSync(join(ROOT, 'docs/guardrails.md'), 'utf8');
const [, document = '', said = ''] = /```yaml\n(.*?)```.*?```text\n(.*?)```/s.exec(page) ?? [];

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

it('the example is refused in part with the lines of the page, live as against a snapshot, and the rest of it is done', async () => {
  await server.query('CREATE ROLE hr_owner NOLOGIN');
  await server.query('CREATE DATABASE hr OWNER hr_owner');
  const owner = await server.client('hr');
  await owner.query('SET ROLE hr_owner; CREATE SCHEMA hr; CREATE TABLE hr.salaries (amount int); CREATE TABLE hr.teams (name text)');
  await owner.end();
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off' });
  steward.manifests.users(document);
  const env = { ...daemonEnv(server, steward.manifests.folder), STATE_FILE: steward.config.stateFile, EVENT_TRIGGERS: 'off' };
  const folder = scratch('page');
  const [users, snapshot] = [join(folder, 'users.yaml'), join(folder, 'snapshot.json')];
  writeFileSync(users, document);
  const live = await callHere(['plan', '--document', users, '--without-secrets'], '', env);
  expect(live.code).toBe(3);
  for (const line of said.trim().split('\n')) expect(live.stdout).toContain(line);

  expect(await callHere(['snapshot', snapshot], '', env)).toMatchObject({ code: 0 });
  const viewOf = async (...args: readonly string[]): Promise<PlanView> => {
    const { stdout } = await callHere(['plan', '-o', 'json', '--document', users, '--without-secrets', ...args], '', env);
    return JSON.parse(stdout) as PlanView;
  };
  const [now, then] = [await viewOf(), await viewOf('--snapshot', snapshot)];
  expect({ ...then, server: null }).toEqual({ ...now, server: null });
  expect(then.result).toBe('refused');

  steward.manifests.secret('accountant', 'the first of accountant');
  steward.manifests.secret('alice', 'the first of alice');
  await steward.cycle();
  const may = `SELECT has_table_privilege('accountant', 'hr.salaries', 'SELECT') AS a, has_table_privilege('alice', 'hr.salaries', 'SELECT') AS b,
    has_table_privilege('reporting', 'hr.teams', 'SELECT') AS c`;
  expect(await server.query(may, 'hr')).toEqual([{ a: true, b: false, c: true }]);
});
