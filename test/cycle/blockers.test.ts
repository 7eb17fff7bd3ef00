// Blockers: who holds a lock is found for sessions and prepared transactions alike, also after a restart of the server, and nobody else is named.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blockersOf, conflicts, endHolder, holdersOf } from '../../src/postgres/blockers.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { SMALL } from '../../src/postgres/transaction.ts';
import { readConfig } from '../../src/config.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: '10' } });
});
afterAll(() => server.stop());

const pidOf = async (client: { query(sql: string): Promise<{ rows: { pid: number }[] }> }): Promise<number> =>
  (await client.query('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0;

it('names every holder of an advisory lock, and of those that keep a session waiting only who conflicts', async () => {
  await server.query('CREATE TABLE t (id int)');
  const holder = await server.client();
  await holder.query(`BEGIN; SELECT pg_advisory_xact_lock_shared(7, 8); PREPARE TRANSACTION 'advisory'`);
  await holder.query(`BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; PREPARE TRANSACTION 'reads'`);
  await holder.query(`BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE; PREPARE TRANSACTION 'writes'`);
  await holder.query(`SELECT pg_advisory_lock_shared(7, 8); BEGIN; INSERT INTO t VALUES (1)`);
  const pid = await pidOf(holder);
  const session = { pid, gid: undefined, role: 'postgres', database: 'postgres' };
  const of = (gid: string) => ({ pid: undefined, gid, role: 'postgres', database: 'postgres' });
  const advisory = `h.locktype = 'advisory' AND h.classid = 7 AND h.objid = 8`;
  const watcher = await server.client();
  expect((await holdersOf(watcher, advisory)).toSorted((a, b) => (a.pid ?? 0) - (b.pid ?? 0))).toEqual([of('advisory'), session]);
  const waiting = await server.client();
  const waits = await pidOf(waiting);
  const locked = waiting.query('BEGIN; LOCK TABLE t IN SHARE MODE').catch(() => undefined);
  for (;;) {
    const found = await blockersOf(watcher, waits);
    if (found.length === 0) continue;
    expect(found.toSorted((a, b) => (a.pid ?? 0) - (b.pid ?? 0))).toEqual([of('writes'), session]);
    break;
  }
  await waiting.end();
  await locked;
  await Promise.all([holder.end(), watcher.end()]);
  await server.kill9();
  await server.start();
  const later = await server.client();
  expect(await holdersOf(later, advisory)).toEqual([of('advisory')]);
  await later.query(`ROLLBACK PREPARED 'advisory'`);
  await later.query(`ROLLBACK PREPARED 'reads'`);
  await later.query(`ROLLBACK PREPARED 'writes'`);
  await later.end();
});

it('does not end what somebody else has prepared meanwhile by the name of what was found', async () => {
  await server.query(`CREATE ROLE mallory LOGIN PASSWORD 'p'; CREATE ROLE shop LOGIN PASSWORD 'p'`);
  const connections = createConnections(readConfig({ DB_HOST: server.host, DB_PORT: String(server.port), DB_PASS: server.password }).server, () => undefined);
  const context = { connections, adminDatabase: 'postgres', superuser: true, fence: 'SELECT 1', ...SMALL };
  const found = { pid: undefined, gid: 'order 1', role: 'mallory', database: 'postgres' };
  for (const [user, ended] of [
    ['shop', false],
    ['mallory', true],
  ] as const) {
    const session = await server.client('postgres', { user, password: 'p' });
    await session.query(`BEGIN; SELECT pg_advisory_xact_lock(1); PREPARE TRANSACTION 'order 1'`);
    expect([user, await endHolder(found, context), (await server.query('SELECT FROM pg_prepared_xacts')).length]).toEqual([user, ended, ended ? 0 : 1]);
    if (!ended) await session.query(`ROLLBACK PREPARED 'order 1'`);
    await session.end();
  }
  await connections.close();
});

it('knows which modes of a lock conflict as the server does', async () => {
  const modes = ['ACCESS SHARE', 'ROW SHARE', 'ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE'];
  const nameOf = (mode: string): string => `${mode.replaceAll(/(\w)(\w*) ?/g, (_, first: string, rest: string) => first + rest.toLowerCase())}Lock`;
  await server.query('CREATE TABLE m (id int)');
  const [one, other] = await Promise.all([server.client(), server.client()]);
  for (const held of modes) {
    await one.query(`BEGIN; LOCK TABLE m IN ${held} MODE`);
    for (const wanted of modes) {
      const refused = await other.query(`BEGIN; LOCK TABLE m IN ${wanted} MODE NOWAIT`).then(
        () => false,
        () => true,
      );
      await other.query('ROLLBACK');
      expect(conflicts(nameOf(wanted), nameOf(held)), `${wanted} beside ${held}`).toBe(refused);
    }
    await one.query('ROLLBACK');
  }
  await Promise.all([one.end(), other.end()]);
});
