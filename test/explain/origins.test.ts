// Where access comes from: which line of a document wants each link of a path, and when and for what it was made, as the audit log tells.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { identifier } from '../../src/sql/sql-text.ts';
import { daemonEnv } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { type Called, callHere } from '../commands/call.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const ODD = `o"d → d), (x\n\u001F; DROP`;
const DOCUMENT = `users:
  - username: alice
    database: shop
    password: none
    roles: [readers, writers]
    assumeRole: writers
roles:
  - name: readers
    memberOf: [${JSON.stringify(ODD)}]
  - name: ${JSON.stringify(ODD)}
    grants:
      - database: shop
        schemas: [public]
        tables: {'*': [SELECT], t1: [SELECT, UPDATE]}
        sequences: {'*': [USAGE]}
        functions: {'f(integer)': [EXECUTE]}
      - database: shop
        schemas: [public]
        columns: {t2: {id: [INSERT]}}
  - name: writers
databases:
  - name: shop
    owner: writers
    schemas: [{name: made, owner: writers}]
`;
/** Whatever is a moment, and the folder. */
const fixed = (text: string, folder: string): string =>
  text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(folder, 'DIR')
    .replaceAll(/@[\w-]+/g, '@VERSION');

let folder: string;
const settings = (): Record<string, string> => ({ ...daemonEnv(server, folder), STATE_FILE: steward.config.stateFile });
const explain = async (...args: readonly string[]): Promise<Called> => {
  const called = await callHere(['explain', ...args], '', settings());
  return { ...called, stdout: fixed(called.stdout, folder) };
};

interface Told {
  readonly origins: {
    readonly ledger: object;
    readonly document: object;
    readonly steps: readonly {
      readonly what: string;
      readonly role: string;
      readonly recorded: { readonly at: string; readonly why: string } | null;
      readonly wanted: readonly { readonly line: number }[];
    }[];
  };
}
const steps = async (...args: readonly string[]): Promise<Told['origins']> => {
  const { stdout, stderr } = await callHere(['explain', '-o', 'json', ...args], '', settings());
  expect(stderr).toBe('');
  return (JSON.parse(stdout) as Told).origins;
};

/** A server as the document wants it. */
async function begin(): Promise<void> {
  await server.query('CREATE DATABASE shop');
  await server.query(
    `CREATE TABLE t1 (id int); CREATE TABLE t2 (id int); CREATE TABLE t3 (id int); CREATE TABLE t4 (id int); CREATE TABLE t5 (id int); CREATE SEQUENCE s;
     CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION f(int) FROM PUBLIC`,
    'shop',
  );
  steward = await createSteward(server);
  folder = scratch('origins');
  writeFileSync(join(folder, 'users.yaml'), DOCUMENT);
  const { code, stdout, stderr } = await callHere(['apply', '--document', join(folder, 'users.yaml')], '', settings());
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
}

const lineOf = (text: string): number =>
  readFileSync(join(folder, 'users.yaml'), 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(text)) + 1;

it('every link of a path is told with the line that wants it, and with when and for what it was made', async () => {
  await begin();
  const { code, stdout } = await explain('--document', join(folder, 'users.yaml'), 'alice', 'SELECT', 'shop.public.t3');
  expect(code).toBe(0);
  expect(stdout).toMatchInlineSnapshot(`
    "yes: alice has SELECT on shop.public.t3
    by:
      alice → readers → "o""d → d), (x\\u{a}\\u{1f}; DROP": granted to "o""d → d), (x\\u{a}\\u{1f}; DROP" by postgres
    needed besides:
      ok  it may log in
      ok  it has CONNECT on the database shop
      ok  it has USAGE on the schema public
    where it comes from:
      alice in readers: done TIME for DIR/users.yaml@VERSION; wanted by DIR/users.yaml:5:13
      readers in "o""d → d), (x\\u{a}\\u{1f}; DROP": done TIME for DIR/users.yaml@VERSION; wanted by DIR/users.yaml:9:16
      SELECT on public.t3 to "o""d → d), (x\\u{a}\\u{1f}; DROP": done TIME for DIR/users.yaml@VERSION; wanted by DIR/users.yaml:14:18
      LOGIN of alice: done TIME for DIR/users.yaml@VERSION; wanted by DIR/users.yaml:2:5
    "
  `);
  const told = await steps('--document', join(folder, 'users.yaml'), 'alice', 'SELECT', 'shop.public.t3');
  expect(told.steps.every(({ recorded }) => recorded !== null)).toBe(true);
  expect(told.steps.map(({ what, wanted }) => [what, wanted.map(({ line }) => line)])).toEqual([
    ['membership', [lineOf('roles: [readers')]],
    ['membership', [lineOf('memberOf:')]],
    ['grant', [lineOf("tables: {'*'")]],
    ['attribute', [lineOf('username: alice')]],
  ]);
});

