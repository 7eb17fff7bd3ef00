// The real cases of test/corpus/cases: each user logs in and tries what must work and what must fail; a second cycle writes nothing.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { bigSchema } from '../support/big-schema.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { resetServer } from '../support/steward.ts';
import { holdings, rawEntries } from './acl.ts';
import { can, cannot, type Case, declare, openCase, passwordOf, read } from './case.ts';
import { QUIET } from './quiet.ts';

let server: Postgres;
let current: Case;
beforeAll(async () => {
  server = await startPostgres({ settings: { ...QUIET, max_locks_per_transaction: '256' } });
});
afterAll(() => server.stop());
afterEach(async () => {
  await current.close();
  await resetServer(server);
});

const userIn = async (session: Awaited<ReturnType<Case['login']>>): Promise<unknown> => (await session.query('SELECT session_user, current_user')).rows[0];

describe('admin_app on an existing database', () => {
  it('works with every table, present and future, and creates nothing', async () => {
    current = await openCase(server, 'admin-app');
    await current.settle();
    const admin = await current.login('admin_app', 'basketball');
    await can(
      admin,
      'SELECT 1',
      `INSERT INTO teams (name) VALUES ('second')`,
      `INSERT INTO players (team, name, number) VALUES (1, 'Ann', 7)`,
      'SELECT * FROM roster',
      'UPDATE players SET number = 8',
      'DELETE FROM players',
    );
    await expect(admin.query('CREATE TABLE foo (id int)')).rejects.toThrow('permission denied for schema public');
    await cannot(
      admin,
      'CREATE SCHEMA mine',
      'DROP TABLE players',
      'ALTER TABLE teams ADD COLUMN x integer',
      'TRUNCATE players',
      'CREATE ROLE more',
      `SELECT setval('teams_id_seq', 1)`,
    );

    const owner = await current.login('basketball', 'basketball');
    await can(owner, 'CREATE TABLE public.seasons (id serial PRIMARY KEY, year integer)');
    await can(admin, 'INSERT INTO seasons (year) VALUES (2027)', 'UPDATE seasons SET year = 2028', 'SELECT * FROM seasons', 'DELETE FROM seasons');
    await current.settle();
    expect((await current.steward().cycle()).unchanged).toBe(true);
  });
});

