// What the benchmarks share: the shipped program, psql beside it, medians and ratios.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { type Daemon, ROOT, startDaemon } from '../support/daemon.ts';
import type { Postgres } from '../support/postgres.ts';
import { judged, watchLoad } from './load.ts';

export const RUNS = Number(process.env['BENCH_RUNS'] ?? 5);

export const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/** The process that all others of a server are below. */
export const postmaster = (server: Postgres): number => Number(readFileSync(join(server.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);

export const PROGRAM = join(ROOT, 'dist/main.js');

/** As the image starts it: compiled, with the flags and variables of the Dockerfile. */
export const startShipped = (env: Readonly<Record<string, string>>): Promise<Daemon> => {
  const image = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
  const flags = /^CMD (\[.*\])$/m.exec(image)?.[1] ?? '[]';
  const variables = [...image.matchAll(/^ENV (MALLOC_\w+)=(\S+)$/gm)].map(([, name = '', value = '']) => [name, value] as const);
  return startDaemon(
    { ...Object.fromEntries(variables), ...env },
    (JSON.parse(flags) as string[]).map((flag) => (flag.startsWith('-') ? flag : join(ROOT, flag))),
  );
};

/** The same without the flags. */
export const startPlainly = (env: Readonly<Record<string, string>>): Promise<Daemon> => startDaemon(env, [PROGRAM]);

/** Milliseconds of a verb as a process of its own, from its start to its end. It may find differences. */
export function once(env: Readonly<Record<string, string>>, args: readonly string[]): number {
  const began = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { env: { PATH: process.env['PATH'] ?? '', ...env }, encoding: 'utf8' });
  if (status !== 0 && status !== 2) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return performance.now() - began;
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

export const load = watchLoad();
/** A figure, with what else the machine did since the one before. */
export const print = (text: string): void => void process.stdout.write(`${judged(text, load.others())}\n`);
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

/** Milliseconds of statements in a session that is open already, as the daemon's is: psql would add its own start. */
export async function timed(client: pg.ClientBase, sql: string): Promise<number> {
  const began = performance.now();
  await (client.query({ text: sql, rowMode: 'array' }) as Promise<unknown>);
  return performance.now() - began;
}

/** Milliseconds from a change by hand until it is gone. */
export async function untilGone(client: pg.ClientBase, sql: string, isWrong: string): Promise<number> {
  await client.query(sql);
  const began = performance.now();
  while ((await client.query<{ wrong: boolean }>(`SELECT ${isWrong} AS wrong`)).rows[0]?.wrong === true && performance.now() - began < 60_000) await sleep(5);
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
