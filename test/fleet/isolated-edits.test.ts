// How long an edit on one server takes until somebody logs in, alone and beside one that answers nothing, one that is slow and one with many users that change all the time.
// EDITS (of each kind), USERS and RATIO (of the 99th percentile) make it the measurement; by default it is small, and the bound what only a server that holds up another one breaks.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startDelayedBy } from '../support/delaying-proxy.ts';
import { logsIn } from '../support/logs-in.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { startSilentProxy } from '../support/silent-proxy.ts';
import { entryOf, FleetFolder, shownBy, startFleet, until } from './folder.ts';

const EDITS = Number(process.env['EDITS'] ?? 8);
const USERS = Number(process.env['USERS'] ?? 1000);
/** And so many milliseconds more, where others work on the machine. */
const [RATIO, MORE] = process.env['RATIO'] === undefined ? [2, 3000] : [Number(process.env['RATIO']), 0];
const SLOW_MS = 2000;
const quantile = (list: readonly number[], part: number): number =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))] ?? 0;

const many = (edit: number): readonly object[] =>
  Array.from({ length: USERS }, (_, index) => ({
    username: `user-${index}`,
    login: false,
    roles: [`role-${index % 50}`],
    ...(index === edit % USERS ? { connectionLimit: (edit % 90) + 1 } : {}),
  }));

it(
  `an edit waits for no other server: ${EDITS} of them alone, and as many beside three that are in trouble`,
  async () => {
    const settings = { log_statement: 'none', max_locks_per_transaction: '256' };
    const [good, mute, slow, busy] = (await Promise.all(Array.from({ length: 4 }, () => startPostgres({ settings })))) as [
      Postgres,
      Postgres,
      Postgres,
      Postgres,
    ];
    const silent = await startSilentProxy(mute.port);
    const delayed = await startDelayedBy(slow.port, SLOW_MS);
    const folder = new FleetFolder();
    folder.admin('good-admin', good);
    folder.admin('mute-admin', { ...mute, port: silent.port });
    folder.admin('slow-admin', { ...slow, port: delayed.port });
    folder.admin('busy-admin', busy);
    for (const name of ['mute', 'slow']) folder.document(`${name}-users`, [{ username: 'alice', login: false }]);
    folder.document('busy-users', many(0));
    let edit = 0;
    const write = (): void => {
      folder.secret('user-u-secret', { password: `password-${edit}` });
      folder.document('good-users', [{ username: 'u' }]);
    };
    write();
    const pauses = join(folder.folder, '.pauses');
    const monitor = new URL('../bounds/monitor.mjs', import.meta.url).pathname;
    folder.servers([entryOf('good')]);
    const daemon = await startFleet(folder, {
      SYNC_INTERVAL: '0.5',
      PAUSES_FILE: pauses,
      NODE_OPTIONS: `--import=${monitor} ${process.env['DAEMON_OPTIONS'] ?? ''}`,
    });
    const once = async (): Promise<number> => {
      edit += 1;
      const began = performance.now();
      write();
      while (!(await logsIn(good, 'u', `password-${edit}`))) {
        if (performance.now() - began > 120_000) throw new Error(`nobody gets in: ${JSON.stringify(await shownBy(daemon))}`);
        await sleep(10);
      }
      return performance.now() - began;
    };
    const times = async (count: number): Promise<readonly number[]> => {
      const took: number[] = [];
      while (took.length < count) {
        // At no particular moment of the interval.
        await sleep(Math.random() * 500);
        took.push(await once());
      }
      return took;
    };
    const say = (what: string, took: readonly number[]): void =>
      console.log(`${what}: median ${quantile(took, 0.5).toFixed(0)} ms, p99 ${quantile(took, 0.99).toFixed(0)} ms of ${took.length} edits`);
    try {
      await once();
      daemon.process.kill('SIGUSR2');
      const first = await times(Math.ceil(EDITS / 2));
      const quiet = pausesIn(pauses);
      folder.servers(['good', 'mute', 'slow', 'busy'].map((name) => entryOf(name)));
      await until(
        'the large one is as declared',
        () => shownBy(daemon),
        ({ servers }) => servers['busy']?.lastCycle?.result === 'converged' && servers['slow']?.lastCycle !== null,
      );
      silent.cut();
      const stop = new AbortController();
      const changes = changing(folder, stop.signal);
      await sleep(1000);
      daemon.process.kill('SIGUSR2');
      const beside = await times(EDITS);
      const during = pausesIn(pauses);
      stop.abort();
      const made = await changes;
      const done = (await shownBy(daemon)).servers;
      folder.servers([entryOf('good')]);
      await until(
        'it is alone again',
        () => shownBy(daemon),
        ({ servers }) => Object.keys(servers).length === 1,
      );
      const alone = [...first, ...(await times(Math.floor(EDITS / 2)))];
      say('alone', alone);
      say(`beside one that answers nothing, one that takes ${SLOW_MS} ms for each answer, and ${USERS} users with ${made} edits`, beside);
      console.log(
        `longest pauses of the loop: ${quiet} alone, ${during} beside; the others: ${JSON.stringify(Object.entries(done).map(([name, one]) => [name, one.lastCycle?.result]))}`,
      );
      expect(quantile(beside, 0.99)).toBeLessThan(RATIO * quantile(alone, 0.99) + MORE);
    } finally {
      await daemon.kill9();
      await Promise.all([silent.close(), delayed.close()]);
      await Promise.all([good, mute, slow, busy].map((server) => server.stop()));
    }
  },
  60 * 60_000,
);

/** One entry after the other of the large document, for as long as nobody says otherwise. @returns how many. */
async function changing(folder: FleetFolder, signal: AbortSignal): Promise<number> {
  let count = 0;
  while (!signal.aborted) {
    count += 1;
    folder.document('busy-users', many(count));
    await sleep(300, undefined, { signal }).catch(() => undefined);
  }
  return count;
}

const pausesIn = (file: string): string => {
  try {
    const { max, p99 } = JSON.parse(readFileSync(file, 'utf8')) as { readonly max: number; readonly p99: number };
    return `${max.toFixed(0)} ms (p99 ${p99.toFixed(0)} ms)`;
  } catch {
    return 'unknown';
  }
};
