// A plan from a snapshot is the plan from the server: for every document of the corpus on hostile servers, and for the real cases of it.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { planLines } from '../../src/changes/plan-lines.ts';
import { parseDocument } from '../../src/document/parse.ts';
import type { Document } from '../../src/model/entries.ts';
import { BROKEN_DOCUMENTS } from '../corpus/broken-documents.ts';
import { declare, openCase, read } from '../privileges/case.ts';
import { ROOT } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer, type Steward } from '../support/steward.ts';
import { bothPlans } from './both-plans.ts';

let server: Postgres;
let steward: Steward;
beforeAll(async () => {
  server = await startPostgres({ settings: { max_locks_per_transaction: '256' } });
});
afterAll(() => server.stop());
afterEach(async () => {
  await steward.close();
  await resetServer(server);
});

const parsed = (text: string | Uint8Array): Document => parseDocument(typeof text === 'string' ? Buffer.from(text) : text, 'users.yaml', 'postgres');
const documentOf = (document: object): Document => parsed(JSON.stringify(document));

/** Whatever was in force goes. */
const NOBODY = documentOf({ users: [{ username: 'nobody' }] });

const CORPUS: readonly (string | Uint8Array)[] = [
  ...BROKEN_DOCUMENTS.values(),
  ...globSync('test/corpus/documents/*.yaml', { cwd: ROOT }).map((file) => readFileSync(join(ROOT, file))),
];

const STRANGER = `o'x\u001f\n"; DROP TABLE t --`;
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const S = quoted(STRANGER);

/** What people leave on a server: names of every kind, grants by others, grants passed on, default privileges, columns, large objects, routines. */
async function furnish(): Promise<void> {
  await server.query(
    `CREATE ROLE ${S}; CREATE ROLE keeper_group; CREATE ROLE "unknown (OID=4711)"; CREATE ROLE "Ünï 👩 $map"; CREATE ROLE __proto__;
     GRANT pg_monitor TO ${S}; GRANT keeper_group TO ${S} WITH ADMIN OPTION; COMMENT ON ROLE ${S} IS 'a "comment" \\ with everything';
     ALTER ROLE ${S} SET search_path = 'a b', "c""d"; ALTER ROLE __proto__ CONNECTION LIMIT 7 VALID UNTIL '-infinity'`,
  );
  for (const sql of ['CREATE DATABASE shop', `CREATE DATABASE "Odd ""db""" OWNER ${S}`, 'CREATE DATABASE closed ALLOW_CONNECTIONS false'])
    await server.query(sql);
  await server.query(
    `GRANT CONNECT ON DATABASE shop TO ${S} WITH GRANT OPTION; GRANT CONNECT ON DATABASE closed TO __proto__; GRANT CREATE ON TABLESPACE pg_default TO ${S}`,
  );
  if (server.major >= 15) await server.query(`GRANT SET ON PARAMETER work_mem TO ${S} WITH GRANT OPTION`);
  await server.query(
    `CREATE SCHEMA s AUTHORIZATION ${S}; CREATE TABLE s.t (a int, "b""\n" text); CREATE TABLE s."$map" (id serial PRIMARY KEY); CREATE VIEW s.v AS SELECT * FROM s.t;
     CREATE FUNCTION s."f""x"(integer, text[], OUT integer) LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE s.p(INOUT a integer, VARIADIC b text[]) LANGUAGE plpgsql AS 'BEGIN END';
     CREATE TYPE s.state AS ENUM ('on'); GRANT USAGE, CREATE ON SCHEMA s TO ${S}, __proto__ WITH GRANT OPTION;
     GRANT SELECT ON s.t TO ${S} WITH GRANT OPTION; GRANT UPDATE (a) ON s.t TO "Ünï 👩 $map"; GRANT SELECT (a) ON s.t TO PUBLIC;
     GRANT ALL ON ALL FUNCTIONS IN SCHEMA s TO "unknown (OID=4711)"; REVOKE EXECUTE ON PROCEDURE s.p FROM PUBLIC;
     SELECT lo_create(4711), lo_create(4712); GRANT SELECT ON LARGE OBJECT 4711 TO __proto__; GRANT SELECT ON pg_catalog.pg_authid TO __proto__;
     ALTER DEFAULT PRIVILEGES FOR ROLE ${S} IN SCHEMA s GRANT SELECT ON TABLES TO __proto__, keeper_group; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`,
    'shop',
  );
}

