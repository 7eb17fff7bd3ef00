// The same state is the same plan in the same order: the server promises no order of its rows, and whatever it sends first, nothing of a plan follows from that.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CHANGE_KINDS, type Change } from '../../src/changes/table.ts';
import type { Catalog, Dependency, ManagedRole } from '../../src/model/catalog.ts';
import type { Membership, Role } from '../../src/model/cluster.ts';
import type { AclEntry, DatabaseContents, ObjectGroup, ObjectName } from '../../src/model/contents.ts';
import type { Document } from '../../src/model/entries.ts';
import { atOnce } from '../../src/model/in-parts.ts';
import { planOf } from '../../src/plan/plan.ts';
import type { Plan, PlanInput } from '../../src/plan/plan-input.ts';
import { NO_RENAMING } from '../../src/plan/renaming.ts';
import { NO_TRIGGER } from '../../src/model/trigger-state.ts';
import { read } from '../document/read.ts';
import { catalogOf, inputOfPlans } from '../support/pure-plan.ts';

const STRANGE = ['it\'s "x"', 'a\nb', 'é\u001f', '😀', '\uff5e', 'Z', 'a', 'a"; DROP ROLE b'];
const each = (stem: string): string[] => STRANGE.map((strange) => `${stem}${strange}`);
const list = (names: readonly string[]): string => JSON.stringify(names);
const entry = (value: object): string => JSON.stringify(value);

const OLD = { declared: each('d'), left: each('l'), closed: each('c'), taken: each('t'), foreign: each('f'), bare: each('b'), gone: each('g') };
const FRESH = { users: each('n'), roles: each('m') };

const declared = read(`databases: [
  {name: shop, owner: ${list(OLD.bare).slice(1).split(',')[0]}, schemas: ${JSON.stringify([...each('s').map((name) => ({ name })), ...each('o').map((name) => ({ name, owner: OLD.bare[5] }))])}, extensions: [hstore, citext, pg_trgm], public: revoked},
  {name: other, public: revoked}, {name: tidy},
  ${each('made')
    .map((name) => entry({ name, create: true }))
    .join(', ')}]
roles: [${[...FRESH.roles, ...OLD.bare].map((name) => entry({ name, memberOf: [FRESH.roles[1]].filter((role) => role !== name), grants: [{ databases: ['shop', 'other'], schemas: ['*'], tables: { '*': ['SELECT', 'UPDATE'] }, functions: { '*': ['EXECUTE'] } }], comment: 'said' })).join(', ')}]
users: [${[
  ...[...FRESH.users, ...OLD.declared, ...OLD.taken].map((username, index) =>
    entry({
      username,
      databases: ['shop', 'other'],
      roles: FRESH.roles.slice(0, 3),
      settings: { work_mem: '1MB', lock_timeout: '1s' },
      connectionLimit: 3,
      passwordSecretRef: { name: `s${index}` },
    }),
  ),
  ...OLD.closed.map((username) => entry({ username, login: false })),
].join(', ')}]
`);

const managed = (name: string, more: Partial<ManagedRole>): ManagedRole => ({ ...(catalogOf([name], []).managed.get(name) as ManagedRole), ...more });
const role = (name: string, more: Partial<Role>): Role => ({ ...(catalogOf([name], []).cluster.roles.get(name) as Role), ...more });

const holds = (grantee: string, privileges: readonly string[], grantor = 'owner'): AclEntry[] =>
  privileges.map((privilege) => ({ grantee, grantor, privilege, grantable: grantor === 'owner' && privilege === 'SELECT' }));
const group = (kind: ObjectGroup['kind'], schema: string, names: readonly ObjectName[], entries: readonly AclEntry[]): ObjectGroup => ({
  kind,
  schema,
  owner: 'owner',
  names,
  extension: false,
  untouched: entries.length === 0,
  entries,
});

const contents = (name: string, trigger: DatabaseContents['trigger']): DatabaseContents => ({
  name,
  groups: each('o').flatMap((schema) => [
    group('schema', '', [schema], holds('public', ['USAGE', 'CREATE'])),
    group(
      'table',
      schema,
      each('t'),
      OLD.bare.flatMap((one) => holds(one, ['TRUNCATE', 'DELETE', 'SELECT', 'INSERT'])),
    ),
    group(
      'table',
      schema,
      each('u'),
      OLD.bare.flatMap((one) => holds(one, ['SELECT', 'DELETE'], OLD.bare[0])),
    ),
    group(
      'column',
      schema,
      each('t').map((table) => ({ table, column: 'x' })),
      OLD.bare.flatMap((one) => holds(one, ['INSERT', 'REFERENCES'])),
    ),
  ]),
  defaults: OLD.bare.flatMap((creator) =>
    each('o').map((schema) => ({ creator, schema, kind: 'table' as const, entries: OLD.bare.flatMap((one) => holds(one, ['DELETE', 'TRUNCATE'], creator)) })),
  ),
  creators: new Map(each('o').map((schema) => [schema, [...OLD.bare, ...OLD.foreign]])),
  extensions: new Map(each('x').map((extension) => [extension, 'public'])),
  trigger,
  strays: OLD.bare.flatMap((one) => ['pg_class', 'pg_proc'].map((what) => ({ role: one, what, count: 3 }))),
});

