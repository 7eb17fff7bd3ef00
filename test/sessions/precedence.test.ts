// Precedence at a real lock: the preferred replica first, the others when it does not come, a handover to whoever waits, and never two.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createMembers } from '../../src/model/members.ts';
import { ranking } from '../../src/model/rendezvous.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { describeFailure } from '../../src/postgres/failures.ts';
import { acquireWriterLock, type WriterLock } from '../../src/postgres/writer-lock.ts';
import { precedenceAmong } from '../../src/steward/replicas.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { resetServer } from '../support/steward.ts';

const NAMES = ['one', 'two', 'three'];
const SERVER = 'a server';
const [FIRST = '', SECOND = '', THIRD = ''] = ranking(SERVER, NAMES);
/** What takes fifteen seconds takes one here. */
const FASTER = 15;
let server: Postgres;
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await resetServer(server);
});

interface Replica {
  readonly waits: string[];
  claim(): Promise<WriterLock>;
  close(): Promise<void>;
}

/** @param others that it sees live; @param speed of its patience, though not of its tries. */
function replica(self: string, others: readonly string[] = NAMES, speed = 1): Replica {
  const config = readConfig({ DB_HOST: '127.0.0.1', DB_PORT: String(server.port), DB_USER: 'postgres', DB_PASS: server.password });
  const connections = createConnections(config.server, () => undefined);
  const members = createMembers(self);
  const now = (): number => performance.now() * speed;
  let version = 0;
  const renew = (): void => members.listed(new Map(others.map((name) => [name, String((version += 1))])), now());
  renew();
  const renewing = setInterval(renew, 200);
  const precedence = precedenceAmong(members, self, SERVER, now);
  const stop = new AbortController();
  const waits: string[] = [];
  const one = {
    waits,
    claim: () =>
      acquireWriterLock({
        connections,
        adminDatabase: 'postgres',
        source: 'test',
        signal: stop.signal,
        precedence,
        onWait: (why) => waits.push(why.kind === 'standby' ? why.message : describeFailure(why.error)),
      }),
    close: async () => {
      clearInterval(renewing);
      stop.abort(new Error('over'));
      await connections.close();
    },
  };
  open.push(one);
  return one;
}

const since = (began: number): number => (performance.now() - began) / 1000;

it('of replicas that come at once the preferred one becomes the writer, and the others in their order when it goes', async () => {
  const held: string[] = [];
  const claims = [THIRD, SECOND, FIRST].map(async (name) => {
    const lock = await replica(name).claim();
    held.push(name);
    return lock;
  });
  for (const claim of claims) claim.catch(() => undefined);
  const [third, second, first] = claims;
  await (await first)?.release();
  const began = performance.now();
  await (await second)?.release();
  expect(since(began)).toBeGreaterThan(1);
  expect(since(began)).toBeLessThan(5);
  await third;
  // It kept no session, and looked now and then.
  expect(since(began)).toBeLessThan(25);
  expect(held).toEqual([FIRST, SECOND, THIRD]);
});

it('where the preferred one does not come another claims within seconds, and at once where that one is not seen any more', async () => {
  const began = performance.now();
  const lock = await replica(SECOND).claim();
  expect(since(began)).toBeGreaterThan(1.9);
  expect(since(began)).toBeLessThan(5);
  await lock.release();
  const again = performance.now();
  await (await replica(SECOND, [SECOND, THIRD]).claim()).release();
  expect(since(again)).toBeLessThan(1.5);
});

it('a lock is wanted once the preferred replica waits there, and that one has it within a second of its return', async () => {
  const lock = await replica(SECOND, NAMES, FASTER).claim();
  await sleep(9000);
  // Live and settled for long, and yet it does not wait.
  expect(lock.wanted.aborted).toBe(false);
  const waiting = replica(FIRST);
  const next = waiting.claim();
  const third = replica(THIRD).claim();
  third.catch(() => undefined);
  await new Promise((resolve) => lock.wanted.addEventListener('abort', resolve, { once: true }));
  expect(describeFailure(lock.wanted.reason)).toBe(`the replica ${FIRST} goes first here, and waits`);
  expect([lock.lost.aborted, waiting.waits.at(-1)?.startsWith('another instance is the writer (process ')]).toEqual([false, true]);
  await lock.release();
  const began = performance.now();
  await next;
  expect(since(began)).toBeLessThan(1);
});

it('a name like that of a session that waits, by another login or of another replica, wins nothing', async () => {
  await server.query(`CREATE ROLE mallory LOGIN PASSWORD 'a password of mallory'`);
  const waiting = replica(FIRST, NAMES);
  const lock = await replica(SECOND, NAMES, FASTER).claim();
  const next = waiting.claim();
  next.catch(() => undefined);
  await expect.poll(async () => namesOf(server, 'pgsteward waiting '), { timeout: 5000 }).toHaveLength(1);
  const [name = ''] = await namesOf(server, 'pgsteward waiting ');
  await waiting.close();
  const mallory = await server.client('postgres', { user: 'mallory', password: 'a password of mallory' });
  const other = await server.client('postgres');
  await other.query(`SELECT set_config('application_name', 'pgsteward waiting 0123456789abcdef 0', false)`);
  const stale = await server.client('postgres');
  await stale.query(`SELECT set_config('application_name', '${name}', false)`);
  for (const end = performance.now() + 9000; performance.now() < end; await sleep(200)) {
    const now = `concat('${name.replace(/\d{13}$/, '')}', (extract(epoch FROM clock_timestamp()) * 1000)::int8)`;
    await mallory.query(`SELECT set_config('application_name', ${now}, false)`);
  }
  expect([lock.wanted.aborted, lock.lost.aborted]).toEqual([false, false]);
  await Promise.all([mallory.end(), other.end(), stale.end()]);
});

const namesOf = async (on: Postgres, prefix: string): Promise<readonly string[]> =>
  (await on.query<{ name: string }>(`SELECT application_name AS name FROM pg_stat_activity WHERE starts_with(application_name, '${prefix}')`)).map(
    ({ name }) => name,
  );
