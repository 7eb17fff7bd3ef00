// The benchmark of many databases: the first apply, everything read again, and nothing changed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonEnv, Manifests } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { COUNTING, countsOf, daemonCpu, serverCpu } from './costs.ts';
import { grantsDocument } from './privileges.ts';
import { lastDuration, median, numbers, peakRss, print, psql, report, RUNS, startShipped, waitForCycle } from './support.ts';

/** How many, and how many tables each has. */
const LOADS: readonly (readonly [databases: number, tables: number])[] = [
  [30, 50],
  [300, 2],
];
const ROLES = numbers(10).map((index) => `many_${index}`);

const nameOf = (index: number): string => `small_${index}`;

function grantsTo(roles: readonly string[]): string {
  const list = roles.join(', ');
  return `GRANT USAGE ON SCHEMA s1 TO ${list}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA s1 TO ${list}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA s1 TO ${list};
ALTER DEFAULT PRIVILEGES IN SCHEMA s1 GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${list}; ALTER DEFAULT PRIVILEGES IN SCHEMA s1 GRANT EXECUTE ON FUNCTIONS TO ${list};`;
}

/** What runs in each of them, over one session after the other. */
const everywhere = (databases: number, sql: string): string =>
  numbers(databases)
    .map((index) => `\\c ${nameOf(index)}\n${sql}\n`)
    .join('');

const minimal = (databases: number): string =>
  `${ROLES.map((role) => `CREATE ROLE ${role};\n`).join('')}${everywhere(databases, `BEGIN; ${grantsTo(ROLES)} COMMIT;`)}`;
const READ = 'SELECT relname, relacl FROM pg_class; SELECT proname, proacl FROM pg_proc; SELECT * FROM pg_default_acl; SELECT * FROM pg_namespace;';

/** Databases as the application left them, without any role of ours. */
async function fresh(server: Postgres, databases: number, tables: number): Promise<void> {
  await server.query('DROP SCHEMA IF EXISTS pgsteward CASCADE');
  for (const index of numbers(databases)) await server.query(`DROP DATABASE IF EXISTS ${nameOf(index)} WITH (FORCE)`);
  const roles = await server.query<{ name: string }>(`SELECT quote_ident(rolname) AS name FROM pg_roles WHERE rolname ~ '^(many_|operator)'`);
  for (const { name } of roles) await server.query(`DROP OWNED BY ${name}; DROP ROLE ${name}`);
  await server.query('DROP DATABASE IF EXISTS template_small');
  await server.query('CREATE DATABASE template_small');
  const made = numbers(tables).map((table) => `CREATE TABLE s1.table_${table} (id int)`);
  await server.query(`CREATE SCHEMA s1; ${made.join('; ')}; CREATE FUNCTION s1.f(int) RETURNS int LANGUAGE sql AS $$SELECT 1$$`, 'template_small');
  for (const index of numbers(databases)) await server.query(`CREATE DATABASE ${nameOf(index)} TEMPLATE template_small`);
}

/** Of the processor, in milliseconds: ours, the server's for us, and the server's for psql. */
interface Cpu {
  readonly ours: number[];
  readonly server: number[];
  readonly psql: number[];
}
const noCpu = (): Cpu => ({ ours: [], server: [], psql: [] });
const said = (what: string, { ours, server, psql: theirs }: Cpu): void =>
  print(
    `  ${what}: processor time ${median(ours).toFixed(0)} ms of the daemon with its start and ${median(server).toFixed(0)} ms of the server; for psql the server's is ${median(theirs).toFixed(0)} ms`,
  );

async function manyDatabases(server: Postgres, databases: number, tables: number): Promise<void> {
  const manifests = new Manifests();
  manifests.users(grantsDocument(['small_*'], ROLES));
  const file = join(manifests.folder, '.many.sql');
  const env = daemonEnv(server, manifests.folder, { LOG_LEVEL: 'debug', MAX_DELETIONS: '1000' });
  const [applying, reading] = [noCpu(), noCpu()];
  const byPsql = (sql: string, cpu: Cpu): number => {
    writeFileSync(file, sql);
    const before = serverCpu(server);
    const took = psql(server, ['-f', file]);
    cpu.psql.push((serverCpu(server) - before) * 1000);
    return took;
  };
  /** A daemon that has had its first cycle. */
  const started = async (cpu: Cpu) => {
    const before = serverCpu(server);
    const daemon = await startShipped(env);
    await waitForCycle(daemon);
    cpu.ours.push(daemonCpu(daemon) * 1000);
    cpu.server.push((serverCpu(server) - before) * 1000);
    return daemon;
  };
  const [first, firstSql, full, fullSql, unchanged, rss]: [number[], number[], number[], number[], number[], number[]] = [[], [], [], [], [], []];
  for (const run of numbers(RUNS)) {
    await fresh(server, databases, tables);
    firstSql.push(byPsql(minimal(databases), applying));
    await fresh(server, databases, tables);
    const daemon = await started(applying);
    first.push(await lastDuration(daemon));
    rss.push(peakRss(daemon));
    await daemon.cycle();
    await daemon.stop();
    // What a new process knows nothing of yet it reads in full.
    const again = await started(reading);
    full.push(await lastDuration(again));
    fullSql.push(byPsql(everywhere(databases, READ), reading));
    await again.cycle();
    await again.cycle();
    unchanged.push(await lastDuration(again));
    await again.stop();
    if (run + 1 === RUNS) await clean(server, databases);
  }
  report(`first apply: ${databases} databases of ${tables} tables, ${ROLES.length} roles`, first, firstSql);
  said('first apply', applying);
  report('  all of them read in full', full, fullSql);
  said('read in full', reading);
  print(
    `  unchanged: cycle median ${median(unchanged).toFixed(0)} ms, ratio to psql reading all ${(median(unchanged) / median(fullSql)).toFixed(2)}; peak RSS ${median(rss).toFixed(0)} MiB`,
  );
  manifests.remove();
}

/** What the first apply and one that reads all ask for, on a server of its own: to count costs time. */
async function counted(databases: number, tables: number): Promise<void> {
  const server = await startPostgres({ settings: { log_statement: 'none', shared_buffers: '128MB', max_connections: '100', autovacuum: 'off', ...COUNTING } });
  await fresh(server, databases, tables);
  const manifests = new Manifests();
  manifests.users(grantsDocument(['small_*'], ROLES));
  const env = daemonEnv(server, manifests.folder, { MAX_DELETIONS: '1000' });
  for (const what of ['first apply', 'read in full']) {
    const before = await countsOf(server);
    const daemon = await startShipped(env);
    await waitForCycle(daemon);
    await daemon.stop();
    const after = await countsOf(server);
    print(`  ${what}: ${after.statements - before.statements} statements in ${after.sessions - before.sessions} sessions`);
  }
  manifests.remove();
  await server.stop();
}

async function clean(server: Postgres, databases: number): Promise<void> {
  for (const index of numbers(databases)) await server.query(`DROP DATABASE ${nameOf(index)} WITH (FORCE)`);
}

/** Runs it. */
export async function benchDatabases(): Promise<void> {
  const server = await startPostgres({ settings: { log_statement: 'none', shared_buffers: '128MB', max_connections: '100' } });
  for (const [databases, tables] of LOADS) {
    await manyDatabases(server, databases, tables);
    await counted(databases, tables);
  }
  await server.stop();
}
