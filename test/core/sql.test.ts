// Injection: every text that is rendered parses as exactly one statement of the kind that was meant, whatever the names are.
import * as fc from 'fast-check';
import { loadModule, parseSync } from 'libpg-query';
import { beforeAll, expect, it } from 'vitest';
import type { Change } from '../../src/changes/change.ts';
import type { Executable } from '../../src/changes/table.ts';
import type { ObjectName } from '../../src/model/contents.ts';
import { storedVerifier, type StoredVerifier } from '../../src/model/scram.ts';
import { KINDS, OBJECT_KINDS, privilegesOf } from '../../src/model/kinds.ts';
import { executable, renderBatch, renderChange } from '../../src/changes/render.ts';
import { showBatch, showChange } from '../../src/changes/shown.ts';
import { auditSql } from '../../src/postgres/audit-write.ts';
import { managedRoleSql } from '../../src/postgres/ledger-write.ts';

beforeAll(() => loadModule());

const name = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 40, unit: 'binary' }),
    fc.constantFrom('"; DROP ROLE postgres; --', "'; SELECT 1; '", '$$', '\\', "\\'", '/*', '--', 'select', '\n', '🐘', "E'\\'", '"', "'"),
  )
  .map((text) => text.replaceAll('\0', '').replace(/[^\x20-\x7e\n]/gu, (char) => (char.isWellFormed() ? char : '')))
  .filter((text) => text !== '' && text.isWellFormed() && Buffer.byteLength(text) <= 63);
const value = fc.string({ unit: 'binary', maxLength: 80 }).map((text) => text.replaceAll('\0', '').toWellFormed());
const attributes = {
  login: true,
  inherit: false,
  createdb: false,
  createrole: false,
  bypassrls: false,
  connectionLimit: 3,
  validUntil: '2030-01-01T00:00:00.000Z',
};

const change = fc.tuple(name, name, name, value).map(([role, other, database, text]): Change[] => [
  { kind: 'create_role', role, entity: 'user', attributes, memberOf: [] },
  { kind: 'alter_role', role, entity: 'user', attributes },
  { kind: 'set_comment', role, comment: text },
  { kind: 'set_setting', role, database, name: 'work_mem', value: text },
  { kind: 'set_setting', role, database: '', name: 'search_path', value: `"${text.replaceAll('"', '""')}", b` },
  { kind: 'reset_setting', role, database, name: 'app.x' },
  { kind: 'grant_membership', role, member: other, admin: true, inherit: false, set: true },
  { kind: 'revoke_membership', role, member: other, grantor: database, adminOnly: false, cascade: true, dependents: [] },
  ...OBJECT_KINDS.flatMap((object): Change[] => {
    const first = object === 'large_object' ? '16400' : other;
    const type = { schema: database, name: role };
    const names: readonly ObjectName[] =
      object === 'function'
        ? [
            { name: first, shown: text, types: [{ schema: 'pg_catalog', name: '_text' }, type], modes: undefined },
            { name: other, shown: text, types: [type, type, type, type], modes: ['IN', 'OUT', 'INOUT', 'VARIADIC'] },
          ]
        : object === 'column'
          ? [{ table: first, column: database }]
          : [first];
    const on = { database: '', object, schema: KINDS[object].scope === 'schema' ? database : '', names, owner: other };
    const privileges = privilegesOf(object, 16).slice(0, 2);
    const target = { database, creator: other, schema: database, object };
    const base = { role, on, explained: false };
    return [
      { kind: 'grant_privilege', ...base, privileges, grantable: true, as: undefined },
      { kind: 'revoke_privilege', ...base, privileges, grantor: other, depth: 1, optionOnly: true, cascade: true, dependents: [], as: other },
      ...(KINDS[object].defaults === undefined
        ? []
        : [
            { kind: 'grant_default_privilege' as const, role, ...target, privileges, grantable: true, as: undefined },
            { kind: 'revoke_default_privilege' as const, role, ...target, privileges, optionOnly: true, as: undefined },
          ]),
    ];
  }),
  { kind: 'stop_inheriting', role },
  { kind: 'create_database', database, owner: role },
  { kind: 'alter_database_owner', database, owner: role, from: other },
  { kind: 'create_schema', database, schema: other, owner: role },
  { kind: 'alter_schema_owner', database, schema: other, owner: role, from: other, as: undefined },
  { kind: 'create_extension', database, extension: other, schema: role, guarded: true },
  { kind: 'set_password', role, reason: 'new' },
  { kind: 'set_password', role, reason: 'login', opens: { login: true, validUntil: text } },
  { kind: 'clear_password', role },
  { kind: 'disable_role', role, keep: true },
  { kind: 'end_sessions', role, sessions: 1 },
  { kind: 'rollback_prepared', role, database, gid: text },
  {
    kind: 'release_owned',
    role,
    database,
    heir: other,
    objects: 1,
    join: [role, other],
    leave: [role, other],
    fresh: true,
    lend: true,
    moves: false,
    stays: false,
    holders: [0, 16_384],
  },
  { kind: 'drop_role', role, entity: 'user' },
]);