const member = (name: string, of: string, more: Partial<Membership> = {}): Membership => ({
  role: name,
  member: of,
  grantor: 'postgres',
  admin: false,
  inherit: true,
  set: true,
  ...more,
});
const dependency = (database: string): Dependency => ({
  database,
  objects: 5,
  acls: 2,
  owned: new Map([
    ['pg_class', 2],
    ['pg_proc', 1],
  ]),
});

/** The operator hands some of its users over to an author. */
const handedOver = OLD.declared.slice(2, 5);
const document: Document = {
  ...declared,
  sources: {
    authors: new Map([['author:a', { name: 'a', lent: ['*'], heldBecause: undefined, gone: new Map(), maxDeletions: 100 }]]),
    claims: new Map(handedOver.map((name) => [name, 'author:a'])),
    moves: new Map(handedOver.map((name) => [name, inputOfPlans(declared, catalogOf([], [])).removal.source])),
    shared: new Map(),
    undecided: new Set(),
    documents: new Map(),
    databases: new Map(),
    keptDatabases: new Set(),
    tolerated: new Set(),
  },
};

/** A server on which everything is otherwise than the document says. @param admin what our admin is. */
function server(admin: { readonly superuser: boolean; readonly readsVerifiers: boolean }): Catalog {
  const there = [...OLD.declared, ...OLD.left, ...OLD.closed, ...OLD.taken, ...OLD.foreign, ...OLD.bare, 'owner'];
  const base = catalogOf(there, []);
  const facts = (name: string, owner: string) => ({
    name,
    owner,
    encoding: 'UTF8',
    allowsConnections: true,
    isTemplate: false,
    publicConnect: true,
    mayGrant: true,
  });
  const settings = new Map([
    [
      '',
      new Map([
        ['work_mem', '2MB'],
        ['statement_timeout', '1s'],
        ['jit', 'off'],
      ]),
    ],
    [
      'shop',
      new Map([
        ['jit', 'on'],
        ['geqo', 'on'],
      ]),
    ],
  ]);
  const users = [...OLD.declared, ...OLD.left, ...OLD.closed, ...OLD.taken];
  return {
    ...base,
    server: { ...base.server, ...admin },
    cluster: {
      roles: new Map([...base.cluster.roles, ...users.map((name) => [name, role(name, { login: true, settings, comment: 'by hand' })] as const)]),
      memberships: [
        ...OLD.left.flatMap((name) => [...OLD.bare, ...OLD.foreign].map((one) => member(one, name))),
        ...OLD.left.map((name, index) => member(name, OLD.left[(index + 1) % 8] ?? '')).slice(0, 4),
        ...OLD.declared.flatMap((name) => OLD.foreign.flatMap((one) => [member(one, name), member(one, name, { grantor: OLD.bare[0] ?? '', admin: true })])),
        ...OLD.bare.map((name) => member(name, 'postgres')),
      ],
      grants: ['shop', 'other', 'tidy'].flatMap((name) =>
        [...OLD.declared, ...OLD.closed].map((grantee) => ({
          object: { kind: 'database' as const, name },
          grantee,
          grantor: 'owner',
          privilege: 'CONNECT' as const,
          grantable: true,
        })),
      ),
    },
    shared: ['shop', 'other', 'tidy'].map((name) =>
      group('database', '', [name], [...holds('public', ['CONNECT', 'TEMPORARY']), ...OLD.bare.flatMap((one) => holds(one, ['TEMPORARY', 'CREATE']))]),
    ),
    granted: new Set(['shop', 'other']),
    triggerDatabases: new Set(['tidy', 'other']),
    databases: new Map(['postgres', 'shop', 'other', 'tidy'].map((name) => [name, facts(name, name === 'postgres' ? 'postgres' : 'owner')])),
    verifiers: new Map(OLD.left.map((name) => [name, 'v'])),
    parameters: new Map(['work_mem', 'lock_timeout', 'statement_timeout'].map((name) => [name, 'user'])),
    managed: new Map(
      [
        ...[...OLD.declared, ...OLD.left, ...OLD.closed].map((name, index) =>
          managed(name, { entity: 'user', oid: base.oids.get(name) ?? 0, deletionPolicy: OLD.left.includes(name) && index % 2 === 0 ? 'disable' : null }),
        ),
        ...OLD.bare.map((name) => managed(name, { oid: base.oids.get(name) ?? 0 })),
        ...OLD.closed.slice(0, 3).map((name) => managed(name, { entity: 'user', privileges: true, oid: base.oids.get(name) ?? 0 })),
        ...OLD.gone.map((name) => managed(name, { entity: 'user', oid: 7 })),
      ].map((one) => [one.name, one]),
    ),
    recognised: [
      { from: '2', by: 'oids', names: ['x', 'y'], oids: [1, 2] },
      { from: '1', by: 'word', names: ['z'], oids: [3] },
      { from: null, by: 'passwords', names: ['w'], oids: [4] },
    ],
    unsure: new Map(each('q').map((name, index) => [name, index % 2 === 0 ? '1' : '2'])),
    absent: new Map(OLD.gone.slice(0, 4).map((name) => [name, { from: '1', awaited: name.length % 2 === 0 }])),
    dependencies: new Map(OLD.left.map((name) => [name, ['shop', 'other', 'tidy'].map(dependency)])),
    sessions: new Map([...OLD.left, ...OLD.closed].map((name) => [name, 2])),
  };
}

