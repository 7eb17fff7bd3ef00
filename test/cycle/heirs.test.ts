// Heirs: nothing that a removed user made gets more rights than its maker had, nothing is lost, and no user stays disabled for ever.
import type pg from 'pg';
import { expect, it } from 'vitest';
import type { CycleReport } from '../../src/steward/report.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { paste } from '../support/psql.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const KEEPER = { username: 'keeper' };
const CAROL = { username: 'carol', database: 'shop' };
const failures = (report: CycleReport): unknown[] => report.outcomes.filter((outcome) => outcome.result !== 'applied');
const declare = (users: readonly object[], databases: readonly object[] = []): void => {
  steward.manifests.users(JSON.stringify({ users, ...(databases.length === 0 ? {} : { databases }) }));
  steward.manifests.secrets(new Map(users.map((user) => [(user as { username: string }).username, 'p'])));
};
const login = (user: string, database = 'shop'): Promise<pg.Client> => server.client(database, { user, password: 'p' });
const asks = async (user: string, sql: string, database = 'shop'): Promise<unknown> => {
  const client = await login(user, database);
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(sql);
    return Array.isArray(result) ? [] : result.rows;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await client.end();
  }
};
const heirs = async (): Promise<string[]> =>
  (await server.query<{ name: string }>(`SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'pgsteward\\_heir\\_%' ORDER BY oid`)).map((row) => row.name);
const exists = async (role: string): Promise<boolean> => (await server.query(`SELECT 1 FROM pg_roles WHERE rolname = '${role}'`)).length > 0;
const canary = (): Promise<unknown> =>
  server.query(`SELECT rolname FROM pg_roles WHERE (rolsuper OR rolcreaterole) AND rolname NOT IN ('postgres', 'adm') AND rolname !~ '^pg_'`);

/** Code of every sort that acts with its owner's rights. */
const BOOBY_TRAPS = `
  CREATE SCHEMA mine;
  CREATE FUNCTION mine.run(text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN EXECUTE $1; END';
  CREATE PROCEDURE mine.run_too(text) LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN EXECUTE $1; END';
  CREATE FUNCTION mine.who() RETURNS name LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user';
  CREATE VIEW mine.verifiers AS SELECT rolname, rolpassword FROM pg_authid;
  CREATE FUNCTION mine.inner_one() RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN BEGIN EXECUTE 'ALTER ROLE carol CREATEROLE'; EXCEPTION WHEN OTHERS THEN NULL; END;
             BEGIN EXECUTE 'ALTER ROLE carol SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN current_user; END $$;
  CREATE FUNCTION mine.immutable_one(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN mine.inner_one(); END $$;
  CREATE TABLE mine.trap (id int);
  INSERT INTO mine.trap VALUES (1), (2);
  CREATE INDEX trap_index ON mine.trap (mine.immutable_one(id));
  CREATE MATERIALIZED VIEW mine.stale AS SELECT mine.inner_one() AS who;
  CREATE SEQUENCE mine.numbers;
  CREATE DOMAIN mine.checked AS int CHECK (mine.immutable_one(VALUE) IS NOT NULL);
  GRANT USAGE ON SCHEMA mine TO PUBLIC;
  GRANT ALL ON ALL TABLES IN SCHEMA mine TO PUBLIC`;

/** Everything that anybody could do with it, and what makes the server evaluate it by itself. */
const springTraps = async (): Promise<void> => {
  for (const role of ['carol', 'mallory', 'adm', 'postgres', 'owner_role'])
    for (const attribute of ['SUPERUSER', 'CREATEROLE'])
      for (const call of ['SELECT mine.run', 'CALL mine.run_too']) await asks('carol', `${call}('ALTER ROLE carol ${attribute}; SET ROLE ${role}')`);
  await asks('carol', `SELECT mine.run('CREATE ROLE canary SUPERUSER')`);
  await asks('carol', `SELECT mine.run('GRANT adm TO carol')`);
  expect(await asks('carol', 'SELECT * FROM mine.verifiers')).toMatch(/permission denied/);
  // What autovacuum and an administrator's maintenance do: each works as the table's owner.
  await server.query('ANALYZE mine.trap', 'shop').catch(() => undefined);
  await server.query('REINDEX TABLE mine.trap', 'shop').catch(() => undefined);
  await server.query('REFRESH MATERIALIZED VIEW mine.stale', 'shop').catch(() => undefined);
};

