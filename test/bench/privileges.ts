// The benchmark of privileges in one database: an ordinary load, and one with 350,000 entries in ACLs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { databaseFingerprint } from '../../src/postgres/database-fingerprint.ts';
import { type Daemon, daemonEnv, Manifests } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { lastDuration, median, numbers, once, peakRss, print, psql, report, RUNS, startShipped, untilGone, waitForCycle } from './support.ts';

/** What an application has in each of 50 schemas, and how many roles get something on all of it. */
export interface Load {
  readonly tables: number;
  readonly functions: number;
  readonly roles: number;
}

export const ORDINARY: Load = { tables: 20, functions: 10, roles: 20 };
const LARGE: Load = { tables: 40, functions: 60, roles: 32 };

const SCHEMAS = numbers(50).map((index) => `s${String(index).padStart(2, '0')}`);
export const rolesOf = ({ roles }: Load): readonly string[] => numbers(roles).map((index) => `role_${String(index).padStart(2, '0')}`);
const nameOf = ({ tables, functions, roles }: Load): string =>
  `50 schemas, ${tables * SCHEMAS.length} tables, ${functions * SCHEMAS.length} functions, ${roles} roles`;

/** What an application would have made, owned by a role of its own. */
const setupOf = ({ tables, functions }: Load): string =>
  [
    'SET ROLE app_owner',
    ...SCHEMAS.flatMap((schema) => [
      `CREATE SCHEMA ${schema}`,
      ...numbers(tables).map((index) => `CREATE TABLE ${schema}.table_${index} (id int, note text)`),
      ...numbers(functions).map((index) => `CREATE FUNCTION ${schema}.function_${index}(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'`),
    ]),
  ].join(';\n');

/** The least SQL that has the same effect, in one transaction. */
export const minimalOf = (roles: readonly string[]): string =>
  [
    'BEGIN',
    ...roles.map((role) => `CREATE ROLE ${role}`),
    `GRANT USAGE ON SCHEMA ${SCHEMAS.join(', ')} TO ${roles.join(', ')}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${SCHEMAS.join(', ')} TO ${roles.join(', ')}`,
    `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${SCHEMAS.join(', ')} TO ${roles.join(', ')}`,
    `ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA ${SCHEMAS.join(', ')} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${roles.join(', ')}`,
    `ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA ${SCHEMAS.join(', ')} GRANT EXECUTE ON FUNCTIONS TO ${roles.join(', ')}`,
    'COMMIT;\n',
  ].join(';\n');

/** Everything in the schemas whose names begin with s. */
export const grantsDocument = (databases: readonly string[], roles: readonly string[]): string =>
  JSON.stringify({
    roles: roles.map((role) => ({
      name: role,
      grants: [{ databases, schemas: ['s*'], tables: { '*': ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] }, functions: { '*': ['EXECUTE'] } }],
    })),
    users: [{ username: 'operator', login: false }],
  });

/** A database as the application left it, without any role of ours. */
export async function fresh(server: Postgres): Promise<void> {
  await server.query('DROP SCHEMA IF EXISTS pgsteward CASCADE');
  await server.query('DROP DATABASE IF EXISTS bench WITH (FORCE)');
  const roles = await server.query<{ name: string }>(`SELECT quote_ident(rolname) AS name FROM pg_roles WHERE rolname ~ '^(role_|operator)'`);
  for (const { name } of roles) await server.query(`DROP OWNED BY ${name}; DROP ROLE ${name}`);
  await server.query('CREATE DATABASE bench TEMPLATE bench_template OWNER app_owner');
}

/** The database as the application left it, to be copied. */
export async function makeTemplate(server: Postgres, load: Load): Promise<void> {
  await server.query('DROP DATABASE IF EXISTS bench_template');
  await server.query('CREATE DATABASE bench_template OWNER app_owner');
  const setup = await server.client('bench_template');
  await setup.query(setupOf(load));
  await setup.query('RESET ROLE; VACUUM ANALYZE').catch(() => setup.query('RESET ROLE'));
  await setup.end();
}

async function oneDatabase(server: Postgres, load: Load): Promise<void> {
  await makeTemplate(server, load);
  const manifests = new Manifests();
  manifests.users(grantsDocument(['bench'], rolesOf(load)));
  const file = join(manifests.folder, '.minimal.sql');
  writeFileSync(file, minimalOf(rolesOf(load)));
  const env = daemonEnv(server, manifests.folder, { LOG_LEVEL: 'debug', MAX_DELETIONS: '1000' });
  const [ours, theirs, rss]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < RUNS; run += 1) {
    await fresh(server);
    theirs.push(psql(server, ['-f', file], 'bench'));
    await fresh(server);
    const daemon = await startShipped(env);
    await waitForCycle(daemon);
    ours.push(await lastDuration(daemon));
    rss.push(peakRss(daemon));
    if (run + 1 < RUNS) {
      await daemon.stop();
      continue;
    }
    report(`first apply: ${nameOf(load)} (${await counts(server)} ACL entries)`, ours, theirs);
    print(`  peak RSS of the daemon: median ${median(rss).toFixed(0)} MiB (largest ${Math.max(...rss).toFixed(0)})`);
    await unchanged(server, daemon);
    await grantsByHand(server, daemon);
    await daemon.stop();
    await processes(server, env);
  }
  manifests.remove();
}