const everything = { '*': ['ALL'] };
const BLOCKS = {
  database: 'shop',
  schemas: ['*'],
  tables: everything,
  columns: { t: { a: ['SELECT'] } },
  functions: everything,
  sequences: everything,
  largeObjects: { '4712': ['SELECT'] },
};

const USERS = [
  { username: 'alice', roles: ['team'], grants: [BLOCKS] },
  { username: 'bob', database: 'shop', grants: [{ database: '*', schemas: ['public', 's'], tables: { t: ['SELECT'] } }] },
  { username: 'carol', roles: ['team'], validUntil: '2020-01-01T00:00:00Z', drain: '1h' },
  { username: 'dave' },
  { username: 'erin', deletionPolicy: 'disable' },
];
const PASSWORDS = USERS.map(({ username }) => [username, `the password of ${username}`] as const);

/** Documents that ask for little, for much, and for nothing any more. */
const ASKS: readonly object[] = [
  { users: [{ username: 'nobody' }] },
  { users: USERS },
  { users: USERS.slice(0, 1) },
  {
    users: [
      { username: 'alice', roles: [] },
      { username: 'zoe', grants: [{ database: 'shop', schemas: ['s'], tables: everything }] },
    ],
  },
  {
    users: [
      { username: 'anna', renamedFrom: 'alice', roles: ['team'], grants: [BLOCKS] },
      { username: 'carla', renamedFrom: 'carol', disabled: true },
    ],
    roles: [{ name: 'erin-was', renamedFrom: 'erin' }],
  },
  {
    users: USERS.slice(0, 2).map((user) => ({ ...user, grantsMode: 'additive' })),
    roles: [
      { name: STRANGER, grants: [BLOCKS] },
      { name: '__proto__', grants: [] },
    ],
  },
  {
    users: [{ username: 'dave', disabled: true }],
    roles: [{ name: 'alice' }, { name: 'keeper_group', grants: [{ database: '*', schemas: ['*'], largeObjects: everything }] }],
  },
  {
    users: [{ username: 'bob' }],
    roles: [
      { name: 'unknown (OID=4711)', grants: [] },
      { name: 'Ünï 👩 $map', grants: [] },
    ],
  },
  {
    users: USERS,
    databases: [
      { name: 'shop', owner: 'team', public: [{ tables: everything, schemas: ['s'] }], createdBy: [STRANGER], schemas: [{ name: 's', owner: 'team' }] },
      { name: 'made', owner: 'alice' },
      { name: 'closed' },
    ],
  },
  {
    users: [{ username: 'nobody' }],
    databases: [
      { name: 'template1', public: [{ schemas: ['public'], tables: everything }] },
      { name: 'Odd "db"', owner: STRANGER },
    ],
  },
];

