// Users without a password, and what is said of Secrets where there is nowhere to write them to: on a real server and a folder of manifests.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
afterEach(async () => {
  await steward.close();
  await resetServer(server);
});
const stored = (user: string): Promise<{ login: boolean; password: boolean }[]> =>
  server.query(`SELECT rolcanlogin AS login, rolpassword IS NOT NULL AS password FROM pg_authid WHERE rolname = '${user}'`);

it('with `password: none` a user logs in by other means: no Secret is read, and a password that is there stays', async () => {
  steward = await createSteward(server);
  await server.query(`CREATE ROLE rds_iam; CREATE ROLE bob LOGIN PASSWORD 'set by somebody'`);
  steward.manifests.secret('bob', 'never looked at');
  steward.manifests.users([
    { username: 'alice', password: 'none', roles: ['rds_iam'] },
    { username: 'bob', password: 'none' },
  ]);
  const first = await steward.cycle();
  expect([first.result, first.notices]).toEqual(['changed', []]);
  expect(first.outcomes.filter(({ change }) => change.kind === 'set_password')).toEqual([]);
  expect([await stored('alice'), await stored('bob')]).toEqual([[{ login: true, password: false }], [{ login: true, password: true }]]);
  await (await server.client('postgres', { user: 'bob', password: 'set by somebody' })).end();
  await server.query(`ALTER ROLE alice PASSWORD 'by hand'`);
  expect((await steward.cycle()).outcomes).toEqual([]);
  expect(await stored('alice')).toEqual([{ login: true, password: true }]);
});

it('with a folder of manifests nothing can be written: it says so, and holds up nothing else', async () => {
  steward = await createSteward(server);
  steward.manifests.secret('bob', 'password-of-bob');
  steward.manifests.users([
    { username: 'alice', password: { generate: {} } },
    { username: 'bob', password: { generate: {} }, connectionSecret: 'bob-db' },
  ]);
  const report = await steward.cycle();
  expect(report.notices.map(({ kind, subject, message }) => `${kind}: ${subject}: ${message}`)).toEqual([
    'cannot: bob: the connection Secret postgres/bob-db is not written: that needs SOURCE=kubernetes',
    'cannot: alice: cannot create secret: user-alice-secret (a generated password for alice): that needs SOURCE=kubernetes',
    'secret: alice: the Secret user-alice-secret (key password) is missing: there is no such Secret; the user is not created',
  ]);
  expect([await stored('alice'), await stored('bob')]).toEqual([[], [{ login: true, password: true }]]);
  server.mark();
  expect((await steward.cycle()).outcomes).toEqual([]);
});
