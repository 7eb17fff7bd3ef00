// What an application might do to the event trigger: whatever it tries, its DDL works, it gains nothing, and the declared privileges hold.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { stringify } from 'yaml';
import type { Block } from '../privileges/evaluator.ts';
import { QUIET, writesDuring } from '../privileges/quiet.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
let app: pg.Client;
serverForAll(
  { ...QUIET, max_prepared_transactions: '5', max_connections: '120' },
  (started) => (server = started),
  () => steward,
);
beforeEach(async () => {
  await server.query(`CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE makers; GRANT makers TO app`);
  await server.query('CREATE DATABASE shop');
  // By way of a group, so that there are no default privileges and everything is the trigger's work.
  await server.query('CREATE SCHEMA sales; GRANT USAGE, CREATE ON SCHEMA sales TO makers; GRANT CREATE ON DATABASE shop TO makers', 'shop');
  app = await server.client('shop', { user: 'app', password: 'app' });
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
  server.mark();
});
afterEach(() => app.end());

const declare = async (grants: readonly Block[], more: readonly object[] = []): Promise<void> => {
  steward.manifests.users(stringify({ roles: [{ name: 'kafka', grants }, ...more], users: [{ username: 'connector', login: false }] }));
  const report = await steward.cycle();
  expect(report.result, JSON.stringify([report.problems, report.error])).toBe('changed');
};
const SALES: Block = { database: 'shop', schemas: ['sales'], tables: { '*': ['SELECT'], outbox: ['SELECT', 'INSERT'], secret: [] } };
const may = async (table = 'sales.outbox', privilege = 'INSERT', role = 'kafka'): Promise<boolean> => {
  const rows = await server.query<{ may: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = '${table.replaceAll("'", "''")}'::regclass AND x.grantee = '${role}'::regrole AND x.privilege_type = '${privilege}') AS may`,
    'shop',
  );
  return rows[0]?.may === true;
};
/** Makes the trigger follow something else, as only a superuser could. */
const follow = async (change: (rules: string) => string): Promise<void> => {
  const [row] = await server.query<{ body: string }>(`SELECT prosrc AS body FROM pg_proc WHERE oid = 'pgsteward_trigger.rules(text[])'::regprocedure`, 'shop');
  const [, before = '', rules = '', after = ''] = /^(.*\$rules\$)(.*)(\$rules\$.*)$/s.exec(row?.body ?? '') ?? [];
  const body = `${before}${change(rules)}${after}`.replaceAll("'", "''");
  await server.query(
    `SET check_function_bodies = off; CREATE OR REPLACE FUNCTION pgsteward_trigger.rules(VARIADIC path text[]) RETURNS jsonb LANGUAGE plpgsql STABLE AS '${body}'`,
    'shop',
  );
};
const superusers = (): Promise<unknown[]> => server.query(`SELECT rolname FROM pg_roles WHERE rolsuper OR pg_has_role('app', oid, 'MEMBER') ORDER BY 1`);
/** What the trigger said in the server's log, not counting its text. */
const said = (): string[] =>
  server
    .log()
    .split('\n')
    .filter((line) => line.includes('LOG:  pgsteward: '));
const OUTBOX = 'CREATE TABLE sales.outbox (id int)';
const quiet = async (): Promise<void> => expect(await writesDuring(server, () => steward.cycle())).toEqual([]);

