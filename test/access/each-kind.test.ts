// Each kind of change by itself, as its statements are run: what they leave on a server is what is followed in values.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { afterChanges } from '../../src/access/after.ts';
import type { Executable } from '../../src/changes/table.ts';
import { renderChange } from '../../src/changes/render.ts';
import type { GrantTarget } from '../../src/changes/target.ts';
import type { ObjectKind } from '../../src/model/kinds.ts';
import { readConfig } from '../../src/config.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { accessOf, plainState } from './follow.ts';

const ODD = 'o"d|d\n;\u001f';
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.query(
    'CREATE ROLE boss; CREATE ROLE a; CREATE ROLE b; CREATE ROLE c; CREATE ROLE d LOGIN; CREATE ROLE heir; CREATE ROLE boss_too; GRANT boss TO boss_too',
  );
  await postgres.query(`CREATE ROLE ${quoted(ODD)}`);
  await postgres.query('CREATE DATABASE shop OWNER boss');
  await postgres.query(
    `SET ROLE boss; CREATE SCHEMA s; CREATE TABLE s.t (x int, y int); CREATE TABLE s.u (x int); CREATE FUNCTION s.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE s.e AS ENUM ('a');
     GRANT USAGE ON SCHEMA s TO PUBLIC; GRANT SELECT, UPDATE ON s.t TO a WITH GRANT OPTION; GRANT SELECT (x, y) ON s.t TO b WITH GRANT OPTION; GRANT SELECT ON s.t TO boss_too WITH GRANT OPTION;
     GRANT SELECT ON s.t TO heir; SET ROLE a; GRANT SELECT, UPDATE ON s.t TO b WITH GRANT OPTION; SET ROLE b; GRANT SELECT, UPDATE ON s.t TO c, d; GRANT SELECT (x) ON s.t TO d;
     SET ROLE boss_too; GRANT SELECT ON s.t TO d; RESET ROLE; GRANT a TO b WITH ADMIN OPTION`,
    'shop',
  );
  if (postgres.major >= 15) await postgres.query('GRANT SET ON PARAMETER work_mem TO a');
  if (postgres.major >= 16) await postgres.query('SET ROLE b; GRANT a TO c WITH ADMIN OPTION; SET ROLE c; GRANT a TO d; RESET ROLE');
  await postgres.shutDown();
});
afterAll(() => postgres.stop());

const on = (object: ObjectKind, names: GrantTarget['names'], schema = 's', owner = 'boss'): GrantTarget => ({ database: 'shop', object, schema, names, owner });
const grant = (target: GrantTarget, role: string, privileges: readonly string[], more: { grantable?: boolean; as?: string } = {}): Executable => ({
  kind: 'grant_privilege',
  on: target,
  role,
  privileges,
  grantable: more.grantable === true,
  as: more.as,
  explained: false,
});
const revoke = (
  target: GrantTarget,
  role: string,
  privileges: readonly string[],
  more: { grantor?: string; as?: string; optionOnly?: boolean } = {},
): Executable => ({
  kind: 'revoke_privilege',
  on: target,
  role,
  privileges,
  grantor: more.grantor ?? target.owner,
  as: more.as,
  optionOnly: more.optionOnly === true,
  cascade: true,
  depth: 0,
  dependents: [],
  explained: false,
});
const defaults = (
  object: ObjectKind,
  role: string,
  privileges: readonly string[],
  schema = '',
): Omit<Extract<Executable, { kind: 'grant_default_privilege' }>, 'kind' | 'grantable'> => ({
  role,
  database: 'shop',
  creator: 'boss',
  schema,
  object,
  privileges,
  as: undefined,
});
const ATTRIBUTES = {
  login: true,
  inherit: false,
  createdb: false,
  createrole: false,
  bypassrls: false,
  connectionLimit: 3,
  validUntil: '2030-01-01T00:00:00.000Z',
};
const T = on('table', ['t']);
const F = on('function', [{ name: 'f', shown: 'integer', types: [{ schema: 'pg_catalog', name: 'int4' }], modes: undefined }]);
const membership = { role: 'a', member: 'b', grantor: 'postgres', cascade: true, dependents: [] } as const;
const release = { role: 'boss', database: 'shop', objects: 1, join: [], leave: [], lend: false, stays: false, holders: [] } as const;

