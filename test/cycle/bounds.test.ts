// A database with more than may be read is told and left as it is, and everything else goes on.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { LIMITS } from '../../src/model/limits.ts';
import { readCatalog } from '../../src/postgres/read-catalog.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

const MOST = 1000;
let server: Postgres;
let steward: Steward;
let clients: pg.Client[] = [];
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);
beforeEach(async () => {
  clients = [];
  for (const name of ['shop', 'library']) {
    await server.query(`CREATE DATABASE ${name}`);
    const client = await server.client(name);
    clients.push(client);
    await client.query('CREATE SCHEMA s; CREATE TABLE s.t (id int)');
  }
  steward = await createSteward(server, { MAX_OBJECTS: String(MOST), RETRY_BACKOFF_BASE: '1', EVENT_TRIGGERS: 'off' });
});
afterEach(() => Promise.all(clients.map((client) => client.end())));

const document = (privilege: string): string =>
  stringify({
    roles: [{ name: 'reader', grants: [{ databases: ['shop', 'library'], schemas: ['s'], tables: { '*': [privilege] } }] }],
    users: [{ username: 'somebody', login: false }],
  });
const functions = (from: number, to: number): string =>
  `DO $$ BEGIN FOR i IN ${from}..${to} LOOP EXECUTE format('CREATE FUNCTION s.f_%s() RETURNS int LANGUAGE sql AS %L', i, 'SELECT 1'); END LOOP; END $$`;
const held = async (client: pg.Client): Promise<unknown> =>
  (
    await client.query(
      `SELECT string_agg(privilege_type, ' ') AS held FROM pg_class, aclexplode(relacl) WHERE oid = 's.t'::regclass AND grantee = 'reader'::regrole`,
    )
  ).rows[0]?.held;

/** What is there without any function: counted as the product counts. */
async function fill(client: pg.Client, total: number): Promise<void> {
  const { rows } = await client.query<{ count: number }>(
    `SELECT (SELECT count(*) FROM pg_namespace WHERE nspname IN ('s', 'public'))::int + (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('s', 'public'))::int
      + (SELECT count(*) FROM pg_language WHERE lanpltrusted)::int + (SELECT coalesce(sum(array_length(nspacl, 1)), 0) FROM pg_namespace)::int + (SELECT count(*) FROM pg_default_acl)::int AS count`,
  );
  await client.query(functions(1, total - Number(rows[0]?.count)));
}