describe('web runtime and migration owner', () => {
  const ALLOWED = { ALLOWED_ROLES: 'pg_read_all_data' };
  const tryEverybody = async (): Promise<void> => {
    const web = await current.login('tuist_web', 'tuist');
    const migrator = await current.login('tuist_migrator', 'tuist');
    expect(await userIn(migrator)).toEqual({ session_user: 'tuist_migrator', current_user: 'tuist_owner' });
    await can(
      migrator,
      'INSERT INTO schema_migrations (version) VALUES (20270101000000)',
      'CREATE TABLE widgets (id bigserial PRIMARY KEY, name text)',
      `CREATE FUNCTION widget_count() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.widgets'`,
      'ALTER TABLE accounts ADD COLUMN email text',
    );
    await can(
      web,
      `INSERT INTO widgets (name) VALUES ('one') RETURNING id`,
      `UPDATE accounts SET email = 'a@example.org'`,
      'SELECT widget_count(), latest_run()',
      `SELECT last_value FROM widgets_id_seq`,
      'DELETE FROM widgets',
      'SELECT version FROM schema_migrations',
    );
    await cannot(
      web,
      'INSERT INTO schema_migrations (version) VALUES (1)',
      'DELETE FROM schema_migrations',
      'CREATE TABLE foo (id int)',
      'CREATE SCHEMA foo',
      'CREATE TEMPORARY TABLE foo (id int)',
      'ALTER TABLE accounts DROP COLUMN email',
      'DROP TABLE widgets',
      'TRUNCATE widgets',
      'SET ROLE tuist_owner',
    );

    const processor = await current.login('tuist_processor', 'tuist');
    await can(
      processor,
      'SELECT * FROM runs',
      `UPDATE runs SET status = 'done'`,
      `INSERT INTO builds (run, status) VALUES (1, 'new')`,
      'SELECT * FROM artifacts',
    );
    await cannot(
      processor,
      'INSERT INTO runs (status) VALUES (1)',
      'DELETE FROM builds',
      'UPDATE artifacts SET path = NULL',
      'SELECT * FROM accounts',
      'SELECT * FROM widgets',
      'SELECT * FROM schema_migrations',
      'CREATE TABLE foo (id int)',
    );

    const operator = await current.login('tuist_ops_ro', 'tuist');
    await can(operator, 'SELECT * FROM accounts', 'SELECT * FROM widgets', 'SELECT * FROM schema_migrations');
    await cannot(
      operator,
      `INSERT INTO accounts (name) VALUES ('x')`,
      'UPDATE widgets SET name = NULL',
      'DELETE FROM runs',
      'CREATE TABLE foo (id int)',
      `SELECT nextval('runs_id_seq')`,
    );
    await server.query(`CREATE ROLE stranger LOGIN PASSWORD '${passwordOf('stranger')}'`);
    await expect(current.login('stranger', 'tuist')).rejects.toThrow('permission denied for database');
  };

  it('on a server that has grown: everybody can do what the split says and nothing else', async () => {
    current = await openCase(server, 'web-runtime', { env: ALLOWED });
    await current.settle();
    await tryEverybody();
    await current.settle();
  });

  it('on an empty server: the database and its owner are created, and the first migration is usable at once', async () => {
    current = await openCase(server, 'web-runtime', { env: ALLOWED, empty: true });
    expect(['changed', 'converged']).toContain((await current.steward().cycle()).result);
    expect((await current.steward().cycle()).result).toMatch(/changed|converged/);
    const migrator = await current.login('tuist_migrator', 'tuist');
    const setup = read('web-runtime', 'setup.sql');
    await can(migrator, setup.slice(setup.indexOf('CREATE TABLE')));
    const web = await current.login('tuist_web', 'tuist');
    await can(web, 'SELECT * FROM runs', `INSERT INTO runs (account, status) VALUES (1, 'new')`);
    await current.settle();
    await tryEverybody();
    expect(await server.query(`SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = 'tuist'`)).toEqual([{ owner: 'tuist_owner' }]);
    expect(await server.query(`SELECT rolcanlogin FROM pg_roles WHERE rolname = 'tuist_owner'`)).toEqual([{ rolcanlogin: false }]);
  });

  it('with hundreds of tables, views, functions and sequences beside: every one of them, and those of an hour later', { timeout: 300_000 }, async () => {
    current = await openCase(server, 'web-runtime', { env: ALLOWED });
    const big = bigSchema('public');
    expect([big.tables.length, big.views.length, big.functions.length, big.sequences.length].every((count) => count >= 80)).toBe(true);
    expect(big.tables.length).toBeGreaterThan(350);
    const database = await server.client('tuist');
    await database.query(`SET ROLE tuist_owner; ${big.sql}; RESET ROLE`);
    await current.settle();
    const expectEverything = async (): Promise<void> => {
      const lines = new Set(await holdings(database, 'web_runtime', server.major));
      for (const name of [...big.tables, ...big.views]) expect(lines).toContain(`table tuist: public.${name} DELETE INSERT SELECT UPDATE`);
      for (const name of big.sequences) expect(lines).toContain(`sequence tuist: public.${name} SELECT USAGE`);
      const routines = [...lines].filter((line) => line.startsWith('function'));
      expect(routines.length).toBeGreaterThanOrEqual(big.functions.length);
      expect(routines.every((line) => line.endsWith(' EXECUTE'))).toBe(true);
      expect(lines).toContain('table tuist: public.schema_migrations SELECT');
      expect([...lines].filter((line) => line.startsWith('column') || line.startsWith('type'))).toEqual([]);
    };
    await expectEverything();
    await database.end();
  });
});

