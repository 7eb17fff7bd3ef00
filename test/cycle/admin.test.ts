// An admin without superuser: CREATEROLE and CREATEDB do the work; what they cannot do is said, with SQL that then works.
import { expect, it } from 'vitest';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const start = async (users: readonly object[], database = 'postgres', env: Record<string, string> = {}): Promise<void> => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'`);
  if (database !== 'postgres') await server.query(`CREATE DATABASE ${database} OWNER adm`);
  steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: database, ...env });
  steward.manifests.users(users);
  steward.manifests.secrets(new Map(users.map((user) => [(user as { username: string }).username, 'p'])));
};
const canLogin = (user: string, password: string, database = 'postgres'): Promise<boolean> =>
  server.client(database, { user, password }).then(
    (client) => client.end().then(() => true),
    () => false,
  );
const exists = async (role: string): Promise<boolean> => (await server.query(`SELECT 1 FROM pg_roles WHERE rolname = '${role}'`)).length > 0;

it('creates, rotates, repairs and removes in a database of its own, and converges', async () => {
  await start([{ username: 'alice', roles: ['team'], comment: 'c', settings: { work_mem: '8MB' } }, { username: 'keeper' }], 'home');
  expect((await steward.cycle()).result).toBe('changed');
  expect((await steward.cycle()).result).toBe('converged');
  expect(await canLogin('alice', 'p', 'home')).toBe(true);
  steward.manifests.secret('alice', 'q');
  await steward.cycle();
  expect(await canLogin('alice', 'q', 'home')).toBe(true);
  await server.query('REVOKE team FROM alice; ALTER ROLE alice NOLOGIN CONNECTION LIMIT 1; GRANT team TO keeper');
  await steward.cycle();
  await steward.cycle();
  expect(await canLogin('alice', 'q', 'home')).toBe(true);
  await server.query(`CREATE SCHEMA mine AUTHORIZATION alice; SET ROLE alice; CREATE TABLE mine.t (id int)`, 'home');
  steward.manifests.users([{ username: 'keeper' }]);
  const report = await steward.cycle();
  expect(report.outcomes.filter((outcome) => outcome.result !== 'applied')).toEqual([]);
  expect([await exists('alice'), await exists('team')]).toEqual([false, false]);
  expect(await server.query(`SELECT tableowner FROM pg_tables WHERE tablename = 't'`, 'home')).toEqual([
    // Not ours: what a user made would run with our rights.
    { tableowner: expect.stringMatching(/^pgsteward_heir_\d+$/) as string },
  ]);
  steward = await steward.restart();
  server.mark();
  await steward.cycle();
  expect((await steward.cycle()).result).toBe('converged');
  expect(ddlOf(server.log())).toEqual([]);
});

it('works from the state file alone where it may not create a schema, and says what is lost and how to mend it', async () => {
  await start([{ username: 'alice' }, { username: 'keeper' }]);
  expect((await steward.cycle()).result).toBe('changed');
  expect(steward.warnings.join()).toContain('CREATE SCHEMA pgsteward AUTHORIZATION "adm"');
  steward = await steward.restart();
  server.mark();
  expect((await steward.cycle()).result).toBe('converged');
  expect(ddlOf(server.log())).toEqual([]);
  steward.manifests.users([{ username: 'keeper' }]);
  await steward.cycle();
  expect(await exists('alice')).toBe(false);
  await server.query('CREATE SCHEMA pgsteward AUTHORIZATION "adm"');
  steward = await steward.restart();
  await steward.cycle();
  expect(await server.query('SELECT name FROM pgsteward.managed_role')).toEqual([{ name: 'keeper' }]);
});

it('says what it cannot do with SQL that then works, and holds up nothing else', async () => {
  await server.query('CREATE ROLE elder LOGIN; CREATE ROLE club');
  await server.query('CREATE DATABASE closed');
  await server.query('REVOKE CONNECT ON DATABASE closed FROM PUBLIC');
  await start(
    [
      { username: 'elder', connectionLimit: 4 },
      { username: 'alice', database: 'closed', roles: ['club'] },
    ],
    'home',
  );
  for (let round = 0; round < 4; round += 1) {
    const { notices } = await steward.cycle();
    const sql = notices.filter((notice) => notice.kind === 'cannot').flatMap((notice) => notice.advice?.sql ?? []);
    expect(await exists('alice')).toBe(true);
    if (sql.length === 0) break;
    for (const statement of new Set(sql)) await server.query(statement);
  }
  expect(await canLogin('elder', 'p', 'home')).toBe(true);
  expect(await canLogin('alice', 'p', 'closed')).toBe(true);
  expect((await steward.cycle()).result).toBe('converged');
});

it('takes no CONNECT for a surplus that a user of the database has from an owner whom it cannot be', async () => {
  await server.query(
    `CREATE ROLE boss; CREATE ROLE alice LOGIN; CREATE ROLE steward LOGIN CREATEROLE PASSWORD 'x'; GRANT CREATE ON DATABASE postgres TO steward`,
  );
  if (server.major >= 16) await server.query('GRANT alice TO steward WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
  await server.query('CREATE DATABASE shop OWNER boss');
  await server.query('GRANT CONNECT ON DATABASE shop TO alice');
  steward = await createSteward(server, { DB_USER: 'steward', DB_PASS: 'x', EVENT_TRIGGERS: 'off' });
  steward.manifests.users([{ username: 'alice', database: 'shop', password: 'none' }]);
  const { notices, outcomes } = await steward.cycle();
  expect(notices).toEqual([]);
  expect(outcomes.filter(({ change: { kind } }) => kind === 'revoke_privilege')).toEqual([]);
  expect((await server.query<{ acl: string }>(`SELECT datacl::text AS acl FROM pg_database WHERE datname = 'shop'`))[0]?.acl).toContain('alice=c/boss');
});
