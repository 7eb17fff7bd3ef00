// The benchmark of privileges: 50 schemas, 2,000 tables, 3,000 functions and 32 roles in one database, and 100 small databases side by side.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { databaseFingerprint } from '../../src/postgres/database-fingerprint.ts';
import { daemonEnv, Manifests } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { lastDuration, median, peakRss, print, psql, report, RUNS, startShipped, waitForCycle } from './support.ts';

const SCHEMAS = Array.from({ length: 50 }, (_, index) => `s${String(index).padStart(2, '0')}`);
const ROLES = Array.from({ length: 32 }, (_, index) => `role_${String(index).padStart(2, '0')}`);
const TABLES = 40;
const FUNCTIONS = 60;
const DATABASES = 100;

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/** What an application would have made, owned by a role of its own. */
const SETUP = [
  'SET ROLE app_owner',
  ...SCHEMAS.flatMap((schema) => [
    `CREATE SCHEMA ${schema}`,
    ...numbers(TABLES).map((index) => `CREATE TABLE ${schema}.table_${index} (id int, note text)`),
    ...numbers(FUNCTIONS).map((index) => `CREATE FUNCTION ${schema}.function_${index}(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'`),
  ]),
].join(';\n');

/** The least SQL that has the same effect, in one transaction. */
const MINIMAL = [
  'BEGIN',
  ...ROLES.map((role) => `CREATE ROLE ${role}`),
  `GRANT USAGE ON SCHEMA ${SCHEMAS.join(', ')} TO ${ROLES.join(', ')}`,
  `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${SCHEMAS.join(', ')} TO ${ROLES.join(', ')}`,
  `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${SCHEMAS.join(', ')} TO ${ROLES.join(', ')}`,
  `ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA ${SCHEMAS.join(', ')} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${ROLES.join(', ')}`,
  `ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA ${SCHEMAS.join(', ')} GRANT EXECUTE ON FUNCTIONS TO ${ROLES.join(', ')}`,
  'COMMIT;\n',
].join(';\n');

const document = (databases: readonly string[], roles: readonly string[]): string =>
  JSON.stringify({
    roles: roles.map((role) => ({
      name: role,
      grants: [{ databases, schemas: ['s*'], tables: { '*': ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] }, functions: { '*': ['EXECUTE'] } }],
    })),
    users: [{ username: 'operator', login: false }],
  });

/** A database as the application left it, without any role of ours. */
async function fresh(server: Postgres): Promise<void> {
  await server.query('DROP SCHEMA IF EXISTS pgsteward CASCADE');
  await server.query('DROP DATABASE IF EXISTS bench WITH (FORCE)');
  const roles = await server.query<{ name: string }>(`SELECT quote_ident(rolname) AS name FROM pg_roles WHERE rolname ~ '^(role_|operator)'`);
  for (const { name } of roles) await server.query(`DROP OWNED BY ${name}; DROP ROLE ${name}`);
  await server.query('CREATE DATABASE bench TEMPLATE bench_template OWNER app_owner');
}

async function oneDatabase(server: Postgres): Promise<void> {
  await server.query('CREATE ROLE app_owner; ');
  await server.query('CREATE DATABASE bench_template OWNER app_owner');
  const setup = await server.client('bench_template');
  await setup.query(SETUP);
  await setup.query('RESET ROLE; VACUUM ANALYZE').catch(() => setup.query('RESET ROLE'));
  await setup.end();
  const manifests = new Manifests();
  manifests.users(document(['bench'], ROLES));
  const file = join(manifests.folder, '.minimal.sql');
  writeFileSync(file, MINIMAL);
  const [ours, theirs, rss]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < RUNS; run += 1) {
    await fresh(server);
    theirs.push(psql(server, ['-f', file], 'bench'));
    await fresh(server);
    const daemon = await startShipped(daemonEnv(server, manifests.folder, { LOG_LEVEL: 'debug' }));
    await waitForCycle(daemon);
    ours.push(await lastDuration(daemon));
    rss.push(peakRss(daemon));
    if (run + 1 < RUNS) {
      await daemon.stop();
      continue;
    }
    const entries = await counts(server);
    report(`first apply: 50 schemas, 2,000 tables, 3,000 functions, 32 roles (${entries} ACL entries)`, ours, theirs);
    print(`  peak RSS of the daemon: ${median(rss).toFixed(0)} MiB (largest ${Math.max(...rss).toFixed(0)})`);
    await unchanged(server, daemon);
    await daemon.stop();
  }
  manifests.remove();
}

