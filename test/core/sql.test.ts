// Injection: every text that is rendered parses as exactly one statement of the kind that was meant, whatever the names are.
import * as fc from 'fast-check';
import { loadModule, parseSync } from 'libpg-query';
import { beforeAll, expect, it } from 'vitest';
import type { Change } from '../../src/core/change.ts';
import { joinName } from '../../src/core/privileges/contents.ts';
import { KINDS, OBJECT_KINDS, privilegesOf } from '../../src/core/privileges/kinds.ts';
import { renderBatch, renderChange } from '../../src/core/sql.ts';
import { auditSql, managedRoleSql } from '../../src/postgres/ledger-write.ts';

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
  { kind: 'revoke_membership', role, member: other, grantor: database, adminOnly: false, cascade: true },
  ...OBJECT_KINDS.flatMap((object): Change[] => {
    const first = object === 'large_object' ? '16400' : other;
    const names = object === 'function' ? [joinName(first, 'integer, text[]')] : object === 'column' ? [joinName(first, database)] : [first];
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
  { kind: 'create_database', database, owner: role },
  { kind: 'alter_database_owner', database, owner: role, from: other },
  { kind: 'create_schema', database, schema: other, owner: role },
  { kind: 'alter_schema_owner', database, schema: other, owner: role, from: other, as: undefined },
  { kind: 'create_extension', database, extension: other, schema: role },
  { kind: 'set_password', role, reason: 'new' },
  { kind: 'clear_password', role },
  { kind: 'disable_role', role, keep: true },
  { kind: 'end_sessions', role, sessions: 1 },
  { kind: 'release_owned', role, database, heir: other, objects: 1, join: [role, other], leave: [other] },
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
  create_database: ['CreatedbStmt'],
  alter_database_owner: ['AlterOwnerStmt'],
  create_schema: ['CreateSchemaStmt'],
  alter_schema_owner: ['AlterOwnerStmt'],
  create_extension: ['CreateExtensionStmt'],
  set_password: ['AlterRoleStmt'],
  clear_password: ['AlterRoleStmt'],
  disable_role: ['AlterRoleStmt'],
  end_sessions: ['SelectStmt'],
  release_owned: ['GrantRoleStmt', 'GrantRoleStmt', 'ReassignOwnedStmt', 'DropOwnedStmt', 'DoStmt', 'GrantRoleStmt'],
  drop_role: ['SelectStmt', 'DropRoleStmt'],
};
const kindsOf = (sql: string): string[] => ((parseSync(sql) as { stmts: { stmt: object }[] }).stmts ?? []).flatMap(({ stmt }) => Object.keys(stmt));

it.each([15, 18])('each change on PostgreSQL %i', (major) => {
  fc.assert(
    fc.property(change, (changes) => {
      for (const one of changes) {
        const statements = renderChange(one, { major, grantor: 'postgres', verifierOf: () => "SCRAM-SHA-256$4096:x'" });
        expect(statements.flatMap(kindsOf), one.kind).toEqual(STATEMENTS[one.kind]);
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
      expect(renderBatch(grants, { major: 18, grantor: 'postgres' }).map((sql) => kindsOf(sql))).toEqual([['GrantRoleStmt']]);
      const facts = { source: members[0] ?? '', why: members[1] ?? '', render: { major: 18, grantor: 'postgres' }, witnessOf: () => undefined };
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
  const drop = (role: string): Change => ({ kind: 'drop_role', role, entity: 'role' });
  for (const role of ['x'.repeat(64), 'é'.repeat(32), 'a\0b', ''])
    expect(() => renderChange(drop(role), { major: 18, grantor: 'postgres' })).toThrow(RangeError);
});
