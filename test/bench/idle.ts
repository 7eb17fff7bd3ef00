// The benchmark of doing nothing: what 100 databases that nobody changes cost an hour, and how many cycles a burst of changes by hand causes.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Daemon, daemonEnv, Manifests } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { cpuOf } from './load.ts';
import { median, postmaster, print, startShipped, untilGone, waitForCycle } from './support.ts';

const DATABASES = Array.from({ length: 100 }, (_, index) => `tenant_${index}`);
/** Two intervals of the default, and a part of a third. */
const WATCHED_MS = 75_000;
const metric = async (daemon: Daemon, name: string): Promise<number> =>
  Number(
    (await daemon.get('/metrics')).body
      .split('\n')
      .find((line) => line.startsWith(`postgres_controller_${name} `))
      ?.split(' ')
      .at(-1) ?? Number.NaN,
  );

async function idle(server: Postgres, folder: string, listeners: number): Promise<void> {
  const daemon = await startShipped(daemonEnv(server, folder, { SYNC_INTERVAL: '30', MAX_LISTENERS: String(listeners) }));
  await waitForCycle(daemon);
  for (const end = Date.now() + 60_000; (await metric(daemon, 'listeners{state="listening"}')) < listeners && Date.now() < end;) await sleep(200);
  await daemon.cycle();
  const at = (): readonly [number, number] => [cpuOf(daemon.process.pid ?? 0), cpuOf(postmaster(server))];
  const [ours, theirs] = at();
  server.mark();
  await sleep(WATCHED_MS);
  const [oursAfter, theirsAfter] = at();
  const log = server.log();
  const hour = 3_600 / 60;
  const messages = log.split('\n').filter((line) => line.includes('statement: ') || line.includes('execute ')).length;
  const logins = log.split('\n').filter((line) => line.includes('connection authorized')).length;
  print(
    `idle, 100 databases, ${listeners} of them listened in: ${Math.round(messages * hour)} messages and ${Math.round(logins * hour)} logins an hour, CPU an hour ${((oursAfter - ours) * hour).toFixed(0)} s (pgsteward), ${((theirsAfter - theirs) * hour).toFixed(0)} s (server)`,
  );
  if (listeners === DATABASES.length) {
    await repairs(server);
    await burst(server, daemon);
  }
  await daemon.stop();
}

/** How long changes by hand last, one by one. */
async function repairs(server: Postgres): Promise<void> {
  const hand = await server.client(DATABASES[7]);
  const lasts = async (count: number, sql: string, isWrong: string): Promise<readonly number[]> => {
    const times: number[] = [];
    for (let round = 0; round < count; round += 1) {
      // Notifications lead to one look in two seconds.
      await sleep(2000 + Math.random() * 1000);
      times.push(await untilGone(hand, sql, isWrong));
    }
    return times.toSorted((a, b) => a - b);
  };
  const show = (what: string, times: readonly number[]): void =>
    print(
      `${what}: gone after a median of ${median(times).toFixed(0)} ms, p99 ${(times.at(Math.ceil(times.length * 0.99) - 1) ?? 0).toFixed(0)} ms (${times.length} times)`,
    );
  show('a GRANT by hand on a table', await lasts(50, 'GRANT INSERT ON goods TO reader', `has_table_privilege('reader', 'goods', 'INSERT')`));
  show('a membership by hand', await lasts(20, 'GRANT reader TO operator', `pg_has_role('operator', 'reader', 'MEMBER')`));
  await hand.end();
}

/** Changes by hand in every database at once. */
async function burst(server: Postgres, daemon: Daemon): Promise<void> {
  const before = await metric(daemon, 'reconciliations_total');
  const hands = await Promise.all(DATABASES.slice(0, 20).map((name) => server.client(name)));
  await Promise.all(
    hands.map(async (client) => {
      for (let round = 0; round < 50; round += 1)
        await client.query(round % 2 === 0 ? 'GRANT INSERT ON goods TO reader' : 'REVOKE INSERT ON goods FROM reader');
      await client.end();
    }),
  );
  await sleep(5000);
  print(
    `a burst of 1,000 GRANT and REVOKE in 20 databases: ${(await metric(daemon, 'reconciliations_total')) - before} cycles, ${await metric(daemon, 'wakeups_joined_total')} wake-ups joined`,
  );
}

/** What it costs to wait, with a session in each database, with the default of ten, and with none. */
export async function benchIdle(): Promise<void> {
  const server = await startPostgres({ settings: { max_connections: '250', fsync: 'on', log_connections: 'on' } });
  for (const name of DATABASES) await server.query(`CREATE DATABASE ${name}`);
  for (const name of DATABASES) await server.query('CREATE TABLE goods (id int)', name);
  const manifests = new Manifests();
  manifests.users(
    JSON.stringify({
      roles: [{ name: 'reader', grants: [{ databases: ['tenant_*'], schemas: ['public'], tables: { goods: ['SELECT'] } }] }],
      users: [{ username: 'operator', login: false }],
    }),
  );
  for (const listeners of [DATABASES.length, 10, 0]) await idle(server, manifests.folder, listeners);
  manifests.remove();
  await server.stop();
}
