// Dodging: nobody keeps a removal, an expiry, a rotation or a lost membership away by a transaction that stays open, prepared ones included.
import type pg from 'pg';
import { afterEach, expect, it } from 'vitest';
import type { CycleReport } from '../../src/steward/report.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { max_prepared_transactions: '10' },
  (started) => (server = started),
  () => steward,
);

// Before the server is reset (hooks run in reverse), which waits for their locks.
afterEach(async () => {
  for (const { sql, database } of await server.query<{ sql: string; database: string }>(
    `SELECT format('ROLLBACK PREPARED %L', gid) AS sql, database FROM pg_prepared_xacts`,
  ))
    await server.query(sql, database);
});

const KEEPER = { username: 'keeper' };
const MALLORY = { username: 'mallory' };
const PLAIN = { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home' };

/** A plain admin as docs/security.md sets it up. */
const plainAdmin = async (): Promise<void> => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'`);
  await server.query('CREATE DATABASE home OWNER adm');
  await server.query('GRANT pg_signal_backend TO adm');
};
const start = async (users: readonly object[], env: Record<string, string> = {}): Promise<void> => {
  steward = await createSteward(server, { DB_LOCK_TIMEOUT: '0.5', ...env });
  steward.manifests.users(users);
  steward.manifests.secrets(new Map(users.map((user) => [(user as { username: string }).username, 'p'])));
  await steward.cycle();
};
const login = (user = 'mallory', password = 'p', database = 'postgres'): Promise<pg.Client> => server.client(database, { user, password });
const isOpen = (client: pg.Client): Promise<boolean> =>
  client.query('SELECT 1').then(
    () => true,
    () => false,
  );
const roleOf = async (name: string): Promise<unknown> => (await server.query(`SELECT rolcanlogin AS login FROM pg_roles WHERE rolname = '${name}'`))[0];
const prepared = async (): Promise<unknown[]> => (await server.query<{ gid: string }>('SELECT gid FROM pg_prepared_xacts ORDER BY 1')).map((row) => row.gid);
const failures = (report: CycleReport): unknown[] => report.outcomes.filter((outcome) => outcome.result !== 'applied');
const HOLDS_ITS_ROW = `BEGIN; ALTER ROLE mallory PASSWORD 'x'`;

for (const [admin, env] of [
  ['a superuser', {}],
  ['a plain admin', PLAIN],
] as const) {
  const prepare = (): Promise<void> => (env === PLAIN ? plainAdmin() : Promise.resolve());

  it(`${admin} removes a user in one cycle although its open transactions hold its own row`, async () => {
    await prepare();
    await start([MALLORY, KEEPER], env);
    const sessions = await Promise.all([login(), login(), login()]);
    await sessions[0].query(HOLDS_ITS_ROW);
    // These stand in the queue before us.
    for (const one of sessions.slice(1)) one.query(HOLDS_ITS_ROW).catch(() => undefined);
    steward.manifests.users([KEEPER]);
    expect(failures(await steward.cycle())).toEqual([]);
    expect(await roleOf('mallory')).toBeUndefined();
    expect(await Promise.all(sessions.map(isOpen))).toEqual([false, false, false]);
  });

  it(`${admin} rotates a password in one cycle although the user's open transaction holds its row, and ends no other session`, async () => {
    await prepare();
    await start([MALLORY, KEEPER], env);
    const [holder, other, keeper] = await Promise.all([login(), login(), login('keeper')]);
    await holder.query(HOLDS_ITS_ROW);
    steward.manifests.secret('mallory', 'q');
    const report = await steward.cycle();
    expect(report.outcomes.map((outcome) => [outcome.change.kind, outcome.result])).toEqual([
      ['end_sessions', 'applied'],
      ['set_password', 'applied'],
    ]);
    expect(await Promise.all([holder, other, keeper].map(isOpen))).toEqual([false, true, true]);
    await Promise.all([other.end(), keeper.end()]);
    await (await login('mallory', 'q')).end();
    if ((await steward.cycle()).result !== 'converged') throw new Error('it does not converge');
  });

  it(`${admin} lets a validity end and takes a role away although a transaction of the user's holds both rows`, async () => {
    await prepare();
    await start([{ ...MALLORY, roles: ['team'] }, KEEPER], env);
    const holder = await login();
    // Below 16 a member of its own accord, from 16 on nobody but an administrator touches this row.
    await holder.query(HOLDS_ITS_ROW);
    steward.manifests.users([{ ...MALLORY, validUntil: '2020-01-01T00:00:00Z' }, KEEPER, { username: 'carol', roles: ['team'] }]);
    steward.manifests.secret('carol', 'p');
    expect(failures(await steward.cycle())).toEqual([]);
    expect(await server.query(`SELECT rolvaliduntil < now() AS over FROM pg_roles WHERE rolname = 'mallory'`)).toEqual([{ over: true }]);
    expect(await server.query(`SELECT 1 FROM pg_auth_members WHERE member = 'mallory'::regrole`)).toEqual([]);
    expect(await isOpen(holder)).toBe(false);
  });

  it(`${admin} rolls back the prepared transactions by which a user keeps its password and its role, and says so in the audit log`, async () => {
    await prepare();
    await start([MALLORY, KEEPER], env);
    const session = await login();
    await session.query(`${HOLDS_ITS_ROW}; PREPARE TRANSACTION 'y''; DROP ROLE keeper; --\n\u001f'`);
    steward.manifests.secret('mallory', 'q');
    expect(failures(await steward.cycle())).toEqual([]);
    await (await login('mallory', 'q')).end();
    expect(await prepared()).toEqual([]);
    await session.query(`${HOLDS_ITS_ROW}; PREPARE TRANSACTION 'z'`);
    await session.query(`BEGIN; CREATE TEMP TABLE IF NOT EXISTS nothing (); ROLLBACK; BEGIN; SELECT lo_create(4711); PREPARE TRANSACTION 'owns'`);
    await session.end();
    steward.manifests.users([KEEPER]);
    expect(failures(await steward.cycle())).toEqual([]);
    expect([await roleOf('mallory'), await prepared()]).toEqual([undefined, []]);
    const rows = await server.query(
      `SELECT sql, detail FROM pgsteward.audit_log WHERE change = 'rollback_prepared' ORDER BY id`,
      env === PLAIN ? 'home' : 'postgres',
    );
    expect(rows).toEqual([
      { sql: `ROLLBACK PREPARED  E'y''; DROP ROLE keeper; --\n\\x1f'`, detail: expect.stringContaining('set password of user: mallory') as string },
      { sql: `ROLLBACK PREPARED 'z'`, detail: expect.stringContaining('disable user: mallory') as string },
      { sql: `ROLLBACK PREPARED 'owns'`, detail: expect.stringContaining('drop user: mallory') as string },
    ]);
  });
}