describe('names', () => {
  const NAMES = [
    'Robert"); DROP TABLE x; --',
    "it's",
    'a\nb',
    '$$ $1 $body$',
    '100%s %I %%',
    'back\\slash\\',
    'ä'.repeat(31),
    '_',
    '%',
    'select',
    '"',
    ' ',
    "E'\\n'",
    'public',
    '$rules$',
    '$1',
    '__proto__',
    'a\u001fb',
    '\u2028',
    '{"a":[1]}',
  ];
  it('are only ever names: of tables, columns, schemas, functions and roles', async () => {
    const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
    const others = NAMES.filter((name) => name !== 'public');
    for (const name of others) await server.query(`CREATE ROLE ${quoted(`r${name}`.slice(0, 30))}`);
    const tables = Object.fromEntries(NAMES.map((name) => [name, ['SELECT']]));
    await declare([{ database: 'shop', schemas: ['sales', 'odd "schema'], tables, functions: { '*': ['EXECUTE'] } }]);
    await app.query('CREATE SCHEMA "odd ""schema"');
    for (const schema of ['sales', 'odd "schema'])
      for (const name of NAMES) {
        await app.query(`CREATE TABLE ${quoted(schema)}.${quoted(name)} (${quoted(name)} int)`);
        expect(await may(`${quoted(schema)}.${quoted(name)}`, 'SELECT'), name).toBe(true);
      }
    for (const name of others) await app.query(`CREATE FUNCTION sales.${quoted(name)}(${quoted(name)} int) RETURNS int LANGUAGE sql AS 'SELECT 1'`);
    await steward.cycle();
    await quiet();
  });

  it('with _ and % in them are no patterns, and a table called * is one table', async () => {
    await declare([{ database: 'shop', schemas: ['s_*'], tables: { 'a_b*': ['SELECT'], 'c%': ['SELECT'] } }]);
    await app.query('CREATE SCHEMA s_1; CREATE SCHEMA sx1');
    await app.query(
      'CREATE TABLE s_1."a_b*" (id int); CREATE TABLE s_1.axb (id int); CREATE TABLE sx1.a_b (id int); CREATE TABLE s_1."c%" (id int); CREATE TABLE s_1.cc (id int); CREATE TABLE s_1."*" (id int)',
    );
    const held: boolean[] = [];
    for (const table of ['s_1."a_b*"', 's_1.axb', 'sx1.a_b', 's_1."c%"', 's_1.cc', 's_1."*"']) held.push(await may(table, 'SELECT'));
    expect(held).toEqual([true, false, false, true, false, false]);
    await quiet();
  });

  it('of types with _ in them, and quoted by a setting, are still the argument types of the rule', async () => {
    await declare([{ database: 'shop', schemas: ['sal*'], functions: { 'f(pg_lsn)': ['EXECUTE'], 'g*(pg_lsn)': ['EXECUTE'] } }]);
    await app.query(`SET quote_all_identifiers = on; SET standard_conforming_strings = off;
      CREATE FUNCTION sales.f(pg_lsn) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION sales.g1(pg_lsn) RETURNS int LANGUAGE sql AS 'SELECT 1'`);
    expect(await server.query(`SELECT bool_and(proacl::text LIKE '%kafka=X%') AS may FROM pg_proc WHERE pronamespace = 'sales'::regnamespace`, 'shop')).toEqual(
      [{ may: true }],
    );
    await quiet();
  });

  it('of the functions that a range type brings along are covered', async () => {
    await declare([{ database: 'shop', schemas: ['sales'], functions: { '*': ['EXECUTE'] }, types: { '*': ['USAGE'] } }]);
    await app.query('CREATE TYPE sales.span AS RANGE (subtype = int)');
    await quiet();
  });
});

