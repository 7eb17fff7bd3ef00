// A year in fast motion: thousands of cycles of a real daemon with edits, drift and rotations, after which nothing of it has grown but what was done.
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Daemon, daemonEnv, Manifests, ROOT, startDaemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { createLife, prepare } from './life.ts';

const CYCLES = Number(process.env['CYCLES'] ?? 400);
const SEED = Number(process.env['SEED'] ?? 20_260_101);
const MIB = 1024 * 1024;
/** In DB_NAME, of the lock, that listen, and that read and write elsewhere. */
const MOST_SESSIONS = 5 + 1 + 6 + 5;

let server: Postgres;
let daemon: Daemon;
let manifests: Manifests;
let stateFolder: string;
let stateFile: string;
let heapFile: string;
beforeEach(async () => {
  manifests = new Manifests();
  stateFolder = scratch('state');
  stateFile = join(stateFolder, 'state.json');
  heapFile = join(manifests.folder, '.heap');
  // What the server itself would write down of it is not the matter here.
  server = await startPostgres({ settings: { log_statement: 'none', log_min_messages: 'error', autovacuum_naptime: '5s' } });
  await prepare(server);
});
afterEach(async () => {
  await daemon.stop();
  await server.stop();
});

/** How much there is of everything at a moment. */
interface Sample {
  readonly cycles: number;
  readonly rss: number;
  readonly heap: number;
  readonly files: number;
  readonly sessions: number;
  readonly state: number;
  readonly log: number;
  readonly metrics: number;
  readonly auditRows: number;
  readonly ledger: number;
}

const cyclesNow = async (): Promise<{ readonly cycles: number; readonly text: string }> => {
  // Not by daemon.get(), which looks for each of thousands of passwords in every answer.
  const text = await (await fetch(`http://127.0.0.1:${daemon.port}/metrics`)).text();
  return { cycles: Number(/^postgres_controller_reconciliations_total (\d+)/m.exec(text)?.[1] ?? 0), text };
};

const heapNow = async (): Promise<number> => {
  rmSync(heapFile, { force: true });
  daemon.process.kill('SIGUSR2');
  while (!existsSync(heapFile)) await sleep(20);
  return Number(readFileSync(heapFile, 'utf8'));
};

