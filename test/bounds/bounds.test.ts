// Everything that others can fill, all at once, at the shipped daemon: it stays within its memory, answers its probes, and goes on working.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { startShipped } from '../bench/support.ts';
import { type Daemon, daemonEnv, Manifests, ROOT } from '../support/daemon.ts';
import { HOSTILE_DOCUMENTS } from '../support/hostile-documents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

/** Of a document: nearly as much as the parser takes in one piece. */
const BYTES = 100_000;
/** Beyond it the kubelet ends the process. */
const MEMORY_MIB = Number(/limits: \{ memory: (\d+)Mi \}/.exec(readFileSync(join(ROOT, 'manifests/base/deployment.yaml'), 'utf8'))?.[1]);
/** Whoever does not answer for so long stands still: no machine is that slow. */
const STANDS_STILL_MS = 60_000;
/** How much longer the longest pause may be than all but one in a hundred: four times on an idle machine, and a slow or busy one makes all of them longer. */
const LONGEST = 30;
const MINUTES = 60_000;

let server: Postgres;
let daemon: Daemon | undefined;
let manifests: Manifests;
const scratch = mkdtempSync(join(tmpdir(), 'pgsteward-bounds-'));
const sockets: Socket[] = [];

const document = (privilege: string): string =>
  stringify({
    roles: [
      { name: 'reader', grants: [{ databases: ['shop', 'archive', 'small'], schemas: ['s'], tables: { '*': [privilege] }, functions: { '*': ['EXECUTE'] } }] },
    ],
    users: [{ username: 'somebody', login: false }],
  });
const functions = (count: number): string =>
  `DO $$ BEGIN FOR i IN 1..${count} LOOP EXECUTE format('CREATE FUNCTION s.a_function_of_mallory_%s(int, text) RETURNS int LANGUAGE sql AS %L', i, 'SELECT 1'); END LOOP; END $$`;

beforeAll(async () => {
  server = await startPostgres({ settings: { max_locks_per_transaction: '4096', synchronous_commit: 'off' } });
  await server.query(`CREATE ROLE mallory LOGIN PASSWORD 'mallory'`);
  for (const name of ['shop', 'archive', 'small']) {
    await server.query(`CREATE DATABASE ${name}`);
    await server.query('CREATE SCHEMA s; CREATE TABLE s.t (id int); GRANT CREATE, USAGE ON SCHEMA s TO mallory', name);
  }
  const fill = async (database: string, ...statements: string[]): Promise<void> => {
    const client = await server.client(database, { user: 'mallory', password: 'mallory' });
    for (const statement of statements) await client.query(statement);
    await client.end();
  };
  await Promise.all([
    fill('archive', functions(30_000)),
    fill('shop', functions(51_000)),
    fill(
      'small',
      ...Array.from(
        { length: 10 },
        (_, index) =>
          `DO $$ BEGIN FOR i IN ${index * 2000 + 20_000}..${index * 2000 + 21_999} LOOP PERFORM lo_create(i); EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO PUBLIC', i); END LOOP; END $$`,
      ),
      `ALTER ROLE mallory SET search_path = ${Array.from({ length: 400 }, (_, index) => `"${' '.repeat(50)}${index}"`).join(', ')}`,
      `DO $$ BEGIN EXECUTE format('ALTER ROLE mallory SET application_name = %L', repeat('x', 20000000)); END $$`,
    ),
  ]);
}, 10 * MINUTES);
afterAll(async () => {
  manifests.remove();
  for (const socket of sockets) socket.destroy();
  await daemon?.kill9();
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const held = async (database: string): Promise<unknown> =>
  (
    await server.query<{ held: string }>(
      `SELECT string_agg(privilege_type, ' ') AS held FROM pg_class, aclexplode(relacl) WHERE oid = 's.t'::regclass AND grantee = 'reader'::regrole`,
      database,
    )
  )[0]?.held;

it(
  'stays within its memory and answers all the while',
  async () => {
    // Of an attempt before this one nothing is left.
    await daemon?.kill9();
    for (const socket of sockets.splice(0)) socket.destroy();
    manifests = new Manifests();
    const pauses = join(scratch, 'pauses.json');
    manifests.users(document('SELECT'));
    const started = await startShipped(
      daemonEnv(server, manifests.folder, { NODE_OPTIONS: `--import ${join(ROOT, 'test/bounds/monitor.mjs')}`, PAUSES_FILE: pauses, SYNC_INTERVAL: '5' }),
    );
    daemon = started;
    await started.ready();

    let [probes, unanswered, inARow, mostInARow, asking] = [0, 0, 0, 0, true];
    const probing = (async () => {
      while (asking) {
        probes += 1;
        const answer = await fetch(`http://127.0.0.1:${started.port}/healthz`, { signal: AbortSignal.timeout(STANDS_STILL_MS) }).catch(() => undefined);
        // Among thousands of connections that wait to be accepted one may be the oldest.
        inARow = answer?.ok === true ? 0 : inARow + 1;
        unanswered += Math.sign(inARow);
        mostInARow = Math.max(mostInARow, inARow);
        await sleep(200);
      }
    })();
    const opening = (async () => {
      for (let opened = 0; opened < 9000 && asking; opened += 50) {
        for (let index = 0; index < 50; index += 1) sockets.push(connect(started.port, '127.0.0.1').on('error', () => undefined));
        for (const socket of sockets.slice(-50)) socket.write('GET /status HTTP/1.1\r\nHost: a\r\n');
        await sleep(100);
      }
    })();
    symlinkSync('/dev/zero', join(manifests.folder, 'zero.yaml'));
    execFileSync('mkfifo', [join(manifests.folder, 'pipe.yaml')]);
    writeFileSync(join(manifests.folder, 'huge.yaml'), Buffer.alloc(40_000_000, 'a: b\n'));

    const slowest: [string, number][] = [];
    for (const [what, documentOf] of Object.entries(HOSTILE_DOCUMENTS)) {
      const began = Date.now();
      manifests.users(documentOf(BYTES));
      await started.cycle();
      slowest.push([what, Date.now() - began]);
    }
    manifests.users(document('INSERT'));
    await started.cycle();
    const { notices } = await started.cycle();
    asking = false;
    await Promise.all([probing, opening]);

    const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${started.process.pid}/status`, 'utf8'))?.[1]) / 1024;
    const { max, p99 } = JSON.parse(readFileSync(pauses, 'utf8')) as { max: number; p99: number };
    process.stdout.write(
      `peak RSS ${peak.toFixed(0)} MiB, longest pause ${max.toFixed(0)} ms (99th percentile ${p99.toFixed(0)} ms), ${probes} probes, ${unanswered} unanswered\n`,
    );
    for (const [what, took] of slowest.toSorted((a, b) => b[1] - a[1]).slice(0, 5)) process.stdout.write(`  ${took} ms: ${what}\n`);
    // Whatever came in between: what the last document says holds, where it can be looked at.
    expect(notices.filter(({ message }) => message.includes('MAX_OBJECTS')).map(({ message }) => /database (\w+)/.exec(message)?.[1])).toEqual(['shop']);
    expect(await Promise.all(['archive', 'small', 'shop'].map(held))).toEqual(['INSERT', 'INSERT', null]);
    // The third failure of a probe in a row ends the process.
    expect(mostInARow).toBeLessThan(3);
    expect(unanswered).toBeLessThan(probes / 20);
    expect(started.process.exitCode).toBeNull();
    expect(peak).toBeLessThan(MEMORY_MIB);
    expect(max).toBeLessThan(LONGEST * p99);
  },
  10 * MINUTES,
);