describe('the session of the application', () => {
  const BODY = `LANGUAGE plpgsql AS $$ BEGIN IF current_user <> 'app' THEN EXECUTE 'ALTER ROLE app SUPERUSER'; END IF; RETURN NULL; END $$`;
  it('cannot have its own functions, operators, types or tables called instead of those of the server', async () => {
    await declare([SALES]);
    await app.query(`CREATE SCHEMA evil AUTHORIZATION app; SET search_path = evil, pg_temp, pg_catalog;
      CREATE FUNCTION evil.format(text, text, text, text) RETURNS text ${BODY}; CREATE FUNCTION evil.quote_ident(text) RETURNS text ${BODY};
      CREATE FUNCTION evil.current_database() RETURNS name ${BODY}; CREATE FUNCTION evil.aclexplode(aclitem[]) RETURNS text ${BODY};
      CREATE FUNCTION evil.starts_with(text, text) RETURNS bool ${BODY}; CREATE FUNCTION evil.eq(text, text) RETURNS bool ${BODY};
      CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq); CREATE FUNCTION evil.cat(text, text) RETURNS text ${BODY};
      CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.cat); CREATE DOMAIN evil.text AS pg_catalog.int4;
      CREATE TEMP TABLE pg_class (oid oid); CREATE FUNCTION evil.rules(VARIADIC text[]) RETURNS jsonb ${BODY}; CREATE FUNCTION evil.jsonb_extract_path(jsonb, VARIADIC text[]) RETURNS jsonb ${BODY}; CREATE TEMP TABLE pg_namespace (oid oid)`);
    await app.query('CREATE TABLE sales.outbox (id pg_catalog.int4)');
    expect(await may()).toBe(true);
    expect(await superusers()).toEqual([{ rolname: 'app' }, { rolname: 'makers' }, { rolname: 'postgres' }]);
  });

  const SETTINGS = [
    'standard_conforming_strings = off',
    'escape_string_warning = on',
    'quote_all_identifiers = on',
    `DateStyle = 'German'`,
    'bytea_output = escape',
    `lc_numeric = 'C'`,
    'transform_null_equals = on',
    'array_nulls = off',
    'xmloption = document',
    'jit = on',
    'jit_above_cost = 0',
    'check_function_bodies = off',
    ...['indexscan', 'indexonlyscan', 'bitmapscan', 'seqscan', 'hashjoin', 'mergejoin', 'nestloop', 'material', 'sort', 'hashagg', 'memoize'].map(
      (way) => `enable_${way} = off`,
    ),
    'default_transaction_isolation = serializable',
    'default_transaction_isolation = "repeatable read"',
    'client_min_messages = debug5',
    'plan_cache_mode = force_custom_plan',
    'row_security = off',
    'work_mem = 64',
    'join_collapse_limit = 1',
    'geqo_threshold = 2',
    'lock_timeout = 1',
    'idle_in_transaction_session_timeout = 60000',
    'statement_timeout = 20000',
    `default_tablespace = 'pg_default'`,
    'default_table_access_method = heap',
    `plpgsql.extra_errors = 'all'`,
    `plpgsql.extra_warnings = 'all'`,
    'extra_float_digits = -15',
    'synchronous_commit = off',
    `client_encoding = 'SQL_ASCII'`,
    'debug_print_parse = on',
    `pgsteward.applying = 'on'`,
    'parallel_setup_cost = 0',
    'backend_flush_after = 0',
  ];
  it('may have any setting', async () => {
    await declare([SALES]);
    for (const setting of [...SETTINGS, server.major >= 16 ? 'debug_parallel_query = on' : 'force_parallel_mode = on']) {
      const session = await server.client('shop', { user: 'app', password: 'app' });
      await session.query(`SET ${setting}`);
      await session.query(OUTBOX);
      expect(await may(), setting).toBe(true);
      await session.query('DROP TABLE sales.outbox');
      await session.end();
    }
    expect(said()).toEqual([]);
  });

  it('hears nothing of what the trigger does, in whatever encoding it asks', async () => {
    await server.query('CREATE ROLE gone');
    await declare([SALES]);
    // A failure inside of the trigger, and a name that LATIN1 cannot say.
    await follow((rules) => rules.replaceAll('"SELECT":false', '"EXECUTE":false,"SELECT":false').replaceAll('GRANT SELECT', 'GRANT EXECUTE, SELECT'));
    const heard: string[] = [];
    app.on('notice', (notice) => void heard.push(notice.message ?? ''));
    await app.query('SET client_min_messages = log; SET client_encoding = LATIN1');
    await app.query(String.raw`CREATE TABLE sales.U&"\65E5\672C" (id int)`);
    expect(heard.filter((message) => message.includes('pgsteward') || message.includes('GRANT'))).toEqual([]);
    expect(said().join()).toContain('were not applied at once');
  });

  it('may be in any kind of transaction', async () => {
    await declare([SALES]);
    const ways: readonly string[] = [
      'BEGIN; SAVEPOINT a; CREATE TABLE sales.outbox (); ROLLBACK TO a; CREATE TABLE sales.outbox (id int); RELEASE a; COMMIT',
      `DO $$ BEGIN BEGIN CREATE TABLE sales.outbox (); RAISE 'no'; EXCEPTION WHEN OTHERS THEN CREATE TABLE sales.outbox (id int); END; END $$`,
      'CREATE PROCEDURE sales.make() LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE sales.first (); COMMIT; CREATE TABLE sales.outbox (); COMMIT; END $$; COMMIT; CALL sales.make()',
      'BEGIN ISOLATION LEVEL SERIALIZABLE; CREATE TABLE sales.outbox (id int); COMMIT',
      `BEGIN; CREATE TABLE sales.outbox (id int); GRANT SELECT ON sales.outbox TO makers; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'`,
      'BEGIN; SET ROLE makers; CREATE TABLE sales.outbox (id int); RESET ROLE; COMMIT',
    ];
    for (const sql of ways) {
      for (const statement of sql.includes('CALL') || sql.includes('PREPARE') ? sql.split(/; (?=CALL|COMMIT PREPARED|PREPARE)/) : [sql])
        await app.query(statement);
      expect(await may(), sql).toBe(true);
      await app.query('DROP TABLE sales.outbox');
    }
    await app.query('BEGIN; CREATE TEMP TABLE outbox (id int) ON COMMIT DROP; COMMIT; BEGIN; CREATE TABLE sales.outbox (); ROLLBACK');
    await app.query('CREATE TABLE sales.parent (id int) PARTITION BY LIST (id); CREATE TABLE sales.outbox PARTITION OF sales.parent FOR VALUES IN (1)');
    await app.query('ALTER TABLE sales.parent DETACH PARTITION sales.outbox CONCURRENTLY');
    await app.query('CREATE INDEX CONCURRENTLY ON sales.outbox (id)');
    await app.query('CREATE MATERIALIZED VIEW sales.seen AS SELECT 1 AS id; CREATE UNIQUE INDEX ON sales.seen (id)');
    await app.query('REFRESH MATERIALIZED VIEW CONCURRENTLY sales.seen');
    expect(await may()).toBe(true);
  });
});

