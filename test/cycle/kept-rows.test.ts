// Kept rows: whatever somebody changes on the server, a reading that goes on from the one before tells what a reading of everything tells.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type pg from 'pg';
import { createRowKeeper } from '../../src/postgres/kept-rows.ts';
import { type CatalogKeeper, type ReadCatalog, readCatalog } from '../../src/postgres/read-catalog.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer } from '../support/steward.ts';

let server: Postgres;
let client: pg.Client;
beforeAll(async () => {
  server = await startPostgres();
  const steward = await createSteward(server);
  steward.manifests.users([{ username: 'ours', login: false, roles: ['team'] }]);
  await steward.cycle();
  await steward.close();
  client = await server.client();
});
afterAll(async () => {
  await client.end();
  await resetServer(server);
  await server.stop();
});

const read = (keeper?: CatalogKeeper, session = client): Promise<ReadCatalog> =>
  readCatalog({
    client: session,
    source: 'postgres/users',
    named: new Set(),
    declaring: new Set(['ours']),
    closed: () => [],
    missing: () => [],
    remembered: undefined,
    triggerDatabases: new Set(),
    adminDatabase: 'postgres',
    statementTimeout: 60,
    lockTimeout: 5,
    keeper,
  });

const byKey = <V>(map: ReadonlyMap<string, V>): readonly (readonly [string, V])[] => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
const inOrder = (list: readonly object[]): readonly string[] => list.map((item) => JSON.stringify(item)).toSorted();

/** All that is read in parts, in one order; but for the moment. */
const told = ({ cluster, oids, verifiers, managed, databases, leaving }: ReadCatalog) => ({
  roles: byKey(cluster.roles),
  memberships: inOrder(cluster.memberships),
  grants: inOrder(cluster.grants),
  oids: byKey(oids),
  verifiers: byKey(verifiers),
  managed: byKey(managed),
  databases: byKey(databases),
  leaving: new Set(leaving),
});

const NAMES = ['a', 'B b', `it's "quoted"`, 'line\nbreak', 'DROP ROLE postgres; --', 'Ωmega', '\u001f'];
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const name = fc.constantFrom(...NAMES).map(quoted);
/** What somebody may do by hand; much of it fails, as the role is there or is not. */
const deed = fc.oneof(
  name.map((role) => `CREATE ROLE ${role}`),
  name.map((role) => `DROP ROLE ${role}`),
  name.map((role) => `DROP ROLE ${role}; CREATE ROLE ${role}`),
  fc.tuple(name, name).map(([from, to]) => `ALTER ROLE ${from} RENAME TO ${to}`),
  fc
    .tuple(name, fc.constantFrom('LOGIN', 'NOLOGIN', 'CREATEDB', `VALID UNTIL '2031-01-01'`, 'CONNECTION LIMIT 3'))
    .map(([role, what]) => `ALTER ROLE ${role} ${what}`),
  fc.tuple(name, fc.constantFrom(`'said'`, `'said again'`, 'NULL')).map(([role, comment]) => `COMMENT ON ROLE ${role} IS ${comment}`),
  fc.tuple(name, fc.constantFrom('64kB', '128kB')).map(([role, value]) => `ALTER ROLE ${role} SET work_mem = '${value}'`),
  name.map((role) => `ALTER ROLE ${role} RESET ALL`),
  fc.tuple(name, name, fc.constantFrom('', ' WITH ADMIN OPTION')).map(([role, member, option]) => `GRANT ${role} TO ${member}${option}`),
  fc.tuple(name, name).map(([role, member]) => `REVOKE ${role} FROM ${member}`),
  fc.tuple(name, fc.constantFrom('', ' WITH GRANT OPTION')).map(([role, option]) => `GRANT CONNECT ON DATABASE postgres TO ${role}${option}`),
  name.map((role) => `REVOKE CONNECT ON DATABASE postgres FROM ${role}`),
  fc.constantFrom('CREATE DATABASE other', 'DROP DATABASE other', 'ALTER DATABASE other RENAME TO another', 'DROP DATABASE another'),
  fc.constantFrom(
    `UPDATE pgsteward.managed_role SET drain = '1h' WHERE name = 'ours'`,
    `UPDATE pgsteward.managed_role SET oid = oid + 1 WHERE name = 'ours'`,
    `DELETE FROM pgsteward.managed_role WHERE name = 'a'`,
    `INSERT INTO pgsteward.managed_role (name, entity, origin, source, oid, status) VALUES ('a', 'user', 'created', 'x', 0, 'active') ON CONFLICT DO NOTHING`,
    'VACUUM FULL pg_authid',
    'VACUUM FREEZE pg_auth_members',
  ),
);

