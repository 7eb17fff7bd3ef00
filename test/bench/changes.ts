// The benchmark of small changes: one user added, one entry edited, and one membership changed by hand, among a hundred users and among many.
import { daemonEnv, Manifests, type Daemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { MOST_DECLARED, nameOf, others, reset, rolesOf, usersDocument } from './many-users.ts';
import { lastDuration, median, numbers, print, psql, RUNS, startShipped, timed, untilGone, waitForCycle } from './support.ts';

const SIZES = (process.env['BENCH_SIZES'] ?? '100,1000,10000,50000').split(',').map(Number);
const READ = 'SELECT * FROM pg_authid; SELECT * FROM pg_auth_members';

interface Measured {
  readonly cycles: readonly number[];
  readonly psql: readonly number[];
}

async function among(server: Postgres, all: number): Promise<void> {
  await reset(server);
  const count = Math.min(all, MOST_DECLARED);
  await others(server, all - count);
  const manifests = new Manifests();
  manifests.users(usersDocument(count, false));
  const daemon = await startShipped(daemonEnv(server, manifests.folder, { LOG_LEVEL: 'debug' }));
  await waitForCycle(daemon);
  await settle(daemon);
  const hand = await server.client();
  const read: number[] = [];
  for (const _ of numbers(RUNS)) read.push(await timed(hand, READ));
  const said = count < all ? `${all}, ${count} of them ours` : String(all);
  const say = (what: string, { cycles, psql: theirs }: Measured): void =>
    print(
      `${what} among ${said}: cycle median ${median(cycles).toFixed(0)} ms, one read of pg_authid and pg_auth_members ${median(read).toFixed(1)} ms, ratio ${(median(cycles) / median(read)).toFixed(1)}; psql as a process ${median(theirs).toFixed(0)} ms`,
    );
  say('one user added', await added(server, manifests, daemon, count));
  say('one entry edited', await edited(server, manifests, daemon, count));
  say('one membership by hand', await byHand(server, daemon, async (sql) => void (await hand.query(sql))));
  const found: number[] = [];
  for (const run of numbers(RUNS)) found.push(await untilGone(hand, memberOf(run), `pg_has_role('${nameOf(run)}', 'role-0001', 'MEMBER')`));
  if (rolesOf(count) > 1) print(`one membership by hand among ${said}, found by itself: gone after a median of ${median(found).toFixed(0)} ms`);
  await hand.end();
  await daemon.stop();
  manifests.remove();
}

/** A membership that the document does not have: these are in the roles 0 and 2 and so on. */
const memberOf = (run: number): string => `GRANT "role-0001" TO "${nameOf(run * 2)}"`;

async function settle(daemon: Daemon): Promise<void> {
  for (let cycle = 0; cycle < 2; cycle += 1) await daemon.cycle();
}

async function cycled(daemon: Daemon): Promise<number> {
  await daemon.cycle();
  const took = await lastDuration(daemon);
  await settle(daemon);
  return took;
}

async function added(server: Postgres, manifests: Manifests, daemon: Daemon, count: number): Promise<Measured> {
  const [cycles, theirs]: [number[], number[]] = [[], []];
  for (const run of numbers(RUNS)) {
    theirs.push(psql(server, ['-c', `CREATE ROLE peer_${count}_${run}; GRANT "role-0000" TO peer_${count}_${run}; DROP ROLE peer_${count}_${run}`]));
    await settle(daemon);
    manifests.users(usersDocument(count + run + 1, false, rolesOf(count)));
    cycles.push(await cycled(daemon));
  }
  return { cycles, psql: theirs };
}

async function edited(server: Postgres, manifests: Manifests, daemon: Daemon, count: number): Promise<Measured> {
  const [cycles, theirs]: [number[], number[]] = [[], []];
  const document = usersDocument(count + RUNS, false, rolesOf(count));
  for (const run of numbers(RUNS)) {
    theirs.push(psql(server, ['-c', `ALTER ROLE "${nameOf(1)}" CONNECTION LIMIT ${run + 1}; ALTER ROLE "${nameOf(1)}" CONNECTION LIMIT -1`]));
    await settle(daemon);
    manifests.users(document.replace(`{username: ${nameOf(0)},`, `{username: ${nameOf(0)}, connectionLimit: ${run + 1},`));
    cycles.push(await cycled(daemon));
  }
  return { cycles, psql: theirs };
}

async function byHand(server: Postgres, daemon: Daemon, query: (sql: string) => Promise<void>): Promise<Measured> {
  const [cycles, theirs]: [number[], number[]] = [[], []];
  for (const run of numbers(RUNS)) {
    theirs.push(psql(server, ['-c', `${memberOf(run)}; REVOKE "role-0001" FROM "${nameOf(run * 2)}"`]));
    await settle(daemon);
    await query(memberOf(run));
    cycles.push(await cycled(daemon));
  }
  return { cycles, psql: theirs };
}

/** What a small change costs as the state grows. */
export async function benchChanges(): Promise<void> {
  const server = await startPostgres({ settings: { log_statement: 'none', fsync: 'on', shared_buffers: '128MB', max_locks_per_transaction: '512' } });
  for (const count of SIZES) await among(server, count);
  await server.stop();
}
