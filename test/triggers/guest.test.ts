// A polite guest: an application's own tools never meet what is kept in its database: dumps, restores, publications, and versions that kept more.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, type TestContext } from 'vitest';
import { stringify } from 'yaml';
import type { Block } from '../privileges/evaluator.ts';
import { QUIET, settles, writesDuring } from '../privileges/quiet.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { ...QUIET, wal_level: 'logical' },
  (started) => (server = started),
  () => steward,
);
const OWNER = { user: 'owner', password: 'owner' };
const inShop: Block = { database: 'shop', schemas: ['sales'], tables: { '*': ['SELECT'] } };
const declare = (grants: readonly Block[]): void =>
  steward.manifests.users(stringify({ roles: [{ name: 'kafka', grants }], users: [{ username: 'connector', login: false }] }));
const asOwner = async (sql: string, database = 'shop'): Promise<void> => {
  const session = await server.client(database, OWNER);
  try {
    await session.query(sql);
  } finally {
    await session.end();
  }
};
const reads = async (table: string, database = 'shop'): Promise<boolean> =>
  (await server.query<{ may: boolean }>(`SELECT has_table_privilege('kafka', '${table}', 'SELECT') AS may`, database))[0]?.may === true;

beforeEach(async () => {
  await server.query(`CREATE ROLE owner LOGIN PASSWORD 'owner' CREATEDB; CREATE ROLE kafka`);
  await server.query('CREATE DATABASE shop OWNER owner');
  await asOwner(`CREATE SCHEMA sales; CREATE TABLE sales.orders (id serial PRIMARY KEY, note text); INSERT INTO sales.orders (note) VALUES ('first')`);
  steward = await createSteward(server);
  declare([inShop]);
});
afterEach(async () => {
  for (const { name } of await server.query<{ name: string }>('SELECT slot_name AS name FROM pg_replication_slots'))
    await server.query(`SELECT pg_drop_replication_slot('${name}')`);
});

/** Runs one of the tools that come with psql, as the owner of the database. */
const tool = (name: string, args: readonly string[], input?: Buffer): Buffer =>
  execFileSync(name, ['-h', server.host, '-p', String(server.port), '-U', OWNER.user, ...args], {
    env: { ...process.env, PGPASSWORD: OWNER.password },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input }),
  });
/** pg_dump refuses a server that is newer than itself. */
function needsDump(skip: TestContext['skip']): void {
  try {
    if (Number(/\d+/.exec(execFileSync('pg_dump', ['--version'], { encoding: 'utf8' }))?.[0] ?? 0) >= server.major) return;
  } catch {
    // There is none.
  }
  skip();
}

/** Everything of ours in a database that pg_dump might come across, and what it would see of it. */
const OURS = `SELECT count(*)::int AS objects, count(*) FILTER (WHERE e.extname = 'plpgsql')::int AS members, count(o.acl)::int AS acls, count(i.objoid)::int AS "initialAcls",
    count(*) FILTER (WHERE o.classid = 'pg_class'::regclass)::int AS relations
  FROM (SELECT tableoid AS classid, oid, nspacl AS acl FROM pg_namespace WHERE nspname LIKE 'pgsteward%'
    UNION ALL SELECT p.tableoid, p.oid, p.proacl FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname LIKE 'pgsteward%'
    UNION ALL SELECT c.tableoid, c.oid, c.relacl FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname LIKE 'pgsteward%'
    UNION ALL SELECT tableoid, oid, NULL FROM pg_event_trigger) o
  LEFT JOIN pg_depend d ON d.classid = o.classid AND d.objid = o.oid AND d.deptype = 'e' LEFT JOIN pg_extension e ON e.oid = d.refobjid
  LEFT JOIN pg_init_privs i ON i.classoid = o.classid AND i.objoid = o.oid`;

it('what is kept in a database is no relation, and all of it a member of plpgsql without an ACL, which no dump and no upgrade tells of', async () => {
  await settles(server, steward);
  // The schema, three functions and two event triggers.
  const dumped = { objects: 6, members: 6, acls: 0, initialAcls: 0, relations: 0 };
  expect(await server.query(OURS, 'shop')).toEqual([dumped]);
  declare([inShop, { database: 'shop', schemas: ['other'], tables: { a: ['SELECT'] } }]);
  await settles(server, steward);
  expect(await server.query(OURS, 'shop')).toEqual([dumped]);
});

