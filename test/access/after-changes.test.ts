// The state that changes leave, in values and on real servers: whatever documents ask for, each kind of change does in values what it does to a server.
import { describe, expect, it } from 'vitest';
import { afterChanges } from '../../src/access/after.ts';
import { realmIn } from '../../src/access/state.ts';
import type { Change } from '../../src/changes/change.ts';
import { ASKS, furnish, live, PASSWORDS, STRANGER, USERS } from '../convergence/furnished.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { accessOf, followedCycle } from './follow.ts';
import { LIFE } from './life.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { max_locks_per_transaction: '256' },
  (started) => (server = started),
  () => steward,
);

/** Documents in their turn; after each as many cycles as it takes. @returns the kinds of changes that were followed. */
async function follow(documents: readonly object[], between?: () => Promise<void>): Promise<ReadonlySet<string>> {
  const kinds = new Set<string>();
  for (const document of documents) {
    steward.manifests.users(JSON.stringify(document));
    for (let cycles = 0; cycles < 4; cycles += 1) {
      const { outcomes, problems } = await followedCycle(steward);
      if (between !== undefined) expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
      for (const { change, result } of outcomes) if (result === 'applied') kinds.add(change.kind);
      if (outcomes.every(({ result }) => result !== 'applied')) break;
    }
    await between?.();
  }
  return kinds;
}

const OPEN = { MAX_DELETIONS: '100', DELETION_POLICY: 'drop', REASSIGN_TO: 'keeper_group', ALLOWED_ROLES: 'keeper_group' };

describe.each([
  ['a superuser', {}],
  ['a CREATEROLE admin', { DB_USER: 'adm', DB_PASS: 'adm' }],
])('as %s', (who, env) => {
  it('documents that ask for little, much, and nothing any more leave what their changes say', async () => {
    await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'`);
    await furnish(server);
    if (who !== 'a superuser') await server.query(`GRANT ${STRANGER_SQL}, keeper_group TO adm WITH ADMIN OPTION; ALTER DATABASE shop OWNER TO adm`);
    steward = await createSteward(server, { ...OPEN, ...env });
    steward.manifests.secrets(new Map(PASSWORDS));
    await follow([{ users: USERS }]);
    await live(server);
    await follow(ASKS);
  });

  it('what documents give, change, rename, hand over and take one after the other is what their changes say', async () => {
    await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'`);
    await furnish(server);
    if (who !== 'a superuser') await server.query(`GRANT ${STRANGER_SQL}, keeper_group TO adm WITH ADMIN OPTION; ALTER DATABASE shop OWNER TO adm`);
    // Under whom our admin grants would depend on which changes run together, where it is a member of one that may pass it on.
    await server.query(`REVOKE CONNECT ON DATABASE shop FROM ${STRANGER_SQL} CASCADE`);
    steward = await createSteward(server, { ...OPEN, ...env });
    steward.manifests.secrets(
      new Map([...PASSWORDS, ['gone', 'the password of gone'], ['alison', 'the password of alison'], ['nobody', 'the password of nobody']]),
    );
    const kinds = await follow(LIFE, async () => {
      // What people do with what they got: they make things, and pass on what they may.
      for (const sql of [
        'SET ROLE gone; CREATE TABLE s.of_gone (id serial); GRANT SELECT ON s.of_gone TO team; CREATE SCHEMA gone_s; CREATE TABLE gone_s.t (id int)',
        'SET ROLE bob; GRANT SELECT ON s.t TO __proto__, gone',
        `SET ROLE bob; CREATE TABLE "new ""s""".of_bob (id int); ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO gone, PUBLIC; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`,
        'SET ROLE bob; GRANT team TO __proto__ WITH ADMIN OPTION',
      ])
        await server.query(sql, 'shop').catch(() => undefined);
    });
    for (const kind of ['create_role', 'alter_role', 'rename_role', 'drop_role', 'grant_membership', 'revoke_membership', 'create_database', 'create_schema'])
      expect([...kinds], kind).toContain(kind);
    if (who !== 'a superuser') return;
    for (const kind of ['grant_privilege', 'revoke_privilege', 'grant_default_privilege', 'revoke_default_privilege', 'release_owned', 'alter_database_owner'])
      expect([...kinds], kind).toContain(kind);
  });
});

const STRANGER_SQL = `"${STRANGER.replaceAll('"', '""')}"`;

it('two roles that take each other’s names keep what they have, and what was given stays as it was', async () => {
  await server.query('CREATE ROLE a LOGIN; CREATE ROLE b; CREATE TABLE t (id int); GRANT SELECT ON t TO a; GRANT b TO a');
  steward = await createSteward(server);
  const before = await accessOf(steward.config);
  const rename = (role: string, from: string): Change => ({
    kind: 'rename_role',
    role,
    from,
    recorded: undefined,
    oid: 1,
    entity: 'role',
    clearsPassword: false,
  });
  const after = afterChanges(before, [rename('b', 'a'), rename('a', 'b')]);
  expect([after.roles.get('a')?.login, after.roles.get('b')?.login]).toEqual([false, true]);
  expect(after.memberships.filter(({ member }) => member === 'a' || member === 'b')).toMatchObject([{ role: 'a', member: 'b' }]);
  const grantees = (state: typeof after | typeof before): readonly string[] =>
    state.databases.get('postgres')?.groups.flatMap(({ names, entries }) => (names.includes('t') ? entries.map(({ grantee }) => grantee) : [])) ?? [];
  expect(grantees(after)).toContain('b');
  expect(grantees(after)).not.toContain('a');
  expect(grantees(before)).toContain('a');
  expect(realmIn(after, 'postgres')).toMatchObject({ databaseOwner: 'postgres', roles: after.roles });
});

it('what an extension brings is said to be unknown', async () => {
  steward = await createSteward(server);
  const change: Change = { kind: 'create_extension', database: 'postgres', extension: 'hstore', schema: undefined, guarded: false };
  expect(afterChanges(await accessOf(steward.config), [change]).unknown).toEqual([
    'what the extension hstore brings into database postgres shows only when it is installed',
  ]);
});
