// explain as somebody calls it: what it says of a real server, how it ends, and what it refuses.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Called, callHere } from '../commands/call.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let postgres: Postgres;
const env = (): Record<string, string> => ({
  DB_HOST: postgres.host,
  DB_PORT: String(postgres.port),
  DB_USER: postgres.user,
  DB_PASS: postgres.password,
  DB_SSLMODE: 'disable',
});
/** As a server of 16 or later says it. */
async function explain(...args: readonly string[]): Promise<Called> {
  const called = await callHere(['explain', ...args], '', env());
  return { ...called, stdout: called.stdout.replace('(carol is NOINHERIT)', '(INHERIT FALSE)') };
}
const json = async (...args: readonly string[]): Promise<Record<string, unknown>> =>
  JSON.parse((await explain('-o', 'json', ...args)).stdout) as Record<string, unknown>;

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.query(`
    CREATE ROLE owner; CREATE ROLE reader; CREATE ROLE analyst; CREATE ROLE sealed NOINHERIT; CREATE ROLE idle;
    CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN VALID UNTIL '2020-01-01'; CREATE ROLE carol LOGIN NOINHERIT; CREATE ROLE "O'Hara ""x""
y" LOGIN;
    GRANT reader TO analyst; GRANT analyst TO alice; GRANT reader TO carol; GRANT pg_read_all_data TO bob`);
  await postgres.query('CREATE DATABASE shop OWNER owner');
  await postgres.query('REVOKE ALL ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO alice');
  await postgres.query(
    `SET ROLE owner; CREATE SCHEMA hr; CREATE TABLE hr.payroll (id int, salary int); CREATE TABLE hr."Odd.t ""x""" (id int);
     CREATE TABLE hr.secret (id int); ALTER TABLE hr.secret ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON hr.secret FOR SELECT TO reader USING (true);
     CREATE FUNCTION hr.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION hr.f(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
     CREATE SEQUENCE hr.s; CREATE INDEX payroll_id ON hr.payroll (id);
     GRANT USAGE ON SCHEMA hr TO reader; GRANT SELECT ON hr.payroll, hr.secret TO reader; GRANT INSERT ON hr.secret TO reader; GRANT SELECT (id) ON hr."Odd.t ""x""" TO alice`,
    'shop',
  );
});
afterAll(() => postgres.stop());

describe('text', () => {
  it('yes: the path, who granted it, and what is needed besides', async () => {
    expect(await explain('alice', 'select', 'shop.hr.payroll')).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "",
        "stdout": "yes: alice has SELECT on shop.hr.payroll
      by:
        alice → analyst → reader: granted to reader by owner
      needed besides:
        ok  it may log in
        ok  it has CONNECT on the database shop
        ok  it has USAGE on the schema hr
      not known:
        who granted what when: there is no ledger in the admin database that belongs to this login
        which line of a document wants it: none is named; --document names one
      ",
      }
    `);
  });

  it('no: what is missing, and where inheritance ends', async () => {
    expect(await explain('carol', 'SELECT', 'shop.hr.payroll')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "",
        "stdout": "no: carol does not have SELECT on shop.hr.payroll; only after SET ROLE reader
      missing:
        no entry gives SELECT on hr.payroll to it, to PUBLIC, or to a role whose rights it has
        carol is a member of reader, which may, without inheriting from it (INHERIT FALSE)
      only after SET ROLE:
        carol → SET ROLE reader: granted to reader by owner; it lacks CONNECT on the database shop
      needed besides:
        ok  it may log in
        no  it lacks CONNECT on the database shop
        no  it lacks USAGE on the schema hr
      not known:
        who granted what when: there is no ledger in the admin database that belongs to this login
        which line of a document wants it: none is named; --document names one
      ",
      }
    `);
  });

  it('yes by a predefined role, without a way into the database', async () => {
    expect(await explain('bob', 'SELECT', 'shop.hr.payroll')).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "",
        "stdout": "yes: bob has SELECT on shop.hr.payroll, but cannot use it as things are
      by:
        bob → pg_read_all_data: members of pg_read_all_data need no grant for it
      needed besides:
        ok  it may log in
        but its password is valid until 2020-01-01T00:00:00.000Z, which is over: only a login without password still works
        no  it lacks CONNECT on the database shop
        ok  it has USAGE on the schema hr
      not known:
        who granted what when: there is no ledger in the admin database that belongs to this login
        which line of a document wants it: none is named; --document names one
      ",
      }
    `);
  });

  it('no, but on some columns', async () => {
    expect(await explain('alice', 'SELECT', 'shop.hr."Odd.t ""x"""')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "",
        "stdout": "no: alice does not have SELECT on shop.hr."Odd.t ""x""", only on some of its columns
      missing:
        no entry gives SELECT on hr."Odd.t ""x""" to it, to PUBLIC, or to a role whose rights it has
      on columns:
        granted to itself by owner on the column id alone
      needed besides:
        ok  it may log in
        ok  it has CONNECT on the database shop
        ok  it has USAGE on the schema hr
      not known:
        who granted what when: there is no ledger in the admin database that belongs to this login
        which line of a document wants it: none is named; --document names one
      ",
      }
    `);
  });

  it('a superuser, and a name that is no line', async () => {
    expect((await explain('postgres', 'DELETE', 'shop.hr.secret')).stdout).toMatchInlineSnapshot(`
      "yes: postgres has DELETE on shop.hr.secret
      by:
        it is a superuser
      needed besides:
        ok  it may log in
        ok  it has CONNECT on the database shop
        ok  it has USAGE on the schema hr
        ok  row level security does not hold for it (superuser)
      not known:
        who granted what when: there is no ledger in the admin database that belongs to this login
        which line of a document wants it: none is named; --document names one
      "
    `);
    expect((await explain('"O\'Hara ""x""\ny"', 'EXECUTE', 'function', 'shop.hr.f(integer)')).stdout).toMatchInlineSnapshot(`
      "yes: "O'Hara ""x""\\u{a}y" has EXECUTE on function shop.hr.f(integer), but cannot use it as things are
      by:
        built in for PUBLIC
      needed besides:
        ok  it may log in
        no  it lacks CONNECT on the database shop
        no  it lacks USAGE on the schema hr
      not known:
        who granted what when: there is no ledger in the admin database that belongs to this login
        which line of a document wants it: none is named; --document names one
      "
    `);
  });
});

