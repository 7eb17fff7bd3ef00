// The event trigger: whatever an application creates, renames, moves or re-owns has its declared privileges when the statement ends.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { stringify } from 'yaml';
import { holdings } from '../privileges/acl.ts';
import type { Block } from '../privileges/evaluator.ts';
import { QUIET, settles, writesDuring } from '../privileges/quiet.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
let app: pg.Client;
serverForAll(
  QUIET,
  (started) => (server = started),
  () => steward,
);
beforeEach(async () => {
  await server.query(`CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE app_group; GRANT app_group TO app; CREATE ROLE watcher LOGIN PASSWORD 'watcher'`);
  await server.query('CREATE DATABASE shop');
  await server.query(
    `CREATE SCHEMA sales AUTHORIZATION app; CREATE SCHEMA other AUTHORIZATION app; GRANT CREATE ON DATABASE shop TO app;
     GRANT USAGE, CREATE ON SCHEMA other, sales TO app_group`,
    'shop',
  );
  app = await server.client('shop', { user: 'app', password: 'app' });
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
});
afterEach(() => app.end());

const declare = (grants: readonly Block[], more: object = {}): void =>
  steward.manifests.users(stringify({ roles: [{ name: 'kafka', grants, ...more }], users: [{ username: 'connector', login: false, roles: ['kafka'] }] }));
const settled = (): Promise<void> => settles(server, steward);
const held = async (role = 'kafka'): Promise<readonly string[]> => {
  const client = await server.client('shop');
  const lines = await holdings(client, role, server.major);
  await client.end();
  return lines.filter((line) => !line.startsWith('schema')).map((line) => line.replace(' shop:', ''));
};
const quiet = async (): Promise<void> => expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
const EXACT: Block = { database: 'shop', schemas: ['sales'], tables: { outbox: ['SELECT'] } };

