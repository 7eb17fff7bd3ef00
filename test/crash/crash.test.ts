// Crashes: the daemon, and PostgreSQL, killed with SIGKILL at one moment after another of a cycle that creates, changes and removes.
// After a restart everything is as the document says, the audit log has neither gaps nor doubles, and nothing is lost.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Daemon, daemonEnv, Manifests, startDaemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { startCuttingProxy } from './proxy.ts';
import { createSteward, ddlOf, resetServer } from '../support/steward.ts';

/** From one message that is killed at to the next. */
const STEP = Number(process.env['STEP'] ?? 1);

let server: Postgres;
beforeAll(async () => {
  // Durable on purpose.
  server = await startPostgres({ settings: { fsync: 'on' } });
});
afterAll(() => server.stop());

const BEFORE = [
  { username: 'leaver', database: 'app', databases: ['postgres'], roles: ['team', 'old'] },
  { username: 'changer', roles: ['old'] },
  { username: 'stayer', roles: ['team'] },
];
const AFTER = [
  { username: 'changer', roles: ['team'], connectionLimit: 4, settings: { work_mem: '3MB' }, comment: 'changed' },
  { username: 'stayer', roles: ['team'] },
  { username: 'joiner', database: 'app', roles: ['fresh'] },
];
/** The messages of a cycle, and none of those that listen or look between cycles. */
const ONLY_CYCLES = { DB_SSLMODE: 'disable', MAX_LISTENERS: '0', DRIFT_INTERVAL: '0' };
/** In two databases, so that changes are made beside the ledger's own transactions. */
const goods = (tables: object) => ({ databases: ['app', 'postgres'], schemas: ['goods'], tables });
const ROLES_BEFORE = [
  { name: 'reader', grants: [goods({ '*': ['SELECT', 'INSERT'], hidden: [] })] },
  { name: 'goner', grants: [goods({ a: ['SELECT'] })] },
];
const ROLES_AFTER = [
  { name: 'reader', grants: [goods({ '*': ['SELECT', 'UPDATE'], hidden: [] })] },
  { name: 'newcomer', grants: [goods({ a: ['SELECT'], b: ['DELETE'] })] },
];
const PASSWORDS = new Map(['leaver', 'changer', 'stayer', 'joiner'].map((name) => [name, `password of ${name}`]));

/** A server and a folder in the state before, with things that the leaver owns in two databases. */
async function prepare(): Promise<Manifests> {
  await resetServer(server);
  await server.query('CREATE DATABASE app');
  for (const database of ['app', 'postgres'])
    await server.query(
      `DROP SCHEMA IF EXISTS goods CASCADE; CREATE SCHEMA goods; CREATE TABLE goods.a (); CREATE TABLE goods.b (); CREATE TABLE goods.hidden ()`,
      database,
    );
  const steward = await createSteward(server);
  steward.manifests.users(JSON.stringify({ roles: ROLES_BEFORE, users: BEFORE }));
  steward.manifests.secrets(PASSWORDS);
  expect((await steward.cycle()).result).toBe('changed');
  for (const database of ['app', 'postgres'])
    await server.query(
      `DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept AUTHORIZATION leaver; SET ROLE leaver; CREATE TABLE kept.t AS SELECT 1 AS id`,
      database,
    );
  const folder = new Manifests();
  folder.users(JSON.stringify({ roles: ROLES_AFTER, users: AFTER }));
  folder.secrets(new Map([...PASSWORDS, ['changer', 'a new password']]));
  await steward.close();
  return folder;
}

