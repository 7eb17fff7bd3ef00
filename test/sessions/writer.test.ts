// One writer: nobody else can claim, hold or stop it, and whoever falls silent is followed within 15 seconds, with never two.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { type Connections, createConnections } from '../../src/postgres/connection.ts';
import { classify, describeFailure } from '../../src/postgres/failures.ts';
import { query } from '../../src/postgres/query.ts';
import { beginSql, SMALL } from '../../src/postgres/transaction.ts';
import { acquireWriterLock, type WriterLock } from '../../src/postgres/writer-lock.ts';
import { type Daemon, daemonEnv, Manifests, startDaemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { startSilentProxy } from '../support/silent-proxy.ts';
import { createSteward, resetServer } from '../support/steward.ts';

const PASSWORD = 'a password of the admin';
/** The class of advisory locks that earlier versions took. */
const KEYS = 0x70677374;
let server: Postgres;
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: '5', max_connections: '200' } });
});
afterAll(() => server.stop());
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await resetServer(server);
});

interface Instance {
  readonly connections: Connections;
  readonly waits: string[];
  claim(): Promise<WriterLock>;
  close(): Promise<void>;
}

function instance(port = server.port, user = 'postgres', password = server.password): Instance {
  const config = readConfig({ DB_HOST: '127.0.0.1', DB_PORT: String(port), DB_USER: user, DB_PASS: password });
  const connections = createConnections(config.server, () => undefined);
  const stop = new AbortController();
  const waits: string[] = [];
  const one = {
    connections,
    waits,
    claim: () =>
      acquireWriterLock({
        connections,
        adminDatabase: 'postgres',
        source: 'test',
        signal: stop.signal,
        onWait: (why) => waits.push(why.kind === 'standby' ? why.message : describeFailure(why.error)),
      }),
    close: async () => {
      stop.abort(new Error('over'));
      await connections.close();
    },
  };
  open.push(one);
  return one;
}

const passes = async (lock: WriterLock, database = 'postgres'): Promise<boolean> => {
  const client = await server.client(database);
  try {
    return await query(client, `${beginSql(SMALL)}; ${lock.fence}; COMMIT`).then(
      () => true,
      (error: unknown) => {
        if (classify(error) !== 'fenced') throw error;
        return false;
      },
    );
  } finally {
    await client.end();
  }
};
const within = async (seconds: number, check: () => Promise<boolean> | boolean): Promise<number> => {
  const began = Date.now();
  while (!(await check())) {
    if (Date.now() - began > seconds * 1000) throw new Error(`not within ${seconds} s`);
    await sleep(50);
  }
  return (Date.now() - began) / 1000;
};

it('locks, prepared transactions, names of sessions and heartbeats of others neither stop nor feign a writer, and writing goes on', async () => {
  await server.query(`CREATE ROLE mallory LOGIN PASSWORD '${PASSWORD}'`);
  const mallory = await server.client('postgres', { user: 'mallory', password: PASSWORD });
  const named = await server.client('postgres', { user: 'mallory', password: PASSWORD });
  // Whatever anybody may lock, with the keys of every part.
  await mallory.query(`SELECT pg_advisory_lock(${KEYS}, key) FROM generate_series(0, 9) key`);
  await mallory.query(`BEGIN; SELECT pg_advisory_xact_lock(${KEYS + 1}, key) FROM generate_series(0, 9) key; PREPARE TRANSACTION 'forgotten'`);
  await named.query(
    `SELECT set_config('application_name', concat('pgsteward writer 0123456789abcdef ', (extract(epoch FROM clock_timestamp()) * 1000)::int8), false); BEGIN`,
  );
  const one = instance();
  const lock = await one.claim();
  expect(one.waits).toEqual([]);
  expect(await passes(lock)).toBe(true);
  const steward = await createSteward(server, { DB_LOCK_TIMEOUT: '1' });
  steward.manifests.users([{ username: 'alice', login: false, roles: ['team'] }]);
  const report = await steward.cycle();
  expect([report.result, report.error]).toEqual(['changed', undefined]);
  await steward.close();
  await mallory.query(`ROLLBACK PREPARED 'forgotten'`);
  await mallory.end();
  await named.end();
});

