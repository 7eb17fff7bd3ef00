// The benchmark of users: 10,000 in 500 roles on a server of its own, each measure beside psql doing the same work in the same run.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVerifier } from '../../src/model/scram.ts';
import { daemonEnv, Manifests } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { lastDuration, median, peakRss, print, psql, report, RUNS, startShipped, waitForCycle } from './support.ts';

const USERS = Number(process.env['BENCH_USERS'] ?? 10_000);
const ROLES = Math.max(1, USERS / 20);
const PASSWORD_RUNS = Number(process.env['BENCH_PASSWORD_RUNS'] ?? RUNS);

const name = (index: number): string => `user-${String(index).padStart(5, '0')}`;
const roleOf = (index: number): string => `role-${String(index % ROLES).padStart(4, '0')}`;
/** The least SQL that has the same effect: one transaction, memberships and CONNECT with all grantees in one statement each. */
function minimalSql(verifiers: ReadonlyMap<string, string> | undefined, count: number): string {
  const users = Array.from({ length: count }, (_, index) => index);
  const members = Map.groupBy(users, roleOf);
  return [
    'BEGIN',
    ...[...members.keys()].map((role) => `CREATE ROLE "${role}"`),
    ...users.map((index) => `CREATE ROLE "${name(index)}" LOGIN${verifiers === undefined ? '' : ` PASSWORD '${verifiers.get(name(index))}'`}`),
    ...[...members].map(([role, list]) => `GRANT "${role}" TO ${list.map((index) => `"${name(index)}"`).join(', ')}`),
    `GRANT CONNECT ON DATABASE postgres TO ${users.map((index) => `"${name(index)}"`).join(', ')}`,
    'COMMIT;\n',
  ].join(';\n');
}

const document = (count: number, login: boolean): string =>
  `users:\n${Array.from({ length: count }, (_, index) => `- {username: ${name(index)}, roles: [${roleOf(index)}]${login ? '' : ', login: false'}}`).join('\n')}\n`;

async function firstApply(server: Postgres, manifests: Manifests, login: boolean, sqlFile: string, runs: number): Promise<void> {
  const [ours, theirs, rss]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < runs; run += 1) {
    await reset(server);
    theirs.push(psql(server, ['-f', sqlFile]));
    await reset(server);
    manifests.users(document(USERS, login));
    const daemon = await startShipped(daemonEnv(server, manifests.folder, { LOG_LEVEL: 'debug', MAX_DELETIONS: '100000' }));
    await waitForCycle(daemon);
    ours.push(await lastDuration(daemon));
    rss.push(peakRss(daemon));
    await daemon.stop();
  }
  report(`first apply of ${USERS} users ${login ? 'with' : 'without'} passwords`, ours, theirs);
  print(`  peak RSS of the daemon: ${median(rss).toFixed(0)} MiB (largest ${Math.max(...rss).toFixed(0)})`);
}

/** Everything gone, quickly: the catalogs are cut to what initdb made. */
async function reset(server: Postgres): Promise<void> {
  await server.query('DROP SCHEMA IF EXISTS pgsteward CASCADE');
  const rows = await server.query<{ list: string }>(`SELECT string_agg(quote_ident(rolname), ', ') AS list FROM pg_roles WHERE rolname ~ '^(user|role)-'`);
  const list = rows[0]?.list;
  if (list) {
    await server.query(`REVOKE CONNECT ON DATABASE postgres FROM ${list}`);
    const names = list.split(', ');
    for (let start = 0; start < names.length; start += 1000) await server.query(`DROP ROLE ${names.slice(start, start + 1000).join(', ')}`);
  }
  await server.query('VACUUM FULL pg_authid; ').catch(() => undefined);
  await server.query('VACUUM pg_auth_members').catch(() => undefined);
}