const STATEMENTS: Readonly<Record<string, readonly string[]>> = {
  create_role: ['CreateRoleStmt'],
  alter_role: ['AlterRoleStmt'],
  set_comment: ['CommentStmt'],
  set_setting: ['AlterRoleSetStmt'],
  reset_setting: ['AlterRoleSetStmt'],
  grant_membership: ['GrantRoleStmt'],
  revoke_membership: ['GrantRoleStmt'],
  grant_privilege: ['GrantStmt'],
  revoke_privilege: ['VariableSetStmt', 'GrantStmt', 'VariableSetStmt'],
  grant_default_privilege: ['AlterDefaultPrivilegesStmt'],
  revoke_default_privilege: ['AlterDefaultPrivilegesStmt'],
  stop_inheriting: ['GrantRoleStmt'],
  create_database: ['CreatedbStmt'],
  alter_database_owner: ['AlterOwnerStmt'],
  create_schema: ['CreateSchemaStmt'],
  alter_schema_owner: ['AlterOwnerStmt'],
  create_extension: ['DoStmt', 'CreateExtensionStmt'],
  set_password: ['AlterRoleStmt'],
  clear_password: ['AlterRoleStmt'],
  disable_role: ['AlterRoleStmt'],
  end_sessions: ['SelectStmt'],
  rollback_prepared: ['TransactionStmt'],
  release_owned:
    'GrantRoleStmt GrantRoleStmt GrantRoleStmt ReassignOwnedStmt GrantRoleStmt DoStmt DoStmt DoStmt DropOwnedStmt DoStmt GrantRoleStmt GrantRoleStmt'.split(
      ' ',
    ),
  drop_role: ['SelectStmt', 'DropRoleStmt'],
};
const VERIFIER = storedVerifier(`SCRAM-SHA-256$4096:AAAA$${'A'.repeat(43)}=:${'B'.repeat(43)}=`) as StoredVerifier;
const kindsOf = (sql: string): string[] => ((parseSync(sql) as { stmts: { stmt: object }[] }).stmts ?? []).flatMap(({ stmt }) => Object.keys(stmt));

it.each([15, 18])('each change on PostgreSQL %i', (major) => {
  fc.assert(
    fc.property(change, (changes) => {
      for (const one of changes) {
        const statements = renderChange(
          executable(one, () => VERIFIER),
          { major, grantor: 'postgres' },
        );
        // Functions and procedures are two statements.
        const grants = 'on' in one && one.on.object === 'function' ? 2 : 1;
        const expected = STATEMENTS[one.kind]?.flatMap((kind) => Array.from({ length: kind === 'GrantStmt' ? grants : 1 }, () => kind));
        expect(statements.flatMap(kindsOf), one.kind).toEqual(expected);
        for (const statement of statements) expect(kindsOf(statement), one.kind).toHaveLength(1);
        // A quoted name comes back from the parser as it went in: the statement is about this role and no other.
        if (one.kind === 'drop_role') expect(JSON.stringify(parseSync(statements[1] ?? ''))).toContain(JSON.stringify(one.role));
      }
    }),
    { numRuns: 150, seed: 7 },
  );
});

it('batches, and what is remembered with them', () => {
  fc.assert(
    fc.property(change, fc.array(name, { minLength: 2, maxLength: 5 }), (changes, members) => {
      const grants = members.map((member): Change => ({ kind: 'grant_membership', role: members[0] ?? '', member, admin: false, inherit: true, set: true }));
      expect(
        renderBatch(
          grants.map((one) => executable(one)),
          { major: 18, grantor: 'postgres' },
        ).map((sql) => kindsOf(sql)),
      ).toEqual([['GrantRoleStmt']]);
      const facts = {
        source: members[0] ?? '',
        server: members[0] ?? null,
        why: members[1] ?? '',
        render: { major: 18, grantor: 'postgres' },
        witnessOf: () => undefined,
      };
      for (const sql of managedRoleSql(changes, facts)) expect(kindsOf(sql)).toHaveLength(1);
      expect(
        auditSql(
          changes.map((one) => ({ change: one, outcome: 'applied' })),
          facts,
        ).map((sql) => kindsOf(sql)),
      ).toEqual([['SelectStmt'], ['InsertStmt']]);
    }),
    { numRuns: 150, seed: 7 },
  );
});

it('names that the server would cut, and NUL, are refused', () => {
  const drop = (role: string): Executable => ({ kind: 'drop_role', role, entity: 'role' });
  for (const role of ['x'.repeat(64), 'é'.repeat(32), 'a\0b', ''])
    expect(() => renderChange(drop(role), { major: 18, grantor: 'postgres' })).toThrow(RangeError);
});

const OPTIONS = { major: 18, grantor: 'postgres' };
const SETS: readonly Change[] = [
  { kind: 'set_password', role: 'alice', reason: 'new' },
  { kind: 'rotate_admin_password', role: 'alice', namespace: 'n', secret: 's', reason: 'request' },
];

it.each(SETS)('what people read of $kind is no SQL, alone and among others', (sets) => {
  expect(showChange(sets, OPTIONS)).toEqual(['ALTER ROLE "alice" PASSWORD ********']);
  for (const sql of [...showChange(sets, OPTIONS), showBatch([{ kind: 'clear_password', role: 'bob' }, sets], OPTIONS).join('; ')])
    expect(() => parseSync(sql)).toThrow('syntax error');
});

it.each(SETS)('without a verifier there is nothing of $kind to execute, and nothing else passes for one', (sets) => {
  expect(() => executable(sets)).toThrow(RangeError);
  expect(() => executable(sets, () => undefined)).toThrow(RangeError);
  for (const text of ['', '********', 'hunter2', `${VERIFIER} `, `${VERIFIER}\n`, 'md5', 'SCRAM-SHA-256$4096:AAAA$B:C', `md5${'0'.repeat(32)}\n`])
    expect(() =>
      renderChange(
        executable(sets, () => text as StoredVerifier),
        OPTIONS,
      ),
    ).toThrow(RangeError);
});

it('what is no privilege never gets into a statement', () => {
  const on = { database: '', object: 'table' as const, schema: 's', names: ['t'], owner: 'o' };
  const grant: Change = { kind: 'grant_privilege', role: 'r', on, privileges: ['SELECT ON t TO m; --'], grantable: false, as: undefined, explained: false };
  expect(() => renderChange(grant, { major: 18, grantor: 'postgres' })).toThrow(RangeError);
});
