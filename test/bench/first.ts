// What a first apply costs: processor time of ours and of the server, statements and WAL, beside psql doing the least SQL. Walls tell nothing beside others.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createVerifier } from '../../src/model/scram.ts';
import { daemonEnv, Manifests, startDaemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { cpuOf } from './load.ts';
import { minimalSql, passwordsOf, reset, usersDocument } from './many-users.ts';
import { fresh, grantsDocument, makeTemplate, minimalOf, ORDINARY, rolesOf } from './privileges.ts';
import { median, numbers, postmaster, psql, RUNS, startShipped } from './support.ts';

/** Where profiles of our process go: one of the sources, and not of what is shipped. */
const PROFILES = process.env['BENCH_PROFILES'];
/** Statements are counted by an extension that costs time itself. */
const COUNTS_STATEMENTS = process.env['BENCH_STATEMENTS'] === 'on';

interface Load {
  readonly name: string;
  readonly document: string;
  readonly passwords?: ReadonlyMap<string, string>;
  readonly sql: string;
  readonly database: string;
  readonly reset: (server: Postgres) => Promise<void>;
}

interface Cost {
  readonly wall: number;
  readonly ours: number;
  readonly theirs: number;
  readonly statements: number;
  readonly wal: number;
}

async function loads(server: Postgres): Promise<readonly Load[]> {
  const passwords = passwordsOf(1000);
  const verifiers = new Map<string, string>();
  for (const [user, password] of passwords) verifiers.set(user, await createVerifier(password, { iterations: 4096 }));
  await server.query('CREATE ROLE app_owner; ');
  await makeTemplate(server, ORDINARY);
  const roles = rolesOf(ORDINARY);
  const users = { database: 'postgres', reset };
  return [
    { ...users, name: '1,000 users with passwords', document: usersDocument(1000, true), passwords, sql: minimalSql(verifiers, 1000) },
    { ...users, name: '10,000 users in 500 roles', document: usersDocument(10_000, false), sql: minimalSql(undefined, 10_000) },
    { name: '50 schemas, 1,000 tables', document: grantsDocument(['bench'], roles), sql: minimalOf(roles), database: 'bench', reset: fresh },
  ];
}

const positionOf = async (server: Postgres): Promise<number> =>
  Number((await server.query<{ at: string }>(`SELECT pg_current_wal_insert_lsn() - '0/0' AS at`))[0]?.at ?? 0);

/** Statements since they were last asked for, the longest first. */
async function statements(server: Postgres): Promise<readonly { readonly calls: number; readonly ms: number; readonly query: string }[]> {
  if (!COUNTS_STATEMENTS) return [];
  const rows = await server.query<{ calls: string; ms: number; query: string }>(
    `SELECT calls, total_exec_time + total_plan_time AS ms, regexp_replace(left(query, 150), '\\s+', ' ', 'g') AS query FROM pg_stat_statements WHERE query !~ 'pg_stat_statements|insert_lsn' ORDER BY ms DESC`,
  );
  await server.query('SELECT pg_stat_statements_reset()');
  return rows.map(({ calls, ...row }) => ({ ...row, calls: Number(calls) }));
}

/** @param work what it answers is our own part of it. */
async function costOf(server: Postgres, work: () => Promise<Pick<Cost, 'wall' | 'ours'>>, shows: boolean): Promise<Cost> {
  await statements(server);
  const [before, from] = [cpuOf(postmaster(server)), await positionOf(server)];
  const own = await work();
  // What a session has used is the server's only once it has ended.
  const others = `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
  while ((await server.query(others)).length > 0) await sleep(50);
  const theirs = (cpuOf(postmaster(server)) - before) * 1000;
  const wal = ((await positionOf(server)) - from) / 1e6;
  const list = await statements(server);
  if (shows)
    for (const { calls, ms, query } of list.slice(0, 25)) process.stdout.write(`    ${ms.toFixed(1).padStart(8)} ms ${String(calls).padStart(6)} × ${query}\n`);
  return { ...own, theirs, wal, statements: list.reduce((sum, { calls }) => sum + calls, 0) };
}

async function ours(server: Postgres, load: Load): Promise<Pick<Cost, 'wall' | 'ours'>> {
  const manifests = new Manifests();
  if (load.passwords !== undefined) manifests.secrets(load.passwords);
  manifests.users(load.document);
  const env = daemonEnv(server, manifests.folder, { MAX_DELETIONS: '100000' });
  const profiled = PROFILES === undefined ? undefined : ['--cpu-prof', `--cpu-prof-dir=${PROFILES}`, join(import.meta.dirname, '../../src/main.ts')];
  const daemon = await (profiled === undefined ? startShipped(env) : startDaemon(env, profiled));
  // By its log alone: whoever asks it costs it time as well.
  while (!daemon.output().includes('reconciliation summary')) await sleep(20);
  const wall = Number(daemon.lines().findLast((line) => line.message === 'reconciliation summary')?.['duration']) * 1000;
  // From the start of the process to the end of its first cycle and of what is said of it.
  const cpu = cpuOf(daemon.process.pid ?? 0) * 1000;
  await daemon.stop();
  manifests.remove();
  return { wall, ours: cpu };
}

const show = (what: string, costs: readonly Cost[]): void => {
  const of = (key: keyof Cost, digits = 0): string =>
    median(costs.map((cost) => cost[key]))
      .toFixed(digits)
      .padStart(6);
  const counted = COUNTS_STATEMENTS ? `, ${of('statements')} statements` : '';
  process.stdout.write(
    `  ${what.padEnd(10)} CPU ${of('ours')} ms, of the server ${of('theirs')} ms, WAL ${of('wal', 1)} MB${counted}, wall ${of('wall')} ms\n`,
  );
};

const server = await startPostgres({
  settings: {
    log_statement: 'none',
    fsync: 'on',
    shared_buffers: '128MB',
    max_locks_per_transaction: '1024',
    // What it does beside, and when, would be told as the cost of whoever is measured.
    autovacuum: 'off',
    max_wal_size: '4GB',
    ...(COUNTS_STATEMENTS ? { shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.max': '50000' } : {}),
  },
});
if (COUNTS_STATEMENTS) await server.query('CREATE EXTENSION pg_stat_statements');
const file = join(new Manifests().folder, 'minimal.sql');
mkdirSync(join(file, '..'), { recursive: true });
const only = process.env['BENCH_LOADS']?.split(',').map(Number);
for (const [index, load] of (await loads(server)).entries()) {
  if (only?.includes(index) === false) continue;
  process.stdout.write(`${load.name}\n`);
  writeFileSync(file, load.sql);
  const [own, least]: [Cost[], Cost[]] = [[], []];
  for (const run of numbers(RUNS)) {
    const isLast = run + 1 === RUNS;
    await load.reset(server);
    least.push(await costOf(server, async () => ({ wall: psql(server, ['-f', file], load.database), ours: 0 }), isLast));
    await load.reset(server);
    own.push(await costOf(server, () => ours(server, load), isLast));
  }
  show('psql', least);
  show('pgsteward', own);
}
await server.stop();
process.exit(0);
