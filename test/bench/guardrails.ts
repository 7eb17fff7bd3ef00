// The benchmark of guardrails: a plan for 10,000 users and some 350,000 ACL entries without any, and with 50 about a few tables or all of them. Both in one run, in turns.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callHere } from '../commands/call.ts';
import { daemonEnv } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { createSteward } from '../support/steward.ts';
import { median, numbers, print, RUNS } from './support.ts';

const SCHEMAS = numbers(50).map((index) => `s${String(index).padStart(2, '0')}`);
const ROLES = numbers(32).map((index) => `role_${String(index).padStart(2, '0')}`);
const USERS = 10_000;

const SETUP = [
  'SET ROLE app_owner',
  ...SCHEMAS.flatMap((schema) => [
    `CREATE SCHEMA ${schema}`,
    ...numbers(40).map((index) => `CREATE TABLE ${schema}.table_${index} (id int, note text)`),
    ...numbers(60).map((index) => `CREATE FUNCTION ${schema}.function_${index}(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'`),
  ]),
].join(';\n');

const grants = [{ database: 'bench', schemas: ['s*'], tables: { '*': ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] }, functions: { '*': ['EXECUTE'] } }];
/** As people write it: users at the end, an item a line. */
const documentOf = (guardrails: readonly object[]): string =>
  [
    `guardrails: ${JSON.stringify(guardrails)}`,
    `roles: ${JSON.stringify(ROLES.map((name) => ({ name, grants })))}`,
    'users:',
    ...numbers(USERS).map((index) => `- {username: user_${index}, database: bench, password: none, roles: [${ROLES[index % ROLES.length]}]}`),
    '',
  ].join('\n');

/** One for each schema; everybody who has it is left out, or nobody. */
const guardrails = (tables: string, except: readonly string[]): readonly object[] =>
  SCHEMAS.map((schema) => ({ name: schema, never: 'SELECT', on: { database: 'bench', schema, tables: [tables] }, by: '*', except }));

const CASES: Readonly<Record<string, readonly object[]>> = {
  none: [],
  '50, each about a table': guardrails('table_1', ROLES),
  '50, together about all 2,000 tables': guardrails('*', ROLES),
  '50, each broken by 10,000 logins': guardrails('table_1', ['nobody']),
};

async function measure(server: Postgres, folder: string): Promise<void> {
  const steward = await createSteward(server, { EVENT_TRIGGERS: 'off' });
  steward.manifests.users(documentOf([]));
  await steward.cycle();
  const env = { ...daemonEnv(server, steward.manifests.folder), STATE_FILE: steward.config.stateFile, EVENT_TRIGGERS: 'off' };
  const files = Object.entries(CASES).map(([name, rails], index): readonly [string, string] => {
    const file = join(folder, `${index}.yaml`);
    writeFileSync(file, documentOf(rails));
    return [name, file];
  });
  const times = new Map<string, { readonly wall: number[]; readonly cpu: number[] }>(files.map(([name]) => [name, { wall: [], cpu: [] }]));
  for (let run = 0; run <= RUNS; run += 1)
    for (const [name, file] of files) {
      const [began, before] = [performance.now(), process.cpuUsage()];
      const { code, stdout, stderr } = await callHere(['plan', '--document', file, '--without-secrets', '-o', 'json'], '', env);
      if (code !== 0) throw new Error(`plan ended with ${code}: ${stderr}${stdout.slice(-2000)}`);
      const { user, system } = process.cpuUsage(before);
      // The first of each warms up.
      if (run === 0) continue;
      times.get(name)?.wall.push(performance.now() - began);
      times.get(name)?.cpu.push((user + system) / 1000);
    }
  const base = times.get('none');
  for (const [name, { wall, cpu }] of times)
    print(
      `  plan with ${name} guardrails: median ${median(wall).toFixed(0)} ms, of a processor ${median(cpu).toFixed(0)} ms; ratios ${(median(wall) / median(base?.wall ?? [])).toFixed(2)} and ${(median(cpu) / median(base?.cpu ?? [])).toFixed(2)}`,
    );
  await steward.close();
}

export async function benchGuardrails(): Promise<void> {
  const server = await startPostgres({ settings: { log_statement: 'none' } });
  await server.query('CREATE ROLE app_owner');
  await server.query('CREATE DATABASE bench OWNER app_owner');
  const setup = await server.client('bench');
  await setup.query(SETUP);
  await setup.end();
  print(`guardrails: 50 schemas, 2,000 tables, 3,000 functions, 32 roles, ${USERS} users`);
  await measure(server, scratch('guardrails'));
  await server.stop();
}