it.each([
  ['UPDATE', 'shop.public.t1', 'grant', "tables: {'*'"],
  ['USAGE', 'sequence shop.public.s', 'grant', 'sequences:'],
  ['EXECUTE', 'function shop.public.f(int)', 'grant', 'functions:'],
  ['INSERT', 'column shop.public.t2.id', 'grant', 'columns:'],
  ['USAGE', 'schema shop.public', 'grant', 'schemas: [public]'],
  ['CONNECT', 'database shop', 'grant', 'username: alice'],
  ['CREATE', 'schema shop.made', 'ownership', '- {name: made'],
])('of %s on %s as well', async (privilege, object, what, line) => {
  await begin();
  await server.query('REVOKE CONNECT ON DATABASE shop FROM PUBLIC');
  const told = await steps('--document', join(folder, 'users.yaml'), 'alice', privilege, object);
  const last = told.steps.filter((step) => step.what === what && step.recorded !== null);
  expect(last).not.toEqual([]);
  expect(last.flatMap(({ wanted }) => wanted.map((place) => place.line))).toContain(lineOf(line.replace('- {', '{')));
});

it('what somebody else granted, or granted again after we had taken it, is not in the audit log and wanted by nobody', async () => {
  await begin();
  await server.query('CREATE ROLE stranger; GRANT stranger TO alice');
  await server.query('GRANT DELETE ON t3 TO stranger', 'shop');
  const told = await steps('--document', join(folder, 'users.yaml'), 'alice', 'DELETE', 'shop.public.t3');
  expect(told.steps.map(({ what, role, recorded, wanted }) => [what, role, recorded, wanted.length])).toEqual([
    ['membership', 'stranger', null, 0],
    ['grant', 'stranger', null, 0],
    ['attribute', 'alice', expect.anything(), 1],
  ]);
  // A cycle takes the right away that it never gave; then it comes back by hand.
  await server.query(`GRANT DELETE ON t3 TO readers`, 'shop');
  expect((await callHere(['apply', '--document', join(folder, 'users.yaml')], '', settings())).code).toBe(0);
  writeFileSync(join(folder, 'users.yaml'), DOCUMENT.replace('SELECT], t1', 'SELECT, DELETE], t1'));
  expect((await callHere(['apply', '--document', join(folder, 'users.yaml')], '', settings())).code).toBe(0);
  const given = (await steps('alice', 'DELETE', 'shop.public.t3')).steps.find(({ what, role }) => what === 'grant' && role === ODD);
  expect(given?.recorded).not.toBeNull();
  writeFileSync(join(folder, 'users.yaml'), DOCUMENT);
  expect((await callHere(['apply', '--document', join(folder, 'users.yaml')], '', settings())).code).toBe(0);
  await server.query(`GRANT DELETE ON t3 TO ${identifier(ODD)}`, 'shop');
  const again = (await steps('alice', 'DELETE', 'shop.public.t3')).steps.find(({ what, role }) => what === 'grant' && role === ODD);
  expect(again?.recorded).toBeNull();
});

it('an object that came later has it by default privileges, which are told', async () => {
  await begin();
  await server.query('SET ROLE writers; CREATE TABLE later (id int)', 'shop');
  const told = await steps('alice', 'SELECT', 'shop.public.later');
  expect(told.steps.find(({ what }) => what === 'grant')?.recorded).toMatchObject({ byDefault: true });
});