/** As the steward left it, and then as people do: what they passed on, made, renamed, set and opened. */
async function live(): Promise<void> {
  const as = async (user: string, sql: string, database = 'shop') => server.query(`SET ROLE ${user}; ${sql}`, database);
  await as('alice', `GRANT SELECT ON s.t TO dave, ${S}`).catch(() => undefined);
  await server.query(
    `GRANT CREATE, USAGE ON SCHEMA s TO bob, alice WITH GRANT OPTION; GRANT SELECT ON s.t TO alice, bob WITH GRANT OPTION; GRANT CREATE ON DATABASE shop TO dave; GRANT SELECT (a) ON s.t TO bob WITH GRANT OPTION`,
    'shop',
  );
  await as(
    'alice',
    `GRANT SELECT ON s.t TO ${S}, dave WITH GRANT OPTION; GRANT USAGE ON SCHEMA s TO "unknown (OID=4711)"; CREATE TABLE s.hers (id int); GRANT SELECT ON s.hers TO bob`,
  );
  await as(
    'bob',
    `GRANT SELECT (a), SELECT ON s.t TO "Ünï 👩 $map"; CREATE FUNCTION s.his() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO alice`,
  );
  await server.query(`ALTER ROLE dave PASSWORD 'changed by hand'; ALTER ROLE erin PASSWORD NULL; ALTER ROLE carol VALID UNTIL 'infinity' LOGIN`);
}

const restrict = `CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; GRANT CREATE ON DATABASE postgres TO adm`;

describe.each([
  ['a superuser', {}],
  ['a CREATEROLE admin', { DB_USER: 'adm', DB_PASS: 'adm' }],
])('as %s', (_, env) => {
  it('is the same for documents that ask for little, much, and nothing any more, before and after they were in force', async () => {
    await server.query(restrict);
    await furnish();
    steward = await createSteward(server, env);
    const documents = ASKS.map(documentOf);
    for (const document of documents) expect(document.usable, JSON.stringify(document.problems)).toBe(true);
    const { plans } = await bothPlans(steward.config, documents);
    expect(plans.filter(({ changes }) => changes.length > 0).length).toBeGreaterThan(5);

    steward.manifests.users(USERS);
    steward.manifests.secrets(new Map(PASSWORDS));
    await steward.cycle();
    await live();
    const sessions = await Promise.all(
      ['alice', 'bob', 'carol'].map((user) => server.client('shop', { user, password: `the password of ${user}` }).catch(() => undefined)),
    );
    const after = await bothPlans(steward.config, documents);
    for (const session of sessions) await session?.end();
    const all = after.plans.map(({ changes, notices, blocked }) => [planLines(changes), notices, blocked.length]);
    for (const said of ['end 1 session(s)', 'session(s) go on until', 'have privileges from it', 'clear password of user', 'reassign what alice owns'])
      expect(JSON.stringify(all).includes(said), said).toBe(true);
  });

  it('is the same for every document of the corpus', async () => {
    await server.query(restrict);
    await furnish();
    steward = await createSteward(server, env);
    steward.manifests.users(['keeper', 'victim'].map((username) => ({ username, roles: ['team'] })));
    steward.manifests.secrets(
      new Map([
        ['keeper', 'the password of keeper'],
        ['victim', 'the password of victim'],
      ]),
    );
    await steward.cycle();
    const documents = CORPUS.map(parsed).filter(({ usable }) => usable);
    expect(documents.length).toBeGreaterThan(60);
    await bothPlans(steward.config, documents);
  });
});

it.each([
  ['admin-app', {}],
  ['brownfield', {}],
  ['kafka-connect', {}],
  ['permissions-roles-users', {}],
  ['web-runtime', { ALLOWED_ROLES: 'pg_read_all_data' }],
])('is the same for the case %s: before it is in force, then, when everything is taken back, and without its objects', async (folder, env) => {
  const current = await openCase(server, folder, { env });
  steward = current.steward();
  const document = parsed(read(folder, 'users.yaml'));
  const { plans } = await bothPlans(steward.config, [document, NOBODY]);
  expect(plans[0]?.changes.length).toBeGreaterThan(3);
  declare(steward, read(folder, 'users.yaml'));
  await steward.cycle();
  await steward.cycle();
  const after = await bothPlans(steward.config, [document, NOBODY]);
  expect(planLines(after.plans[0]?.changes ?? [])).toEqual([]);
  expect(after.plans[1]?.changes.length).toBeGreaterThan(2);
});
