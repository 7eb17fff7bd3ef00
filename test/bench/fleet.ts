// The benchmark of many servers in one process: memory, processor time and statements while nothing happens, and how long one change on each of all takes.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { entryOf, FleetFolder, type FleetShown } from '../fleet/folder.ts';
import type { Daemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { cpuOf } from './load.ts';
import { median, numbers, peakRss, print, startShipped } from './support.ts';

const SIZES = (process.env['BENCH_SERVERS'] ?? '1,60').split(',').map(Number);
/** Two intervals of the default, and a part of a third. */
const WATCHED_MS = 75_000;
/** Small ones, as many of them share a machine. */
const SETTINGS = { shared_buffers: '1MB', max_connections: '12', max_worker_processes: '0', autovacuum: 'off', wal_buffers: '64kB', max_wal_senders: '0' };

const shownBy = async (daemon: Daemon): Promise<FleetShown> => JSON.parse((await daemon.get('/status')).body) as FleetShown;

async function settled(daemon: Daemon, count: number): Promise<void> {
  for (;;) {
    const { servers } = await shownBy(daemon).catch(() => ({ servers: {} as FleetShown['servers'] }));
    if (Object.values(servers).filter(({ lastCycle }) => lastCycle?.result === 'converged').length === count) return;
    await sleep(100);
  }
}

const rss = ({ process: { pid } }: Daemon): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
const postmaster = ({ dataDir }: Postgres): number => Number(readFileSync(`${dataDir}/postmaster.pid`, 'utf8').split('\n')[0]);
const users = (count: number): readonly object[] => numbers(count).map((index) => ({ username: `user_${index}`, login: false, roles: ['readers'] }));
const GRANTS = { roles: [{ name: 'readers', grants: [{ database: 'postgres', schemas: ['public'], tables: { '*': ['SELECT'] } }] }] };

async function many(servers: readonly Postgres[]): Promise<void> {
  const folder = new FleetFolder();
  for (const [index, server] of servers.entries()) {
    folder.admin(`s${index}-admin`, server);
    folder.document(`s${index}-users`, users(20), GRANTS);
  }
  folder.servers(servers.map((_, index) => entryOf(`s${index}`)));
  const daemon = await startShipped({
    SOURCE: `dir:${folder.folder}`,
    SERVERS_CONFIGMAP: 'servers',
    STATE_FILE: `${folder.folder}/.state.json`,
    HTTP_HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
  });
  const began = performance.now();
  await settled(daemon, servers.length);
  const all = `${servers.length} server(s)`;
  print(`${all}: all as declared ${((performance.now() - began) / 1000).toFixed(1)} s after the process began, peak RSS ${peakRss(daemon).toFixed(0)} MiB`);
  await sleep(5000);
  const cpu = (): readonly [number, number] => [cpuOf(daemon.process.pid ?? 0), servers.reduce((sum, server) => sum + cpuOf(postmaster(server)), 0)];
  const before = cpu();
  for (const server of servers) server.mark();
  await sleep(WATCHED_MS);
  const after = cpu();
  const statements = servers.reduce(
    (sum, server) =>
      sum +
      server
        .log()
        .split('\n')
        .filter((line) => line.includes('statement: ') || line.includes('execute ')).length,
    0,
  );
  const perMinute = 60_000 / WATCHED_MS;
  print(
    `${all}, idle: RSS ${rss(daemon).toFixed(0)} MiB, CPU a minute ${((after[0] - before[0]) * perMinute).toFixed(2)} s (pgsteward), ${((after[1] - before[1]) * perMinute).toFixed(2)} s (all servers), ${Math.round((statements * perMinute * 60) / servers.length)} messages an hour to each`,
  );
  const busy = cpu();
  for (const [index] of servers.entries()) folder.document(`s${index}-users`, users(21), GRANTS);
  const edited = Date.now();
  daemon.process.kill('SIGHUP');
  const times: number[] = [];
  for (const server of servers) {
    for (;;) {
      const [row] = await server.query<{ at: string }>(
        `SELECT extract(epoch FROM min(at))::text AS at FROM pgsteward.audit_log WHERE role = 'user_20' AND outcome = 'applied'`,
      );
      if (row?.at != null) {
        times.push(Number(row.at) * 1000 - edited);
        break;
      }
      await sleep(100);
    }
  }
  await settled(daemon, servers.length);
  const done = cpu();
  print(
    `${all}, one user more on each at once: there after ${median(times).toFixed(0)} ms (median), ${Math.max(...times).toFixed(0)} ms (last); CPU ${(done[0] - (busy[0] ?? 0)).toFixed(2)} s, peak RSS ${peakRss(daemon).toFixed(0)} MiB`,
  );
  await daemon.stop();
}

/** What a fleet costs; BENCH_SERVERS says how many there are. */
export async function benchFleet(): Promise<void> {
  const servers: Postgres[] = [];
  for (const count of SIZES) {
    while (servers.length < count) servers.push(await startPostgres({ settings: SETTINGS }));
    await many(servers.slice(0, count));
    for (const server of servers) await server.query('DROP SCHEMA IF EXISTS pgsteward CASCADE');
  }
  await Promise.all(servers.map((server) => server.stop()));
}
