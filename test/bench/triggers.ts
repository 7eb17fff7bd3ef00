// The benchmark of the event trigger: 1,000 CREATE TABLE in a database that has it beside the same in one that has not.
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer } from '../support/steward.ts';
import { median, numbers, print, psql, RUNS } from './support.ts';

const TABLES = 1000;
const ROLES = 25;
const SCHEMAS = 10;

/** Rules for 25 roles in up to ten schemas: mostly exact names, some globs, some `*`. Two or so of them are for each new table. */
function document(rules: number): string {
  const each = rules / ROLES;
  const schemas = Math.min(SCHEMAS, each / 2);
  return JSON.stringify({
    roles: numbers(ROLES).map((role) => ({
      name: `role_${role}`,
      grants: numbers(schemas).map((index) => {
        const schema = (role + index) % SCHEMAS;
        const pattern = index > 0 ? `old_${role}_*` : role < SCHEMAS ? '*' : 'fresh_*';
        // USAGE on the schema is a rule, too.
        const known = numbers(each / schemas - 2).map((table) => [`known_${table}`, ['SELECT', 'INSERT']] as const);
        return { database: 'ruled', schemas: [`s${schema}`], tables: { ...Object.fromEntries(known), [pattern]: ['SELECT'] } };
      }),
    })),
    users: [{ username: 'operator', login: false }],
  });
}

/** Milliseconds for the tables of one round, made by somebody for whom there are no default privileges. */
function create(server: Postgres, database: string, file: string): number {
  const took = psql(server, ['-f', file], database);
  psql(
    server,
    [
      '-c',
      `DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relname LIKE 'fresh\\_%' AND relkind = 'r' LOOP EXECUTE format('DROP TABLE %s', t); END LOOP; END $$`,
    ],
    database,
  );
  return took;
}

async function round(server: Postgres, rules: number): Promise<void> {
  await server.query('CREATE ROLE app_group; CREATE ROLE app LOGIN; GRANT app_group TO app');
  await server.query('CREATE DATABASE ruled');
  await server.query('CREATE DATABASE plain');
  for (const database of ['ruled', 'plain'])
    await server.query(
      numbers(SCHEMAS)
        .map((schema) => `CREATE SCHEMA s${schema}; GRANT USAGE, CREATE ON SCHEMA s${schema} TO app_group`)
        .join('; '),
      database,
    );
  const steward = await createSteward(server);
  steward.manifests.users(document(rules));
  for (let cycle = 0; cycle < 2; cycle += 1) await steward.cycle();
  const statements = numbers(TABLES).map((index) => `CREATE TABLE s${index % SCHEMAS}.fresh_${index} (id int, note text);\n`);
  const file = join(tmpdir(), `pgsteward-bench-${process.pid}.sql`);
  for (const [how, text] of [
    ['one by one', statements.join('')],
    ['in one transaction', `BEGIN;\n${statements.join('')}COMMIT;\n`],
  ] as const) {
    writeFileSync(file, `SET SESSION AUTHORIZATION app;\n${text}`);
    const [with_, without]: [number[], number[]] = [[], []];
    for (let run = 0; run <= RUNS; run += 1) {
      const times = [create(server, 'plain', file), create(server, 'ruled', file)] as const;
      // The first round is for the caches.
      if (run === 0) continue;
      without.push(times[0]);
      with_.push(times[1]);
    }
    print(
      `${TABLES} CREATE TABLE ${how}, ${rules} rules: median ${median(with_).toFixed(0)} ms with the event trigger, ${median(without).toFixed(0)} ms without, ratio ${(median(with_) / median(without)).toFixed(2)} (runs: ${with_.map((value) => value.toFixed(0)).join(' ')} | ${without.map((value) => value.toFixed(0)).join(' ')})`,
    );
  }
  rmSync(file);
  await steward.close();
  await resetServer(server);
}

/** Runs it. */
export async function benchTriggers(): Promise<void> {
  // Without waiting for the disk, so that what the trigger adds is not hidden behind it.
  const server = await startPostgres({ settings: { log_statement: 'none', shared_buffers: '128MB' } });
  for (const rules of [50, 5000]) await round(server, rules);
  await server.stop();
}
