// The benchmark of verbs: plan, who-can and import on a server with 10,000 users and 350,000 entries of ACLs, each beside one read of its catalogs in the same run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '../../src/config.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { readWhole } from '../../src/steward/import-server.ts';
import { readerOf } from '../../src/steward/read-for-plan.ts';
import { serverOf } from '../../src/steward/server.ts';
import { ROOT } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { median, numbers, print, PROGRAM, psql, RUNS } from './support.ts';

const USERS = Number(process.env['BENCH_USERS'] ?? 10_000);
const GROUPS = Math.max(1, Math.floor(USERS / 20));
const SCHEMAS = numbers(50).map((index) => `s${String(index).padStart(2, '0')}`);
const HOLDERS = numbers(32).map((index) => `holder_${String(index).padStart(2, '0')}`);
const user = (index: number): string => `user_${String(index).padStart(5, '0')}`;
const group = (index: number): string => (index < HOLDERS.length ? (HOLDERS[index] ?? '') : `group_${String(index).padStart(4, '0')}`);

/** 2,000 tables and 3,000 functions of an application, and what 32 roles hold on each. */
const OBJECTS = [
  'SET ROLE app_owner',
  ...SCHEMAS.flatMap((schema) => [
    `CREATE SCHEMA ${schema}`,
    ...numbers(40).map((index) => `CREATE TABLE ${schema}.table_${index} (id int, note text)`),
    ...numbers(60).map((index) => `CREATE FUNCTION ${schema}.function_${index}(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'`),
  ]),
  ...[SCHEMAS.join(', ')].flatMap((schemas) => [
    `GRANT USAGE ON SCHEMA ${schemas} TO ${HOLDERS.join(', ')}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schemas} TO ${HOLDERS.join(', ')}`,
    `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${schemas} TO ${HOLDERS.join(', ')}`,
    `ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA ${schemas} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${HOLDERS.join(', ')}`,
    `ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA ${schemas} GRANT EXECUTE ON FUNCTIONS TO ${HOLDERS.join(', ')}`,
  ]),
].join(';\n');

async function fill(server: Postgres): Promise<void> {
  const members = Map.groupBy(numbers(USERS), (index) => group(index % GROUPS));
  await server.query(
    [
      'CREATE ROLE app_owner',
      ...[...members.keys()].map((name) => `CREATE ROLE ${name}`),
      ...HOLDERS.filter((name) => !members.has(name)).map((name) => `CREATE ROLE ${name}`),
      ...numbers(USERS).map((index) => `CREATE ROLE ${user(index)} LOGIN`),
      ...[...members].map(([name, list]) => `GRANT ${name} TO ${list.map(user).join(', ')}`),
    ].join(';\n'),
  );
  await server.query('CREATE DATABASE bench OWNER app_owner');
  await server.query(`GRANT CONNECT ON DATABASE bench TO ${numbers(USERS).map(user).join(', ')}`);
  await server.query(OBJECTS, 'bench');
  for (const database of ['bench', 'postgres']) await server.query('VACUUM ANALYZE', database).catch(() => undefined);
}

/** The document as somebody would write it. */
const written = (): string =>
  [
    'roles:',
    ...HOLDERS.map((name) => `- {name: ${name}, grants: [{schemas: ['s*'], tables: {'*': [SELECT, INSERT, UPDATE, DELETE]}, functions: {'*': [EXECUTE]}}]}`),
    'users:',
    ...numbers(USERS).map((index) => `- {username: ${user(index)}, password: none, roles: [${group(index % GROUPS)}]}`),
    '',
  ].join('\n');

/** One read of the catalogs, as quick as it can be asked (aclexplode unpacks what is stored anew for each entry): every role, every membership, and every entry of every ACL with its names. */
const READ = [
  'SELECT * FROM pg_authid; SELECT * FROM pg_auth_members; SELECT * FROM pg_db_role_setting',
  ...[
    ['datname', 'datacl', 'pg_database o', 'true'],
    ['nspname', 'nspacl', 'pg_namespace o', 'true'],
    ['relname', 'relacl', 'pg_class o JOIN pg_namespace n ON n.oid = relnamespace', `nspname !~ '^pg_' AND nspname <> 'information_schema'`],
    ['proname', 'proacl', 'pg_proc o JOIN pg_namespace n ON n.oid = pronamespace', `nspname !~ '^pg_' AND nspname <> 'information_schema'`],
    ['defaclobjtype', 'defaclacl', 'pg_default_acl o', 'true'],
  ].map(
    ([name, acl, from, where]) =>
      `SELECT ${name}, pg_get_userbyid(x.grantee), pg_get_userbyid(x.grantor), x.privilege_type, x.is_grantable FROM ${from} CROSS JOIN LATERAL aclexplode(${acl} || '{}'::aclitem[]) x WHERE ${acl} IS NOT NULL AND ${where}`,
  ),
].join('; ');

