// A hostile author on a real server: whatever its documents say, nothing of anybody else changes, and it has no right beyond its scope. DOCUMENTS says how many.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatProblem } from '../../src/document/format.ts';
import { Manifests } from '../support/daemon.ts';
import { authorOf } from '../support/authors.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { hostileDocument } from './hostile-author.ts';

const COUNT = Number(process.env['DOCUMENTS'] ?? 40);
const SEED = Number(process.env['SEED'] ?? 1);

let server: Postgres;
let steward: Steward;

/** Its names, quoted or not. */
const IS_ITS = `rolname ~ '^shop_(?!dba$)'`;

/** Everything of everybody else: roles, memberships, owners, settings, and entries of ACLs. */
const SHARED = `
  SELECT 'role ' || rolname || ' ' || (to_jsonb(a) - 'oid' - 'rolname')::text AS line FROM pg_authid a WHERE NOT ${IS_ITS}
  UNION ALL SELECT 'member ' || r.rolname || ' ' || m.rolname || ' ' || g.rolname || ' ' || a.admin_option FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.grantor
    WHERE NOT m.${IS_ITS} AND m.rolname <> 'postgres'
  UNION ALL SELECT 'database ' || datname || ' ' || r.rolname || ' ' || datconnlimit FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
  UNION ALL SELECT 'setting ' || coalesce(r.rolname, '*') || ' ' || coalesce(d.datname, '*') || ' ' || s.setconfig::text FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE r.rolname IS NULL OR NOT r.${IS_ITS}
  UNION ALL SELECT 'acl ' || datname || ' ' || x.grantee::regrole || ' ' || x.privilege_type || x.is_grantable FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x LEFT JOIN pg_roles r ON r.oid = x.grantee WHERE r.rolname IS NULL OR NOT r.${IS_ITS}
  UNION ALL SELECT 'tablespace ' || spcname || coalesce(spcacl::text, '') FROM pg_tablespace
  UNION ALL SELECT 'ledger ' || name || ' ' || source || ' ' || origin FROM pgsteward.managed_role m WHERE name !~ '^shop_(?!dba$)'`;

const acl = (what: string, from: string, column: string): string =>
  `SELECT '${what} ' || coalesce(r.rolname, 'PUBLIC') || ' ' || o::text || ' ' || x.privilege_type || x.is_grantable FROM (SELECT ${from}) o(o, acl), aclexplode(acl) x LEFT JOIN pg_roles r ON r.oid = x.grantee WHERE ${column}`;

const OBJECTS: readonly (readonly [string, string])[] = [
  [
    'class',
    `c.oid::regclass::text, coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) FROM pg_class c WHERE c.relacl IS NOT NULL OR c.oid >= 16384`,
  ],
  ['schema', `n.nspname::text, coalesce(n.nspacl, acldefault('n', n.nspowner)) FROM pg_namespace n`],
  ['function', `p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)) FROM pg_proc p WHERE p.proacl IS NOT NULL OR p.oid >= 16384`],
  ['type', `t.oid::regtype::text, coalesce(t.typacl, acldefault('T', t.typowner)) FROM pg_type t WHERE t.typacl IS NOT NULL OR t.oid >= 16384`],
  ['language', `l.lanname::text, coalesce(l.lanacl, acldefault('l', l.lanowner)) FROM pg_language l`],
  ['default', `concat(nullif(d.defaclnamespace, 0)::regnamespace, ' ', d.defaclrole::regrole, d.defaclobjtype), d.defaclacl FROM pg_default_acl d`],
  ['column', "concat(a.attrelid::regclass, ' ', a.attname), a.attacl FROM pg_attribute a"],
  ['server', 's.srvname::text, s.srvacl FROM pg_foreign_server s'],
];

const INSIDE = [
  ...OBJECTS.map(([what, from]) => acl(what, from, `(r.rolname IS NULL OR NOT r.${IS_ITS})`)),
  `SELECT 'owner ' || c.oid::regclass || ' ' || r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.relnamespace::regnamespace::text !~ '^pg_'`,
  `SELECT 'schema ' || nspname || ' ' || r.rolname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE NOT r.${IS_ITS}`,
  `SELECT 'extension ' || extname FROM pg_extension`,
].join(' UNION ALL ');

/** What it holds itself, where it is and what it is. */
const ITS = [
  ...OBJECTS.map(([what, from]) => acl(what, from, `r.${IS_ITS}`)),
  `SELECT 'owns ' || n.nspname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE r.${IS_ITS}`,
].join(' UNION ALL ');

const lines = async (sql: string, database?: string): Promise<readonly string[]> =>
  (await server.query<{ line: string }>(`SELECT line FROM (${sql}) x(line) ORDER BY 1`, database)).flatMap(({ line }) =>
    line.includes('pgsteward_trigger') ? [] : [line],
  );

const DATABASES = ['shop', 'bill', 'postgres'];

const others = async (): Promise<readonly string[]> => [
  ...(await lines(SHARED)),
  ...(await Promise.all(DATABASES.map(async (name) => (await lines(INSIDE, name)).map((line) => `${name}: ${line}`)))).flat(),
];