/** What a cycle on that server plans from, as it was sent. */
function inputOf(catalog: Catalog): PlanInput {
  const spec = { kind: 'generate' as const, length: 20, alphabet: 'alphanumeric' as const };
  const installed = { schema: 'ours' as const, trigger: 'current' as const, disabled: [], rules: 'old', tables: false };
  return {
    ...inputOfPlans(document, catalog),
    removal: { ...inputOfPlans(document, catalog).removal, maxDeletions: 100, drain: 'terminate' },
    readings: new Map([
      ['shop', { kind: 'read', contents: contents('shop', NO_TRIGGER) }],
      ['other', { kind: 'read', contents: contents('other', installed) }],
      ['tidy', { kind: 'read', contents: { ...contents('tidy', installed), groups: [] } }],
    ]),
    passedOn: new Map(
      OLD.left
        .slice(0, 2)
        .map((name) => [
          name,
          OLD.foreign.map((grantee) => ({ database: 'shop', grantee, owner: 'owner', isConnect: false, objects: 1, statements: [`GRANT TO ${grantee}`] })),
        ]),
    ),
    renaming: {
      ...NO_RENAMING,
      renames: [{ kind: 'rename_role', role: OLD.declared[0] ?? '', from: 'was', recorded: 'was', oid: 1, entity: 'user', clearsPassword: false }],
    },
    passwords: new Map(OLD.declared.map((name) => [name, 'drift'])),
    secrets: {
      ...inputOfPlans(document, catalog).secrets,
      create: FRESH.users.map((name) => ({ kind: 'create_secret', role: name, secret: `s-${name}`, key: 'password', spec })),
      rotate: OLD.declared.map((name) => ({ kind: 'rotate_secret', role: name, secret: `s-${name}`, key: 'password', spec, reason: 'schedule' })),
      write: OLD.declared.map((name) => ({
        kind: 'write_connection_secret',
        role: name,
        namespace: 'n',
        secret: `c-${name}`,
        reason: 'drift',
        isBroken: false,
      })),
    },
  };
}

/** What has an order of its own, or belongs together. */
const KEPT = new Set(['recognised', 'statements', 'document', 'secrets', 'law', 'removal', 'renaming', 'withoutSecret']);

/** The same values with every list, set and map in another order. */
function shuffled<T>(value: T, order: () => number, key = ''): T {
  const mix = <I>(items: readonly I[]): I[] =>
    items
      .map((item) => ({ item, place: order() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);
  if (KEPT.has(key) && key !== 'recognised') return value;
  if (Array.isArray(value)) return mix(key === 'recognised' ? value : value.map((item) => shuffled(item, order))) as T;
  if (value instanceof Set) return new Set(mix([...value])) as T;
  if (value instanceof Map) return new Map(mix([...value].map(([name, item]) => [name, shuffled(item, order)] as const))) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shuffled(item, order, name)])) as T;
}

const servers = [server({ superuser: true, readsVerifiers: true }), server({ superuser: false, readsVerifiers: false })];

const plan = (input: PlanInput): Plan => atOnce(planOf(input));

/** Made beside a plan, and not in one. */
const BESIDE: ReadonlySet<Change['kind']> = new Set(['prepare_ledger', 'rollback_prepared', 'rotate_admin_password', 'trim_audit_log']);

it('the plans of these servers have changes of every kind', () => {
  expect(document.problems).toEqual([]);
  const made = servers.flatMap((catalog) => {
    const { changes, blocked, deferred } = plan(inputOf(catalog));
    return [...changes, ...blocked.map(({ change }) => change), ...deferred];
  });
  expect(CHANGE_KINDS.filter((kind) => !BESIDE.has(kind) && !made.some((change) => change.kind === kind))).toEqual([]);
});

it.each([
  ['a superuser', 0],
  ['a plain admin', 1],
])('whatever the order of the rows that the server sends to %s, the plan is the same in every place', (_admin, index) => {
  const input = inputOf(servers[index] as Catalog);
  const expected = plan(input);
  fc.assert(
    fc.property(fc.infiniteStream(fc.integer()), (numbers) => {
      const found = plan(shuffled(input, () => numbers.next().value as number));
      expect(found.changes).toEqual(expected.changes);
      expect({ ...found, entities: 0, noticesOf: 0 }).toEqual({ ...expected, entities: 0, noticesOf: 0 });
      expect([...found.noticesOf]).toEqual([...expected.noticesOf]);
      expect([...found.entities]).toEqual([...expected.entities]);
    }),
    { numRuns: 6 },
  );
});
