// Moments: whatever transactions do, in whichever database, rows that are others are seen at another moment; and who only reads makes none.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type pg from 'pg';
import { databaseFingerprint } from '../../src/postgres/database-fingerprint.ts';
import { momentOf } from '../../src/postgres/moment.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward } from '../support/steward.ts';

let server: Postgres;
let admin: pg.Client;
beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: '5', autovacuum: 'off' } });
  await server.query('CREATE DATABASE other');
  await server.query('CREATE ROLE r');
  for (const database of ['postgres', 'other']) await server.query('CREATE TABLE t (id int)', database);
  admin = await server.client();
});
afterAll(async () => {
  await admin.end();
  await server.stop();
});

/** Everything of both databases, and the roles, that a plan may depend on. */
async function seen(watchers: readonly pg.Client[]): Promise<string> {
  const digests = await Promise.all(watchers.map((client) => databaseFingerprint(client, { columns: true, database: true })));
  const { rows } = await admin.query<{ roles: string }>(`SELECT string_agg(oid || ' ' || xmin, ',' ORDER BY oid) AS roles FROM pg_authid`);
  return JSON.stringify([digests, rows[0]?.roles]);
}

const CHANGES = [
  'GRANT SELECT ON t TO r',
  'REVOKE SELECT ON t FROM r',
  'CREATE TABLE IF NOT EXISTS u (id int)',
  'DROP TABLE IF EXISTS u',
  'ALTER ROLE r CREATEDB',
  'ALTER ROLE r NOCREATEDB',
  'SELECT count(*) FROM pg_class',
  `DO $$BEGIN BEGIN GRANT UPDATE ON t TO r; RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END; END$$`,
  'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r',
  'LOCK TABLE t IN ACCESS SHARE MODE',
];
const ENDS = ['COMMIT', 'ROLLBACK', 'SAVEPOINT a', 'ROLLBACK TO a', 'RELEASE a', `PREPARE TRANSACTION 'p'`, `COMMIT PREPARED 'p'`, `ROLLBACK PREPARED 'p'`];

it('is another one wherever a row is', async () => {
  let state = 20_261_128;
  const random = (most: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * most);
  };
  const clients = await Promise.all(['postgres', 'other', 'other'].map((database) => server.client(database)));
  for (const client of clients) await client.query(`SET lock_timeout = '5ms'`);
  const watchers = await Promise.all(['postgres', 'other'].map((database) => server.client(database)));
  let [last, lastSeen] = [await momentOf(admin), await seen(watchers)];
  let [same, changed] = [0, 0];
  for (let step = 0; step < 200; step += 1) {
    const client = clients[random(clients.length)];
    const what = random(3);
    const sql = what === 0 ? 'BEGIN' : what === 1 ? CHANGES[random(CHANGES.length)] : ENDS[random(ENDS.length)];
    await client?.query(sql ?? '').catch(() => undefined);
    // Before what is looked at, as a look does it.
    const [now, nowSeen] = [await momentOf(admin), await seen(watchers)];
    if (now === last) same += 1;
    if (nowSeen !== lastSeen) changed += 1;
    if (nowSeen !== lastSeen) expect(now, `step ${step}: ${sql}`).not.toBe(last);
    [last, lastSeen] = [now, nowSeen];
  }
  expect(same).toBeGreaterThan(10);
  expect(changed).toBeGreaterThan(10);
  await Promise.all([...clients, ...watchers].map((client) => client.end()));
});

it.each([[['postgres', 'other']], [['other']]])('hides nothing of %j from a look after those at a server on which nobody wrote', async (databases) => {
  const steward = await createSteward(server, { EVENT_TRIGGERS: 'off' });
  steward.manifests.users(
    JSON.stringify({
      roles: [{ name: 'app', grants: [{ databases, schemas: ['public'], tables: { t: ['SELECT'] } }] }],
      users: [{ username: 'amy', login: false }],
    }),
  );
  await steward.cycle();
  await steward.cycle();
  const { unchanged } = await steward.cycle();
  expect(unchanged).toBe(true);
  await server.query('REVOKE SELECT ON t FROM app', 'other');
  const report = await steward.cycle();
  expect(report.outcomes.map(({ change, result }) => [change.kind, result])).toEqual([['grant_privilege', 'applied']]);
  await steward.close();
});
