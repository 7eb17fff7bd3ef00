// A file of tests that fails in the middle leaves nothing behind: no daemon, no server, no folder, no shared memory.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ROOT } from './daemon.ts';
import { startPostgres } from './postgres.ts';
import { endings, scratch } from './scratch.ts';

interface Told {
  readonly daemon: number;
  readonly ports: readonly number[];
  readonly folders: readonly string[];
  readonly segment: string;
}

/** The System V segments of the machine, by their numbers. */
const segments = (): (string | undefined)[] =>
  readFileSync('/proc/sysvipc/shm', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/ +/)[1]);

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // One that nobody has waited for is dead as well.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

it('ends and removes all of it', async () => {
  const tmp = scratch('left');
  // As temporary folders are: whoever made something in it may take it away.
  chmodSync(tmp, 0o1777);
  const home = scratch('home');
  const [config, toldFile] = [join(home, 'vitest.config.ts'), join(home, 'told.json')];
  const setup = JSON.stringify(join(ROOT, 'test/support/setup.ts'));
  writeFileSync(
    config,
    `export default { root: ${JSON.stringify(ROOT)}, test: { include: ['test/support/fixtures/fails.fixture.ts'], pool: 'forks', testTimeout: 600_000, setupFiles: [${setup}] } };`,
  );
  const child = spawn(process.execPath, [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--config', config], {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      TMPDIR: tmp,

      TOLD: toldFile,
      NO_COLOR: '1',
      ...(process.env['PG_MAJOR'] === undefined ? {} : { PG_MAJOR: process.env['PG_MAJOR'] }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  endings.add(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await exited;
  if (!existsSync(toldFile)) throw new Error(output);
  const told = JSON.parse(readFileSync(toldFile, 'utf8')) as Told;
  expect(output).toContain('on purpose');
  expect(told.segment).toMatch(/^[0-9]+$/);
  const left = async (): Promise<unknown> => ({
    daemon: isAlive(told.daemon),
    ports: await Promise.all(told.ports.map(listens)),
    folders: told.folders.filter((folder) => existsSync(folder)),
    isShared: segments().includes(told.segment),
    others: readdirSync(tmp).filter((name) => !name.startsWith('pgsteward-cache-') && name !== 'node-compile-cache'),
  });
  const nothing = { daemon: false, ports: [false, false], folders: [], isShared: false, others: [] };
  // What watches over a server has its own few seconds.
  for (const end = Date.now() + 20_000; Date.now() < end && JSON.stringify(await left()) !== JSON.stringify(nothing);) await sleep(100);
  expect(await left()).toEqual(nothing);
});

it('leaves no shared memory of a server that a test ends, or that was killed before', async () => {
  const [ended, killed] = await Promise.all([startPostgres(), startPostgres()]);
  const ours = [ended.segment(), killed.segment()];
  expect(ours.map((segment) => segments().includes(segment))).toEqual([true, true]);
  await killed.kill9();
  await Promise.all([ended.stop(), killed.stop()]);
  expect(ours.map((segment) => segments().includes(segment))).toEqual([false, false]);
});