describe('kafka-connect', () => {
  it('reads one table of a schema that comes later, and nothing else; both workloads work as the role', async () => {
    current = await openCase(server, 'kafka-connect');
    const report = await current.steward().cycle();
    expect(['changed', 'converged'], JSON.stringify([report.problems, report.notices])).toContain(report.result);
    expect(
      report.notices
        .filter((notice) => notice.kind === 'pending')
        .map((notice) => notice.message)
        .join(),
    ).toContain('financial_reporting');
    await current.settle();

    const owner = await current.login('finance_owner', 'my_awesome_database');
    await can(
      owner,
      'CREATE SCHEMA financial_reporting',
      'CREATE TABLE financial_reporting.outbox (id bigserial PRIMARY KEY, payload jsonb)',
      'CREATE TABLE financial_reporting.ledger (id integer)',
      `INSERT INTO financial_reporting.outbox (payload) VALUES ('{}')`,
    );
    await current.settle();
    for (const user of ['my-kafka-connector', 'data-importer']) {
      const session = await current.login(user, 'my_awesome_database');
      expect(await userIn(session)).toEqual({ session_user: user, current_user: 'kafka-connect' });
      expect((await session.query('SELECT payload FROM financial_reporting.outbox')).rows).toEqual([{ payload: {} }]);
      await cannot(
        session,
        'SELECT * FROM financial_reporting.ledger',
        `INSERT INTO financial_reporting.outbox (payload) VALUES ('{}')`,
        'UPDATE financial_reporting.outbox SET payload = NULL',
        'DELETE FROM financial_reporting.outbox',
        `SELECT nextval('financial_reporting.outbox_id_seq')`,
        'CREATE TABLE financial_reporting.more (id integer)',
        'CREATE TABLE public.more (id integer)',
        'CREATE SCHEMA more',
        'CREATE TEMPORARY TABLE more (id integer)',
      );
    }
    const database = await server.client('my_awesome_database');
    expect(await holdings(database, 'kafka-connect', server.major)).toEqual([
      'schema my_awesome_database: financial_reporting.financial_reporting USAGE',
      'table my_awesome_database: financial_reporting.outbox SELECT',
    ]);
    await database.end();
  });
});

describe('permissions, roles, users', () => {
  interface Manifest {
    readonly kind: 'Permission' | 'Role' | 'User';
    readonly metadata: { readonly name: string };
    readonly spec: { readonly database?: string; readonly permissions?: readonly string[]; readonly roles?: readonly string[] };
  }
  /** The steps of the folder's README. */
  const convert = (manifests: readonly Manifest[]): object => {
    const of = (kind: Manifest['kind']): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);
    const users = new Set(of('User').map(({ metadata }) => metadata.name));
    const rename = (role: string): string => (users.has(role) ? `${role}-role` : role);
    return {
      permissions: of('Permission').map(({ metadata, spec }) => ({ name: metadata.name, ...spec })),
      roles: of('Role').map(({ metadata, spec }) => ({ name: rename(metadata.name), permissions: spec.permissions })),
      users: of('User').map(({ metadata, spec }) => ({
        username: metadata.name,
        ...spec,
        database: of('Role').find((role) => role.metadata.name === spec.roles?.[0])?.spec.database,
        roles: spec.roles?.map(rename),
      })),
    };
  };

  it('convert by the recipe and give the rights that they gave', async () => {
    const original = parseAllDocuments(read('permissions-roles-users', 'original.yaml')).map((document) => document.toJS() as Manifest);
    expect(parse(read('permissions-roles-users', 'users.yaml'))).toEqual(convert(original));

    current = await openCase(server, 'permissions-roles-users');
    await current.settle();
    const intern = await current.login('summer-intern-2', 'mydb');
    await can(intern, 'SELECT * FROM schema1.flights', 'SELECT * FROM schema1.airports', 'SELECT * FROM schema2.crews');
    await cannot(
      intern,
      'SELECT * FROM schema3.flights',
      'INSERT INTO schema1.flights VALUES (1)',
      'DELETE FROM schema2.crews',
      'UPDATE schema1.airports SET code = NULL',
      'CREATE TABLE schema1.mine (id integer)',
    );
    const admin = await current.login('flights-admin', 'mydb');
    for (const schema of ['schema1', 'schema3'])
      await can(
        admin,
        `INSERT INTO ${schema}.flights VALUES (1, 'PS 752')`,
        `UPDATE ${schema}.flights SET number = 'x'`,
        `SELECT * FROM ${schema}.flights`,
        `DELETE FROM ${schema}.flights`,
      );
    await cannot(
      admin,
      'SELECT * FROM schema1.airports',
      'SELECT * FROM schema2.crews',
      'SELECT * FROM schema3.salaries',
      'TRUNCATE schema1.flights',
      'DROP TABLE schema1.flights',
    );

    const owner = await current.login('mydb_owner', 'mydb');
    await can(owner, 'CREATE TABLE schema2.gates (id integer)', 'CREATE SCHEMA schema4', 'CREATE TABLE schema4.flights (id integer)');
    await can(intern, 'SELECT * FROM schema2.gates');
    await current.settle();
    await can(admin, 'INSERT INTO schema4.flights VALUES (1)');
    await cannot(intern, 'SELECT * FROM schema4.flights');
  });
});