async function sample(): Promise<Sample> {
  const { pid } = daemon.process;
  const { cycles, text } = await cyclesNow();
  const [counts = { rows: 0, ledger: 0, sessions: 0 }] = await server.query<{ rows: number; ledger: number; sessions: number }>(
    `SELECT (SELECT count(*)::int FROM pgsteward.audit_log) AS rows,
      (SELECT sum(pg_total_relation_size(oid))::int FROM pg_class WHERE relnamespace = 'pgsteward'::regnamespace AND relkind = 'r') AS ledger,
      (SELECT count(*)::int FROM pg_stat_activity WHERE application_name ~ '^pgsteward') AS sessions`,
  );
  return {
    cycles,
    rss: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024,
    heap: await heapNow(),
    files: readdirSync(`/proc/${pid}/fd`).length,
    sessions: counts.sessions,
    state: existsSync(stateFile) ? statSync(stateFile).size : 0,
    log: daemon.output().length,
    metrics: text.length,
    auditRows: counts.rows,
    ledger: counts.ledger,
  };
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

it(`${CYCLES} cycles with edits, drift and rotations leave memory, sessions, ledger, files and log bounded`, { timeout: 7_200_000 }, async () => {
  const life = createLife(server, manifests, SEED);
  const env = daemonEnv(server, manifests.folder, {
    STATE_FILE: stateFile,
    SYNC_INTERVAL: '0.02',
    MAX_DELETIONS: '100',
    RETRY_BACKOFF_BASE: '1.1',
    MAX_LISTENERS: '6',
    HEAP_FILE: heapFile,
  });
  // As the image starts it.
  const flags = ['--min-semi-space-size=2', '--max-semi-space-size=2', '--max-old-space-size=160', '--expose-gc', '--import', join(ROOT, 'test/year/heap.mjs')];
  daemon = await startDaemon(env, [...flags, join(ROOT, 'src/main.ts')]);
  await daemon.ready();
  const samples: Sample[] = [];
  const done = new Map<string, number>();
  let mostSessions = 0;
  for (let now = 0; now < CYCLES;) {
    const what = await life.step();
    done.set(what, (done.get(what) ?? 0) + 1);
    const deadline = Date.now() + 1_800_000;
    // Often several things happen in one cycle, and often nothing.
    const until = now + ((done.size + life.edits) % 4);
    do {
      ({ cycles: now } = await cyclesNow());
      if (now < until) await sleep(25);
      expect(Date.now(), daemon.output().slice(-2000)).toBeLessThan(deadline);
    } while (now < until);
    if (now >= (samples.length * CYCLES) / 50) {
      samples.push(await sample());
      mostSessions = Math.max(mostSessions, samples.at(-1)?.sessions ?? 0);
    }
  }

  // In the end everything is as declared, and then nothing more is said, written or remembered.
  life.rest();
  const deadline = Date.now() + 1_800_000;
  for (;;) {
    // The cycle that is under way may have begun before the last edit, and converge as well: the next one has not.
    await daemon.cycle();
    const { lastCycle, problems } = await daemon.cycle();
    if (lastCycle?.result === 'converged' && problems.length === 0) break;
    expect(Date.now(), JSON.stringify(await daemon.status())).toBeLessThan(deadline);
    await sleep(50);
  }
  const still = await sample();
  for (let now = still.cycles; now < still.cycles + 50; now = (await cyclesNow()).cycles) await sleep(50);
  const end = await sample();
  expect([end.auditRows, end.state, end.log]).toEqual([still.auditRows, still.state, still.log]);

  const part = (from: number, to: number): readonly Sample[] => samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to));
  const [early, late] = [part(0.1, 0.3), part(0.8, 1)];
  const of = (key: keyof Sample, list: readonly Sample[]): number => median(list.map((one) => one[key]));
  const changes = daemon.lines().filter((line) => 'change' in line).length;
  const [repeats = { rows: 0, times: 0 }] = await server.query<{ rows: number; times: number }>(
    'SELECT count(*)::int AS rows, coalesce(sum(times), 0)::int AS times FROM pgsteward.audit_repeat',
  );
  const perCycle = (list: readonly Sample[]): number =>
    ((list.at(-1)?.log ?? 0) - (list[0]?.log ?? 0)) / Math.max(1, (list.at(-1)?.cycles ?? 0) - (list[0]?.cycles ?? 0));
  const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
  console.log(
    [
      `${end.cycles} cycles, ${life.edits} documents, ${changes} changes; done: ${[...done].map(([what, times]) => `${what} ${times}`).join(', ')}`,
      `peak RSS ${mib(Math.max(...samples.map(({ rss }) => rss)))} MiB; RSS ${mib(of('rss', early))} → ${mib(of('rss', late))} MiB, heap ${mib(of('heap', early))} → ${mib(of('heap', late))} MiB, files ${of('files', early)} → ${of('files', late)}`,
      `sessions ${of('sessions', early)} → ${of('sessions', late)}, at most ${mostSessions}; state file ${of('state', early)} → ${of('state', late)} bytes, metrics ${of('metrics', early)} → ${of('metrics', late)} bytes`,
      `ledger ${mib(of('ledger', early))} → ${mib(end.ledger)} MiB, ${end.auditRows} rows, of which ${repeats.rows} count ${repeats.times} repairs; log ${perCycle(early).toFixed(0)} → ${perCycle(late).toFixed(0)} bytes a cycle`,
    ].join('\n'),
  );
  expect(of('heap', late), 'what the process holds on to').toBeLessThan(of('heap', early) + 6 * MIB);
  expect(of('rss', late), 'memory of the process').toBeLessThan(of('rss', early) * 1.2 + 16 * MIB);
  expect(of('files', late), 'open files').toBeLessThan(of('files', early) + 10);
  expect(mostSessions, 'sessions').toBeLessThanOrEqual(MOST_SESSIONS);
  expect(of('state', late), 'the state file').toBeLessThan(of('state', early) * 2 + 4096);
  expect(readdirSync(stateFolder)).toEqual(['state.json']);
  expect(of('metrics', late), 'metrics').toBeLessThan(of('metrics', early) + 8192);
  expect(perCycle(late), 'the log').toBeLessThan(perCycle(early) * 2 + 2000);
  // Never more rows than changes were made, with the two of one in another database, and less for what was repaired again.
  expect(repeats.times).toBeGreaterThan(repeats.rows);
  expect(end.auditRows, 'the audit log').toBeLessThan(changes * 2 - (repeats.times - repeats.rows));
  expect(end.ledger, 'the ledger').toBeLessThan(2 * MIB + end.auditRows * 2000);
});