/** Rights of its roles that its scope does not have: in other databases, in other schemas, on what is in none, or by memberships. */
async function beyond(): Promise<readonly string[]> {
  const inside = await lines(ITS, 'shop');
  const elsewhere = (await Promise.all(['bill', 'postgres'].map((name) => lines(ITS, name)))).flat();
  const members = await lines(
    `SELECT 'member of ' || r.rolname || a.admin_option FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member WHERE m.${IS_ITS} AND NOT r.${IS_ITS}`,
  );
  const strong = await lines(
    `SELECT 'strong ' || rolname FROM pg_roles WHERE ${IS_ITS} AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)`,
  );
  const databases = await lines(
    `SELECT 'database ' || datname || ' ' || x.privilege_type FROM pg_database d, aclexplode(d.datacl) x JOIN pg_roles r ON r.oid = x.grantee WHERE r.${IS_ITS} AND (datname <> 'shop' OR x.privilege_type = 'CREATE' OR x.is_grantable)`,
  );
  const settings = await lines(
    `SELECT 'setting ' || r.rolname || c FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c WHERE r.${IS_ITS} AND c NOT LIKE 'work\\_mem=%' AND c !~ '^role="?shop_'`,
  );
  const isInScope = (line: string): boolean =>
    /^(?:class|function|type|column) .* app(?:_new)?\.|^schema \S+ app(?:_new)? |^owns app(?:_new)?$|^default \S+ app(?:_new)?/s.test(line) &&
    !line.endsWith('true');
  return [
    ...inside.filter((line) => !isInScope(line)),
    ...elsewhere,
    ...members.filter((line) => line !== 'member of lentfalse' && line !== 'member of bill_readerfalse'),
    ...strong,
    ...databases,
    ...settings,
  ];
}

beforeAll(async () => {
  server = await startPostgres();
  for (const sql of ['CREATE ROLE dba', 'CREATE ROLE shop_dba CREATEROLE', 'CREATE DATABASE shop OWNER dba', 'CREATE DATABASE bill OWNER dba'])
    await server.query(sql);
  await server.query(
    'CREATE SCHEMA app AUTHORIZATION dba; CREATE SCHEMA private AUTHORIZATION dba; CREATE TABLE app.t (id int); CREATE TABLE private.secret (id int); CREATE TABLE t (id int); CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
    'shop',
  );
  await server.query('CREATE TABLE t (id int)', 'bill');
  const manifests = new Manifests();
  manifests.users(
    JSON.stringify({
      roles: [
        { name: 'reporting', grants: [{ database: 'bill', schemas: ['public'], tables: ['*'], actions: ['SELECT'] }] },
        { name: 'lent' },
        { name: 'shared_by_operator', sharedWith: ['bill'] },
      ],
      users: [{ username: 'operator_user', database: 'bill', roles: ['reporting', 'lent'] }],
    }),
  );
  manifests.secret('operator_user', 'the password of the operator');
  manifests.author('bill', {
    users: [{ username: 'bill_app', login: false, database: 'bill', roles: ['bill_reader', 'bill_secret', 'shared_by_operator'] }],
    roles: [
      { name: 'bill_reader', sharedWith: ['shop'], grants: [{ database: 'bill', schemas: ['public'], tables: ['t'], actions: ['SELECT'] }] },
      { name: 'bill_secret' },
    ],
  });
  const shop = authorOf('shop', { schemas: ['app', 'app_new'], roles: ['lent'], settings: ['work_mem'] });
  steward = await createSteward(server, {}, manifests, undefined, undefined, true, [shop, authorOf('bill')]);
  await steward.cycle();
  await steward.cycle();
});
afterAll(async () => {
  await steward.close();
  await server.stop();
});

it(
  `takes nothing from anybody in ${COUNT} documents`,
  async () => {
    const before = await others();
    // What is planned for the others is there.
    expect(before.filter((line) => /^member (?:bill_|lent|reporting|shared_)/.test(line))).toHaveLength(5);
    let applied = 0;
    let refused = 0;
    for (let seed = SEED; seed < SEED + COUNT; seed += 1) {
      const document = hostileDocument(seed);
      steward.manifests.author('shop', document);
      const report = await steward.cycle();
      expect(report.error, JSON.stringify(document)).toBeUndefined();
      applied += report.outcomes.filter(({ result }) => result === 'applied').length;
      refused += report.problems.length;
      const told = (): string => `document ${seed}: ${JSON.stringify(document)}\n${report.problems.map(formatProblem).join('\n')}`;
      expect(await others(), told()).toEqual(before);
      expect(await beyond(), told()).toEqual([]);
      for (const problem of report.problems) expect(problem.source, told()).toBe('author:shop');
    }
    // They come through far enough to mean anything.
    expect(applied).toBeGreaterThan(COUNT / 4);
    expect(refused).toBeGreaterThan(COUNT);
    steward.manifests.author('shop', { users: [], allowEmpty: true });
    for (let cycle = 0; cycle < 4; cycle += 1) await steward.cycle();
    expect(await others()).toEqual(before);
  },
  60_000 + COUNT * 5000,
);