async function expectConverged(folder: Manifests, where: string): Promise<void> {
  const steward = await createSteward(server, {}, folder);
  const last = await steward.cycle();
  const heir = expect.stringMatching(/^pgsteward_heir_/) as string;
  // One for each database.
  const kept: unknown = expect.objectContaining({ kind: 'kept', subject: heir });
  expect(last.notices, where).toEqual([kept, kept]);
  server.mark();
  expect((await steward.cycle()).result, where).toBe('converged');
  expect(ddlOf(server.log()), where).toEqual([]);
  expect(await server.query(`SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres' ORDER BY 1`), where).toEqual([
    { rolname: 'changer', rolconnlimit: 4 },
    { rolname: 'fresh', rolconnlimit: -1 },
    { rolname: 'joiner', rolconnlimit: -1 },
    { rolname: 'newcomer', rolconnlimit: -1 },
    { rolname: heir, rolconnlimit: -1 },
    { rolname: 'reader', rolconnlimit: -1 },
    { rolname: 'stayer', rolconnlimit: -1 },
    { rolname: 'team', rolconnlimit: -1 },
  ]);
  for (const database of ['app', 'postgres'])
    expect(await server.query(`SELECT id, tableowner AS owner FROM kept.t, pg_tables WHERE schemaname = 'kept'`, database), where).toEqual([
      { id: 1, owner: heir },
    ]);
  for (const database of ['app', 'postgres'])
    expect(
      await server.query(
        `SELECT relname, string_agg(split_part(acl::text, '/', 1), ' ' ORDER BY acl::text) AS acl FROM pg_class, unnest(relacl) acl
         WHERE relnamespace = 'goods'::regnamespace AND acl::text !~ '^postgres' GROUP BY 1 ORDER BY 1`,
        database,
      ),
      where,
    ).toEqual([
      { relname: 'a', acl: 'newcomer=r reader=rw' },
      { relname: 'b', acl: 'newcomer=d reader=rw' },
    ]);
  for (const [user, password] of [
    ['changer', 'a new password'],
    ['joiner', 'password of joiner'],
  ] as const)
    await (await server.client('postgres', { user, password })).end();
  expect(await server.query(`SELECT max(id) = count(*) AS gapless FROM pgsteward.audit_log`), where).toEqual([{ gapless: true }]);
  // Each change once: what happened twice would be there twice.
  expect(
    await server.query(
      `SELECT a.change, a.object FROM pgsteward.audit_log a LEFT JOIN pgsteward.audit_log i ON i.id = a.intent
       WHERE a.outcome = 'applied' AND a.change <> 'end_sessions' GROUP BY 1, 2, coalesce(i.sql, a.sql) HAVING count(*) > 1 AND a.change NOT IN ('set_password')`,
    ),
    where,
  ).toEqual([]);
  expect(
    await server.query(`SELECT count(*)::int AS drops FROM pgsteward.audit_log WHERE outcome = 'applied' AND change = 'drop_role' AND role = 'leaver'`),
    where,
  ).toEqual([{ drops: 1 }]);
  expect(
    await server.query(
      `SELECT count(*)::int AS open FROM pgsteward.audit_log a WHERE outcome = 'intent' AND NOT EXISTS (SELECT FROM pgsteward.audit_log c WHERE c.intent = a.id)`,
    ),
    where,
  ).toEqual([{ open: 0 }]);
  await steward.close();
}

it('the daemon killed at each message of its cycle, before and after the server has it', { timeout: 7_200_000 }, async () => {
  let points = 0;
  for (let point = 1; ; point += STEP) {
    let done = false;
    for (const deliver of [false, true]) {
      const folder = await prepare();
      let daemon: Daemon | undefined;
      const proxy = await startCuttingProxy(server.port, point, deliver, () => daemon?.process.kill('SIGKILL'));
      daemon = await startDaemon({ ...daemonEnv(server, folder.folder), DB_PORT: String(proxy.port), ...ONLY_CYCLES });
      await Promise.race([daemon.ready().catch(() => undefined), new Promise((resolve) => daemon?.process.once('exit', resolve))]);
      await daemon.kill9();
      await proxy.close();
      await expectConverged(folder, `point ${point}, ${deliver ? 'delivered' : 'lost'}`);
      folder.remove();
      done = !proxy.reached();
    }
    if (done) break;
    points += 1;
  }
  console.log(`killed at ${points} messages, each before and after delivery`);
  expect(points * STEP).toBeGreaterThan(45);
});

it('PostgreSQL killed after each message of a cycle', { timeout: 7_200_000 }, async () => {
  let points = 0;
  for (let point = 1; ; point += STEP) {
    const folder = await prepare();
    let killed: Promise<void> | undefined;
    const proxy = await startCuttingProxy(server.port, point, true, () => {
      killed = server.kill9();
    });
    const daemon = await startDaemon({ ...daemonEnv(server, folder.folder), DB_PORT: String(proxy.port), ...ONLY_CYCLES, SYNC_INTERVAL: '1' });
    for (const end = Date.now() + 20_000; killed === undefined && Date.now() < end; await sleep(20))
      if ((await daemon.status().catch(() => undefined))?.lastCycle?.result === 'changed') break;
    if (killed !== undefined) {
      await killed;
      await server.start();
    }
    await daemon.kill9();
    await proxy.close();
    await expectConverged(folder, `server killed at ${point}`);
    folder.remove();
    if (!proxy.reached()) break;
    points += 1;
  }
  console.log(`PostgreSQL killed at ${points} messages`);
  expect(points * STEP).toBeGreaterThan(45);
});
