// convert: what other tools declare becomes a document that does the same on a real server; what it cannot say is said, and no password is copied.
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { convert, TOOL_NAMES } from '../../src/convert/convert.ts';
import { valuesOf } from '../../src/convert/values.ts';
import { callHere } from '../commands/call.ts';
import { ROOT } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer } from '../support/steward.ts';

const INPUTS = join(ROOT, 'test/convert/inputs');
const INPUT = new Map(readdirSync(INPUTS).map((file) => [file.slice(0, file.indexOf('.')), join(INPUTS, file)]));
const converted = (tool: string) => callHere(['convert', '--from', tool, '--database', 'shop', INPUT.get(tool) ?? '']);

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
afterEach(() => resetServer(server));

it('there is an input of each tool', () => {
  expect([...INPUT.keys()].toSorted()).toEqual(TOOL_NAMES);
});

it.each(TOOL_NAMES)('what is made of the files of %s, and what is said of it, stays as it is', async (tool) => {
  const { code, stdout, stderr } = await converted(tool);
  expect(code).toBe(2);
  await expect(`${stdout}---\n${stderr}`).toMatchFileSnapshot(`golden/${tool}.txt`);
  expect(stdout + stderr).not.toContain('not to be seen');
});

const documentOf = (tool: string, file: unknown): { readonly text: string; readonly remarks: string } => {
  const read = valuesOf(Buffer.from(JSON.stringify(file)));
  const found = convert(tool, 'values' in read ? read.values : [], { database: 'shop' });
  return { text: found?.text ?? '', remarks: (found?.remarks ?? []).map(({ subject, message }) => `${subject}: ${message}`).join('\n') };
};
const terraform = (...grants: readonly object[]) => ({
  values: {
    root_module: {
      resources: [
        { type: 'postgresql_role', address: 'r', values: { name: 'app', login: true } },
        ...grants.map((values) => ({ type: 'postgresql_grant', address: 'g', values: { role: 'app', database: 'shop', privileges: ['SELECT'], ...values } })),
      ],
    },
  },
});
const crossplane = (kind: string, forProvider: object) => ({
  apiVersion: 'postgresql.sql.crossplane.io/v1alpha1',
  kind,
  metadata: { name: 'x' },
  spec: { forProvider },
});
const ROLE = { ...crossplane('Role', { privileges: { login: true } }), metadata: { name: 'app' } };
const ROLES = { roles: [{ name: 'app', login: true }] };

/** What a document would read as more than the tool means: what is granted is said to be left out. */
const WIDER: readonly (readonly [tool: string, file: unknown])[] = [
  ['terraform', terraform({ schema: 's', object_type: 'table', objects: ['*'] }, { schema: 's', object_type: 'table', objects: ['a*'] })],
  ['terraform', terraform({ schema: 's*', object_type: 'schema' }, { database: 'd*', object_type: 'database' })],
  ['terraform', terraform({ object_type: 'table', objects: ['t'] }, { schema: 's', object_type: 'column', objects: ['t*'], columns: ['*'] })],
  ['provider-sql', [ROLE, crossplane('Grant', { role: 'app', database: 'shop', schema: 's', tables: ['*'], privileges: ['SELECT'] })]],
  ['provider-sql', [ROLE, crossplane('Grant', { role: 'app', database: 'shop', schemaSelector: {}, tables: ['t'], privileges: ['ALL'] })]],
  ['provider-sql', [ROLE, crossplane('Grant', { role: 'app', database: 'shop', tables: ['t'], privileges: ['ALL'] })]],
  ['provider-sql', [ROLE, crossplane('Grant', { role: 'app', databaseSelector: {}, privileges: ['CREATE'] })]],
  ['provider-sql', [ROLE, crossplane('DefaultPrivileges', { role: 'app', database: 'shop', schemaSelector: {}, objectType: 'table', privileges: ['SELECT'] })]],
  ['pgbedrock', { app: { can_login: true, privileges: { tables: { read: ['s."*"', 's.a*', '"*".t', '*.t'] } } } }],
  ['pgroles', { ...ROLES, grants: [{ role: 'app', privileges: ['SELECT'], object: { type: 'table', schema: 's*', name: '*' } }] }],
  ['pgroles', { ...ROLES, grants: [{ role: 'app', privileges: ['SELECT'], object: { type: 'table', schema: 's', name: 'a*' } }] }],
  ['ldap2pg', { rules: [{ role: 'app' }, { grant: { role: 'app', privilege: '__select_on_tables__', schema: 's*', database: 'd' } }] }],
  [
    'zalando',
    {
      apiVersion: 'acid.zalan.do/v1',
      kind: 'postgresql',
      metadata: { name: 'c' },
      spec: { preparedDatabases: { p: { schemas: { '*': { defaultRoles: false } } } } },
    },
  ],
  ['movetokube', { apiVersion: 'db.movetokube.com/v1alpha1', kind: 'Postgres', metadata: { name: 'c' }, spec: { database: 'd', schemas: ['*'] } }],
];