it('at the limit it is read, and with one object more it is told with what there is most of, while its neighbour goes on', async () => {
  const [shop, library] = clients;
  if (shop === undefined || library === undefined) throw new Error('no databases');
  steward.manifests.users(document('SELECT'));
  await steward.cycle();
  // The grants of this cycle are counted as well.
  await fill(shop, MOST);
  expect((await steward.cycle()).result).toBe('converged');
  await shop.query(functions(100_001, 100_001));
  steward.manifests.users(document('INSERT'));
  const report = await steward.cycle();
  expect(report.result).toBe('incomplete');
  const [told, ...others] = report.notices.filter(({ message }) => message.includes('MAX_OBJECTS'));
  expect(others).toEqual([]);
  expect(told?.message).toMatch(
    /shop.*it has 1001 objects to look at \(9\d\d functions, \d+ .*at most 1000 are read \(MAX_OBJECTS\); nothing is granted or revoked there/,
  );
  expect(await Promise.all([held(shop), held(library)])).toEqual(['SELECT', 'INSERT']);
  await shop.query('DROP FUNCTION s.f_100001()');
  await steward.cycle();
  expect(await Promise.all([held(shop), held(library)])).toEqual(['INSERT', 'INSERT']);
});

it('databases that are too much together are read one after the other, cycle by cycle', async () => {
  for (const client of clients) await client.query(functions(1, 800));
  await server.query('CREATE DATABASE archive');
  const archive = await server.client('archive');
  clients.push(archive);
  await archive.query(`CREATE SCHEMA s; CREATE TABLE s.t (id int); ${functions(1, 800)}`);
  steward.manifests.users(document('SELECT').replace('- library', '- library\n          - archive'));
  const first = await steward.cycle();
  expect(first.notices.filter(({ message }) => message.includes('twice MAX_OBJECTS'))).toHaveLength(1);
  await steward.cycle();
  await steward.cycle();
  expect(await Promise.all(clients.map(held))).toEqual(['SELECT', 'SELECT', 'SELECT']);
});

it('entries of ours in ACLs that differ count, four as an object, and those of others do not', async () => {
  const [shop] = clients;
  steward.manifests.users(document('SELECT'));
  await steward.cycle();
  // Each of 200 tables with an ACL of its own: the same privileges in another order of roles.
  const tables = (grantees: readonly string[], extra: string): string => `${grantees.map((name) => `CREATE ROLE ${name}`).join('; ')};
    DO $$ BEGIN FOR i IN 1..200 LOOP EXECUTE format('CREATE TABLE s.${extra}_%s (id int)', i);
      EXECUTE format('GRANT ALL ON s.${extra}_%s TO ${extra === 'mine' ? 'reader, ' : ''}%s', i, (SELECT string_agg(n, ', ' ORDER BY md5(n || i)) FROM unnest(ARRAY[${grantees.map((name) => `'${name}'`).join(', ')}]) n));
    END LOOP; END $$`;
  await shop?.query(
    tables(
      Array.from({ length: 20 }, (_, index) => `other_${index}`),
      'theirs',
    ),
  );
  expect((await steward.cycle()).notices.filter(({ message }) => message.includes('MAX_OBJECTS'))).toEqual([]);
  const declared = Array.from({ length: 20 }, (_, index) => `mine_${index}`);
  await shop?.query(tables(declared, 'mine'));
  const roles = ['reader', ...declared].map((name) => ({ name, grants: [] }));
  steward.manifests.users(stringify({ roles, users: [{ username: 'somebody', login: false }] }));
  const told = (await steward.cycle()).notices.find(({ message }) => message.includes('MAX_OBJECTS'));
  expect(told?.message).toMatch(/shop.*\(\d+ entries in different ACLs of tables and sequences, /);
});

it('so do entries of ours in default privileges', async () => {
  const [shop] = clients;
  const roles = Array.from({ length: 20 }, (_, index) => ({ name: `mine_${index}`, grants: [] }));
  steward.manifests.users(stringify({ roles, users: [{ username: 'somebody', login: false }] }));
  const names = roles.map(({ name }) => name).join(', ');
  await steward.cycle();
  await shop?.query(`DO $$ BEGIN FOR i IN 1..50 LOOP EXECUTE format('CREATE SCHEMA d_%s; ALTER DEFAULT PRIVILEGES IN SCHEMA d_%s GRANT ALL ON TABLES TO ${names}', i, i); END LOOP; END $$;
    GRANT USAGE ON SCHEMA s TO mine_0`);
  const told = (await steward.cycle()).notices.find(({ message }) => message.includes('MAX_OBJECTS'));
  expect(told?.message).toMatch(/shop.*\(\d+ entries in default privileges, /);
});

it('large objects that concern nobody of ours are not read, whoever stands in their ACLs', async () => {
  const [shop] = clients;
  await shop?.query(
    `CREATE ROLE other; DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM lo_create(i); EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO other', i); END LOOP; END $$`,
  );
  steward.manifests.users(document('SELECT'));
  await steward.cycle();
  await shop?.query('GRANT UPDATE ON LARGE OBJECT 7 TO reader');
  const report = await steward.cycle();
  expect(report.drift.map((change) => change.kind)).toEqual(['revoke_privilege']);
  expect(report.notices).toEqual([]);
  expect((await steward.cycle()).result).toBe('converged');
});

it('20,000 large objects that a login without any right grants to a role of ours are too many, and told as that, while others go on', async () => {
  const [shop] = clients;
  await server.query('CREATE ROLE mallory LOGIN');
  steward.manifests.users(document('SELECT'));
  await steward.cycle();
  const before = await memoryOf();
  // A lock for each: so many at once have no room.
  const inParts = (what: string, from: number): string =>
    `DO $$ BEGIN FOR i IN ${from}..20000 LOOP ${what}; IF i % 1000 = 0 THEN COMMIT; END IF; END LOOP; END $$`;
  await shop?.query('SET ROLE mallory');
  await shop?.query(
    inParts(`PERFORM lo_create(i); EXECUTE format('GRANT %s ON LARGE OBJECT %s TO reader', CASE i % 2 WHEN 0 THEN 'SELECT' ELSE 'ALL' END, i)`, 1),
  );
  await shop?.query('RESET ROLE');
  steward.manifests.users(document('INSERT'));
  const report = await steward.cycle();
  expect([report.result, report.error]).toEqual(['incomplete', undefined]);
  const told = report.notices.filter(({ message }) => message.includes('MAX_OBJECTS'));
  expect(told.map(({ message }) => message)).toEqual([expect.stringMatching(/shop.*\(20000 large objects, .*at most 1000 are read \(MAX_OBJECTS\)/)]);
  expect(await Promise.all(clients.map(held))).toEqual(['SELECT', 'INSERT']);
  // Nothing of them is taken in: their names alone would be more than this.
  expect((await memoryOf()) - before).toBeLessThan(8 * 1_048_576);
  await shop?.query(inParts('PERFORM lo_unlink(i)', 101));
  const after = await steward.cycle();
  expect(after.drift.filter(({ kind }) => kind === 'revoke_privilege')).not.toEqual([]);
  expect(await Promise.all(clients.map(held))).toEqual(['INSERT', 'INSERT']);
  expect((await steward.cycle()).result).toBe('converged');
});

/** What is in use after everything that is not has been given back. */
async function memoryOf(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  await new Promise(setImmediate);
  collect();
  return process.memoryUsage().heapUsed;
}

it('verifiers and comments of any length are cut on the server, and differ from whatever is declared', async () => {
  const longest = 'ü'.repeat(LIMITS.comment);
  steward.manifests.users([{ username: 'alice', login: false, comment: longest }]);
  await steward.cycle();
  expect((await steward.cycle()).result).toBe('converged');
  await server.query(`CREATE ROLE mallory LOGIN; COMMENT ON ROLE alice IS '${longest}ü'; COMMENT ON ROLE mallory IS '${'x'.repeat(1_000_000)}'`);
  if (server.major < 18) await server.query(`ALTER ROLE mallory PASSWORD 'SCRAM-SHA-256$4096:${'AAAA'.repeat(250_000)}$${'A'.repeat(43)}=:${'A'.repeat(43)}='`);
  const { cluster, verifiers } = await catalog();
  expect(cluster.roles.get('mallory')?.comment).toHaveLength(LIMITS.comment + 1);
  expect((verifiers.get('mallory') ?? '').length).toBeLessThanOrEqual(LIMITS.verifierLength + 1);
  expect((await steward.cycle()).drift.map((change) => change.kind)).toEqual(['set_comment']);
  expect((await steward.cycle()).result).toBe('converged');
  steward.manifests.users([
    { username: 'alice', login: false, comment: `${longest}ü` },
    { username: 'bob', login: false },
  ]);
  const { problems, outcomes } = await steward.cycle();
  expect(problems.map(({ message }) => message)).toEqual([`the comment has ${LIMITS.comment + 1} characters; at most ${LIMITS.comment} are taken`]);
  expect(outcomes.map(({ change }) => change.kind)).toEqual(['create_role', 'grant_privilege']);
});

it('settings of a role are looked at up to their limits, in number and in length, and one more of anybody is not, while its neighbours are', async () => {
  await server.query('CREATE ROLE many; CREATE ROLE more; CREATE ROLE long; CREATE ROLE longer; CREATE ROLE few; ALTER ROLE few SET work_mem = 64');
  const put = (role: string, settings: string): Promise<unknown> =>
    server.query(`INSERT INTO pg_db_role_setting SELECT 0, '${role}'::regrole, ARRAY(SELECT ${settings})`);
  const [each, count] = [LIMITS.settingLength, LIMITS.settingsLength / LIMITS.settingLength];
  await put('many', `'a.s' || i || '=x' FROM generate_series(1, ${LIMITS.settingsOfRole}) i`);
  await put('more', `'a.s' || i || '=x' FROM generate_series(1, ${LIMITS.settingsOfRole + 1}) i`);
  await put('long', `rpad('a.s' || i || '=', ${each}, 'x') FROM generate_series(1, ${count}) i`);
  await put('longer', `rpad('a.s' || i || '=', ${each}, 'x') || CASE i WHEN ${count} THEN 'x' ELSE '' END FROM generate_series(1, ${count}) i`);
  const { cluster } = await catalog();
  const seen = ['many', 'more', 'long', 'longer', 'few'].map((name) => [...(cluster.roles.get(name)?.settings.values() ?? [])][0]?.size);
  expect(seen).toEqual([LIMITS.settingsOfRole, LIMITS.settingsOfRole, count, count - 1, 1]);
});

async function catalog(): Promise<Awaited<ReturnType<typeof readCatalog>>> {
  const client = await server.client();
  try {
    const nobody = {
      source: '',
      named: new Set<string>(),
      declaring: new Set<string>(),
      closed: () => [],
      missing: () => [],
      remembered: undefined,
      triggerDatabases: new Set<string>(),
    };
    return await readCatalog({ client, ...nobody, adminDatabase: 'postgres', statementTimeout: 60, lockTimeout: 5 });
  } finally {
    await client.end();
  }
}
