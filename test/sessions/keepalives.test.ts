// A peer that is gone without a word: every session that we hold notices it within seconds, at both ends, and a daemon that is cut off is followed.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { type Connections, createConnections } from '../../src/postgres/connection.ts';
import { createResidents } from '../../src/postgres/residents.ts';
import { acquireWriterLock } from '../../src/postgres/writer-lock.ts';
import { type Daemon, daemonEnv, Manifests, startDaemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { startSilentProxy } from '../support/silent-proxy.ts';
import { resetServer } from '../support/steward.ts';

const PASSWORD = 'a password of the admin';
/** Until a peer is taken for gone: 3 seconds of silence, and 3 questions 2 seconds apart; what was sent and not received, 9 seconds. */
const ON_THE_SERVER = { tcp_keepalives_idle: '3', tcp_keepalives_interval: '2', tcp_keepalives_count: '3', tcp_user_timeout: '9000' };

let server: Postgres;
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
  await resetServer(server);
});

const until = async (check: () => Promise<boolean> | boolean): Promise<void> => {
  for (const end = Date.now() + 60_000; !(await check()); await sleep(50)) if (Date.now() > end) throw new Error('not within 60 s');
};

interface Recorded extends Connections {
  /** Every session that was opened, and has not ended. */
  readonly held: ReadonlySet<pg.Client>;
}

function recorded(user: string, password: string): Recorded {
  const config = readConfig({ DB_HOST: '127.0.0.1', DB_PORT: String(server.port), DB_USER: user, DB_PASS: password });
  const connections = createConnections(config.server, () => undefined);
  open.push(connections);
  const held = new Set<pg.Client>();
  const openOne = async (database: string): Promise<pg.Client> => {
    const client = await connections.open(database);
    held.add(client);
    client.once('end', () => held.delete(client));
    return client;
  };
  return { ...connections, open: openOne, held };
}

const timeoutsOf = async (client: pg.ClientBase): Promise<unknown> => {
  const { rows } = await client.query(
    `SELECT ${Object.keys(ON_THE_SERVER)
      .map((name) => `current_setting('${name}') AS ${name}`)
      .join(', ')}`,
  );
  return rows[0];
};

for (const [user, setup] of [
  ['postgres', ''],
  ['adm', `CREATE ROLE adm LOGIN CREATEROLE PASSWORD '${PASSWORD}'; ALTER ROLE adm SET tcp_user_timeout = 0`],
] as const)
  it(`the server's end of each session of ${user} has them: the writer, residents and their like, and those of the pool`, async () => {
    // What the system would do by itself, hours later.
    if (setup !== '') await server.query(setup);
    await server.query('ALTER DATABASE postgres SET tcp_keepalives_idle = 7200');
    await server.query('CREATE DATABASE shop');
    try {
      const connections = recorded(user, user === 'postgres' ? server.password : PASSWORD);
      const lock = await acquireWriterLock({
        connections,
        adminDatabase: 'postgres',
        source: 'test',
        signal: new AbortController().signal,
        onWait: () => undefined,
      });
      const residents = createResidents({ connections, max: 1, onHeard: () => undefined });
      residents.follow(['shop']);
      await until(() => residents.counts().listening === 1);
      // The writer's, the resident's, and the one by which it tested itself, which has ended.
      await until(() => connections.held.size === 2);
      for (const client of connections.held) expect(await timeoutsOf(client)).toEqual(ON_THE_SERVER);
      await Promise.all(Array.from({ length: 3 }, () => connections.withAdmin(async (client) => expect(await timeoutsOf(client)).toEqual(ON_THE_SERVER))));
      residents.close();
      await lock.release();
    } finally {
      await server.query('ALTER DATABASE postgres RESET ALL');
    }
  });

/** A socket as the system shows it: which of its timers runs (2 is the one of keepalives), and in how many seconds it is due. */
interface Shown {
  readonly from: number;
  readonly to: number;
  readonly timer: number;
  readonly due: number;
}