it.each(WIDER)('a name with a star, and a place that only the cluster knows, gives nothing: %s (%#)', (tool, file) => {
  const values = Array.isArray(file) ? { apiVersion: 'v1', kind: 'List', metadata: { name: 'l' }, items: file as readonly unknown[] } : file;
  const { text, remarks } = documentOf(tool, values);
  expect(text).toMatch(/app|p_reader|d-reader/);
  expect(text).not.toContain('grants');
  expect(remarks).toMatch(/left out|without a schema|only the cluster knows/);
});

it('what is left out of a role is not taken away from it: its other grants only add', () => {
  const select = { role: 'app', privileges: ['SELECT'], object: { type: 'table', schema: 's', name: 't' } };
  const pgroles = (...more: readonly object[]) => documentOf('pgroles', { ...ROLES, grants: [select, ...more] }).text;
  expect(pgroles()).not.toContain('additive');
  expect(pgroles({ ...select, object: { type: 'table', schema: 's', name: 'a*' } })).toContain('grantsMode: additive');
  expect(pgroles({ ...select, object: { type: 'subscription', name: 'x' } })).toContain('grantsMode: additive');
  const ldap2pg = (...privileges: readonly string[]) =>
    documentOf('ldap2pg', { rules: [{ role: 'app' }, { grant: { role: 'app', privileges, schema: 's', database: 'd' } }] }).text;
  expect(ldap2pg('__select_on_tables__')).not.toContain('additive');
  expect(ldap2pg('__select_on_tables__', 'of_nobody')).toContain('grantsMode: additive');
});

it('quoted names of pgbedrock are names, whatever they hold, and a kind that is none of the tool is none', () => {
  const { text } = documentOf('pgbedrock', { app: { can_login: true, privileges: { tables: { read: ['"a.b"."c""d"', 'plain.*'] } } } });
  expect(parse(text)).toMatchObject({
    users: [
      {
        grants: [
          { schemas: ['a.b'], tables: { 'c"d': ['SELECT'] } },
          { schemas: ['plain'], tables: { '*': ['SELECT'] } },
        ],
      },
    ],
  });
  for (const kind of ['__proto__', 'constructor']) expect(documentOf('provider-sql', crossplane(kind, {})).text).toBe('');
});

interface Granted {
  /** Who may what, as the other tool would have it. */
  readonly yes: readonly string[];
  readonly no: readonly string[];
}

const may = (role: string, kind: string, object: string, privilege: string): string => `has_${kind}_privilege('${role}', '${object}', '${privilege}')`;
const isIn = (role: string, group: string): string => `pg_has_role('${role}', '${group}', 'MEMBER')`;