interface Measured {
  readonly ms: number;
  readonly rss: number;
  readonly code: number | null;
}

/** A verb as the image has it, in a process of its own. @param output where its standard output goes. */
async function verb(server: Postgres, args: readonly string[], output: string): Promise<Measured> {
  const began = performance.now();
  const env = { ...process.env, DB_HOST: server.host, DB_PORT: String(server.port), DB_NAME: 'bench', DB_USER: server.user, DB_PASS: server.password };
  const child = spawn(join(ROOT, 'node_modules/.bin/node'), [...(process.env['BENCH_FLAGS']?.split(' ') ?? []), PROGRAM, ...args], {
    env,
    stdio: ['ignore', openSync(output, 'w'), openSync(`${output}.said`, 'w')],
  });
  let [rss, ended] = [0, false];
  const end = (once(child, 'exit') as Promise<[number | null]>).then(([code]) => {
    ended = true;
    return code;
  });
  while (!ended) {
    rss = Math.max(rss, peakOf(child.pid ?? 0));
    await Promise.race([end, sleep(10)]);
  }
  return { ms: performance.now() - began, rss, code: await end };
}

/** Milliseconds in which our own reader has read every role and every ACL, once. */
async function ownRead(server: Postgres): Promise<number> {
  const config = readConfig({ DB_HOST: server.host, DB_PORT: String(server.port), DB_NAME: 'bench', DB_USER: server.user, DB_PASS: server.password });
  const connections = createConnections(config.server, () => undefined);
  const began = performance.now();
  await readWhole(readerOf(serverOf(config, connections), { remembered: new Map(), missing: () => [], triggerDatabases: new Set() }));
  const took = performance.now() - began;
  await connections.close();
  return took;
}

/** MiB at most so far; 0 of what has ended. */
function peakOf(pid: number): number {
  try {
    return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** Runs it. */
export async function benchVerbs(): Promise<void> {
  const server = await startPostgres({ settings: { log_statement: 'none', shared_buffers: '128MB', max_locks_per_transaction: '1024' } });
  await fill(server);
  const [counted] = await server.query<{ entries: number }>(
    'SELECT ((SELECT count(*) FROM pg_class, aclexplode(relacl)) + (SELECT count(*) FROM pg_proc, aclexplode(proacl)) + (SELECT count(*) FROM pg_database, aclexplode(datacl)))::int AS entries',
    'bench',
  );
  print(`PostgreSQL ${server.major}, Node ${process.version}, ${RUNS} runs: ${USERS} users, ${counted?.entries} entries of ACLs in one database`);
  const folder = scratch('bench');
  const document = join(folder, 'users.yaml');
  writeFileSync(document, written());
  const verbs: readonly (readonly [string, readonly string[], number])[] = [
    ['plan', ['plan', '--document', document, '--without-secrets'], 3],
    ['who-can', ['who-can', 'SELECT', 'bench.s07.table_7'], 1.5],
    ['import', ['import'], 5],
  ];
  const [reads, ours]: [number[], number[]] = [[], []];
  const found = new Map(verbs.map(([name]) => [name, [] as Measured[]]));
  for (let run = 0; run < RUNS; run += 1) {
    reads.push(psql(server, ['-At', '-c', READ], 'bench'));
    ours.push(await ownRead(server));
    for (const [name, args] of verbs) found.get(name)?.push(await verb(server, args, join(folder, name)));
  }
  const [read, own] = [median(reads), median(ours)];
  print(`  one read of the catalogs by psql, every entry of every ACL: median ${read.toFixed(0)} ms (runs: ${reads.map((ms) => ms.toFixed(0)).join(' ')})`);
  print(`  one read by our own reader, without the start of a process: median ${own.toFixed(0)} ms (runs: ${ours.map((ms) => ms.toFixed(0)).join(' ')})`);
  for (const [name, , goal] of verbs) {
    const runs = found.get(name) ?? [];
    const ms = median(runs.map((one) => one.ms));
    print(
      `  ${name}: median ${ms.toFixed(0)} ms, ratio ${(ms / read).toFixed(2)} to psql, ${(ms / own).toFixed(2)} to our reader (goal ${goal}); peak RSS ${Math.max(...runs.map(({ rss }) => rss)).toFixed(0)} MiB (goal 400); exit ${runs.map(({ code }) => code).join(' ')} (runs: ${runs.map((one) => one.ms.toFixed(0)).join(' ')})`,
    );
  }
  const lines = readFileSync(join(folder, 'import'), 'utf8').split('\n').length - 1;
  print(`  the document of import: ${lines} lines; ${readFileSync(join(folder, 'import.said'), 'utf8').split('\n').at(-2)}`);
  if (process.env['BENCH_KEEP'] !== undefined) cpSync(folder, process.env['BENCH_KEEP'], { recursive: true });
  await server.stop();
}