describe('too much of everything', () => {
  it('1,600 columns, each with a rule, and a table with more grantees than fit', async () => {
    await declare([{ ...SALES, columns: { wide: { '*': ['SELECT'], c7: [] } } }]);
    await app.query(`CREATE TABLE sales.wide (${Array.from({ length: 1600 }, (_, index) => `c${index} bool`).join(', ')})`);
    expect(
      await server.query(`SELECT count(*)::int AS count FROM pg_attribute WHERE attrelid = 'sales.wide'::regclass AND attacl::text LIKE '%kafka=r%'`, 'shop'),
    ).toEqual([{ count: 1599 }]);
    await server.query(`DO $$ BEGIN FOR i IN 1..2500 LOOP EXECUTE 'CREATE ROLE many' || i; END LOOP; END $$`);
    const many = Array.from({ length: 2500 }, (_, index) => `many${index + 1}`);
    await follow((rules) => {
      const document = JSON.parse(rules) as { role: object; exact: { table: { sales: object } } };
      Object.assign(document.role, Object.fromEntries(many.map((role) => [role, 'additive'])));
      Object.assign(document.exact.table.sales, { crowded: many.map((role) => ({ role, rank: 1, privileges: { SELECT: false } })) });
      return JSON.stringify(document);
    });
    await app.query('CREATE TABLE sales.crowded (id int)');
    expect(await may('sales.crowded', 'SELECT', 'many1')).toBe(false);
    await server.query(`DO $$ BEGIN FOR i IN 1..2500 LOOP EXECUTE 'DROP ROLE many' || i; END LOOP; END $$`);
  });

  it('many sessions create at once while the cycle changes the rules', async () => {
    await declare([SALES]);
    const failures: string[] = [];
    const sessions = await Promise.all(Array.from({ length: 60 }, () => server.client('shop', { user: 'app', password: 'app' })));
    const makers = sessions.map(async (session, index) => {
      for (let table = 0; table < 8; table += 1)
        await session.query(`CREATE TABLE sales.t_${index}_${table} (id serial)`).catch((error: unknown) => void failures.push(String(error)));
      await session.end();
    });
    for (let turn = 0; turn < 4; turn += 1) {
      steward.manifests.users(
        stringify({
          roles: [{ name: 'kafka', grants: [{ ...SALES, tables: { '*': ['SELECT'], [`other_${turn}`]: ['INSERT'] } }] }],
          users: [{ username: 'connector', login: false }],
        }),
      );
      await steward.cycle();
    }
    await Promise.all(makers);
    expect(failures).toEqual([]);
    // On a busy machine the server may take longer for one than the trigger waits: that one is left to the cycle.
    expect(said().filter((line) => !line.includes('(55P03)'))).toEqual([]);
    await steward.cycle();
    expect(
      await server.query(`SELECT count(*)::int AS count FROM pg_class WHERE relname LIKE 't\\_%' AND relkind = 'r' AND relacl::text LIKE '%kafka=r%'`, 'shop'),
    ).toEqual([{ count: 480 }]);
  });
});

