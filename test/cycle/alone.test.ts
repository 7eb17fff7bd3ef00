// One thing that cannot be done fails alone: what cannot even be written as SQL holds up nothing of its neighbours.
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { QUIET } from '../privileges/quiet.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  QUIET,
  (started) => (server = started),
  () => steward,
);
const reads = (databases: readonly string[]) => [
  { name: 'app', grants: databases.map((database) => ({ database, schemas: ['public'], tables: { '*': ['SELECT'] } })) },
];
const readable = async (database: string): Promise<number> =>
  (
    await server.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relacl::text LIKE '%app=r/%'`,
      database,
    )
  )[0]?.n ?? 0;

describe('a name that a database in LATIN1 holds in 63 bytes, and UTF-8 in more, is granted on like any other, and with its neighbours', () => {
  const start = async (env: Readonly<Record<string, string>>): Promise<void> => {
    await server.query(`CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'`);
    await server.query('CREATE DATABASE shop');
    await server.query('CREATE TABLE t ()', 'shop');
    // Enough for several batches, of which one is written while another runs.
    await server.query(
      `DO $$ BEGIN FOR i IN 1..1100 LOOP EXECUTE format('CREATE TABLE %I ()', CASE WHEN i = 1050 THEN repeat(chr(233), 40) ELSE 't' || i END); END LOOP; END $$`,
      'latin',
    );
    steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1', EVENT_TRIGGERS: 'off', ...env });
    steward.manifests.users(stringify({ roles: reads(['latin', 'shop']), users: [{ username: 'alice', login: false, database: 'shop' }] }));
  };

  it.each([
    ['in a database', {}],
    ['in our own', { DB_NAME: 'latin' }],
  ])('%s', async (_where, env) => {
    await start(env);
    const report = await steward.cycle();
    expect(report.error).toBeUndefined();
    expect(report.outcomes.filter((outcome) => outcome.result !== 'applied')).toEqual([]);
    expect([await readable('latin'), await readable('shop')]).toEqual([1100, 1]);
    expect(await server.query(`SELECT rolname FROM pg_roles WHERE rolname = 'alice'`)).toHaveLength(1);
    expect((await steward.cycle()).result).toBe('converged');
  });
});

it.each([
  ['settings', { users: [{ username: 'bob', login: false, settings: { [`myapp.${'x'.repeat(70)}`]: 'on' } }] }],
  ['grants of parameters', { roles: [{ name: 'bob', grants: [{ parameters: { [`myapp.${'x'.repeat(70)}`]: ['SET'] } }] }] }],
  ['grants of functions', { roles: [{ name: 'bob', grants: [{ schemas: ['public'], functions: { [`${'x'.repeat(70)}(int)`]: ['EXECUTE'] } }] }] }],
])(
  'a name in %s that the server would cut is an error at its place, and everybody else is served',
  async (_where, { users = [], roles = [] }: Record<string, object[]>) => {
    steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
    steward.manifests.users(stringify({ roles: [...reads(['postgres']), ...roles], users: [{ username: 'alice', login: false }, ...users] }));
    const report = await steward.cycle();
    expect(report.error).toBeUndefined();
    expect(report.problems.map(({ message }) => message)).toEqual([expect.stringContaining('is 70 bytes long, and the server would cut it after 63')]);
    expect(await server.query(`SELECT rolname FROM pg_roles WHERE rolname IN ('alice', 'app', 'bob') ORDER BY 1`)).toEqual([
      { rolname: 'alice' },
      { rolname: 'app' },
    ]);
  },
);

it('a user whose entry is wrong keeps its login when others are members of it, also for a process that knows no earlier document', async () => {
  steward = await createSteward(server);
  const follow = (alice: object): void =>
    steward.manifests.users([
      { username: 'alice', ...alice },
      { username: 'member', login: false, roles: ['alice'] },
    ]);
  const facts = () => server.query(`SELECT oid, rolcanlogin, rolpassword FROM pg_authid WHERE rolname = 'alice'`);
  follow({});
  steward.manifests.secret('alice', 'the password of alice');
  await steward.cycle();
  const before = await facts();
  expect(before).toMatchObject([{ rolcanlogin: true }]);
  follow({ nonsense: true });
  steward = await steward.restart();
  expect((await steward.cycle()).outcomes).toEqual([]);
  expect(await facts()).toEqual(before);
});