/** Those with a session of the server, at either end. */
function socketsOf(port: number): readonly Shown[] {
  const ESTABLISHED = '01';
  const portOf = (address = ''): number => Number.parseInt(address.split(':')[1] ?? '', 16);
  return readFileSync('/proc/net/tcp', 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === ESTABLISHED)
    .map(([, local, remote, , , timer = '']) => ({
      from: portOf(local),
      to: portOf(remote),
      timer: Number.parseInt(timer, 16),
      due: Number.parseInt(timer.split(':')[1] ?? '', 16) / 100,
    }))
    .filter(({ from, to }) => from === port || to === port);
}

it.runIf(process.platform === 'linux')('both ends of every socket that a daemon holds ask whether the other is there, within 3 seconds', async () => {
  await server.query('CREATE DATABASE shop');
  const manifests = new Manifests();
  manifests.users([{ username: 'alice', login: false, databases: ['shop'] }]);
  const daemon = await startDaemon(daemonEnv(server, manifests.folder, { MAX_LISTENERS: '2' }));
  open.push({ close: () => daemon.kill9() });
  await daemon.ready();
  let seen: readonly Shown[] = [];
  // Nothing is on its way: then another timer runs, until it has arrived.
  const isQuiet = async (): Promise<boolean> => {
    const [{ sessions } = { sessions: 0 }] = await server.query<{ sessions: number }>(
      `SELECT count(*)::int AS sessions FROM pg_stat_activity WHERE application_name LIKE 'pgsteward%'`,
    );
    await sleep(200);
    seen = socketsOf(server.port);
    return sessions >= 2 && seen.length === sessions * 2 && seen.every(({ timer }) => timer !== 1);
  };
  await until(isQuiet);
  expect(seen.filter(({ from }) => from === server.port).length).toBe(seen.filter(({ to }) => to === server.port).length);
  expect(seen.filter(({ timer, due }) => timer !== 2 || due > 3)).toEqual([]);
  manifests.remove();
});

it('a daemon whose network swallows everything is followed by another within 15 seconds, shows itself as the writer no longer, and stands by when it is back', async () => {
  const proxy = await startSilentProxy(server.port);
  open.push(proxy);
  const manifests = new Manifests();
  manifests.users([{ username: 'alice', login: false }]);
  const start = async (state: string, port: number): Promise<Daemon> => {
    const env = daemonEnv(server, manifests.folder, { DB_PORT: String(port), SYNC_INTERVAL: '1', STATE_FILE: `${manifests.folder}/.${state}.json` });
    const daemon = await startDaemon(env);
    open.push({ close: () => daemon.kill9() });
    return daemon;
  };
  const first = await start('first', proxy.port);
  await first.ready();
  const second = await start('second', server.port);
  const role = async (daemon: Daemon): Promise<string | undefined> => (await daemon.status().catch(() => undefined))?.role;
  await until(async () => (await role(second)) === 'standby');
  proxy.cut();
  // 15 seconds as timers of this machine have them: one that is busy with something else is late with everybody's.
  let ticks = 0;
  while ((await role(second)) !== 'writer' && ticks < 200) {
    await sleep(100);
    ticks += 1;
  }
  expect(ticks).toBeLessThan(150);
  manifests.users([{ username: 'bob', login: false }]);
  await until(async () => (await server.query(`SELECT FROM pg_roles WHERE rolname = 'bob'`)).length === 1);
  expect(await role(first)).not.toBe('writer');
  expect(first.lines().map(({ message }) => message)).toContain('the writer lock was lost: nothing is written until it is ours again');
  proxy.mend();
  await until(() => first.lines().some(({ message }) => message.startsWith('waiting to become the writer: another instance is the writer (process ')));
  expect(await role(second)).toBe('writer');
  manifests.remove();
});