describe('a brownfield server', () => {
  it('is adopted step by step: given first, then looked at, then exact, and nobody else notices', async () => {
    current = await openCase(server, 'brownfield');
    const legacy = await server.client('legacy');
    const others = ['etl', 'dba', 'app_owner'];
    const before = await rawEntries(legacy, others, server.major);
    const held = async (): Promise<string> =>
      JSON.stringify(await Promise.all(['report', 'app_rw', 'alice', 'app'].map((role) => holdings(legacy, role, server.major))));

    declare(current.steward(), read('brownfield', 'step-1.yaml'));
    await current.settle();
    const alice = await current.login('alice', 'legacy');
    const app = await current.login('app', 'legacy');
    await can(
      alice,
      'SELECT * FROM orders',
      'SELECT * FROM hr.payroll',
      'SELECT salary FROM hr.people',
      'SELECT name FROM hr.people',
      'SELECT close_orders()',
      'SELECT * FROM events',
    );
    await can(alice, `UPDATE orders SET state = 'seen'`, 'SELECT * FROM "Old Things"."Kept ""1"""', 'SELECT * FROM by_the_admin');
    await can(
      app,
      `INSERT INTO orders (total) VALUES (2)`,
      'TRUNCATE events',
      'SELECT * FROM by_the_admin',
      'CALL purge()',
      `INSERT INTO by_the_admin VALUES (1)`,
    );
    expect(await rawEntries(legacy, others, server.major)).toEqual(before);

    await current.restart({ REVOKES: 'report' });
    declare(current.steward(), read('brownfield', 'users.yaml'));
    const heldBefore = await held();
    const reported = await current.steward().cycle();
    const said = JSON.stringify([reported.notices, reported.planned]);
    for (const word of ['payroll', 'TRUNCATE', 'dba']) expect(said).toContain(word);
    expect(await held()).toBe(heldBefore);

    await current.restart({ REVOKES: '' });
    const report = await current.steward().cycle();
    expect(['changed', 'converged'], JSON.stringify([report.problems, report.notices])).toContain(report.result);
    await can(alice, 'SELECT * FROM orders', 'SELECT id, name FROM hr.people', 'SELECT * FROM events_2026');
    await cannot(
      alice,
      'SELECT * FROM hr.payroll',
      'SELECT salary FROM hr.people',
      'SELECT * FROM hr.people',
      `UPDATE orders SET state = 'no'`,
      'SELECT close_orders()',
      'SELECT * FROM "Old Things"."Kept ""1"""',
      `UPDATE hr.people SET salary = 1`,
    );
    await can(app, `INSERT INTO orders (total) VALUES (3)`, 'DELETE FROM events', 'SELECT close_orders()', 'CALL purge()');
    await cannot(
      app,
      'TRUNCATE orders',
      'CREATE TABLE mine (id integer)',
      'CREATE SCHEMA mine',
      `SELECT setval('orders_id_seq', 1)`,
      'SELECT * FROM hr.people',
    );

    const owner = await current.login('app_owner', 'legacy');
    await can(owner, 'CREATE TABLE public.refunds (id serial PRIMARY KEY, total numeric)', 'CREATE TABLE hr.reviews (id integer)');
    await can(app, 'INSERT INTO refunds (total) VALUES (1)');
    await can(alice, 'SELECT * FROM refunds', 'SELECT * FROM hr.reviews');
    await cannot(app, 'TRUNCATE refunds', 'SELECT * FROM hr.reviews');
    await cannot(alice, 'UPDATE hr.reviews SET id = 1');
    const etl = await current.login('etl', 'legacy');
    await can(etl, 'SELECT * FROM hr.payroll', 'SELECT * FROM orders', 'SELECT close_orders()', 'UPDATE hr.reviews SET id = 1');
    await owner.query('DROP TABLE hr.reviews');
    expect(await rawEntries(legacy, others, server.major)).toEqual(before);
    await legacy.end();
    await current.settle();
  });
});