it('json has the same', async () => {
  expect(await json('alice', 'SELECT', 'shop.hr.secret')).toMatchInlineSnapshot(`
    {
      "afterSetRole": [],
      "answer": "yes",
      "missing": [],
      "more": false,
      "needs": [
        {
          "said": "it may log in",
          "state": "met",
          "what": "login",
        },
        {
          "said": "it has CONNECT on the database shop",
          "state": "met",
          "what": "connect",
        },
        {
          "said": "it has USAGE on the schema hr",
          "state": "met",
          "what": "usage",
        },
        {
          "said": "row level security leaves only the rows of the policy mine",
          "state": "limits",
          "what": "rowSecurity",
        },
      ],
      "object": {
        "database": "shop",
        "kind": "table",
        "name": "hr.secret",
        "owner": "owner",
      },
      "onColumns": [],
      "origins": {
        "document": {
          "unknown": "none is named; --document names one",
        },
        "ledger": {
          "unknown": "there is no ledger in the admin database that belongs to this login",
        },
        "steps": [
          {
            "member": "alice",
            "recorded": null,
            "role": "analyst",
            "wanted": [],
            "what": "membership",
          },
          {
            "member": "analyst",
            "recorded": null,
            "role": "reader",
            "wanted": [],
            "what": "membership",
          },
          {
            "grantor": "owner",
            "privilege": "SELECT",
            "recorded": null,
            "role": "reader",
            "wanted": [],
            "what": "grant",
          },
          {
            "attribute": "LOGIN",
            "recorded": null,
            "role": "alice",
            "wanted": [],
            "what": "attribute",
          },
        ],
      },
      "otherWays": [],
      "paths": [
        {
          "builtIn": false,
          "by": "grant",
          "chain": [
            "alice",
            "analyst",
            "reader",
          ],
          "grantable": false,
          "grantor": "owner",
          "holder": "reader",
          "owner": false,
        },
      ],
      "privilege": "SELECT",
      "remarks": [],
      "role": "alice",
      "usable": true,
      "version": 1,
    }
  `);
});

it('rows that no policy allows are told', async () => {
  expect((await explain('alice', 'INSERT', 'shop.hr.secret')).stdout).toContain('no  row level security hides every row: no policy allows it INSERT');
});

it.each([
  [['alice', 'CONNECT', 'database', 'shop'], 0],
  [['bob', 'CONNECT', 'database', 'shop'], 2],
  [['public', 'CONNECT', 'database', 'postgres'], 0],
  [['alice', 'USAGE', 'schema', 'shop.hr'], 0],
  [['idle', 'USAGE', 'schema', 'shop.hr'], 2],
  [['alice', 'select', 'column', 'shop.hr."Odd.t ""x""".id'], 0],
  [['alice', 'EXECUTE', 'function shop.hr.f(text)'], 0],
  [['alice', 'USAGE', 'sequence', 'shop.hr.s'], 2],
  [['owner', 'USAGE', 'shop.hr.s'], 0],
  [['alice', 'USAGE', 'type', 'shop.pg_catalog.int4'], 0],
  [['alice', 'USAGE', 'language', 'shop.plpgsql'], 0],
  [['alice', 'CREATE', 'tablespace', 'pg_default'], 2],
  [['alice', 'CONNECT', 'database', 'template0'], 0],
] as const)('%j ends with %i', async (args, code) => {
  const called = await explain(...args);
  expect([called.code, called.stderr]).toEqual([code, '']);
});

