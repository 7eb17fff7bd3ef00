// What the benchmarks share: the shipped daemon, psql beside it, medians and ratios.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Daemon, ROOT, startDaemon } from '../support/daemon.ts';
import type { Postgres } from '../support/postgres.ts';

export const RUNS = Number(process.env['BENCH_RUNS'] ?? 5);

/** As the image starts it: compiled, with the flags of the Dockerfile. */
export const startShipped = (env: Readonly<Record<string, string>>): Promise<Daemon> => {
  const flags = /^CMD (\[.*\])$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.[1] ?? '[]';
  return startDaemon(
    env,
    (JSON.parse(flags) as string[]).map((flag) => (flag.startsWith('-') ? flag : join(ROOT, flag))),
  );
};

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const report = (what: string, ours: readonly number[], theirs: readonly number[]): void =>
  print(
    `${what}: median ${median(ours).toFixed(0)} ms, psql ${median(theirs).toFixed(0)} ms, ratio ${(median(ours) / median(theirs)).toFixed(2)} (runs: ${ours.map((value) => value.toFixed(0)).join(' ')} | ${theirs.map((value) => value.toFixed(0)).join(' ')})`,
  );

/** Milliseconds that psql takes, its own start included. */
export function psql(server: Postgres, args: readonly string[], database = 'postgres'): number {
  const began = performance.now();
  execFileSync(
    'psql',
    ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-h', server.host, '-p', String(server.port), '-U', server.user, '-d', database, ...args],
    {
      env: { ...process.env, PGPASSWORD: server.password },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  return performance.now() - began;
}

/** The duration that the daemon itself reports for its last cycle, in milliseconds. */
const lastSummary = (daemon: Daemon): { readonly at: string; readonly seconds: number } => {
  const last = daemon.lines().findLast((line) => line.message === 'reconciliation summary');
  const at = last?.['timestamp'];
  return { at: typeof at === 'string' ? at : '', seconds: Number(last?.['duration']) };
};

/** Milliseconds of the cycle that the status tells of: the log follows it. */
export const lastDuration = async (daemon: Daemon): Promise<number> => {
  const end = (await daemon.status()).lastCycle?.end ?? '';
  while (lastSummary(daemon).at < end) await sleep(5);
  return lastSummary(daemon).seconds * 1000;
};
export const peakRss = (daemon: Daemon): number =>
  Number(execFileSync('grep', ['VmHWM', `/proc/${daemon.process.pid}/status`], { encoding: 'utf8' }).replace(/\D/g, '')) / 1024;

export const waitForCycle = async (daemon: Daemon): Promise<void> => {
  while ((await daemon.status().catch(() => undefined))?.lastCycle == null) await sleep(25);
};