it('the SQL of the docs takes it away, and leaves plpgsql and what needs it', async () => {
  await asOwner('CREATE FUNCTION sales.mine() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$');
  await settles(server, steward);
  await expect(server.query('DROP SCHEMA pgsteward_trigger CASCADE', 'shop')).rejects.toThrow('because extension plpgsql requires it');
  const docs = readFileSync(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8');
  await server.query(/## Taking it away[^]*?```sql\n([^]*?)```/.exec(docs)?.[1] ?? '', 'shop');
  expect(await server.query(OURS, 'shop')).toMatchObject([{ objects: 0 }]);
  expect(await server.query('SELECT sales.mine()', 'shop')).toEqual([{ mine: 1 }]);
  await settles(server, steward);
});

it('where default privileges of our own give others something on it, it is closed all the same, and stays out of plpgsql', async () => {
  await server.query(
    `CREATE ROLE curious LOGIN PASSWORD 'curious'; ALTER DEFAULT PRIVILEGES GRANT USAGE, CREATE ON SCHEMAS TO curious; ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO curious`,
    'shop',
  );
  await settles(server, steward);
  expect(await server.query(OURS, 'shop')).toMatchObject([{ members: 0, initialAcls: 0 }]);
  const curious = await server.client('shop', { user: 'curious', password: 'curious' });
  await expect(curious.query(`SELECT pgsteward_trigger.rules('database')`)).rejects.toThrow('permission denied for schema pgsteward_trigger');
  await curious.end();
  await asOwner('CREATE TABLE sales.more (id int)');
  expect(await reads('sales.more')).toBe(true);
});

it('the owner dumps the database, and the dump holds nothing of ours', async ({ skip }) => {
  needsDump(skip);
  await settles(server, steward);
  const dump = tool('pg_dump', ['--no-privileges', 'shop']).toString();
  expect(dump).toContain('CREATE TABLE sales.orders');
  expect(dump).not.toContain('pgsteward');
  expect(tool('pg_dump', ['--schema-only', 'shop']).toString()).not.toContain('pgsteward');
});

it.for([
  ['a new database', false],
  ['a managed database', true],
] as const)('the owner restores such a dump into %s without an error', async ([, managed], { skip }) => {
  needsDump(skip);
  await asOwner('CREATE DATABASE again', 'postgres');
  declare([inShop, ...(managed ? [{ ...inShop, database: 'again' }] : [])]);
  await settles(server, steward);
  tool('pg_restore', ['--exit-on-error', '-d', 'again'], tool('pg_dump', ['-Fc', 'shop']));
  tool('pg_restore', ['--exit-on-error', '--clean', '--if-exists', '-d', 'again'], tool('pg_dump', ['-Fc', 'shop']));
  expect(await server.query('SELECT note FROM sales.orders', 'again')).toEqual([{ note: 'first' }]);
  expect(await reads('sales.orders', 'again')).toBe(true);
  expect(await server.query('SELECT evtname FROM pg_event_trigger', 'again')).toHaveLength(managed ? 2 : 0);
});

it('where it cannot be a member, the owner dumps all the same, and restores by a list without it', async ({ skip }) => {
  needsDump(skip);
  await server.query('CREATE ROLE curious; ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO curious', 'shop');
  await asOwner('CREATE DATABASE again', 'postgres');
  await settles(server, steward);
  expect(await server.query(OURS, 'shop')).toMatchObject([{ objects: 6, members: 0 }]);
  // Only the owner's own default privileges are his to restore.
  await server.query('ALTER DEFAULT PRIVILEGES REVOKE USAGE ON SCHEMAS FROM curious', 'shop');
  const dump = tool('pg_dump', ['-Fc', 'shop']);
  const folder = mkdtempSync(join(tmpdir(), 'pgsteward-dump-'));
  writeFileSync(
    join(folder, 'list'),
    tool('pg_restore', ['-l'], dump)
      .toString()
      .split('\n')
      .filter((line) => !line.includes('pgsteward'))
      .join('\n'),
  );
  tool('pg_restore', ['--exit-on-error', '-L', join(folder, 'list'), '-d', 'again'], dump);
  rmSync(folder, { recursive: true });
  expect(await server.query('SELECT note FROM sales.orders', 'again')).toEqual([{ note: 'first' }]);
});

it('a publication FOR ALL TABLES is received where both sides are managed: what is there at first, and what comes', async () => {
  await asOwner('CREATE DATABASE again', 'postgres');
  await asOwner('CREATE SCHEMA sales; CREATE TABLE sales.orders (id int PRIMARY KEY, note text)', 'again');
  declare([inShop, { ...inShop, database: 'again' }]);
  await settles(server, steward);
  await server.query('CREATE PUBLICATION everything FOR ALL TABLES', 'shop');
  await server.query(`SELECT pg_create_logical_replication_slot('slot', 'pgoutput')`, 'shop');
  await server.query(
    `CREATE SUBSCRIPTION everything CONNECTION 'host=127.0.0.1 port=${server.port} user=postgres password=${server.password} dbname=shop' PUBLICATION everything
       WITH (create_slot = false, slot_name = 'slot')`,
    'again',
  );
  const notes = async (): Promise<unknown> =>
    (await server.query<{ notes: unknown }>('SELECT array_agg(note ORDER BY id) AS notes FROM sales.orders', 'again'))[0]?.notes;
  await expect.poll(notes, { timeout: 20_000 }).toEqual(['first']);
  // The rules change, and the stream goes on.
  declare([
    { ...inShop, tables: { '*': ['SELECT'], other: ['INSERT'] } },
    { ...inShop, database: 'again' },
  ]);
  await steward.cycle();
  await asOwner(`INSERT INTO sales.orders (note) VALUES ('second')`);
  await expect.poll(notes, { timeout: 20_000 }).toEqual(['first', 'second']);
  expect(await server.query('SELECT FROM pg_subscription_rel WHERE srsubstate <> $$r$$', 'again')).toEqual([]);
  await server.query('ALTER SUBSCRIPTION everything DISABLE; ALTER SUBSCRIPTION everything SET (slot_name = NONE); DROP SUBSCRIPTION everything', 'again');
});

/** What the version that had tables of rules left behind. */
const withTables = async (): Promise<void> => {
  await server.query(readFileSync(new URL('with-tables.sql', import.meta.url), 'utf8'), 'shop');
  expect(await server.query(`SELECT FROM pg_tables WHERE schemaname = 'pgsteward'`, 'shop')).toHaveLength(2);
};

it('a database with tables of rules is taken over, and whatever is created meanwhile has its privileges at once', async () => {
  await withTables();
  const maker = await server.client('shop', OWNER);
  let isDone = false;
  let made = 0;
  const missing: string[] = [];
  const making = (async () => {
    for (; !isDone; made += 1) {
      const table = `sales.t${made}`;
      await maker.query(`BEGIN; CREATE TABLE ${table} (id int)`);
      await maker.query('COMMIT');
      if (!(await reads(table))) missing.push(table);
    }
  })();
  while (made < 3) await sleep(10);
  for (let cycle = 0; cycle < 3; cycle += 1) await steward.cycle();
  isDone = true;
  await making;
  await maker.end();
  expect(missing).toEqual([]);
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  expect(await server.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgsteward%'`, 'shop')).toEqual([{ nspname: 'pgsteward_trigger' }]);
});

it('tables of rules go, too, where no event trigger is wanted any longer', async () => {
  await withTables();
  steward = await steward.restart({ EVENT_TRIGGERS: 'off' });
  declare([inShop]);
  await steward.cycle();
  await steward.cycle();
  expect(await server.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgsteward%'`, 'shop')).toEqual([]);
  expect(await server.query('SELECT FROM pg_event_trigger', 'shop')).toEqual([]);
});

it('tables of these names that belong to somebody else are left alone', async () => {
  await server.query('CREATE SCHEMA pgsteward AUTHORIZATION owner', 'shop');
  await asOwner('CREATE TABLE pgsteward.trigger_rule (id int)');
  await settles(server, steward);
  expect(await server.query(`SELECT FROM pg_tables WHERE schemaname = 'pgsteward'`, 'shop')).toHaveLength(1);
});

it('where the document has more rules than a session should hold, the event trigger goes, it is said, and the cycle does the work', async () => {
  await settles(server, steward);
  const names = Object.fromEntries(Array.from({ length: 9990 }, (_, index) => [`a_table_with_a_rather_long_name_that_fills_the_rules_${index}`, ['SELECT']]));
  declare([{ ...inShop, tables: { '*': ['SELECT'], ...names } }]);
  const report = await steward.cycle();
  expect(report.notices.filter(({ kind }) => kind === 'fallback').map(({ message }) => message)).toEqual([
    expect.stringMatching(
      /^database shop has no event trigger: its 9992 rules would take \d+ bytes of each session that creates something, and 1048576 is the limit/,
    ),
  ]);
  await steward.cycle();
  expect(await server.query('SELECT FROM pg_event_trigger', 'shop')).toEqual([]);
  await asOwner('CREATE TABLE sales.more (id int)');
  await steward.cycle();
  expect(await reads('sales.more')).toBe(true);
  // Just under it, it is back.
  declare([{ ...inShop, tables: { '*': ['SELECT'], ...Object.fromEntries(Object.entries(names).slice(0, 7000)) } }]);
  await steward.cycle();
  await asOwner('CREATE TABLE sales.yet_another (id int)');
  expect(await reads('sales.yet_another')).toBe(true);
  // What is remembered of it is short.
  expect(await server.query('SELECT max(length(sql)) < 20000 AS short FROM pgsteward.audit_log')).toEqual([{ short: true }]);
});