async function counts(server: Postgres): Promise<string> {
  const client = await server.client('bench');
  const { rows } = await client.query<{ count: string }>(
    'SELECT (SELECT count(*) FROM pg_class, aclexplode(relacl)) + (SELECT count(*) FROM pg_proc, aclexplode(proacl)) AS count',
  );
  await client.end();
  return rows[0]?.count ?? '';
}

async function unchanged(server: Postgres, daemon: Awaited<ReturnType<typeof startShipped>>): Promise<void> {
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

async function manyDatabases(server: Postgres): Promise<void> {
  // Roles of the part before would be removed in the first cycle.
  await fresh(server);
  await server.query('DROP DATABASE bench');
  for (const index of numbers(DATABASES)) await server.query(`CREATE DATABASE small_${index}`);
  const setup = 'CREATE SCHEMA s1; CREATE TABLE s1.a (id int); CREATE TABLE s1.b (id int); CREATE FUNCTION s1.f(int) RETURNS int LANGUAGE sql AS $$SELECT 1$$;';
  const grants = (roles: readonly string[]): string =>
    `GRANT USAGE ON SCHEMA s1 TO ${roles.join(', ')}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA s1 TO ${roles.join(', ')}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA s1 TO ${roles.join(', ')};
     ALTER DEFAULT PRIVILEGES IN SCHEMA s1 GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${roles.join(', ')}; ALTER DEFAULT PRIVILEGES IN SCHEMA s1 GRANT EXECUTE ON FUNCTIONS TO ${roles.join(', ')};`;
  const manifests = new Manifests();
  const file = join(manifests.folder, '.many.sql');
  const roles = ROLES.map((role) => `many_${role}`);
  const peers = roles.map((role) => `psql_${role}`);
  writeFileSync(
    file,
    numbers(DATABASES)
      .map((index) => `\\c small_${index}\n${setup}\n`)
      .join(''),
  );
  psql(server, ['-f', file]);
  writeFileSync(
    file,
    [...peers.map((role) => `CREATE ROLE ${role};\n`), ...numbers(DATABASES).map((index) => `\\c small_${index}\nBEGIN; ${grants(peers)} COMMIT;\n`)].join(''),
  );
  const theirs = psql(server, ['-f', file]);
  manifests.users(document(['small_*'], roles));
  const daemon = await startShipped(daemonEnv(server, manifests.folder, { LOG_LEVEL: 'debug', MAX_DELETIONS: '1000' }));
  await waitForCycle(daemon);
  report(`first apply: ${DATABASES} databases, 32 roles`, [await lastDuration(daemon)], [theirs]);
  for (let run = 0; run < 2; run += 1) await daemon.cycle();
  const ours: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    await daemon.cycle();
    ours.push(await lastDuration(daemon));
  }
  print(`  unchanged cycle of ${DATABASES} databases: median ${median(ours).toFixed(0)} ms; peak RSS ${peakRss(daemon).toFixed(0)} MiB`);
  await daemon.stop();
  manifests.remove();
}

/** Runs it. */
export async function benchPrivileges(): Promise<void> {
  const server = await startPostgres({ settings: { log_statement: 'none', fsync: 'on', shared_buffers: '128MB', max_locks_per_transaction: '1024' } });
  print(`PostgreSQL ${server.major}, Node ${process.version}, ${RUNS} runs`);
  await oneDatabase(server);
  await manyDatabases(server);
  await server.stop();
}