/** One GRANT by hand, which the daemon hears of by itself. */
async function grantsByHand(server: Postgres, daemon: Daemon): Promise<void> {
  const [gone, cycles, theirs]: [number[], number[], number[]] = [[], [], []];
  const client = await server.client('bench');
  for (const run of numbers(RUNS)) {
    theirs.push(psql(server, ['-c', `GRANT TRUNCATE ON s01.table_${run} TO role_00; REVOKE TRUNCATE ON s01.table_${run} FROM role_00`], 'bench'));
    // Notifications lead to one look in two seconds.
    await sleep(2500);
    gone.push(await untilGone(client, `GRANT TRUNCATE ON s00.table_${run} TO role_00`, `has_table_privilege('role_00', 's00.table_${run}', 'TRUNCATE')`));
    await sleep(500);
    cycles.push(await lastDuration(daemon));
  }
  await client.end();
  report('  one GRANT by hand, until it is gone', gone, theirs);
  print(`  its cycle: median ${median(cycles).toFixed(0)} ms`);
}

/** The same by processes of their own. */
async function processes(server: Postgres, env: Readonly<Record<string, string>>): Promise<void> {
  const look =
    'SELECT * FROM pg_authid; SELECT * FROM pg_auth_members; SELECT oid, relacl FROM pg_class; SELECT oid, proacl FROM pg_proc; SELECT nspacl FROM pg_namespace';
  report(
    '  unchanged, from start to end of the process',
    numbers(RUNS).map(() => once(env, ['plan', '--without-secrets'])),
    numbers(RUNS).map(() => psql(server, ['-c', look], 'bench')),
  );
  const [applied, theirs]: [number[], number[]] = [[], []];
  for (const run of numbers(RUNS)) {
    theirs.push(psql(server, ['-c', `GRANT TRUNCATE ON s01.table_${run} TO role_00; REVOKE TRUNCATE ON s01.table_${run} FROM role_00`], 'bench'));
    psql(server, ['-c', `GRANT TRUNCATE ON s00.table_${run} TO role_00`], 'bench');
    applied.push(once(env, ['apply']));
  }
  report('  one GRANT by hand, apply from start to end of the process', applied, theirs);
}

async function counts(server: Postgres): Promise<string> {
  const client = await server.client('bench');
  const { rows } = await client.query<{ count: string }>(
    'SELECT (SELECT count(*) FROM pg_class, aclexplode(relacl)) + (SELECT count(*) FROM pg_proc, aclexplode(proacl)) AS count',
  );
  await client.end();
  return rows[0]?.count ?? '';
}

async function unchanged(server: Postgres, daemon: Daemon): Promise<void> {
  const [ours, query, full]: [number[], number[], number[]] = [[], [], []];
  const client = await server.client('bench');
  for (let run = 0; run < 3; run += 1) await daemon.cycle();
  for (let run = 0; run < RUNS * 2; run += 1) {
    await daemon.cycle();
    ours.push(await lastDuration(daemon));
    const began = performance.now();
    await databaseFingerprint(client, { columns: false, database: false });
    query.push(performance.now() - began);
    await client.query(run % 2 === 0 ? 'CREATE TABLE s00.bystander (id int)' : 'DROP TABLE s00.bystander');
    await daemon.cycle();
    full.push(await lastDuration(daemon));
    await daemon.cycle();
  }
  await client.end();
  print(
    `  unchanged cycle: median ${median(ours).toFixed(1)} ms, the fingerprint query alone ${median(query).toFixed(1)} ms, ratio ${(median(ours) / median(query)).toFixed(2)}; after a change in the database (all of it is read and compared, and a table granted on) ${median(full).toFixed(1)} ms`,
  );
}

/** Runs it. */
export async function benchPrivileges(): Promise<void> {
  const server = await startPostgres({ settings: { log_statement: 'none', fsync: 'on', shared_buffers: '128MB', max_locks_per_transaction: '1024' } });
  await server.query('CREATE ROLE app_owner; ');
  for (const load of [ORDINARY, LARGE]) await oneDatabase(server, load);
  await server.stop();
}