const CASES: Readonly<Record<string, readonly Executable[]>> = {
  'a grant option goes with all that was granted by it': [revoke(T, 'a', ['SELECT', 'UPDATE'])],
  'of a grant option alone what was granted by it': [revoke(T, 'a', ['UPDATE'], { optionOnly: true })],
  'what was passed on twice': [revoke(T, 'b', ['SELECT'], { grantor: 'a', as: 'a' })],
  'who has the rights of the owner keeps the option': [revoke(T, 'boss_too', ['SELECT'])],
  'a table with its columns': [revoke(T, 'b', ['SELECT'])],
  'a column, and what hangs on it': [revoke(on('column', [{ table: 't', column: 'x' }]), 'b', ['SELECT'])],
  'columns that had no ACL, and no more': [
    grant(on('column', [{ table: 'u', column: 'x' }]), ODD, ['UPDATE'], { grantable: true }),
    grant(on('column', [{ table: 't', column: 'x' }]), ODD, ['REFERENCES']),
    revoke(on('column', [{ table: 'u', column: 'x' }]), ODD, ['UPDATE']),
  ],
  'as somebody who has the option': [grant(T, ODD, ['SELECT'], { as: 'a' }), grant(on('table', ['t', 'u']), ODD, ['DELETE'], { grantable: true })],
  'what nobody has touched': [grant(F, ODD, ['EXECUTE']), revoke(F, 'public', ['EXECUTE']), revoke(on('type', ['e']), 'public', ['USAGE'])],
  'what an owner has itself': [revoke(T, 'boss', ['SELECT', 'DELETE']), grant(T, 'boss', ['SELECT'], { grantable: true })],
  'databases and languages': [
    grant({ ...on('database', ['shop'], ''), database: '' }, ODD, ['CONNECT', 'CREATE']),
    revoke({ ...on('database', ['shop'], ''), database: '' }, 'public', ['TEMPORARY']),
    revoke(on('language', ['plpgsql'], '', 'postgres'), 'public', ['USAGE']),
  ],
  'a schema that goes to somebody who holds it already': [
    grant(on('schema', ['s'], ''), 'heir', ['USAGE', 'CREATE'], { grantable: true }),
    { kind: 'alter_schema_owner', database: 'shop', schema: 's', owner: 'heir', from: 'boss', as: undefined },
  ],
  'a database that goes to somebody else': [
    { kind: 'alter_database_owner', database: 'shop', owner: ODD, from: 'boss' },
    grant(on('schema', ['public'], '', 'pg_database_owner'), 'a', ['USAGE']),
  ],
  'default privileges, also what everybody has and the creator itself': [
    { kind: 'revoke_default_privilege', ...defaults('function', 'public', ['EXECUTE']), optionOnly: false },
    { kind: 'revoke_default_privilege', ...defaults('table', 'boss', ['DELETE']), optionOnly: false },
    { kind: 'grant_default_privilege', ...defaults('table', ODD, ['SELECT', 'INSERT'], 's'), grantable: true },
    { kind: 'revoke_default_privilege', ...defaults('table', ODD, ['SELECT'], 's'), optionOnly: true },
    { kind: 'grant_default_privilege', ...defaults('type', 'public', ['USAGE']), grantable: false },
    { kind: 'grant_default_privilege', ...defaults('sequence', 'a', ['USAGE'], 's'), grantable: false },
    { kind: 'revoke_default_privilege', ...defaults('sequence', 'a', ['USAGE'], 's'), optionOnly: false },
  ],
  'schemas by default privileges': [
    { kind: 'create_schema', database: 'shop', schema: 'before', owner: 'boss' },
    { kind: 'grant_default_privilege', ...defaults('schema', ODD, ['USAGE']), grantable: true },
    { kind: 'revoke_default_privilege', ...defaults('schema', 'boss', ['CREATE']), optionOnly: false },
    { kind: 'create_schema', database: 'shop', schema: ODD, owner: 'boss' },
    { kind: 'create_schema', database: 'shop', schema: 'ours', owner: undefined },
  ],
  roles: [
    { kind: 'create_role', role: 'new', entity: 'user', attributes: ATTRIBUTES, memberOf: [] },
    { kind: 'alter_role', role: 'new', entity: 'user', attributes: { inherit: true, createdb: true, validUntil: null, connectionLimit: -1 } },
    { kind: 'grant_membership', role: 'a', member: 'new', admin: true, inherit: false, set: true },
    { kind: 'grant_membership', role: 'a', member: 'c', admin: false, inherit: true, set: false },
    { kind: 'disable_role', role: 'new', keep: true },
    { kind: 'rename_role', role: ODD.toUpperCase(), from: 'd', recorded: undefined, oid: 0, entity: 'user', clearsPassword: false },
  ],
  'a membership with those that were granted by it': [{ kind: 'revoke_membership', ...membership, adminOnly: false }],
  'the admin option with what was granted by it': [{ kind: 'revoke_membership', ...membership, adminOnly: true }],
  'what a role owns and holds': [
    { kind: 'grant_default_privilege', ...defaults('table', ODD, ['SELECT']), grantable: false },
    { kind: 'release_owned', ...release, heir: 'heir', fresh: false, moves: true },
    { kind: 'release_owned', ...release, heir: undefined, fresh: false, moves: false },
    { kind: 'drop_role', role: 'boss', entity: 'role' },
  ],
  'what a role holds and passed on': [
    { kind: 'release_owned', ...release, role: 'b', heir: undefined, fresh: false, moves: false, holders: [] },
    { kind: 'drop_role', role: 'b', entity: 'role' },
  ],
};