/** Objects that the files speak of, and questions after a cycle with the document, in a database. */
const SHOWN: Readonly<Record<string, Granted & { readonly database: string; readonly before?: string }>> = {
  cloudnativepg: {
    database: 'warehouse',
    yes: [isIn('reporting', 'readers'), isIn('reporting', 'pg_read_all_stats'), may('readers', 'schema', 'facts', 'CREATE')],
    no: [`(SELECT rolsuper FROM pg_roles WHERE rolname = 'untold')`, `(SELECT count(*) > 0 FROM pg_roles WHERE rolname IN ('root2', 'gone'))`],
  },
  zalando: {
    database: 'stock',
    before: 'SET ROLE stock_items_owner; CREATE TABLE items.t (a int); CREATE SEQUENCE items.q; RESET ROLE',
    yes: [
      may('stock_items_reader', 'table', 'items.t', 'SELECT'),
      may('stock_writer_user', 'table', 'items.t', 'DELETE'),
      may('stock_items_writer', 'sequence', 'items.q', 'USAGE'),
      isIn('stock_owner', 'stock_items_owner'),
    ],
    no: [may('stock_items_reader', 'table', 'items.t', 'INSERT'), may('auditors', 'table', 'items.t', 'SELECT'), isIn('stock_items_owner', 'stock_owner')],
  },
  movetokube: {
    database: 'stores-db',
    before: 'SET ROLE "stores-db-group"; CREATE TABLE stores.t (a int); RESET ROLE',
    yes: [
      may('viewer', 'table', 'stores.t', 'SELECT'),
      may('backend-x7hq2', 'table', 'stores.t', 'TRUNCATE'),
      may('stores-db-writer', 'schema', 'customers', 'CREATE'),
    ],
    no: [may('viewer', 'table', 'stores.t', 'UPDATE'), may('viewer', 'schema', 'stores', 'CREATE')],
  },
  'provider-sql': {
    database: 'shop',
    before: 'CREATE TABLE sales.orders (a int); CREATE TABLE sales.other (a int); CREATE SEQUENCE sales.q',
    yes: [
      may('The App', 'database', 'shop', 'CONNECT WITH GRANT OPTION'),
      may('The App', 'table', 'sales.orders', 'INSERT'),
      may('The App', 'sequence', 'sales.q', 'USAGE'),
      `pg_has_role('The App', 'writers', 'MEMBER WITH ADMIN OPTION')`,
    ],
    no: [may('The App', 'sequence', 'sales.q', 'UPDATE'), may('The App', 'table', 'sales.other', 'SELECT')],
  },
  terraform: {
    database: 'shop',
    before: 'SET ROLE readers; CREATE TABLE sales.t (a int); RESET ROLE',
    yes: [may('app', 'table', 'sales.t', 'UPDATE'), may('public', 'schema', 'sales', 'USAGE'), isIn('app', 'readers')],
    no: [may('public', 'table', 'sales.t', 'SELECT'), `(SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'app')`],
  },
  ldap2pg: {
    database: 'shop',
    before: 'CREATE SCHEMA sales; CREATE TABLE sales.t (a int)',
    yes: [may('readers', 'table', 'sales.t', 'SELECT'), may('batch', 'table', 'sales.t', 'INSERT'), may('writers', 'database', 'shop', 'CONNECT')],
    no: [may('readers', 'table', 'sales.t', 'UPDATE'), may('batch', 'table', 'sales.t', 'DELETE')],
  },
  pgroles: {
    database: 'shop',
    before: 'SET ROLE migrator; CREATE TABLE inventory.ledger (a int); CREATE TABLE inventory.other (a int); RESET ROLE',
    yes: [may('auditor', 'table', 'inventory.ledger', 'SELECT'), may('app', 'table', 'inventory.other', 'INSERT')],
    no: [may('auditor', 'table', 'inventory.other', 'SELECT'), may('app', 'table', 'inventory.other', 'DELETE')],
  },
  pgbedrock: {
    database: 'shop',
    before: 'CREATE SCHEMA finance; CREATE TABLE finance.salaries (a int); CREATE TABLE finance.sales (a int); CREATE SEQUENCE finance.q',
    yes: [may('jdoe', 'table', 'finance.sales', 'SELECT'), may('jdoe', 'sequence', 'finance.q', 'UPDATE')],
    no: [may('jdoe', 'table', 'finance.salaries', 'SELECT'), may('jdoe', 'table', 'finance.sales', 'INSERT')],
  },
};

it.each(Object.entries(SHOWN))('the document made of the files of %s gives on a server what its tool would', async (tool, { database, before, yes, no }) => {
  // Extensions that this server does not have are not what is looked at.
  const text = (await converted(tool)).stdout.replaceAll(/^ {4}extensions:(?: \[.*\]|\n {6}.*)\n/gm, '');
  if (tool === 'ldap2pg' || tool.startsWith('pg')) await server.query('CREATE DATABASE shop');
  if (tool === 'cloudnativepg') await server.query('CREATE DATABASE shop');
  const steward = await createSteward(server, { ALLOWED_ROLES: 'pg_read_all_stats,pg_monitor' });
  steward.manifests.users(text);
  const document = parse(text) as { users: readonly { username: string; passwordSecretRef?: { name: string; key: string } }[] };
  const secrets = document.users.flatMap(({ passwordSecretRef }) => (passwordSecretRef === undefined ? [] : [passwordSecretRef]));
  writeFileSync(
    join(steward.manifests.folder, 'secrets.yaml'),
    secrets
      .map(({ name, key }) => `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}, namespace: postgres}\nstringData: {${key}: 'a password'}\n`)
      .join('---\n'),
  );
  expect((await steward.cycle()).error).toBeUndefined();
  if (before !== undefined) await server.query(before, database);
  const second = await steward.cycle();
  expect(second.error).toBeUndefined();
  expect((await steward.cycle()).planned).toEqual([]);
  const answers = async (questions: readonly string[]): Promise<readonly string[]> => {
    const rows = await server.query<{ answer: boolean | null }>(questions.map((question) => `SELECT ${question} AS answer`).join(' UNION ALL '), database);
    return rows.map(({ answer }, index) => `${questions[index]}: ${answer === true ? 'yes' : 'no'}`);
  };
  expect(await answers(yes)).toEqual(yes.map((question) => `${question}: yes`));
  expect(await answers(no)).toEqual(no.map((question) => `${question}: no`));
  await steward.close();
});

