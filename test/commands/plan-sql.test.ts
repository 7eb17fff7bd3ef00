// The SQL output of a plan: run by psql as the same login, it leaves a server for which nothing is planned.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { PlanView } from '../../src/commands/plan-view.ts';
import { daemonEnv } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { expectNoSecrets } from '../support/secrets.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { type Called, callHere } from './call.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const plan = (env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Called> =>
  callHere(['plan', ...args], '', { ...daemonEnv(server, steward.manifests.folder), STATE_FILE: steward.config.stateFile, ...env });

/** Runs a script as somebody would: psql ends with an error where a statement fails. */
async function psql(script: string, login: Readonly<Record<string, string>> = {}): Promise<string> {
  const { DB_USER = server.user, DB_PASS = server.password } = login;
  const running = promisify(execFile)('psql', ['-X', '-q', '-A', '-t', '-h', server.host, '-p', String(server.port), '-U', DB_USER, '-d', 'template1'], {
    env: { ...process.env, PGPASSWORD: DB_PASS, PGOPTIONS: '', LC_ALL: 'C' },
  });
  running.child.stdin?.end(script);
  const { stdout, stderr } = await running;
  expect(stderr.split('\n').filter((line) => line !== '' && !line.includes('NOTICE:'))).toEqual([]);
  return stdout;
}

const HOSTILE = [
  'it\'s "so"',
  'a\nb; DROP ROLE postgres; --',
  'tab\tesc\u001B[2J',
  '\\connect x',
  'größe :name',
  '-- no',
  "x' = y\\",
  'of\u202Egnp\u0085.\u{E0001}\\x',
];

function declare(databases: readonly string[], names: readonly string[], schemas: readonly string[] = ['public', 'own']): void {
  const reads = databases.map((database) => ({ database, schemas, tables: { '*': ['SELECT'] }, functions: { '*': ['EXECUTE'] } }));
  steward.manifests.users(
    JSON.stringify({
      roles: [{ name: 'readers', grants: reads, comment: "of 'all' \n\\! id \u202E\u009B2J 👩\u200D👧" }],
      databases: databases.map((name) => ({ name, create: true, owner: 'keeper', schemas: [{ name: 'own', owner: 'keeper' }] })),
      users: names.map((username) => ({ username, password: 'none', roles: ['readers'], database: databases[0], settings: { search_path: 'own, public' } })),
    }),
  );
}

async function leadsToNothing(env: Readonly<Record<string, string>> = {}): Promise<void> {
  const { stdout: script, stderr } = await plan(env, '-o', 'sql');
  expect(stderr).toBe('');
  // A terminal, and whoever reads it, sees all that is there.
  expect(script.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  await psql(script, env);
  const { stdout, code } = await plan(env, '-o', 'json');
  const view = JSON.parse(stdout) as PlanView;
  expect({ code, changes: view.changes, notices: view.notices, problems: view.problems }).toEqual({ code: 0, changes: [], notices: [], problems: [] });
}

it('makes roles, databases, schemas and privileges, also with names that are SQL or commands', async () => {
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE TABLE goods (id int); GRANT ALL ON goods TO PUBLIC', 'shop');
  steward = await createSteward(server);
  declare(['shop', 'new\nday', 'un\u2028seen \u202E', "o'clock=5 \\x"], HOSTILE);
  await leadsToNothing();
});

it('revokes and removes what is no longer declared', async () => {
  await server.query('CREATE DATABASE shop');
  steward = await createSteward(server);
  declare(['shop'], ['alice', 'bob']);
  await steward.cycle();
  await server.query('CREATE TABLE goods (id int); GRANT ALL ON goods TO readers; GRANT SELECT ON goods TO bob', 'shop');
  await server.query('GRANT pg_monitor TO alice; ALTER ROLE alice CREATEDB CONNECTION LIMIT 3');
  declare(['shop'], ['alice']);
  const { stdout: script } = await plan({}, '-o', 'sql');
  await psql(script);
  const view = JSON.parse((await plan({}, '-o', 'json')).stdout) as PlanView;
  expect(view.changes).toEqual([]);
});

it('is for an admin without superuser as well', async () => {
  await server.query(`CREATE ROLE steward LOGIN CREATEROLE CREATEDB PASSWORD 'the steward of this'`);
  await server.query('GRANT CREATE ON DATABASE postgres TO steward');
  steward = await createSteward(server);
  // Below 15 the schema public is the superuser's own, and nobody else sets default privileges for what that one makes there.
  declare(['shop', 'other'], ['alice', HOSTILE[1] ?? ''], server.major < 15 ? ['own'] : undefined);
  await leadsToNothing({ DB_USER: 'steward', DB_PASS: 'the steward of this', EVENT_TRIGGERS: 'off' });
});

it('has no password in it, and says how one is set', async () => {
  steward = await createSteward(server);
  steward.manifests.users([{ username: 'alice' }]);
  steward.manifests.secret('alice', 'the first of alice');
  const { stdout: script } = await plan({}, '-o', 'sql');
  expectNoSecrets(script, 'the script');
  expect(script).toContain('-- a password has to be set for alice, and no script holds one; in psql: \\password "alice"\n');
  await psql(script);
  const view = JSON.parse((await plan({}, '-o', 'json')).stdout) as PlanView;
  expect(view.changes.map(({ kind }) => kind)).toEqual(['set_password']);
});