it('who-can tells the links of all whom it names, what leads to most of them first', async () => {
  await begin();
  const document = join(folder, 'users.yaml');
  const whoCan = (...args: readonly string[]) => callHere(['who-can', ...args, 'SELECT', 'shop.public.t3'], '', settings());
  const { code, stdout, stderr } = await whoCan('--document', document);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [, told = ''] = fixed(stdout, folder).split('where it comes from:');
  expect(told).toContain(`SELECT on public.t3 to "o""d → d), (x\\u{a}\\u{1f}; DROP": done TIME for DIR/users.yaml@VERSION; wanted by DIR/users.yaml:14:18`);
  expect(told).toContain('alice in readers: done TIME for DIR/users.yaml@VERSION; wanted by DIR/users.yaml:5:13');
  expect(told.indexOf('SELECT on')).toBeLessThan(told.indexOf('alice in readers'));
  const data = JSON.parse((await whoCan('-o', 'json', '--document', document)).stdout) as Told;
  expect(data.origins.steps.map(({ what, recorded, wanted }) => [what, recorded !== null, wanted.length > 0])).toContainEqual(['grant', true, true]);
  expect(data.origins).toMatchObject({ more: 0, document: { source: document } });
});

it('a snapshot has no audit log, which is said with whose its roles are; lines of a document are told of it all the same, and after a plan', async () => {
  await begin();
  const [document, file] = [join(folder, 'users.yaml'), join(folder, 'server.json')];
  expect((await callHere(['snapshot', file], '', settings())).code).toBe(0);
  const { stdout, stderr } = await explain('--snapshot', file, '--document', document, 'alice', 'SELECT', 'shop.public.t3');
  expect(stderr).toBe('');
  expect(stdout.slice(stdout.indexOf('where it comes from:'))).toMatchInlineSnapshot(`
    "where it comes from:
      alice in readers: wanted by DIR/users.yaml:5:13
      readers in "o""d → d), (x\\u{a}\\u{1f}; DROP": wanted by DIR/users.yaml:9:16
      SELECT on public.t3 to "o""d → d), (x\\u{a}\\u{1f}; DROP": wanted by DIR/users.yaml:14:18
      LOGIN of alice: wanted by DIR/users.yaml:2:5
    not known:
      who granted what when: a snapshot has no audit log; its ledger says of roles alone whose they are: "o""d → d), (x\\u{a}\\u{1f}; DROP", alice, readers are of postgres/postgres-users-config
    "
  `);
  const unnamed = await explain('--snapshot', file, 'alice', 'SELECT', 'shop.public.t3');
  expect(unnamed.stdout).toContain('which line of a document wants it: ');
  for (const args of [
    ['--snapshot', file],
    ['--snapshot', file, '--after-plan', '--without-secrets'],
    ['--after-plan', '--without-secrets'],
  ]) {
    const told = await steps(...args, '--document', document, 'alice', 'EXECUTE', 'function shop.public.f(int)');
    expect(told.ledger).toEqual({ unknown: expect.stringMatching(/no audit log|not asked/) as string });
    expect(told.steps.filter(({ what }) => what === 'grant').map(({ wanted }) => wanted.map(({ line }) => line))).toEqual([[lineOf('functions:')]]);
    const { stdout: who } = await callHere(['who-can', '-o', 'json', ...args, '--document', document, 'SELECT', 'shop.public.t3'], '', settings());
    expect((JSON.parse(who) as Told).origins.steps.flatMap(({ wanted }) => wanted.map(({ line }) => line))).toContain(lineOf('roles: [readers'));
  }
});

it('what cannot be known is said, and no error', async () => {
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE ROLE alice LOGIN');
  await server.query('CREATE TABLE t3 (id int); GRANT SELECT ON t3 TO alice', 'shop');
  steward = await createSteward(server);
  folder = scratch('origins');
  const { stdout, stderr, code } = await explain('--document', join(folder, 'gone.yaml'), 'alice', 'SELECT', 'shop.public.t3');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).not.toContain('where it comes from');
  expect(stdout.slice(stdout.indexOf('not known:'))).toMatchInlineSnapshot(`
    "not known:
      who granted what when: there is no ledger in the admin database that belongs to this login
      which line of a document wants it: the document DIR/gone.yaml cannot be read: there is no such file
    "
  `);
  expect((await explain('alice', 'SELECT', 'shop.public.t3')).stdout).toContain('which line of a document wants it: ');
  const told = await steps('alice', 'SELECT', 'shop.public.t3');
  expect(told.ledger).toEqual({ unknown: expect.stringContaining('no ledger') as string });
});