/** Keys that the converters look for, so that what is made up gets somewhere. */
const ODD = 'o\'d"d\nб; DROP ROLE x\u001f\u202e {{ x }} #';
const KEYS = (
  'apiVersion kind metadata name namespace annotations spec status items managed roles inRoles bootstrap initdb owner database ' +
  'schemas extensions users databases preparedDatabases defaultUsers forProvider privileges role roleRef memberOf tables routines ' +
  'args rules grant names parent options privilege schema values root_module child_modules resources address type profiles grants ' +
  'object memberships members owns read write can_login attributes __proto__ constructor toString '
)
  .split(' ')
  .filter(Boolean);
const WORDS = [
  ...(
    'postgresql.cnpg.io/v1 acid.zalan.do/v1 db.movetokube.com/v1 postgresql.sql.crossplane.io/v1 pgroles.io/v1 Cluster Database ' +
    'postgresql Postgres PostgresUser Role Grant PostgresPolicy postgresql_role postgresql_grant table schema * LOGIN public pg_monitor ' +
    'x __all__ '
  ).split(' '),
  ODD,
];

it('nothing that stands in a file makes it stumble, and whatever it makes is a document', () => {
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      fc.constantFrom<unknown>(...WORDS, true, false, null, 3, -1),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(fc.constantFrom(...KEYS, ...WORDS), tie('value')), { maxLength: 6 }).map((pairs) => Object.fromEntries(pairs)),
    ),
  }));
  fc.assert(
    fc.property(fc.constantFrom(...TOOL_NAMES), fc.array(value, { maxLength: 3 }), (tool, values) => {
      const made = convert(tool, values, { database: 'shop' });
      // Names that no document may have are told of; it is one all the same.
      if (made !== undefined) expect(() => parse(made.text)).not.toThrow();
    }),
    { numRuns: 3000 },
  );
});

it('names are values, in the document as in what is said', async () => {
  const spec = JSON.stringify({ [ODD]: { can_login: true, member_of: [ODD.toUpperCase()] }, '=1+1': { is_superuser: true } });
  const { stdout, stderr } = await callHere(['convert', '--from', 'pgbedrock', '-'], spec);
  expect((parse(stdout) as { users: unknown }).users).toEqual([{ username: ODD, password: 'none', roles: [ODD.toUpperCase()] }]);
  expect((stdout + stderr).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

it('what is no file of that tool, or cannot be read, is an error', async () => {
  const failed = async (args: readonly string[], stdin = ''): Promise<string> => {
    const { code, stdout, stderr } = await callHere(['convert', ...args], stdin);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    return stderr;
  };
  expect(await failed(['x.yaml'])).toContain('--from TOOL');
  expect(await failed(['--from', 'zalando'])).toContain('needs a file');
  expect(await failed(['--from', 'zalando', INPUT.get('cloudnativepg') ?? ''])).toContain('nothing of zalando stands in this file');
  expect(await failed(['--from', 'zalando', '-'], 'a: [')).toContain('-: line 1:');
  expect(await failed(['--from', 'zalando', 'not-there.yaml'])).toContain('there is no such file');
  expect(await failed(['--from', 'ansible', '-'])).toContain('--from needs a value');
});

it('reads no more than may be taken', () => {
  expect(valuesOf(Buffer.from(`[${'[],'.repeat(400_000)}1]`)).error).toContain('500000 brackets');
  expect(valuesOf(Buffer.from(`a: &a [x]\nb: [${'*a,'.repeat(500_000)}]`)).error).toMatch(/line \d+: /);
});

it('names times names, profiles within profiles and modules without end are bounded', async () => {
  const names = (prefix: string, count: number): readonly string[] => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  const roles = names('r', 300);
  const many = { rules: [{ roles }, { grant: { roles, privilege: '__select_on_tables__', databases: names('d', 100), schemas: names('s', 100) } }] };
  const { code, stderr } = await callHere(['convert', '--from', 'ldap2pg', '-'], JSON.stringify(many));
  expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('more than 200000 grants') as string });
  const privileges = Object.fromEntries(names('p', 30).map((name, index) => [name, index === 29 ? ['__connect__'] : [`p${index + 1}`, `p${index + 1}`]]));
  expect(documentOf('ldap2pg', { privileges, rules: [{ role: 'app' }, { grant: { role: 'app', privilege: 'p0', database: 'x' } }] }).text).toContain('CONNECT');
  const modules = { values: { root_module: { child_modules: Array.from({ length: 240_000 }, () => 1), resources: terraform().values.root_module.resources } } };
  expect(documentOf('terraform', modules).text).toContain('app');
});
