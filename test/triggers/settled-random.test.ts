// Random rules, hostile names and hostile sessions: what was settled beforehand for new relations is, each time, just what the long way gives.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { atOnce } from '../../src/model/in-parts.ts';
import { identifier, literal } from '../../src/sql/sql-text.ts';
import { installSql, syncSql } from '../../src/sql/trigger-sql.ts';
import { subjectsOf } from '../../src/plan/privileges/subject.ts';
import { rulesDocument } from '../../src/plan/triggers/rules-document.ts';
import { triggerRulesOf } from '../../src/plan/triggers/trigger-rules.ts';
import { read } from '../document/read.ts';
import { QUIET } from '../privileges/quiet.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { catalogOf } from '../support/pure-plan.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres({ settings: QUIET });
});
afterAll(() => server.stop());

const ROLES = ['a', 'b', 'c"; DROP ROLE a; --', String.raw`U&"\0041" %s`, 'ünï\u001f\n$rules$', `it's "q"`, 'app', '*'.repeat(3)];
const SCHEMAS = ['sales', 'app_x', 'other', `s"'; DROP ROLE a`, '%_*', 'Ünï\\', '*'];
const NAMES = [
  'orders',
  'log_a',
  'log_x',
  'ünïc',
  '%a',
  '_b',
  '\\a',
  `it's "q"`,
  '*',
  'l*g',
  'a b',
  '$rules$',
  'select',
  'Orders',
  '😀x',
  'rest',
  '0',
  'x\ny',
  '"',
  `%s %1$s`,
  '-1',
];
const PATTERNS = [
  '*',
  '*',
  '**',
  'log_*',
  'l*',
  '*_x',
  'o*',
  '*a',
  '%*',
  '\\*',
  '_*',
  'ü*',
  '😀*',
  '$*',
  '"*',
  ' *',
  '*s*',
  '0*',
  '-*',
  ...NAMES.filter((name) => !name.includes('*')),
];
const PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'];