describe('the schema of the trigger', () => {
  it('is closed: nobody reads, writes, calls or drops, and nothing in it can be locked', async () => {
    await server.query(
      `CREATE ROLE writer LOGIN PASSWORD 'writer'; GRANT pg_read_all_data, pg_write_all_data TO writer; GRANT CREATE ON DATABASE shop TO writer`,
    );
    await declare([SALES]);
    const writer = await server.client('shop', { user: 'writer', password: 'writer' });
    for (const sql of [
      `SELECT pgsteward_trigger.rules('database')`,
      'SELECT pgsteward_trigger.apply_rules()',
      'CREATE TABLE pgsteward_trigger.mine ()',
      'SELECT pgsteward_trigger.notify_drift()',
    ])
      await expect(app.query(sql)).rejects.toThrow('permission denied for schema pgsteward_trigger');
    // Who may read everything learns what pg_proc tells to everybody.
    await expect(writer.query('SELECT pgsteward_trigger.apply_rules()')).rejects.toThrow('can only be called as triggers');
    await expect(writer.query('CREATE TABLE pgsteward_trigger.mine ()')).rejects.toThrow('permission denied for schema pgsteward_trigger');
    for (const session of [app, writer])
      for (const sql of ['ALTER EXTENSION plpgsql DROP SCHEMA pgsteward_trigger', 'DROP EXTENSION plpgsql CASCADE'])
        await expect(session.query(sql)).rejects.toThrow('must be owner of extension plpgsql');
    await writer.end();
    // Nothing in it can be locked, written to or published: there is no table.
    expect(
      await server.query(`SELECT relname FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pgsteward%')`, 'shop'),
    ).toEqual([]);
  });

  const garbage =
    (from: string, to: string): ((rules: string) => string) =>
    (rules) => {
      expect(rules).toContain(from);
      return rules.replaceAll(from, to);
    };
  it.each([
    ['a privilege that is a statement', garbage('"SELECT":', '"SELECT ON sales.outbox TO kafka; DROP TABLE sales.keep; GRANT SELECT":')],
    ['a privilege of another kind', garbage('"SELECT":', '"EXECUTE":')],
    ['no privileges at all', garbage('"privileges":{', '"privilege":{')],
    ['privileges of another type', garbage('"SELECT":false', '"SELECT":[{}]')],
    ['privileges that are no object', garbage('"privileges":{"SELECT":false}', '"privileges":7')],
    ['an absurd rank', garbage('"rank":', '"rank":1e9,"more":')],
    ['a rank that is no number', garbage('"rank":', '"rank":"x","more":')],
    ['a broken pattern', garbage('"rank":', String.raw`"name":"\","more":`)],
    ['another kind', garbage('"table":', '"column":')],
    ['an unknown role', garbage('"kafka"', '"nobody; DROP TABLE sales.keep"')],
    ['an unknown mode', garbage('"exact"}', '"all of it"}')],
    ['another database', garbage('{"database":', '{"database":1')],
    ['something else than rules', () => '{"exact": 7}'],
    ['nothing', () => 'null'],
    ['what is no JSON', () => '}{'],
  ])('with %s in the rules: the application goes on, nothing else runs, and the next cycle mends it', async (_name, change) => {
    await declare([SALES]);
    await app.query('CREATE TABLE sales.keep (id int)');
    await follow(change);
    await app.query(`${OUTBOX}; ALTER TABLE sales.keep ADD more int; CREATE SCHEMA apart CREATE TABLE a (id int)`);
    expect((await steward.cycle()).problems).toEqual([]);
    await steward.cycle();
    expect(await may()).toBe(true);
    expect(await may('sales.keep', 'SELECT')).toBe(true);
    await app.query('DROP TABLE sales.outbox');
    await app.query(OUTBOX);
    expect(await may()).toBe(true);
    await quiet();
  });

  it('a role that is renamed or dropped meanwhile is left out, and the others have theirs', async () => {
    await declare([SALES], [{ name: 'other', grants: [{ ...SALES, tables: { outbox: ['INSERT'] } }] }]);
    await server.query('ALTER ROLE other RENAME TO another');
    await app.query(OUTBOX);
    expect(await may()).toBe(true);
    expect(await may('sales.outbox', 'INSERT', 'another')).toBe(false);
  });
});
