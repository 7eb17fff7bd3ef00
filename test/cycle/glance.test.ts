// A glance between cycles: nothing is looked at while nobody writes, and nothing that anybody changes is missed by that.
import { expect, it } from 'vitest';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { fsync: 'off' },
  (started) => (server = started),
  () => steward,
);

const NOTHING = { cluster: false, databases: [] };

it('there is nothing to look for until a transaction has ended, and then whatever it did is found', async () => {
  steward = await createSteward(server);
  steward.manifests.users([
    { username: 'alice', password: 'none', roles: ['readers'] },
    { username: 'bob', password: 'none' },
  ]);
  const { looker } = steward;
  // Nobody has looked yet.
  expect(await looker.mayHaveDrifted()).toBe(false);
  await steward.cycle();
  expect((await steward.cycle()).result).toBe('converged');
  for (const sql of [
    'GRANT readers TO bob',
    'REVOKE readers FROM alice',
    "ALTER ROLE bob SET work_mem = '5MB'",
    'ALTER ROLE alice CREATEDB',
    'REVOKE CONNECT ON DATABASE postgres FROM bob',
  ]) {
    // The cycle has seen it all.
    expect(await looker.mayHaveDrifted()).toBe(false);
    expect(await looker.lookForDrift()).toEqual(NOTHING);
    expect(await looker.mayHaveDrifted()).toBe(false);
    await server.query('SELECT 1');
    expect(await looker.mayHaveDrifted()).toBe(false);
    await server.query(sql);
    expect(await looker.mayHaveDrifted()).toBe(true);
    expect((await looker.lookForDrift()).cluster).toBe(true);
    // It stays to be looked for, until a cycle has.
    expect(await looker.mayHaveDrifted()).toBe(true);
    expect((await steward.cycle()).outcomes.length).toBeGreaterThan(0);
    expect((await steward.cycle()).result).toBe('converged');
  }
});

it('what was written before the look began and is committed after it is found', async () => {
  steward = await createSteward(server);
  steward.manifests.users([
    { username: 'alice', password: 'none', roles: ['readers'] },
    { username: 'bob', password: 'none' },
  ]);
  const { looker } = steward;
  await steward.cycle();
  await steward.cycle();
  const client = await server.client();
  await client.query('BEGIN; GRANT readers TO bob');
  await looker.lookForDrift();
  expect(await looker.mayHaveDrifted()).toBe(false);
  await client.query('COMMIT');
  expect(await looker.mayHaveDrifted()).toBe(true);
  expect((await looker.lookForDrift()).cluster).toBe(true);
  await client.end();
});

it('a session that matters is seen to end, which takes no transaction', async () => {
  steward = await createSteward(server);
  steward.manifests.users([{ username: 'alice', password: 'none', login: false, drain: 'keep' }]);
  await steward.cycle();
  await server.query(`ALTER ROLE alice LOGIN PASSWORD 'of a test'`);
  const session = await server.client('postgres', { user: 'alice', password: 'of a test' });
  await steward.cycle();
  await steward.cycle();
  const { looker } = steward;
  await looker.lookForDrift();
  expect(await looker.mayHaveDrifted()).toBe(false);
  await session.end();
  await expect.poll(() => looker.mayHaveDrifted(), { timeout: 20_000 }).toBe(true);
});