it('a reading that goes on from the one before is a reading of everything, whatever was done between them', async () => {
  const keeper: CatalogKeeper = createRowKeeper();
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 1, maxLength: 8 }), async (deeds) => {
      for (const sql of deeds) await client.query(sql).catch(() => undefined);
      const kept = await read(keeper);
      expect(told(kept)).toEqual(told(await read()));
    }),
    { numRuns: 150 },
  );
});

it('only what has changed is read again, and all else is the very same', async () => {
  await client.query('DO $$ BEGIN FOR i IN 1..600 LOOP EXECUTE format(\'CREATE ROLE "many %s"\', i); END LOOP; END $$');
  const keeper: CatalogKeeper = createRowKeeper();
  const [first, same] = [await read(keeper), await read(keeper)];
  expect(same.cluster.roles).toBe(first.cluster.roles);
  expect(same.cluster.memberships).toBe(first.cluster.memberships);
  expect(same.managed).toBe(first.managed);
  await client.query(`COMMENT ON ROLE "many 7" IS 'another'`);
  const later = await read(keeper);
  expect(later.cluster.roles.get('many 7')?.comment).toBe('another');
  const again = [...later.cluster.roles.values()].filter((role) => first.cluster.roles.get(role.name) !== role);
  expect(again.length).toBeLessThan(20);
});

it('a server that was started again is read as a whole', async () => {
  const keeper: CatalogKeeper = createRowKeeper();
  const first = await read(keeper);
  await client.end();
  await server.shutDown();
  await server.start();
  client = await server.client();
  const later = await read(keeper);
  expect(told(later)).toEqual(told(first));
  expect(later.cluster.roles).not.toBe(first.cluster.roles);
});

/** Changes a role, reads, has the server crash and go on, and changes it again. Whether both changes were by transactions of one number. */
async function changedByOneNumber(crashing: Postgres): Promise<boolean> {
  const keeper: CatalogKeeper = createRowKeeper();
  let session = await crashing.client();
  const limit = async (): Promise<number | undefined> => (await read(keeper, session)).cluster.roles.get('hasty')?.connectionLimit;
  const change = async (to: number): Promise<string | undefined> => {
    await session.query(`ALTER ROLE hasty CONNECTION LIMIT ${to}`);
    return (await session.query<{ xmin: string }>(`SELECT xmin::text FROM pg_authid WHERE rolname = 'hasty'`)).rows[0]?.xmin;
  };
  const started = async (): Promise<unknown> => (await session.query('SELECT pg_postmaster_start_time()::text')).rows;
  await session.query('CHECKPOINT');
  await limit();
  const [before, lost] = [await started(), await change(3)];
  expect(await limit()).toBe(3);
  const ended = new Promise<void>((resolve) => session.on('error', () => undefined).on('end', resolve));
  const { rows } = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
  await ended;
  const isBack = async (): Promise<boolean> => {
    session = await crashing.client();
    return true;
  };
  await expect.poll(() => isBack().catch(() => false), { timeout: 60_000 }).toBe(true);
  expect(await started()).toEqual(before);
  const found = await change(7);
  expect(await limit()).toBe(7);
  await session.end();
  return found === lost;
}

it('numbers of transactions that a crash took back, and gave out again, stand for nothing that was read before', async () => {
  const crashing = await startPostgres({ settings: { synchronous_commit: 'off', wal_writer_delay: '10s', autovacuum: 'off' } });
  try {
    await crashing.query('CREATE ROLE hasty');
    let isSame = false;
    // What was not written yet may be, just before the crash: then nothing is lost.
    for (let attempt = 0; attempt < 10 && !isSame; attempt += 1) isSame = await changedByOneNumber(crashing);
    expect(isSame).toBe(true);
  } finally {
    await crashing.stop();
  }
});

it('who cannot read pg_authid has nothing kept of roles, and sees what they are', async () => {
  await client.query(`CREATE ROLE weak LOGIN PASSWORD 'weak password'; CREATE ROLE "seen by weak"`);
  const weak = await server.client('postgres', { user: 'weak', password: 'weak password' });
  try {
    const keeper: CatalogKeeper = createRowKeeper();
    await read(keeper, weak);
    await client.query(`ALTER ROLE "seen by weak" CREATEDB; GRANT "seen by weak" TO weak`);
    const later = await read(keeper, weak);
    expect(later.cluster.roles.get('seen by weak')?.createdb).toBe(true);
    expect(told(later)).toEqual(told(await read(undefined, weak)));
  } finally {
    await weak.end();
  }
});