it('a large object that everybody may read, as privileges of such are not looked at, is said to be one', async () => {
  await postgres.query('SELECT lo_create(4711)', 'shop');
  const said = async (): Promise<string> => (await explain('alice', 'SELECT', 'large object', 'shop', '4711')).stdout;
  expect(await said()).not.toContain('lo_compat_privileges');
  await postgres.query('ALTER ROLE carol SET lo_compat_privileges = on');
  expect(await said()).toContain('lo_compat_privileges is set for a role or a database');
  await postgres.query('ALTER ROLE carol RESET lo_compat_privileges; ALTER DATABASE shop SET lo_compat_privileges = on');
  expect(await said()).toContain('lo_compat_privileges is on: everybody may read and write');
  await postgres.query('ALTER DATABASE shop RESET lo_compat_privileges');
});

it('a name is no command to a terminal, in JSON neither', async () => {
  const name = 'a\u009b31mb\u202ec\u007f';
  await postgres.query(`CREATE ROLE "${name}"; GRANT reader TO "${name}"`);
  const { stdout } = await callHere(['who-can', '-o', 'json', 'SELECT', 'shop.hr.payroll'], '', env());
  expect(stdout).not.toMatch(/[\u0080-\u009f\u202e\u007f]/u);
  expect(JSON.parse(stdout)).toMatchObject({ roles: expect.arrayContaining([expect.objectContaining({ role: name })]) as unknown });
  await postgres.query(`DROP ROLE "${name}"`);
});

it('who-can tells that there are grants on columns alone', async () => {
  const object = 'shop.hr."Odd.t ""x"""';
  expect((await callHere(['who-can', 'SELECT', object], '', env())).stdout).toContain('SELECT is granted on single columns as well (id)');
  expect((await callHere(['who-can', 'INSERT', object], '', env())).stdout).not.toContain('single columns');
});

it('a parameter that everybody may set is said to be one', async () => {
  const called = await explain('alice', 'SET', 'parameter', 'work_mem');
  expect(called).toMatchObject(
    postgres.major < 15
      ? { code: 1, stderr: 'pgsteward: the server is PostgreSQL 14: parameters have privileges from 15 on\n' }
      : { code: 2, stdout: expect.stringContaining('anybody may SET it for their own session') as string },
  );
});

it.each([
  [[], 'explain needs a role, a privilege and an object'],
  [['alice', 'SELECT'], 'explain needs a role, a privilege and an object'],
  [['alice', 'SELECT', 'payroll'], 'a table is named by database.schema.its name'],
  [['alice', 'SELCT', 'shop.hr.payroll'], 'SELCT is no privilege on a table; there are SELECT, INSERT'],
  [['alice', 'EXECUTE', 'schema', 'shop.hr'], 'EXECUTE is no privilege on a schema; there are USAGE, CREATE'],
  [['nobody', 'SELECT', 'shop.hr.payroll'], 'there is no role nobody'],
  [['"Alice"', 'SELECT', 'shop.hr.payroll'], `there is no role Alice; did you mean '"alice"', in double quotes?`],
  [['alice', 'SELECT', 'nowhere.hr.payroll'], 'there is no database nowhere'],
  [['alice', 'SELECT', 'shop.nowhere.payroll'], 'there is no schema nowhere in that database'],
  [['alice', 'SELECT', 'shop.hr.nothing'], 'there is no table, view or sequence hr.nothing'],
  [['alice', 'SELECT', 'shop.hr.payroll_id'], 'an index has no privileges of its own'],
  [['alice', 'SELECT', 'column', 'shop.hr.payroll.nothing'], 'there is no column nothing in it'],
  [['alice', 'SELECT', 'sequence', 'shop.hr.payroll'], 'there is no sequence hr.payroll'],
  [['alice', 'EXECUTE', 'function', 'shop.hr.f'], 'there are 2 functions f: say which one'],
  [['alice', 'EXECUTE', 'function', 'shop.hr.f(bool)'], 'there is no function hr.f'],
  [['alice', 'EXECUTE', 'function', 'shop.hr.f(mood)'], 'there is no type mood'],
  [['alice', 'EXECUTE', 'function', 'shop.hr.f(int; DROP)'], 'there is no type int; DROP'],
  [['alice', 'SELECT', 'shop.hr."x\'; DROP TABLE hr.payroll --"'], 'there is no table, view or sequence'],
] as const)('refuses %j', async (args, said) => {
  const called = await explain(...args);
  expect(called).toMatchObject({ code: 1, stdout: '' });
  expect(called.stderr).toContain(`pgsteward: `);
  expect(called.stderr).toContain(said);
});

it('settings and a server that are wrong are one line', async () => {
  expect(await callHere(['explain', 'a', 'SELECT', 'a.b.c'], '', { DB_PORT: 'x' })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('DB_PORT=x: must be a number') as string,
  });
  expect(await callHere(['explain', 'a', 'SELECT', 'a.b.c'], '', { ...env(), DB_PORT: '1' })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('ECONNREFUSED') as string,
  });
});

it('nothing is written', async () => {
  postgres.mark();
  await explain('alice', 'SELECT', 'shop.hr.payroll');
  expect(postgres.log()).toContain('READ ONLY');
  expect(postgres.log()).not.toMatch(/statement: (?:INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|GRANT|REVOKE)/);
});