const PARAMETERS: Readonly<Record<string, readonly Executable[]>> = {
  'the last entry of a parameter': [revoke({ ...on('parameter', ['work_mem'], '', 'postgres'), database: '' }, 'a', ['SET'])],
  'a parameter that had no entry': [
    grant({ ...on('parameter', ['log_statement'], '', 'postgres'), database: '' }, ODD, ['SET', 'ALTER SYSTEM'], { grantable: true }),
  ],
};

it.each(Object.entries(CASES))('%s', (_, changes) => followed(changes));
it.each(Object.entries(PARAMETERS))('%s, from 15 on', async (_, changes) => {
  if (postgres.major >= 15) await followed(changes);
});

/** On a copy of the server, change by change. */
async function followed(changes: readonly Executable[]): Promise<void> {
  const server = await startPostgres({ copyOf: postgres.dataDir });
  try {
    const config = readConfig({
      SOURCE: 'dir:/nowhere',
      DB_HOST: server.host,
      DB_PORT: String(server.port),
      DB_USER: 'postgres',
      DB_PASS: server.password,
      DB_NAME: 'shop',
      DB_SSLMODE: 'disable',
    });
    const before = await accessOf(config);
    // Whoever holds something from a role that is released may lose it.
    const holders = (await server.query<{ oid: number }>('SELECT oid FROM pg_roles UNION SELECT 0')).map(({ oid }) => oid);
    for (const change of changes) {
      const statements = renderChange(change.kind === 'release_owned' ? { ...change, holders } : change, { major: server.major, grantor: 'postgres' });
      await server.query(`BEGIN; ${statements.join('; ')}; COMMIT`, 'shop');
    }
    const after = await accessOf(config);
    expect(plainState(afterChanges(before, changes))).toEqual(plainState(after));
    expect(plainState(after)).not.toEqual(plainState(before));
  } finally {
    await server.stop();
  }
}