let state = Number(process.env['SEED'] ?? 20_261_128);
const any = (below: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const one = <T>(list: readonly T[]): T => list[any(list.length)] as T;
const some = <T>(list: readonly T[], most: number): readonly T[] => [...new Set(Array.from({ length: any(most + 1) }, () => one(list)))];

function randomRules(): { readonly text: string; readonly long: string } {
  const wish = (list: readonly string[]) => some(list, 3).map((privilege) => (any(5) === 0 ? { privilege, grantable: true } : privilege));
  const wide = any(3) === 0 ? ['app*', '*o*', '%*', '*'] : ['*'];
  const grants = () =>
    Array.from({ length: 1 + any(2) }, () => ({
      database: 'shop',
      schemas: [one([...SCHEMAS.filter((name) => !name.includes('*')), ...wide])],
      tables: Object.fromEntries(some(PATTERNS, any(8) === 0 ? 12 : 4).map((pattern) => [pattern, wish(PRIVILEGES)])),
      sequences: Object.fromEntries(some(PATTERNS, 2).map((pattern) => [pattern, wish(['USAGE', 'SELECT', 'UPDATE'])])),
    }));
  const roles = ROLES.filter((name) => name !== 'app' || any(4) === 0)
    .filter(() => any(3) > 0)
    .map((name) => ({ name, grants: grants() }));
  const publicly = any(3) === 0 ? { databases: [{ name: 'shop', public: { schemas: ['sales'], tables: { [one(PATTERNS)]: wish(PRIVILEGES) } } }] } : {};
  const document = read(JSON.stringify({ ...publicly, roles, users: [{ username: 'u', login: false }] }));
  if (!document.usable) throw new Error(JSON.stringify(document.problems));
  const subjects = subjectsOf({
    document,
    catalog: catalogOf([...ROLES, 'u'], []),
    adminDatabase: 'postgres',
    defaultDatabase: 'postgres',
    isManaged: () => true,
  });
  const pace = () => false;
  const { text } = atOnce(rulesDocument(atOnce(triggerRulesOf(subjects, 'shop', true, pace)), 'shop', pace));
  return { text, long: JSON.stringify({ ...(JSON.parse(text) as object), settled: {} }) };
}

const at = (name: string): string => `${identifier(one(SCHEMAS))}.${identifier(name)}`;
const MAKERS: readonly ((name: string) => string)[] = [
  (name) => `CREATE TABLE IF NOT EXISTS ${at(name)} (id serial, other int GENERATED ALWAYS AS IDENTITY)`,
  (name) => `CREATE TABLE IF NOT EXISTS ${at(name)} (id int PRIMARY KEY, a text UNIQUE)`,
  (name) => `CREATE TABLE IF NOT EXISTS ${at(name)} AS SELECT 1 AS id`,
  (name) => `SELECT 1 AS id INTO ${at(name)}`,
  (name) => `CREATE MATERIALIZED VIEW IF NOT EXISTS ${at(name)} AS SELECT 1 AS id`,
  (name) => `CREATE SEQUENCE IF NOT EXISTS ${at(name)}`,
  (name) => `CREATE UNLOGGED TABLE IF NOT EXISTS ${at(name)} () INHERITS (other.parent)`,
  (name) => `CREATE TABLE IF NOT EXISTS ${at(name)} (LIKE other.parent INCLUDING ALL)`,
  (name) => `CREATE TABLE IF NOT EXISTS ${at(name)} PARTITION OF other.parted FOR VALUES IN (${any(100_000)})`,
  (name) => `CREATE TABLE IF NOT EXISTS ${at(name)} (id int) PARTITION BY RANGE (id)`,
  (name) => `DO ${literal(`BEGIN CREATE TABLE ${at(name)} (id serial); CREATE TABLE ${at(one(NAMES))} (id int); END`)}`,
  (name) => `CREATE TEMP TABLE IF NOT EXISTS ${identifier(name)} (id serial)`,
  (name) => `CREATE SCHEMA ${identifier(name)} CREATE TABLE ${identifier(one(NAMES))} (id serial)`,
  (name) => `CREATE VIEW ${at(name)} AS SELECT 1 AS id`,
  () =>
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${identifier(one(SCHEMAS))} GRANT SELECT ON ${one(['TABLES', 'SEQUENCES'])} TO ${identifier(one(ROLES))}${one(['', ' WITH GRANT OPTION'])}`,
  (name) => `CREATE OR REPLACE VIEW ${at(name)} AS SELECT 1 AS id`,
  (name) => `CREATE FOREIGN TABLE IF NOT EXISTS ${at(name)} (id int) SERVER nowhere`,
];
const SESSIONS = [
  `SET standard_conforming_strings = off; SET backslash_quote = on; SET escape_string_warning = off`,
  'SET quote_all_identifiers = on',
  'SET search_path = evil, pg_temp, pg_catalog',
  `SET search_path = evil, pg_catalog; SET client_min_messages = debug1; SET DateStyle = 'SQL, DMY'`,
  `SET client_encoding = 'LATIN1'`,
  'SET default_transaction_isolation = serializable; SET enable_indexscan = off; SET plan_cache_mode = force_custom_plan',
  `SET plpgsql.extra_errors = 'all'; SET plpgsql.extra_warnings = 'all'; SET transform_null_equals = on; SET array_nulls = off`,
  `SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query'); SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET cursor_tuple_fraction = 0`,
];

const ACLS = `SELECT c.oid::regclass::text AS name, c.relname, n.nspname, c.relacl::text[] AS acl FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relowner = 'app'::regrole AND c.relacl IS NOT NULL AND n.nspname NOT LIKE 'pg%temp%' ORDER BY n.nspname, c.relname`;

beforeEach(async () => {
  for (const role of ROLES) await server.query(`CREATE ROLE ${identifier(role)}`);
  await server.query('CREATE DATABASE shop');
  await server.query(
    'CREATE FOREIGN DATA WRAPPER w; CREATE SERVER nowhere FOREIGN DATA WRAPPER w; GRANT USAGE ON FOREIGN SERVER nowhere TO app; GRANT CREATE ON DATABASE shop TO app',
    'shop',
  );
  for (const schema of [...SCHEMAS, 'evil'])
    await server.query(`CREATE SCHEMA ${identifier(schema)}; GRANT ALL ON SCHEMA ${identifier(schema)} TO app`, 'shop');
  const stolen = `LANGUAGE plpgsql AS $$BEGIN RAISE 'taken'; END$$`;
  await server.query(
    `SET SESSION AUTHORIZATION app; CREATE TABLE other.parent (id int, a text); CREATE TABLE other.parted (id int) PARTITION BY LIST (id);
     CREATE FUNCTION evil.format(text, text, text) RETURNS text ${stolen}; CREATE FUNCTION evil.f(text, text) RETURNS boolean ${stolen};
     CREATE FUNCTION evil.j(jsonb, text) RETURNS boolean ${stolen}; CREATE FUNCTION evil.c(text, text[]) RETURNS boolean ${stolen}; CREATE FUNCTION evil.j2(jsonb, int) RETURNS jsonb ${stolen};
     CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, PROCEDURE = evil.f); CREATE OPERATOR evil.!~~ (LEFTARG = text, RIGHTARG = text, PROCEDURE = evil.f);
     CREATE OPERATOR evil.~ (LEFTARG = text, RIGHTARG = text, PROCEDURE = evil.f); CREATE OPERATOR evil.? (LEFTARG = jsonb, RIGHTARG = text, PROCEDURE = evil.j);
     CREATE OPERATOR evil.-> (LEFTARG = jsonb, RIGHTARG = int, PROCEDURE = evil.j2); CREATE TABLE evil.pg_class (id int)`,
    'shop',
  );
});

it('both ways give the same, whatever the rules, the names, the commands and the session are', async () => {
  const client = await server.client('shop');
  await client.query('BEGIN');
  for (const statement of installSql({ admin: 'postgres', newSchema: true, rules: randomRules().text })) await client.query(statement);
  await client.query('COMMIT');
  let [granted, short] = [0, 0];
  for (let round = 0; round < Number(process.env['COUNT'] ?? 25); round += 1) {
    const { text, long } = randomRules();
    const { settled, database } = JSON.parse(text) as Record<string, unknown>;
    const commands = Array.from({ length: 10 }, () => one(MAKERS)(one(NAMES)));
    const session = any(2) === 0 ? one(SESSIONS) : '';
    const made = async (rules: string, as = session): Promise<readonly unknown[]> => {
      for (const statement of syncSql({ rules })) await client.query(statement);
      await client.query('SET SESSION AUTHORIZATION app');
      await client.query(as);
      await client.query('BEGIN');
      for (const command of commands) {
        await client.query('SAVEPOINT s');
        await client.query(command).catch(() => client.query('ROLLBACK TO s'));
      }
      await client.query('RESET search_path; RESET client_encoding; RESET quote_all_identifiers');
      const { rows } = await client.query<{ acl: string[] }>(ACLS);
      await client.query('ROLLBACK');
      await client.query('RESET SESSION AUTHORIZATION; RESET ALL');
      return rows.map((row) => ({ ...row, acl: row.acl.toSorted() }));
    };
    // Names that are sent in another encoding are others.
    const byLong = await made(long, session.includes('LATIN1') ? session : '');
    expect(await made(text), `round ${round}: ${session} ${commands.join(';\n')} ${text}`).toEqual(byLong);
    granted += byLong.length;
    // Nothing but what is settled.
    short += (await made(JSON.stringify({ settled, database, role: {} }))).length;
  }
  await client.end();
  expect(granted).toBeGreaterThan(30);
  expect(short).toBeGreaterThan(20);
});