describe('an exact name holds at once, in the transaction of the application', () => {
  const ways: readonly (readonly [string, string])[] = [
    ['CREATE TABLE', 'CREATE TABLE sales.outbox (id serial PRIMARY KEY, payload text)'],
    ['CREATE TABLE with an identity', 'CREATE TABLE sales.outbox (id int GENERATED ALWAYS AS IDENTITY)'],
    ['CREATE TABLE AS', 'CREATE TABLE sales.outbox AS SELECT 1 AS id'],
    ['SELECT INTO', 'SELECT 1 AS id INTO sales.outbox'],
    ['CREATE TABLE LIKE', 'CREATE TABLE sales.model (id int); CREATE TABLE sales.outbox (LIKE sales.model INCLUDING ALL)'],
    [
      'a partition',
      'CREATE TABLE sales.events (id int) PARTITION BY RANGE (id); CREATE TABLE sales.outbox PARTITION OF sales.events FOR VALUES FROM (1) TO (9)',
    ],
    ['a partitioned table', 'CREATE TABLE sales.outbox (id int) PARTITION BY RANGE (id)'],
    ['inheritance', 'CREATE TABLE sales.parent (id int); CREATE TABLE sales.outbox () INHERITS (sales.parent)'],
    ['CREATE VIEW', 'CREATE VIEW sales.outbox AS SELECT 1 AS id'],
    ['CREATE MATERIALIZED VIEW', 'CREATE MATERIALIZED VIEW sales.outbox AS SELECT 1 AS id'],
    ['a table made by a function', `DO $$ BEGIN EXECUTE 'CREATE TABLE sales.outbox (id int)'; END $$`],
    ['a rename', 'CREATE TABLE sales.draft (id int); ALTER TABLE sales.draft RENAME TO outbox'],
    ['a move between schemas', 'CREATE TABLE other.outbox (id int); ALTER TABLE other.outbox SET SCHEMA sales'],
    ['a new owner', 'CREATE TABLE sales.outbox (id int); ALTER TABLE sales.outbox OWNER TO app_group'],
    ['a role that somebody else set', 'SET ROLE app_group; CREATE TABLE sales.outbox (id int); RESET ROLE'],
    ['an unlogged table', 'CREATE UNLOGGED TABLE sales.outbox (id int)'],
  ];
  it.each(ways)('by %s', async (_name, sql) => {
    declare([EXACT]);
    await settled();
    await app.query(`BEGIN; ${sql}; COMMIT`);
    expect((await held()).filter((line) => line.includes('outbox '))).toEqual(['table sales.outbox SELECT']);
    await quiet();
    expect((await held()).filter((line) => line.includes('outbox '))).toEqual(['table sales.outbox SELECT']);
  });

  it('by CREATE SCHEMA with its elements, and by a schema that is renamed', async () => {
    declare([{ database: 'shop', schemas: ['fresh', 'renamed'], tables: { outbox: ['SELECT'] }, functions: { call: ['EXECUTE'] } }]);
    await settled();
    await app.query('CREATE SCHEMA fresh CREATE TABLE outbox (id int) CREATE VIEW seen AS SELECT 1 AS id');
    expect(await held()).toEqual(['table fresh.outbox SELECT']);
    await app.query(`CREATE SCHEMA staged; CREATE TABLE staged.outbox (id int); CREATE FUNCTION staged.call() RETURNS int LANGUAGE sql AS 'SELECT 1';
      REVOKE EXECUTE ON FUNCTION staged.call() FROM PUBLIC; ALTER SCHEMA staged RENAME TO renamed`);
    expect(await held()).toEqual(['function renamed.call() EXECUTE', 'table fresh.outbox SELECT', 'table renamed.outbox SELECT']);
    await app.query('ALTER SCHEMA renamed RENAME TO gone');
    expect(await held()).toEqual(['table fresh.outbox SELECT']);
    await quiet();
  });

  it('by IMPORT FOREIGN SCHEMA', async ({ skip }) => {
    const available = await server.query(`SELECT FROM pg_available_extensions WHERE name = 'postgres_fdw'`);
    if (available.length === 0) skip();
    await server.query(
      `CREATE EXTENSION postgres_fdw; CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '${server.port}', dbname 'shop');
       CREATE USER MAPPING FOR postgres SERVER loop OPTIONS (user 'postgres', password '${server.password}');
       CREATE SCHEMA remote; CREATE TABLE remote.outbox (id int); CREATE TABLE remote.more (id int)`,
      'shop',
    );
    declare([EXACT]);
    await settled();
    await server.query('IMPORT FOREIGN SCHEMA remote FROM SERVER loop INTO sales', 'shop');
    expect(await held()).toEqual(['table sales.outbox SELECT']);
    await quiet();
  });

  it('and a reader whose transaction begins right afterwards has it', async () => {
    declare([EXACT]);
    await settled();
    await server.query('GRANT kafka TO watcher');
    const watcher = await server.client('shop', { user: 'watcher', password: 'watcher' });
    await expect(watcher.query('SELECT * FROM sales.outbox')).rejects.toThrow(/does not exist/);
    await app.query('BEGIN; CREATE TABLE sales.outbox (id int); INSERT INTO sales.outbox VALUES (7); COMMIT');
    expect((await watcher.query('SELECT id FROM sales.outbox')).rows).toEqual([{ id: 7 }]);
    await watcher.end();
  });
});

