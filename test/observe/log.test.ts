// The log and whoever reads it: lines come complete and in order, nothing else waits for its reader, and what nobody reads is bounded and told.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { EMPTY } from '../../src/steward/report-parts.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { createLog } from '../../src/observe/log.ts';
import { createLogOutput } from '../../src/observe/log-output.ts';
import { createReportLog } from '../../src/observe/report-log.ts';
import { Manifests, ROOT, startDaemon } from '../support/daemon.ts';
import { freePort } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';

/** A reader that takes a line only when it is let. */
function reader() {
  const lines: string[] = [];
  let isReading = false;
  let next: (() => void) | undefined;
  const stream = new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      const take = (): void => {
        if (line !== '') lines.push(line);
        done();
      };
      if (isReading) setImmediate(take);
      else next = take;
    },
  });
  return {
    stream,
    lines,
    read: () => {
      isReading = true;
      const take = next;
      next = undefined;
      take?.();
    },
  };
}
const reportOf = (problems: number): CycleReport => ({
  ...EMPTY,
  problems: Array.from({ length: problems }, (_, index) => ({
    severity: 'error',
    message: `problem ${index}`,
    path: 'users',
    position: { file: 'users.yaml', line: index, column: 1 },
  })),
});

it('what nobody reads is left out beyond its bound, and the count is told when it is read again', async () => {
  const { stream, lines, read } = reader();
  const output = createLogOutput(stream, 20_000);
  const log = createLog('info', output);
  for (let index = 0; index < 1000; index += 1) log.info(`line ${index}`);
  expect(stream.writableLength).toBeLessThan(20_200);
  read();
  await output.room(60_000);
  log.info('the last one');
  await output.room(60_000);
  const messages = lines.map((line) => (JSON.parse(line) as { message: string }).message);
  const kept = messages.length - 2;
  expect(messages).toEqual([
    ...Array.from({ length: kept }, (_, index) => `line ${index}`),
    `${1000 - kept} lines of the log were left out, as nobody read it or it could not be written; what still holds is in /status`,
    'the last one',
  ]);
});

it('what was left out is told before the end also where the reader comes back only then', async () => {
  const { stream, lines, read } = reader();
  const output = createLogOutput(stream, 1000);
  const log = createLog('info', output);
  for (let index = 0; index < 100; index += 1) log.info(`line ${index}`);
  read();
  await output.room(60_000);
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ level: 'ERROR', lines: 100 - (lines.length - 1) });
});

it('a file that cannot be written for a while is written again, and what is missing in it is told', () => {
  const file = join(scratch('log'), 'log');
  const program = `
    import { truncateSync } from 'node:fs';
    import { createLog } from '${ROOT}/src/observe/log.ts';
    import { createLogOutput } from '${ROOT}/src/observe/log-output.ts';
    const output = createLogOutput(process.stdout);
    const log = createLog('info', output);
    for (let index = 0; index < 3; index += 1) log.info('x'.repeat(100_000));
    await output.room(1000);
    truncateSync(${JSON.stringify(file)});
    for (const message of ['again', 'and again']) {
      log.info(message);
      await output.room(1000);
    }
    process.exit();`;
  // The file may not grow beyond its bound, as one on a disk that is full.
  execFileSync('sh', ['-c', `ulimit -f 8; exec "$0" --input-type=module-typescript -e "$1" >> "$2"`, process.execPath, program, file]);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual([
    'again',
    expect.stringMatching(/^[23] lines of the log were left out/),
    'and again',
  ]);
});

it('a report of thousands of lines lets everything else have its turn, and waits for whoever reads it', async () => {
  const { stream, lines, read } = reader();
  const output = createLogOutput(stream);
  let written = 0;
  let [most, isDone] = [0, false];
  const counted = { write: (line: string) => ((written += 1), output.write(line)), onLeftOut: () => undefined };
  const writing = createReportLog(createLog('info', counted), output)(reportOf(5000)).then(() => (isDone = true));
  for (let before = 0; !isDone; before = written) {
    await turn();
    most = Math.max(most, written - before);
    if (written >= 100) read();
  }
  await writing;
  await output.room(60_000);
  expect(most).toBeLessThanOrEqual(100);
  expect(lines).toHaveLength(5001);
});

it('what is written together goes out as one when it is done, also where something of it fails', () => {
  const written: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    writev: (chunks, done) => {
      written.push(chunks.map(({ chunk }) => chunk as string).join(''));
      done();
    },
  });
  const output = createLogOutput(stream);
  const work = (): never => {
    output.write('one\n');
    output.write('two\n');
    expect(written).toEqual([]);
    throw new Error('it fails');
  };
  expect(() => output.together(work)).toThrow('it fails');
  expect(written).toEqual(['one\ntwo\n']);
});

it('a reader that is gone ends nothing', async () => {
  const stream = new Writable({ write: (_line, _encoding, done) => done(new Error('EPIPE')) });
  const output = createLogOutput(stream);
  createLog('info', output).info('a line');
  await output.room(60_000);
  createLog('info', output).info('another one');
  await output.room(60_000);
  expect(stream.errored?.message).toBe('EPIPE');
});

it('a daemon whose log is not read answers its probes, and everything is read later', async () => {
  const manifests = new Manifests();
  manifests.users(`users:\n${Array.from({ length: 6000 }, (_, index) => `- {username: u${index}, nonsense: 1}\n`).join('')}`);
  const nobody = await freePort();
  const daemon = await startDaemon({
    SOURCE: `dir:${manifests.folder}`,
    DB_HOST: '127.0.0.1',
    DB_PORT: String(nobody),
    DB_PASS: 'x',
    HTTP_HOST: '127.0.0.1',
    SYNC_INTERVAL: '3600',
  });
  const { stdout } = daemon.process;
  stdout?.pause();
  try {
    await daemon.ready();
    for (let asked = 0; asked < 5; asked += 1) {
      expect((await daemon.get('/healthz')).code).toBe(200);
      await sleep(100);
    }
    stdout?.resume();
    const told = () => daemon.lines().filter(({ message }) => message.includes('nonsense'));
    while (!daemon.lines().some(({ message }) => message === 'reconciliation summary')) await sleep(50);
    expect(told().map(({ message }) => Number(/yaml:(\d+):/.exec(message)?.[1]))).toEqual(Array.from({ length: 6000 }, (_, index) => index + 2));
    expect(await daemon.stop()).toBe(0);
    expect(daemon.lines().at(-1)?.message).toBe('pgsteward stopped');
  } finally {
    await daemon.kill9();
    manifests.remove();
  }
});
