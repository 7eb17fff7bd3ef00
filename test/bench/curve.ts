// The curve: what a cycle costs after one entry was edited, by how many there are. One cycle is one call, in this process: its CPU is that of a cycle alone.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GCProfiler } from 'node:v8';
import { readConfig } from '../../src/config.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { createResidents } from '../../src/postgres/residents.ts';
import { createDirectorySource } from '../../src/sources/directory.ts';
import { createReconciler } from '../../src/steward/reconcile.ts';
import type { Woken } from '../../src/model/wake.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { daemonEnv, Manifests } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { median, print, RUNS } from './support.ts';

const SIZES = (process.env['CURVE_SIZES'] ?? '100,1000,10000').split(',').map(Number);
/** The document is a file of the folder, in place of what an API server would answer. */
const FROM_FILES = process.env['CURVE_FILES'] === 'on';
const WITH_PASSWORDS = process.env['CURVE_PASSWORDS'] === 'on';
const TICKS_A_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

const name = (index: number): string => `user-${String(index).padStart(5, '0')}`;
const line = (index: number, count: number): string =>
  `- {username: ${name(index)}, roles: [role-${String(index % Math.max(1, count / 20)).padStart(4, '0')}]${WITH_PASSWORDS ? '' : ', login: false'}}`;
const document = (count: number, more = ''): string => `users:\n${Array.from({ length: count }, (_, index) => line(index, count)).join('\n')}\n${more}`;

/** Milliseconds of CPU of a server, with all of its sessions. */
function serverCpu(server: Postgres): number {
  const fields = (pid: string): number[] => {
    try {
      return (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []).map(Number);
    } catch {
      return [];
    }
  };
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const postmaster = readFileSync(join(server.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0] ?? '';
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', postmaster], { encoding: 'utf8' })
    .split('\n')
    .map((pid) => pid.trim());
  return ((sum(fields(postmaster).slice(11, 15)) + sum(children.map((pid) => sum(fields(pid).slice(11, 13))))) * 1000) / TICKS_A_SECOND;
}

interface Cost {
  readonly wall: number;
  readonly ours: number;
  readonly theirs: number;
  readonly allocated: number;
}

async function costOf(server: Postgres, work: () => Promise<unknown>): Promise<Cost> {
  const gc = new GCProfiler();
  gc.start();
  let used = process.memoryUsage().heapUsed;
  let bytes = 0;
  const [cpu, theirs, began] = [process.cpuUsage(), serverCpu(server), performance.now()];
  await work();
  const wall = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  for (const { beforeGC, afterGC } of gc.stop()?.statistics ?? []) {
    bytes += beforeGC.heapStatistics.usedHeapSize - used;
    used = afterGC.heapStatistics.usedHeapSize;
  }
  return { wall, ours: (user + system) / 1000, theirs: serverCpu(server) - theirs, allocated: (bytes + process.memoryUsage().heapUsed - used) / 1e6 };
}

const show = (what: string, costs: readonly Cost[]): void => {
  const of = (key: keyof Cost): string =>
    median(costs.map((cost) => cost[key]))
      .toFixed(0)
      .padStart(6);
  print(`  ${what.padEnd(44)} wall ${of('wall')} ms, CPU ${of('ours')} ms, of the server ${of('theirs')} ms, allocated ${of('allocated')} MB`);
};

/** As an API server would answer; of the folder only the Secrets count then. */
function answer(text: string) {
  const content = Buffer.from(text);
  return { version: createHash('sha256').update(content).digest('hex'), content };
}

function createSteward(server: Postgres, manifests: Manifests, documentNow: () => string) {
  const config = readConfig(daemonEnv(server, manifests.folder, { EVENT_TRIGGERS: 'off' }));
  const connections = createConnections(config.server, () => undefined);
  const { namespace, configMapName } = config.source;
  const directory = createDirectorySource(manifests.folder, { namespace, configMapName });
  const reconciler = createReconciler({
    config,
    ports: FROM_FILES
      ? directory
      : { ...directory, documents: { read: async (signal) => ({ ...(await directory.documents.read(signal)), ...answer(documentNow()) }) } },
    connections,
    residents: createResidents({ connections, max: 0, onHeard: () => undefined }),
    log: { warn: print },
    onProgress: () => undefined,
  });
  /** As what wakes it asks, or when the interval is over. */
  const woken: Woken = { causes: new Set(['document']), databases: new Set(), requests: 1, everything: false };
  return {
    cycle: (isInterval = true) => reconciler.cycle('SELECT 1', new AbortController().signal, isInterval ? undefined : woken),
    close: () => connections.close(),
  };
}

async function curve(server: Postgres, count: number): Promise<void> {
  const manifests = new Manifests();
  if (WITH_PASSWORDS) manifests.secrets(new Map(Array.from({ length: count + 100 }, (_, index) => [name(index), `password ${index}`])));
  let text = '';
  const declare = (now: string): void => {
    text = now;
    manifests.users(FROM_FILES ? now : [{ username: 'nobody' }]);
  };
  declare(document(count));
  const steward = createSteward(server, manifests, () => text);
  const measured = async (what: string, runs: number, prepare: (run: number) => Promise<unknown> | void, wanted: CycleReport['result']): Promise<void> => {
    const costs: Cost[] = [];
    for (let run = 0; run < runs; run += 1) {
      await prepare(run);
      let report: CycleReport | undefined;
      costs.push(await costOf(server, async () => (report = await steward.cycle(false))));
      if (report?.result !== wanted) throw new Error(`${what}: ${report?.result} ${report?.error?.message ?? ''}`);
      await steward.cycle();
    }
    show(what, costs);
  };
  print(`${count} users${WITH_PASSWORDS ? ' with passwords' : ''}`);
  await measured('first apply', 1, () => undefined, 'changed');
  const client = await server.client();
  const read = { text: 'SELECT * FROM pg_authid; SELECT * FROM pg_auth_members', rowMode: 'array' };
  const reads: Cost[] = [];
  for (let run = 0; run < RUNS; run += 1) reads.push(await costOf(server, () => client.query(read) as Promise<unknown>));
  show('one read of pg_authid and pg_auth_members', reads);
  await measured('unchanged', RUNS, () => undefined, 'converged');
  await measured(
    'one user more',
    RUNS,
    (run) => declare(document(count, Array.from({ length: run + 1 }, (_, more) => line(count + more, count)).join('\n'))),
    'changed',
  );
  await measured('one comment more', RUNS, (run) => declare(document(count, `- {username: extra, login: false, comment: 'number ${run}'}`)), 'changed');
  await measured('one membership by hand', RUNS, (run) => client.query(`REVOKE "role-0000" FROM "${name(0)}"; -- ${run}`), 'changed');
  await measured('a role by hand that is not ours', RUNS, (run) => client.query(run % 2 === 0 ? 'CREATE ROLE bystander' : 'DROP ROLE bystander'), 'converged');
  if (WITH_PASSWORDS) await measured('one Secret rotated', RUNS, (run) => manifests.secret(name(1), `rotated ${run}`), 'changed');
  await client.end();
  await steward.close();
  manifests.remove();
}

for (const count of SIZES) {
  const server = await startPostgres({ settings: { log_statement: 'none', shared_buffers: '128MB', max_locks_per_transaction: '512' } });
  await curve(server, count);
  await server.stop();
}
process.exit(0);