describe('the rules are those of the cycle', () => {
  const RULES: readonly Block[] = [
    { database: 'shop', schemas: ['sales'], tables: { '*': ['SELECT', 'INSERT'], payroll: [], 'log_*': ['INSERT'] } },
    { database: 'shop', schemas: ['*'], sequences: { '*': ['USAGE'] }, functions: { 'f*': ['EXECUTE'], 'g(int)': ['EXECUTE'] }, types: { mood: ['USAGE'] } },
  ];
  const MAKE = `CREATE TABLE sales.payroll (id serial); CREATE TABLE sales.log_x (id int); CREATE TABLE sales.orders (id int); CREATE TABLE other.orders (id int);
    CREATE SEQUENCE other.counter; CREATE FUNCTION sales.f1() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION sales.g(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION sales.g(text) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE sales.f2(int) LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE sales.f3(int) (SFUNC = int4pl, STYPE = int); CREATE TYPE sales.mood AS ENUM ('a'); CREATE DOMAIN other.mood AS int; CREATE TYPE sales.calm AS (a int)`;
  it.each(['exact', 'additive'])('for a role whose grants are %s: what the trigger gives is what the next cycle would have given', async (mode) => {
    declare(RULES, mode === 'additive' ? { grantsMode: 'additive' } : {});
    await settled();
    await app.query(MAKE);
    const atOnce = await held();
    expect(atOnce).toContain('table sales.orders INSERT SELECT');
    // Default privileges gave what `*` gives, and only from an exact role is it taken again.
    expect(atOnce).toContain(mode === 'exact' ? 'table sales.log_x INSERT' : 'table sales.log_x INSERT SELECT');
    expect(atOnce.filter((line) => line.includes('payroll '))).toEqual(mode === 'exact' ? [] : ['table sales.payroll INSERT SELECT']);
    expect(atOnce).toContain('function sales.g(integer) EXECUTE');
    expect(atOnce).toContain('type other.mood USAGE');
    await quiet();
    expect(await held()).toEqual(atOnce);
  });

  it('columns, also those that are added later, and languages, wrappers and servers', async () => {
    declare([
      {
        database: 'shop',
        schemas: ['sales'],
        columns: { people: { '*': ['SELECT'], salary: [] } },
        foreignDataWrappers: { wrap: ['USAGE'] },
        foreignServers: { far: ['USAGE'] },
      },
    ]);
    await settled();
    await app.query('CREATE TABLE sales.people (id int, name text, salary int)');
    await server.query('CREATE FOREIGN DATA WRAPPER wrap; CREATE SERVER far FOREIGN DATA WRAPPER wrap', 'shop');
    const before = ['column sales.people.id SELECT', 'column sales.people.name SELECT', 'foreign_data_wrapper wrap USAGE', 'foreign_server far USAGE'];
    expect((await held()).map((line) => line.replace(' .', ' '))).toEqual(before);
    await app.query('ALTER TABLE sales.people ADD age int');
    expect(await held()).toContain('column sales.people.age SELECT');
    await app.query('ALTER TABLE sales.people RENAME salary TO wage');
    expect(await held()).toContain('column sales.people.wage SELECT');
    await quiet();
  });

  it('a rename takes away what only the old name gave, and a role that is left out of `*` never has it', async () => {
    declare([{ database: 'shop', schemas: ['sales'], tables: { '*': ['SELECT'], secret: [] } }]);
    await settled();
    await app.query('CREATE TABLE sales.open (id int)');
    expect(await held()).toEqual(['table sales.open SELECT']);
    await app.query('ALTER TABLE sales.open RENAME TO secret');
    expect(await held()).toEqual([]);
    await app.query('ALTER TABLE sales.secret SET SCHEMA other');
    expect(await held()).toEqual([]);
    await app.query('ALTER TABLE other.secret RENAME TO plain; ALTER TABLE other.plain SET SCHEMA sales');
    expect(await held()).toEqual(['table sales.plain SELECT']);
    await quiet();
  });

  it('EXECUTE is taken from PUBLIC at once, where the document says so', async () => {
    steward.manifests.users(
      stringify({
        databases: [{ name: 'shop', public: { schemas: ['*'], functions: { '*': [] } } }],
        users: [{ username: 'connector', login: false }],
      }),
    );
    const first = await steward.cycle();
    if (first.problems.length > 0) throw new Error(JSON.stringify(first.problems));
    await app.query(`CREATE FUNCTION sales.leak() RETURNS int LANGUAGE sql AS 'SELECT 1'`);
    const rows = await server.query(`SELECT has_function_privilege('watcher', 'sales.leak()', 'EXECUTE') AS may`, 'shop');
    expect(rows).toEqual([{ may: false }]);
    await quiet();
  });

  it('REVOKES=report holds for the trigger, too: it grants and takes nothing away', async () => {
    steward = await steward.restart({ REVOKES: 'report' });
    declare([{ database: 'shop', schemas: ['sales'], tables: { orders: ['SELECT'] } }]);
    await steward.cycle();
    await app.query('ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT INSERT ON TABLES TO kafka; CREATE TABLE sales.orders (id int)');
    expect(await held()).toEqual(['table sales.orders INSERT SELECT']);
  });

  it('members of an extension are left to what the extension says', async () => {
    declare([{ database: 'shop', schemas: ['*'], functions: { '*': ['EXECUTE'] } }]);
    await settled();
    await server.query('CREATE EXTENSION pgcrypto SCHEMA public', 'shop');
    // Default privileges of whoever creates it reach its members, too; the cycle takes that back.
    await settled();
    expect((await held()).filter((line) => line.includes('public.'))).toEqual([]);
    await quiet();
  });
});