it('two users that leave do not keep each other by prepared transactions on what they own, and one that stays is not hurried', async () => {
  const [anna, berta, carol] = ['anna', 'berta', 'carol'].map((username) => ({ username }));
  await start([anna, berta, carol, KEEPER] as object[]);
  for (const [owner, other] of [
    ['anna', 'berta'],
    ['berta', 'anna'],
  ] as const)
    await server.query(
      `CREATE SCHEMA of_${owner} AUTHORIZATION ${owner}; SET ROLE ${owner}; CREATE TABLE of_${owner}.one (id int); GRANT USAGE ON SCHEMA of_${owner} TO ${other}, carol; GRANT SELECT ON of_${owner}.one TO ${other}, carol`,
    );
  const prepare = async (user: string, table: string): Promise<void> => {
    const session = await login(user);
    await session.query(`BEGIN; LOCK TABLE ${table} IN ACCESS SHARE MODE; PREPARE TRANSACTION 'of ${user}'`);
    await session.end();
  };
  await prepare('anna', 'of_berta.one');
  await prepare('berta', 'of_anna.one');
  await prepare('carol', 'of_anna.one');
  steward.manifests.users([carol, KEEPER] as object[]);
  await steward.cycle();
  expect([await roleOf('anna'), await roleOf('berta'), await prepared()]).toEqual([{ login: false }, undefined, ['of carol']]);
  await server.query(`ROLLBACK PREPARED 'of carol'`);
  steward = await steward.restart();
  expect(failures(await steward.cycle())).toEqual([]);
  expect(await roleOf('anna')).toBeUndefined();
});

it('what a stranger holds stays, and is named with the SQL that ends it; the sessions of whoever has to go end all the same', async () => {
  await start([MALLORY, KEEPER]);
  await server.query(`CREATE ROLE "str'anger" LOGIN SUPERUSER PASSWORD 'p'`);
  const stranger = await login("str'anger");
  await stranger.query('BEGIN; ALTER ROLE mallory CONNECTION LIMIT 7');
  const session = await login();
  steward.manifests.users([KEEPER]);
  const report = await steward.cycle();
  expect(await isOpen(session)).toBe(false);
  const pid = (await stranger.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
  const named = report.notices.map((notice) => notice.message).join('\n');
  expect(named).toContain(`session ${pid} of str'anger in database postgres (SELECT pg_catalog.pg_terminate_backend(${pid}))`);
  await stranger.query(`PREPARE TRANSACTION 'it''s'`);
  await stranger.end();
  steward = await steward.restart();
  const later = (await steward.cycle()).notices.map((notice) => notice.message).join('\n');
  const sql = /run in database postgres: (ROLLBACK PREPARED '(?:[^']|'')*')/.exec(later)?.[1] ?? '';
  await server.query(sql);
  expect(await prepared()).toEqual([]);
  steward = await steward.restart();
  expect(failures(await steward.cycle())).toEqual([]);
  expect(await roleOf('mallory')).toBeUndefined();
});