it('of twenty that want to be the writer at once one is, its word counts in every database, and when it goes another follows', async () => {
  await server.query('CREATE DATABASE shop');
  const all = Array.from({ length: 20 }, () => instance());
  const held: WriterLock[] = [];
  const claims = all.map(async (one) => {
    const lock = await one.claim();
    held.push(lock);
    return lock;
  });
  for (const claim of claims) claim.catch(() => undefined);
  for (let turn = 1; turn <= 5; turn += 1) {
    await within(30, () => held.length === turn);
    await sleep(300);
    expect(held.length).toBe(turn);
    const current = held[turn - 1] as WriterLock;
    expect([await passes(current), await passes(current, 'shop')]).toEqual([true, true]);
    for (const earlier of held.slice(0, -1)) expect(await passes(earlier)).toBe(false);
    await current.release();
  }
  expect(all.flatMap(({ waits }) => waits).some((reason) => /^another instance is the writer \(process \d+ from 127\.0\.0\.1, since 20/.test(reason))).toBe(
    true,
  );
});

for (const [what, setup, user] of [
  ['a superuser', '', 'postgres'],
  ['a plain admin', `CREATE ROLE adm LOGIN CREATEROLE PASSWORD '${PASSWORD}'`, 'adm'],
] as const)
  it(`${what} whose network swallows everything stops by itself, and is followed within 15 seconds, its open transactions with it`, async () => {
    if (setup !== '') await server.query(setup);
    const password = user === 'postgres' ? server.password : PASSWORD;
    const proxy = await startSilentProxy(server.port);
    open.push(proxy);
    const first = instance(proxy.port, user, password);
    const lock = await first.claim();
    // A write that has passed the fence, and whose COMMIT is still to come.
    const writing = await first.connections.open('postgres');
    await writing.query(`${beginSql(SMALL)}; ${lock.fence}; CREATE TEMP TABLE written (id int)`);
    const second = instance(server.port, user, password);
    const next = second.claim();
    await within(5, () => second.waits.length > 0);
    proxy.cut();
    const began = Date.now();
    let stopped = 0;
    lock.lost.addEventListener('abort', () => (stopped = Date.now() - began));
    const taken = await next;
    expect(Date.now() - began).toBeLessThan(15_000);
    expect(stopped).toBeGreaterThan(0);
    expect([await passes(lock), await passes(taken)]).toEqual([false, true]);
    expect(await server.query(`SELECT pid FROM pg_locks WHERE locktype = 'virtualxid' AND pid = ${(await pidOf(writing)).toString()}`)).toEqual([]);
    proxy.mend();
    await sleep(500);
    expect(await passes(lock)).toBe(false);
  });

/** As the client knows it from its login. */
const pidOf = (client: pg.Client): Promise<number> => Promise.resolve((client as unknown as { processID: number }).processID);

it('what a writer left running is waited for, and ended where it does not end', async () => {
  const first = instance();
  const lock = await first.claim();
  const [short, long] = [await first.connections.open('postgres'), await first.connections.open('postgres')];
  const done = short.query(`${beginSql(SMALL)}; ${lock.fence}; CREATE TABLE public.late AS SELECT FROM pg_sleep(0.7); COMMIT`);
  const never = long.query(`${beginSql(SMALL)}; ${lock.fence}; CREATE TABLE public.never AS SELECT FROM pg_sleep(30); COMMIT`);
  never.catch(() => undefined);
  await sleep(100);
  await lock.release();
  await instance().claim();
  await done;
  await expect(never).rejects.toMatchObject({ code: '57P01' });
  expect(await server.query(`SELECT relname FROM pg_class WHERE relname IN ('late', 'never')`)).toEqual([{ relname: 'late' }]);
  await server.query('DROP TABLE public.late');
});

it('a daemon that stands still is followed within 15 seconds, and writes nothing when it goes on', async () => {
  const manifests = new Manifests();
  manifests.users([{ username: 'alice', login: false }]);
  const start = async (state: string): Promise<Daemon> => {
    const daemon = await startDaemon({ ...daemonEnv(server, manifests.folder), SYNC_INTERVAL: '1', STATE_FILE: `${manifests.folder}/.${state}.json` });
    open.push({ close: async () => void daemon.process.kill('SIGKILL') });
    return daemon;
  };
  const first = await start('first');
  await first.ready();
  const second = await start('second');
  const role = async (daemon: Daemon): Promise<string | undefined> => (await daemon.status().catch(() => undefined))?.role;
  await within(20, async () => (await role(second)) === 'standby');
  first.process.kill('SIGSTOP');
  await within(15, async () => (await role(second)) === 'writer');
  first.process.kill('SIGCONT');
  await within(20, async () => (await role(first)) === 'standby');
  expect(await role(second)).toBe('writer');
  expect(first.lines().map(({ message }) => message)).toContain('the writer lock was lost: nothing is written until it is ours again');
  await within(20, () =>
    Promise.resolve(first.lines().some(({ message }) => message.startsWith('waiting to become the writer: another instance is the writer (process '))),
  );
  manifests.remove();
});