const RULES = 'CREATE OR REPLACE FUNCTION pgsteward_trigger.rules(VARIADIC path text[]) RETURNS jsonb LANGUAGE plpgsql STABLE';

describe('the trigger comes, changes and goes with the document', () => {
  const installed = async (database = 'shop'): Promise<string[]> =>
    (await server.query<{ name: string }>(`SELECT evtname AS name FROM pg_event_trigger ORDER BY 1`, database)).map((row) => row.name);
  const BOTH = ['pgsteward_drift', 'pgsteward_objects'];

  it('a dry run shows it and installs nothing', async () => {
    declare([EXACT]);
    const preview = await steward.restart({ DRY_RUN: 'true' });
    const kinds = (await preview.cycle()).planned.map((change) => change.kind);
    expect(kinds).toEqual(expect.arrayContaining(['install_event_trigger']));
    expect(await installed()).toEqual([]);
    steward = await preview.restart({ DRY_RUN: 'false' });
    await settled();
    expect(await installed()).toEqual(BOTH);
  });

  it('an edited document changes what the next object gets', async () => {
    declare([EXACT]);
    await settled();
    declare([{ database: 'shop', schemas: ['sales'], tables: { outbox: ['SELECT', 'DELETE'], inbox: ['SELECT'] } }]);
    await settled();
    await app.query('CREATE TABLE sales.outbox (id int); CREATE TABLE sales.inbox (id int)');
    expect(await held()).toEqual(['table sales.inbox SELECT', 'table sales.outbox DELETE SELECT']);
  });

  it.each([
    ['EVENT_TRIGGERS=off', { EVENT_TRIGGERS: 'off' }],
    ['a document that no longer names the database', {}],
  ])('%s removes it with everything that it needed', async (_name, env) => {
    declare([EXACT]);
    await settled();
    expect(await installed()).toEqual(BOTH);
    if (Object.keys(env).length === 0) steward.manifests.users(stringify({ users: [{ username: 'connector', login: false }] }));
    steward = await steward.restart(env);
    await settled();
    expect(await installed()).toEqual([]);
    expect(await server.query(`SELECT FROM pg_namespace WHERE nspname LIKE 'pgsteward%'`, 'shop')).toEqual([]);
    expect(await server.query('SELECT FROM pgsteward.trigger_database')).toEqual([]);
    await app.query('CREATE TABLE sales.outbox (id int)');
    expect(await held()).toEqual([]);
  });

  it.each([
    ['the trigger is dropped', 'ALTER EXTENSION plpgsql DROP EVENT TRIGGER pgsteward_objects; DROP EVENT TRIGGER pgsteward_objects'],
    [
      'its function is another',
      `CREATE OR REPLACE FUNCTION pgsteward_trigger.apply_rules() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN END'`,
    ],
    ['its function lost its settings', 'ALTER FUNCTION pgsteward_trigger.apply_rules() RESET ALL'],
    [
      'it hears of fewer commands',
      `ALTER EXTENSION plpgsql DROP EVENT TRIGGER pgsteward_objects; DROP EVENT TRIGGER pgsteward_objects;
       CREATE EVENT TRIGGER pgsteward_objects ON ddl_command_end WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION pgsteward_trigger.apply_rules()`,
    ],
    ['the rules are gone', 'ALTER EXTENSION plpgsql DROP FUNCTION pgsteward_trigger.rules(text[]); DROP FUNCTION pgsteward_trigger.rules(text[])'],
    ['the rules are others', `${RULES} AS $$ BEGIN RETURN NULL; END $$`],
    ['the rules run with rights', 'ALTER FUNCTION pgsteward_trigger.rules(text[]) SECURITY DEFINER'],
    ['the rules have settings', 'ALTER FUNCTION pgsteward_trigger.rules(text[]) SET search_path = public'],
    ['a part of it is no member of the extension', 'ALTER EXTENSION plpgsql DROP FUNCTION pgsteward_trigger.rules(text[])'],
    ['the schema is no member of the extension', 'ALTER EXTENSION plpgsql DROP SCHEMA pgsteward_trigger'],
    ['a function belongs to another superuser', 'CREATE ROLE boss SUPERUSER; ALTER FUNCTION pgsteward_trigger.notify_drift() OWNER TO boss'],
  ])('is mended when %s', async (_name, sql) => {
    declare([EXACT]);
    await settled();
    await server.query(sql, 'shop');
    expect((await steward.cycle()).result).toBe('changed');
    await quiet();
    await app.query('CREATE TABLE sales.outbox (id int)');
    expect(await held()).toEqual(['table sales.outbox SELECT']);
  });

  it('stays off where a person has disabled it, and the cycle goes on without it', async () => {
    declare([EXACT]);
    await settled();
    await server.query('ALTER EVENT TRIGGER pgsteward_objects DISABLE', 'shop');
    const report = await steward.cycle();
    expect(report.result).toBe('converged');
    expect(report.notices.map((notice) => notice.kind).toSorted()).toEqual(['fallback', 'pending']);
    await app.query('CREATE TABLE sales.outbox (id int)');
    expect(await held()).toEqual([]);
    await settled();
    expect(await held()).toEqual(['table sales.outbox SELECT']);
  });

  it.each([
    ['a schema', 'CREATE SCHEMA pgsteward_trigger AUTHORIZATION app'],
    [
      'a function in it',
      `CREATE SCHEMA pgsteward_trigger; ${RULES} AS $$ BEGIN RETURN NULL; END $$; ALTER FUNCTION pgsteward_trigger.rules(text[]) OWNER TO app`,
    ],
    ['a table in it', 'CREATE SCHEMA pgsteward_trigger; CREATE TABLE pgsteward_trigger.t (); ALTER TABLE pgsteward_trigger.t OWNER TO app'],
  ])('is not installed over %s of somebody else', async (_name, sql) => {
    await server.query(sql, 'shop');
    declare([EXACT]);
    const report = await steward.cycle();
    expect(report.notices.map((notice) => notice.message).join()).toContain('belongs to somebody else');
    expect(await installed()).toEqual([]);
    await app.query('CREATE TABLE sales.outbox (id int)');
    await steward.cycle();
    expect(await held()).toEqual(['table sales.outbox SELECT']);
  });

  it('is taken over from another superuser, when pgsteward gets another login', async () => {
    declare([EXACT]);
    await settled();
    await server.query(`CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'boss'`);
    steward = await steward.restart({ DB_USER: 'boss', DB_PASS: 'boss' });
    await settled();
    await app.query('CREATE TABLE sales.outbox (id int)');
    expect(await held()).toEqual(['table sales.outbox SELECT']);
    await quiet();
  });

  it('does nothing in a copy of the database, whose rules were meant for another', async () => {
    declare([EXACT]);
    await settled();
    await app.end();
    await server.query('CREATE DATABASE copy TEMPLATE shop');
    await server.query('CREATE TABLE sales.outbox (id int)', 'copy');
    expect(await server.query(`SELECT has_table_privilege('kafka', 'sales.outbox', 'SELECT') AS may`, 'copy')).toEqual([{ may: false }]);
  });
});
