// Admins without superuser: what they may grant is granted, the rest is said with SQL that then works, and nothing else is held up.
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer, type Steward } from '../support/steward.ts';
import { holdings, ident, rawEntries } from './acl.ts';
import { QUIET, writesDuring } from './quiet.ts';

let server: Postgres;
let steward: Steward;
let home: pg.Client;
beforeAll(async () => {
  server = await startPostgres({ settings: QUIET });
});
afterAll(() => server.stop());
afterEach(async () => {
  await home.end();
  await steward.close();
  await resetServer(server);
});

const SCHEMAS = ['mine', 'theirs', 'strange'] as const;
const OWNERS = { mine: 'adm', theirs: 'app_owner', strange: 'stranger' } as const;

/** A database of the admin with three schemas: its own, one of a role that it is a member of, and one of a role that it has nothing to do with. */
async function start(options: { readonly membership?: string; readonly databaseOwner?: string } = {}): Promise<void> {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; CREATE ROLE app_owner; CREATE ROLE stranger; CREATE ROLE outsider`);
  await server.query(`GRANT app_owner TO adm${options.membership ?? ''}`);
  await server.query(`CREATE DATABASE home OWNER ${options.databaseOwner ?? 'adm'}`);
  home = await server.client('home');
  for (const schema of SCHEMAS)
    await home.query(
      `CREATE SCHEMA ${schema} AUTHORIZATION ${OWNERS[schema]}; SET ROLE ${OWNERS[schema]};
       CREATE TABLE ${schema}.orders (id integer, email text); CREATE SEQUENCE ${schema}.numbers; CREATE FUNCTION ${schema}.total() RETURNS integer LANGUAGE sql AS 'SELECT 1'; RESET ROLE`,
    );
  await home.query('CREATE SCHEMA pgsteward AUTHORIZATION adm');
  steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home', RETRY_BACKOFF_BASE: '1' });
  declare([...SCHEMAS]);
}

const declare = (schemas: readonly string[], more: readonly object[] = []): void =>
  steward.manifests.users(
    stringify({
      roles: [
        {
          name: 'reader',
          grants: [{ schemas, tables: { '*': ['SELECT'] }, sequences: { '*': ['USAGE'] }, functions: { '*': ['EXECUTE'] } }, ...more],
        },
      ],
      users: [{ username: 'somebody', login: false }],
    }),
  );
const held = (): Promise<readonly string[]> => holdings(home, 'reader', server.major);
const inSchema = (schema: string): string[] => [
  `schema home: ${schema}.${schema} USAGE`,
  `table home: ${schema}.orders SELECT`,
  `sequence home: ${schema}.numbers USAGE`,
  `function home: ${schema}.total() EXECUTE`,
];
/** Does what the notices ask for, as an administrator would, until nothing is asked for any longer; what was asked. */
async function follow(rounds = 5): Promise<string[]> {
  const asked: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { notices } = await steward.cycle();
    const sql = [...new Set(notices.filter((notice) => notice.kind === 'cannot').flatMap((notice) => notice.advice?.sql ?? []))];
    expect(notices.filter((notice) => notice.kind === 'cannot' && (notice.advice?.sql ?? '') === '')).toEqual([]);
    if (sql.length === 0) return asked;
    for (const statement of sql) await home.query(statement);
    asked.push(...sql);
  }
  throw new Error(`it asks for more and more: ${asked.join('; ')}`);
}
const settled = async (): Promise<void> => {
  const report = await steward.cycle();
  expect(['changed', 'converged'], JSON.stringify(report.notices)).toContain(report.result);
  await steward.cycle();
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
};

describe('an admin with CREATEROLE', () => {
  const memberships = (): readonly string[] =>
    server.major >= 16 ? ['', ' WITH INHERIT FALSE, SET TRUE', ' WITH INHERIT TRUE, SET TRUE'] : ['', '; ALTER ROLE adm NOINHERIT'];

  it('grants on its own objects and on those of roles that it can act as, now and to come', async () => {
    for (const [index, membership] of memberships().entries()) {
      if (index > 0) {
        await home.end();
        await steward.close();
        await resetServer(server);
      }
      await start({ membership });
      declare(['mine', 'theirs']);
      const report = await steward.cycle();
      expect(report.result, `${membership}: ${JSON.stringify(report.notices)}`).toBe('changed');
      expect(await held()).toEqual([...inSchema('mine'), ...inSchema('theirs')].toSorted());
      await home.query('SET ROLE app_owner; CREATE TABLE theirs.more (id integer); RESET ROLE; SET ROLE adm; CREATE TABLE mine.more (id integer); RESET ROLE');
      expect(await held()).toEqual(expect.arrayContaining(['table home: theirs.more SELECT', 'table home: mine.more SELECT']));
      await home.query('GRANT DELETE ON theirs.orders, mine.orders TO reader; REVOKE SELECT ON theirs.more FROM reader');
      expect((await steward.cycle()).drift.length).toBeGreaterThan(0);
      expect(await held()).toEqual([...inSchema('mine'), ...inSchema('theirs'), 'table home: theirs.more SELECT', 'table home: mine.more SELECT'].toSorted());
      await settled();
    }
  });

  it('hands databases and schemas to declared owners, works there as those that it made, and stays a member of none below 16', async () => {
    await start();
    await home.query(`CREATE ROLE "o'wner"`);
    const database = (name: string, owner: string): object => ({ name, create: true, owner, schemas: [{ name: 'sales', owner: 'made' }] });
    const document = (databases: object[]): string =>
      stringify({
        databases,
        roles: [
          {
            name: 'reader',
            grants: ['shop', 'old'].map((name) => ({ database: name, schemas: ['sales'], tables: { '*': ['SELECT'] } })),
          },
        ],
        users: [{ username: 'somebody', login: false }],
      });
    await server.query('CREATE DATABASE old OWNER adm');
    steward.manifests.users(document([database('shop', 'made'), database('old', 'made')]));
    const report = await steward.cycle();
    expect(report.notices.filter(({ kind }) => kind !== 'fallback')).toEqual([]);
    const owners = (name: string): Promise<unknown> =>
      server.query(
        `SELECT pg_get_userbyid(datdba)::text AS database, (SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'sales') AS schema FROM pg_database WHERE datname = '${name}'`,
        name,
      );
    for (const name of ['shop', 'old']) expect(await owners(name)).toEqual([{ database: 'made', schema: 'made' }]);
    // What the owner makes, and what drifts.
    await server.query('SET ROLE made; CREATE TABLE sales.t (id int); GRANT INSERT ON sales.t TO reader', 'shop');
    await steward.cycle();
    expect(
      await server.query(
        `SELECT has_table_privilege('reader', 'sales.t', 'SELECT') AS reads, has_table_privilege('reader', 'sales.t', 'INSERT') AS writes`,
        'shop',
      ),
    ).toEqual([{ reads: true, writes: false }]);
    expect((await steward.cycle()).result).toBe('converged');
    // One that was there before gets what is handed to it; what is done there as it is another matter.
    steward.manifests.users(document([database('shop', 'made'), database('old', 'made'), { name: 'new', create: true, owner: "o'wner" }]));
    const { notices } = await steward.cycle();
    const [{ exists } = { exists: 0 }] = await server.query<{ exists: number }>(
      `SELECT count(*)::int AS exists FROM pg_database WHERE datname = 'new' AND pg_get_userbyid(datdba) = 'o''wner'`,
    );
    expect([exists, notices.filter(({ kind }) => kind === 'cannot').length > 0]).toEqual(server.major < 16 ? [1, false] : [0, true]);
    const joined = await home.query<{ name: string }>(
      `SELECT r.rolname AS name FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = 'adm'::regrole ORDER BY 1`,
    );
    if (server.major < 16) expect(joined.rows).toEqual([{ name: 'app_owner' }]);
  });

  it('says what it cannot grant with SQL that then works, and grants the rest', async () => {
    await start();
    const report = await steward.cycle();
    expect(report.result).toBe('incomplete');
    expect(await held()).toEqual([...inSchema('mine'), ...inSchema('theirs')].toSorted());
    const cannot = report.notices.filter((notice) => notice.kind === 'cannot');
    expect(cannot.map((notice) => `${notice.message} ${notice.advice?.sql ?? ''}`).join('\n')).toContain('stranger');
    const asked = await follow();
    expect(asked.length).toBeGreaterThan(0);
    expect(await held()).toEqual(SCHEMAS.flatMap(inSchema).toSorted());
    await settled();
    await home.query('SET ROLE stranger; CREATE TABLE strange.more (id integer); RESET ROLE');
    expect(await held()).toContain('table home: strange.more SELECT');
  });

  it('revokes what another role granted only as that role, and says so where it cannot', async () => {
    await start();
    declare(['mine'], []);
    await steward.cycle();
    await home.query(
      `GRANT USAGE ON SCHEMA mine TO outsider; GRANT SELECT ON mine.orders TO outsider WITH GRANT OPTION;
       SET ROLE outsider; GRANT SELECT ON mine.orders TO reader WITH GRANT OPTION; RESET ROLE`,
    );
    const before = await rawEntries(home, ['outsider'], server.major);
    const report = await steward.cycle();
    expect(report.notices.map((notice) => `${notice.message} ${notice.advice?.sql ?? ''}`).join('\n')).toContain('outsider');
    await follow();
    expect(await held()).toEqual(inSchema('mine').toSorted());
    expect(await rawEntries(home, ['outsider'], server.major)).toEqual(before);
    await settled();
  });

  it('that does not own the database says who has to give CONNECT and goes on', async () => {
    await start({ databaseOwner: 'stranger' });
    await home.query('REVOKE CONNECT ON DATABASE home FROM PUBLIC; GRANT CONNECT ON DATABASE home TO adm');
    declare(['mine'], [{ databasePrivileges: ['CONNECT', 'TEMPORARY'] }]);
    const report = await steward.cycle();
    expect(report.notices.some((notice) => notice.kind === 'cannot')).toBe(true);
    expect(await held()).toEqual(inSchema('mine').toSorted());
    await follow();
    expect(await held()).toEqual([...inSchema('mine'), 'database home: .home CONNECT TEMPORARY'].toSorted());
    await settled();
  });
});

describe('an admin that owns the database and can create roles', () => {
  it('creates a schema, hands it over, and keeps PUBLIC out, where it may', async () => {
    await start();
    steward.manifests.users(
      stringify({
        databases: [{ name: 'home', public: { schemas: { public: [], mine: [] } }, schemas: ['fresh', { name: 'given', owner: 'app_owner' }] }],
        roles: [{ name: 'reader', grants: [{ schemas: ['fresh', 'given'], tables: { '*': ['SELECT'] } }] }],
        users: [{ username: 'somebody', login: false }],
      }),
    );
    // On a database of before 15 the schema public is the superuser's.
    await home.query(`ALTER SCHEMA public OWNER TO adm`);
    await follow();
    await settled();
    const { rows } = await home.query(`SELECT nspname, pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname IN ('fresh', 'given') ORDER BY 1`);
    expect(rows).toEqual([
      { nspname: 'fresh', owner: 'adm' },
      { nspname: 'given', owner: 'app_owner' },
    ]);
    expect(await held()).toEqual(['schema home: fresh.fresh USAGE', 'schema home: given.given USAGE']);
    expect((await holdings(home, '', server.major)).filter((line) => line.startsWith('schema'))).toEqual([]);
    await home.query(`SET ROLE ${ident('app_owner')}; CREATE TABLE given.orders (id integer); RESET ROLE`);
    expect(await held()).toContain('table home: given.orders SELECT');
  });
});