for (const [admin, plain] of [
  ['a superuser', false],
  ['a plain admin', true],
] as const) {
  const begin = async (env: Record<string, string> = {}): Promise<void> => {
    await server.query(`CREATE ROLE owner_role; CREATE ROLE vault; CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; GRANT pg_signal_backend TO adm`);
    if (plain) await server.query(`CREATE DATABASE home OWNER adm`);
    steward = await createSteward(server, { ...(plain ? { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home' } : {}), ...env });
  };

  it(`what a user made never runs as ${admin} that owns the database, nor is anything lost, and the user is gone`, async () => {
    await begin();
    const databases = [{ name: 'shop', create: true }];
    declare([{ username: 'mallory', database: 'shop' }, CAROL, KEEPER], databases);
    await steward.cycle();
    await server.query('GRANT CREATE ON DATABASE shop TO mallory');
    expect(await asks('mallory', BOOBY_TRAPS)).toEqual([]);
    declare([CAROL, KEEPER], databases);
    expect(failures(await steward.cycle())).toEqual([]);
    await springTraps();
    expect(await canary()).toEqual([]);
    expect([await exists('mallory'), await exists('canary')]).toEqual([false, false]);
    const [heir = ''] = await heirs();
    expect(await asks('carol', 'SELECT mine.who()')).toEqual([{ who: heir }]);
    expect(await server.query('SELECT count(*)::int AS rows FROM mine.trap', 'shop')).toEqual([{ rows: 2 }]);
    // It can do nothing, is in nothing, and nobody is in it but whoever made it, from 16 on without its rights.
    expect(
      await server.query(
        `SELECT rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS may,
           (SELECT count(*)::int FROM pg_auth_members WHERE member = r.oid) AS roles,
           (SELECT count(*)::int FROM pg_auth_members m WHERE roleid = r.oid AND (member <> 'adm'::regrole OR (to_jsonb(m) ->> 'inherit_option')::boolean)) AS members
         FROM pg_roles r WHERE rolname = '${heir}'`,
      ),
    ).toEqual([{ may: false, roles: 0, members: 0 }]);
    const report = await steward.cycle();
    expect(report.result).toBe('converged');
    const [notice] = report.notices;
    expect(notice).toMatchObject({ kind: 'kept', subject: heir, message: expect.stringContaining('Holds what the removed role mallory owned') as string });
    expect(await paste(server, notice?.advice?.sql ?? '', 'shop')).toContain('function mine.run(text)');
    // Handed on as the notice says, the heir goes by itself.
    await server.query(`REASSIGN OWNED BY "${heir}" TO postgres`, 'shop');
    expect(failures(await steward.cycle())).toEqual([]);
    expect(await heirs()).toEqual([]);
    expect((await steward.cycle()).result).toBe('converged');
  });

  it(`${admin}: nor with the rights of a declared owner, of the roles that the user was in, or of another user that left`, async () => {
    await begin();
    await server.query(`CREATE ROLE insider LOGIN PASSWORD 'p'; GRANT vault TO insider`);
    const databases = [{ name: 'shop', owner: 'boss', create: true }];
    const boss = { username: 'boss', database: 'shop' };
    const mallory = { username: 'mallory', database: 'shop', roles: ['team'] };
    declare([{ username: 'boss' }, KEEPER]);
    await steward.cycle();
    // Below 16 whoever makes somebody an owner has to be a member.
    await server.query('GRANT boss TO adm');
    declare([mallory, { username: 'victim', database: 'shop' }, boss, CAROL, KEEPER], databases);
    expect(failures(await steward.cycle())).toEqual([]);
    await server.query(
      'GRANT CREATE ON DATABASE shop TO mallory, victim; CREATE TABLE public.of_boss (id int); ALTER TABLE public.of_boss OWNER TO boss',
      'shop',
    );
    await server.query('CREATE TABLE public.of_team (id int); GRANT SELECT ON public.of_team TO team', 'shop');
    expect(await asks('mallory', BOOBY_TRAPS)).toEqual([]);
    await asks('victim', 'CREATE SCHEMA his; CREATE TABLE his.secret (id int); GRANT USAGE ON SCHEMA his TO PUBLIC');
    declare([boss, CAROL, KEEPER], databases);
    expect(failures(await steward.cycle())).toEqual([]);
    expect(await heirs()).toHaveLength(2);
    for (const table of ['public.of_boss', 'his.secret', 'public.of_team'])
      expect(await asks('carol', `SELECT mine.run('TABLE ${table}')`), table).toMatch(/permission denied/);
    await springTraps();
    expect(await canary()).toEqual([]);
    expect(await server.query(`SELECT datdba::regrole::text AS owner FROM pg_database WHERE datname = 'shop'`)).toEqual([{ owner: 'boss' }]);
  });

  it(`${admin} gives it to the role of REASSIGN_TO, but to a powerful one only where that is named twice`, async () => {
    await begin({ REASSIGN_TO: plain ? 'adm' : 'postgres' });
    await server.query('CREATE ROLE strong CREATEROLE; CREATE ROLE stronger; GRANT strong TO stronger; CREATE ROLE reader; GRANT pg_read_all_data TO reader');
    const databases = [{ name: 'shop', create: true }];
    const boss = { username: 'boss', database: 'shop' };
    declare([{ username: 'mallory', database: 'shop' }, boss, CAROL, KEEPER], databases);
    await steward.cycle();
    await server.query('GRANT CREATE ON DATABASE shop TO mallory');
    expect(await asks('mallory', BOOBY_TRAPS)).toEqual([]);
    declare([boss, CAROL, KEEPER], databases);
    const report = await steward.cycle();
    expect(failures(report)).toEqual([]);
    const [heir] = await heirs();
    expect(await asks('carol', 'SELECT mine.who()')).toEqual([{ who: heir }]);
    await springTraps();
    for (const strong of ['strong', 'stronger', 'reader', 'nobody', heir ?? '']) {
      steward = await steward.restart({ REASSIGN_TO: strong });
      await steward.cycle();
      expect(await asks('carol', 'SELECT mine.who()'), strong).toEqual([{ who: heir }]);
    }
    expect(await canary()).toEqual([{ rolname: 'strong' }]);
    // An ordinary role that is named gets it, also later.
    steward = await steward.restart({ REASSIGN_TO: 'boss' });
    expect(failures(await steward.cycle())).toEqual([]);
    expect(await asks('carol', 'SELECT mine.who()')).toEqual([{ who: 'boss' }]);
    // All that an owner may.
    expect(await asks('boss', `SELECT has_schema_privilege('mine', 'CREATE') AND has_schema_privilege('mine', 'USAGE') AS may`)).toEqual([{ may: true }]);
    expect(await heirs()).toEqual([]);
    expect((await steward.cycle()).result).toBe('converged');
    // One that is removed itself gets nothing any more, whichever of the two comes first.
    steward = await steward.restart({ REASSIGN_TO: 'carol' });
    declare([boss, { username: 'anna' }, { username: 'zoe' }, CAROL, KEEPER], databases);
    await steward.cycle();
    await server.query('CREATE SCHEMA of_anna AUTHORIZATION anna; CREATE SCHEMA of_zoe AUTHORIZATION zoe; CREATE SCHEMA of_carol AUTHORIZATION carol', 'shop');
    declare([boss, KEEPER], databases);
    expect([failures(await steward.cycle()), (await heirs()).length]).toEqual([[], 3]);
    steward = await steward.restart({ REASSIGN_TO: 'boss' });
    declare([boss, CAROL, KEEPER], databases);
    expect(failures(await steward.cycle())).toEqual([]);
    expect(await heirs()).toEqual([]);
    const named = plain ? 'adm' : 'postgres';
    steward = await steward.restart({ REASSIGN_TO: named, REASSIGN_TO_POWERFUL: named });
    declare([CAROL, KEEPER], databases);
    expect(failures(await steward.cycle())).toEqual([]);
    expect(await asks('carol', 'SELECT mine.who()')).toEqual([{ who: named }]);
  });

  it(`${admin}: a database that a user owned, with functions and tables in its schema public, goes to the heir, and foreign keys still work`, async () => {
    await begin();
    declare([{ username: 'mallory' }, KEEPER]);
    await steward.cycle();
    await server.query('GRANT mallory TO adm');
    declare([{ username: 'mallory' }, { username: 'writer', database: 'shop' }, KEEPER], [{ name: 'shop', owner: 'mallory', create: true }]);
    expect(failures(await steward.cycle())).toEqual([]);
    const by = plain ? 'adm' : 'postgres';
    await server.query(
      `CREATE SCHEMA app AUTHORIZATION ${by}; SET ROLE ${by}; GRANT USAGE, CREATE ON SCHEMA app TO mallory; GRANT USAGE ON SCHEMA app TO writer`,
      'shop',
    );
    await asks(
      'mallory',
      `CREATE TABLE app.one (id int PRIMARY KEY); CREATE TABLE app.other (id int REFERENCES app.one); CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT ALL ON ALL TABLES IN SCHEMA app TO writer`,
    );
    declare([{ username: 'writer', database: 'shop' }, KEEPER]);
    expect(failures(await steward.cycle())).toEqual([]);
    const [heir] = await heirs();
    expect(await server.query(`SELECT datdba::regrole::text AS owner FROM pg_database WHERE datname = 'shop'`)).toEqual([{ owner: heir }]);
    expect(await asks('writer', 'INSERT INTO app.one VALUES (1); INSERT INTO app.other VALUES (1)')).toEqual([]);
    expect((await steward.cycle()).result).toBe('converged');
    expect(await exists('mallory')).toBe(false);
  });
}

for (const [admin, env] of [
  ['a superuser', {}],
  ['a plain admin', { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home' }],
] as const)
  it(`${admin} goes on granting on what an heir holds, whatever the user and its schema were called`, async () => {
    const name = `ma'l"lory\u001f\n$$; DROP TABLE x; --ü`;
    const quoted = `"${name.replaceAll('"', '""')}"`;
    await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; GRANT pg_signal_backend TO adm`);
    await server.query(`CREATE DATABASE home OWNER adm`);
    steward = await createSteward(server, env);
    const document = (users: readonly object[], table: string): void => {
      steward.manifests.users(
        JSON.stringify({
          users: [...users, { ...CAROL, grants: [{ databases: ['shop'], schemas: [name], tables: { [table]: ['SELECT'] } }] }],
          databases: [{ name: 'shop', create: true }],
        }),
      );
      steward.manifests.secrets(new Map([...users, CAROL].map((user) => [(user as { username: string }).username, 'p'])));
    };
    document([{ username: name, database: 'shop', password: 'none' }, KEEPER], 'one');
    await steward.cycle();
    await server.query(`GRANT CREATE ON DATABASE shop TO ${quoted}`);
    await server.query(
      `SET SESSION AUTHORIZATION ${quoted}; CREATE SCHEMA ${quoted}; CREATE TABLE ${quoted}.one (id int); CREATE TABLE ${quoted}.two (id int);
       CREATE FUNCTION ${quoted}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      'shop',
    );
    document([KEEPER], 'two');
    await steward.cycle();
    expect(failures(await steward.cycle())).toEqual([]);
    expect(await heirs()).toHaveLength(1);
    expect(await exists(name.replaceAll("'", "''"))).toBe(false);
    expect(await server.query(`SELECT has_table_privilege('carol', c.oid, 'SELECT') AS two FROM pg_class c WHERE relname = 'two'`, 'shop')).toEqual([
      { two: true },
    ]);
    expect((await steward.cycle()).result).toBe('converged');
  });

it('a document cannot name an heir, and a role of such a name that somebody else made is passed over', async () => {
  await server.query(`CREATE ROLE planter`);
  steward = await createSteward(server);
  declare([{ username: 'mallory' }, KEEPER]);
  await steward.cycle();
  const [row] = await server.query<{ oid: number }>(`SELECT oid::int FROM pg_roles WHERE rolname = 'mallory'`);
  await server.query(`CREATE ROLE pgsteward_heir_${row?.oid}; GRANT pgsteward_heir_${row?.oid} TO planter`);
  await server.query('CREATE SCHEMA hers AUTHORIZATION mallory');
  declare([KEEPER]);
  expect(failures(await steward.cycle())).toEqual([]);
  expect(await server.query(`SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'hers'`)).toEqual([
    { owner: `pgsteward_heir_${row?.oid}_2` },
  ]);
  declare([{ ...KEEPER, roles: [`pgsteward_heir_${row?.oid}_2`, 'pgsteward_heir_1'] }, { username: `pgsteward_heir_${row?.oid}_2` }]);
  const report = await steward.cycle();
  expect(
    report.notices
      .filter((notice) => notice.kind === 'refused')
      .map((notice) => notice.message)
      .join('\n'),
  ).toContain('are those of roles that hold what removed users owned');
  expect(await server.query(`SELECT 1 FROM pg_auth_members WHERE member = 'keeper'::regrole AND roleid::regrole::text LIKE 'pgsteward_heir%'`)).toEqual([]);
});

it('a plain admin moves what a user owns in all databases before a privilege of its is taken, also by the SQL that a superuser is asked to run', async () => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; GRANT pg_signal_backend TO adm`);
  await server.query('CREATE DATABASE home OWNER adm');
  for (const database of ['aa', 'bb']) await server.query(`CREATE DATABASE ${database}`);
  steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home' });
  declare([{ username: 'mallory' }, KEEPER]);
  await steward.cycle();
  await server.query('GRANT CREATE ON DATABASE aa, bb TO mallory');
  for (const database of ['aa', 'bb']) await asks('mallory', 'CREATE SCHEMA mine; CREATE TABLE mine.one (id int)', database);
  declare([KEEPER]);
  let report = await steward.cycle();
  const [heir] = await heirs();
  for (const database of ['aa', 'bb'])
    expect(await server.query(`SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'mine'`, database)).toEqual([{ owner: heir }]);
  const messages = report.notices.map(({ message }) => message).join();
  expect(messages).toMatch(/postgres granted privileges on DATABASE (aa|bb) to mallory in database \w+, and pgsteward cannot act as postgres/);
  for (let round = 0; round < 4 && (await exists('mallory')); round += 1) {
    for (const { advice } of report.notices) if (advice !== undefined) await paste(server, advice.sql, advice.database);
    steward = await steward.restart();
    report = await steward.cycle();
  }
  expect([failures(report), await exists('mallory'), (await steward.cycle()).result]).toEqual([[], false, 'converged']);
});

it.each([
  [`of its own`, 'adm', `mal"l'ory`],
  [`of a user that it made`, 'boss', 'mallory'],
])('a plain admin releases a user that has lost CREATE on a schema and a database %s, and the heir keeps none', async (_, owner, name) => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; GRANT pg_signal_backend TO adm`);
  await server.query('CREATE DATABASE home OWNER adm');
  await server.query('CREATE DATABASE shop');
  steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home' });
  const leaver = `"${name.replaceAll('"', '""')}"`;
  declare([{ username: name, password: 'none' }, { username: 'boss' }, KEEPER]);
  await steward.cycle();
  await server.query(
    `CREATE SCHEMA "o""f, it's" AUTHORIZATION ${owner}; GRANT ALL ON SCHEMA "o""f, it's" TO ${leaver}; GRANT CREATE ON DATABASE shop TO ${leaver};
     SET SESSION AUTHORIZATION ${leaver}; CREATE FUNCTION "o""f, it's".f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE "o""f, it's".one (id int);
     CREATE SCHEMA mine; CREATE PUBLICATION news FOR TABLE "o""f, it's".one; RESET SESSION AUTHORIZATION;
     REVOKE ALL ON SCHEMA "o""f, it's" FROM ${leaver}; REVOKE ALL ON DATABASE shop FROM ${leaver}; ALTER DATABASE shop OWNER TO ${owner}`,
    'shop',
  );
  declare([{ username: 'boss' }, KEEPER]);
  expect(failures(await steward.cycle())).toEqual([]);
  const [heir = ''] = await heirs();
  expect(
    await server.query(
      `SELECT proowner::regrole::text AS f, pubowner::regrole::text AS p, has_schema_privilege('${heir}', pronamespace, 'CREATE') OR has_database_privilege('${heir}', 'shop', 'CREATE') AS may
       FROM pg_proc, pg_publication WHERE proname = 'f' AND pubname = 'news'`,
      'shop',
    ),
  ).toEqual([{ f: heir, p: heir, may: false }]);
  expect((await steward.cycle()).result).toBe('converged');
});

it('the role of REASSIGN_TO keeps what an owner has, and no CREATE that a plain admin lent to it', async () => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; GRANT pg_signal_backend TO adm`);
  await server.query('CREATE DATABASE home OWNER adm');
  await server.query('CREATE DATABASE shop');
  steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home', REASSIGN_TO: 'boss' });
  declare([{ username: 'mallory' }, { username: 'boss' }, KEEPER]);
  await steward.cycle();
  await server.query('ALTER DATABASE shop OWNER TO mallory');
  if (server.major < 15)
    await server.query('ALTER SCHEMA public OWNER TO adm; REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO mallory', 'shop');
  await asks(
    'mallory',
    `CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SCHEMA mine; CREATE FUNCTION mine.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
  );
  declare([{ username: 'boss' }, KEEPER]);
  expect(failures(await steward.cycle())).toEqual([]);
  expect(
    await server.query(
      `SELECT datdba::regrole::text AS owner, has_database_privilege('boss', oid, 'CREATE') AS may, has_schema_privilege('boss', 'mine', 'CREATE') AS mine,
         (SELECT count(*)::int FROM pg_namespace n, aclexplode(n.nspacl) x WHERE nspname = 'public' AND x.grantee = 'boss'::regrole) AS lent FROM pg_database WHERE datname = 'shop'`,
      'shop',
    ),
  ).toEqual([{ owner: 'boss', may: true, mine: true, lent: 0 }]);
});

it('a plain admin drops users that hold only privileges, also where the database belongs to a superuser', async () => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; GRANT pg_signal_backend TO adm`);
  await server.query('CREATE DATABASE shop');
  await server.query(
    'REVOKE CONNECT ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO adm WITH GRANT OPTION; CREATE SCHEMA pgsteward AUTHORIZATION adm',
    'shop',
  );
  steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'shop' });
  declare([
    { username: 'bob', database: 'shop' },
    { username: 'rob', database: 'shop' },
    { username: 'carol', database: 'shop' },
  ]);
  expect(failures(await steward.cycle())).toEqual([]);
  await (await login('bob')).end();
  await server.query('CREATE TABLE of_postgres (id int); GRANT SELECT ON of_postgres TO rob', 'shop');
  declare([{ username: 'carol', database: 'shop' }]);
  const report = await steward.cycle();
  expect([await exists('bob'), await heirs()]).toEqual([false, []]);
  // What a superuser granted only that can take; it is said, and then it goes on.
  const notice = report.notices.find(({ subject, advice }) => subject === 'rob' && advice !== undefined);
  expect(notice?.message).toContain('postgres granted privileges on TABLE public.of_postgres to rob in database shop, and pgsteward cannot act as postgres');
  await paste(server, notice?.advice?.sql ?? '', notice?.advice?.database);
  steward = await steward.restart();
  expect(failures(await steward.cycle())).toEqual([]);
  expect([await exists('rob'), (await steward.cycle()).result]).toEqual([false, 'converged']);
});
