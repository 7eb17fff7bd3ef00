// The benchmark of users: 10,000 in 500 roles on a server of its own, each measure beside psql doing the same work in the same run.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVerifier } from '../../src/model/scram.ts';
import { daemonEnv, Manifests } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { minimalSql, nameOf, passwordsOf, reset, usersDocument } from './many-users.ts';
import { lastDuration, median, peakRss, print, psql, report, RUNS, startShipped, timed, waitForCycle } from './support.ts';

const USERS = Number(process.env['BENCH_USERS'] ?? 10_000);
const PASSWORD_RUNS = Number(process.env['BENCH_PASSWORD_RUNS'] ?? RUNS);

async function firstApply(server: Postgres, count: number, login: boolean, runs = RUNS): Promise<void> {
  const manifests = new Manifests();
  if (login) manifests.secrets(passwordsOf(count));
  manifests.users(usersDocument(count, login));
  const sqlFile = join(manifests.folder, '.minimal.sql');
  writeFileSync(sqlFile, minimalSql(login ? await verifiersOf(count) : undefined, count));
  const [ours, theirs, rss]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < runs; run += 1) {
    await reset(server);
    theirs.push(psql(server, ['-f', sqlFile]));
    await reset(server);
    const daemon = await startShipped(daemonEnv(server, manifests.folder, { LOG_LEVEL: 'debug', MAX_DELETIONS: '100000' }));
    await waitForCycle(daemon);
    ours.push(await lastDuration(daemon));
    rss.push(peakRss(daemon));
    await daemon.stop();
  }
  manifests.remove();
  report(`first apply of ${count} users ${login ? 'with' : 'without'} passwords`, ours, theirs);
  print(`  peak RSS of the daemon: ${median(rss).toFixed(0)} MiB (largest ${Math.max(...rss).toFixed(0)})`);
}

async function verifiersOf(count: number): Promise<ReadonlyMap<string, string>> {
  const verifiers = new Map<string, string>();
  for (const [user, password] of passwordsOf(count)) verifiers.set(user, await createVerifier(password, { iterations: 4096 }));
  return verifiers;
}

async function unchangedCycle(server: Postgres, count: number): Promise<void> {
  await reset(server);
  const manifests = new Manifests();
  manifests.users(usersDocument(count, true));
  manifests.secrets(passwordsOf(count));
  const daemon = await startShipped(daemonEnv(server, manifests.folder, { LOG_LEVEL: 'debug' }));
  await waitForCycle(daemon);
  const [ours, full, select]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < 3; run += 1) await daemon.cycle();
  const sql = 'SELECT * FROM pg_authid; SELECT * FROM pg_auth_members';
  const client = await server.client();
  for (let run = 0; run < RUNS * 2; run += 1) {
    await daemon.cycle();
    ours.push(await lastDuration(daemon));
    select.push(await timed(client, sql));
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
      const user = nameOf(run * 7);
      const verifier = await createVerifier(`rotated ${run}`, { iterations: 4096 });
      alter.push(psql(server, ['-c', `ALTER ROLE "${nameOf(run * 7 + 1)}" PASSWORD '${verifier}'`]));
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

/** Runs it. */
export async function benchUsers(): Promise<void> {
  // psql puts everything into one transaction, which the default lock table has no room for.
  // The server's log of every statement would weigh on both sides alike, but is no part of what is measured.
  const server = await startPostgres({ settings: { log_statement: 'none', fsync: 'on', shared_buffers: '128MB', max_locks_per_transaction: '512' } });
  for (const count of new Set([100, 1000, USERS])) await unchangedCycle(server, count);
  await firstApply(server, 1000, true);
  await firstApply(server, USERS, false);
  await firstApply(server, USERS, true, PASSWORD_RUNS);
  await server.stop();
}