async function unchangedCycle(server: Postgres, count: number): Promise<void> {
  await reset(server);
  const manifests = new Manifests();
  manifests.users(document(count, true));
  manifests.secrets(passwords(count));
  const daemon = await startShipped(daemonEnv(server, manifests.folder, { LOG_LEVEL: 'debug' }));
  await waitForCycle(daemon);
  const [ours, full, select]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < 3; run += 1) await daemon.cycle();
  const sql = 'SELECT * FROM pg_authid; SELECT * FROM pg_auth_members';
  const client = await server.client();
  for (let run = 0; run < RUNS * 2; run += 1) {
    await daemon.cycle();
    ours.push(await lastDuration(daemon));
    // Timed in a session that is open already, as the daemon's is; psql would add its own start.
    const began = performance.now();
    await (client.query({ text: sql, rowMode: 'array' }) as Promise<unknown>);
    select.push(performance.now() - began);
    // Something unrelated changes, so that everything has to be read and compared again.
    await client.query(run % 2 === 0 ? 'CREATE ROLE bystander' : 'DROP ROLE bystander');
    await daemon.cycle();
    full.push(await lastDuration(daemon));
    await daemon.cycle();
  }
  await client.end();
  print(
    `unchanged cycle of ${count} users: median ${median(ours).toFixed(1)} ms, one SELECT of pg_authid and pg_auth_members ${median(select).toFixed(1)} ms, ratio ${(median(ours) / median(select)).toFixed(2)}; after an unrelated change (all is read and compared) ${median(full).toFixed(1)} ms, ratio ${(median(full) / median(select)).toFixed(2)}`,
  );
  if (count === USERS) {
    const [rotated, alter]: [number[], number[]] = [[], []];
    for (let run = 0; run < RUNS; run += 1) {
      const user = name(run * 7);
      const verifier = await createVerifier(`rotated ${run}`, { iterations: 4096 });
      alter.push(psql(server, ['-c', `ALTER ROLE "${name(run * 7 + 1)}" PASSWORD '${verifier}'`]));
      manifests.secret(user, `rotated ${run}`);
      await daemon.cycle();
      rotated.push(await lastDuration(daemon));
      await daemon.cycle();
      await daemon.cycle();
    }
    report(`one rotated Secret among ${count}`, rotated, alter);
    print(`  peak RSS of the daemon: ${peakRss(daemon).toFixed(0)} MiB`);
    await daemon.stop();
    const began = performance.now();
    const again = await startShipped(daemonEnv(server, manifests.folder, { LOG_LEVEL: 'debug' }));
    await waitForCycle(again);
    const took = performance.now() - began;
    print(
      `restart with ${count} users and nothing changed: first cycle ${(await lastDuration(again)).toFixed(0)} ms, ${took.toFixed(0)} ms from the start of the process; peak RSS ${peakRss(again).toFixed(0)} MiB`,
    );
    await again.stop();
  } else await daemon.stop();
  manifests.remove();
}

const passwords = (count: number): Map<string, string> => new Map(Array.from({ length: count }, (_, index) => [name(index), `password ${index}`]));

/** Runs it. */
export async function benchUsers(): Promise<void> {
  // psql puts everything into one transaction, which the default lock table has no room for.
  // The server's log of every statement would weigh on both sides alike, but is no part of what is measured.
  const server = await startPostgres({ settings: { log_statement: 'none', fsync: 'on', shared_buffers: '128MB', max_locks_per_transaction: '512' } });
  const manifests = new Manifests();
  manifests.secrets(passwords(USERS));
  const plainFile = join(manifests.folder, '.plain.sql');
  writeFileSync(plainFile, minimalSql(undefined, USERS));
  print(`PostgreSQL ${server.major}, Node ${process.version}, ${RUNS} runs`);
  for (const count of new Set([100, 1000, USERS])) await unchangedCycle(server, count);
  await reset(server);
  await firstApply(server, manifests, false, plainFile, RUNS);
  const verifiers = new Map<string, string>();
  for (const [user, password] of passwords(USERS)) verifiers.set(user, await createVerifier(password, { iterations: 4096 }));
  const passwordFile = join(manifests.folder, '.passwords.sql');
  writeFileSync(passwordFile, minimalSql(verifiers, USERS));
  await firstApply(server, manifests, true, passwordFile, PASSWORD_RUNS);
  manifests.remove();
  await server.stop();
}
