// A snapshot is the same text for the same state: whoever looks beside it, and in whichever order the server has its rows.
import { beforeEach, expect, it } from 'vitest';
import { createConnections } from '../../src/postgres/connection.ts';
import { createMemory } from '../../src/steward/memory.ts';
import { serverOf } from '../../src/steward/server.ts';
import { takeSnapshot } from '../../src/steward/take-snapshot.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { momentless } from './both-plans.ts';
import { furnish, live, PASSWORDS, USERS } from './furnished.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { max_locks_per_transaction: '256' },
  (started) => (server = started),
  () => steward,
);

beforeEach(async () => {
  await furnish(server);
  steward = await createSteward(server, {});
  steward.manifests.users(USERS);
  steward.manifests.secrets(new Map(PASSWORDS));
  await steward.cycle();
  await live(server);
  for (const [schema, name] of [
    ['s', 't'],
    ['s', '"$map"'],
  ])
    await server.query(
      `CREATE POLICY b ON ${schema}.${name} TO alice, dave, bob; CREATE POLICY a ON ${schema}.${name} FOR SELECT TO PUBLIC; ALTER TABLE ${schema}.${name} ENABLE ROW LEVEL SECURITY`,
      'shop',
    );
  // Who is removed has passed something on to several.
  await server.query(`GRANT SELECT ON s.v TO alice WITH GRANT OPTION; SET ROLE alice; GRANT SELECT ON s.v TO bob, dave, __proto__, keeper_group`, 'shop');
});

/** All of it but the moment, as a process of its own would take it. */
async function snapshot(): Promise<string> {
  const connections = createConnections(steward.config.server, () => undefined);
  try {
    const place = serverOf(steward.config, connections);
    const memory = createMemory({ file: steward.config.stateFile, server: place, warn: () => undefined });
    const by = { takenBy: 'test', host: steward.config.server.host, port: steward.config.server.port };
    return momentless((await takeSnapshot(place, memory, by)).text);
  } finally {
    await connections.close();
  }
}

it('tells nothing of sessions of our own login, which come and go with every look, and of those of others how many there are', async () => {
  const before = await snapshot();
  const beside = await Promise.all(Array.from({ length: 5 }, (_, index) => server.client(index % 2 === 0 ? 'postgres' : 'shop')));
  expect(await snapshot()).toBe(before);
  const alice = await server.client('shop', { user: 'alice', password: 'the password of alice' });
  expect(await snapshot()).not.toBe(before);
  for (const session of [...beside, alice]) await session.end();
});

/** Every row moves behind those that had been after it: what is read in the order of a table is read in another one. */
const MOVED = [
  `UPDATE pg_authid SET rolconnlimit = rolconnlimit WHERE oid IN (SELECT oid FROM pg_authid WHERE rolname ~ '^[a-m]')`,
  `UPDATE pg_auth_members SET admin_option = admin_option WHERE member::bigint % 2 = 0`,
  `UPDATE pg_database SET datconnlimit = datconnlimit WHERE datname < 'm'`,
  `UPDATE pg_db_role_setting SET setconfig = setconfig WHERE setrole::bigint % 2 = 0`,
  `UPDATE pgsteward.managed_role SET name = name WHERE name < 'c'`,
];
const MOVED_INSIDE = [
  `UPDATE pg_class SET relname = relname WHERE oid >= 16384 AND relkind IN ('r', 'v', 'S') AND oid::bigint % 2 = 0`,
  `UPDATE pg_namespace SET nspname = nspname WHERE oid >= 16384 OR nspname = 'public'`,
  `UPDATE pg_proc SET proname = proname WHERE oid >= 16384 AND oid::bigint % 2 = 1`,
  `UPDATE pg_default_acl SET defaclobjtype = defaclobjtype WHERE oid::bigint % 2 = 0`,
  `UPDATE pg_policy SET polname = polname WHERE polname = 'a'`,
  `UPDATE pg_extension SET extversion = extversion`,
  `UPDATE pg_attribute SET attname = attname WHERE attrelid >= 16384 AND attacl IS NOT NULL AND attnum = 1`,
];

/** What the server would do otherwise. */
const PLANS = [
  ['enable_hashagg', 'enable_hashjoin'],
  ['enable_indexscan', 'enable_indexonlyscan', 'enable_bitmapscan', 'enable_nestloop'],
];

it('is the same text when rows stand in another order, when the server sorts where it hashed, and when it goes by tables where it went by indexes', async () => {
  const before = await snapshot();
  await server.query(`SET allow_system_table_mods = on; ${MOVED.join(';')}`);
  for (const database of ['postgres', 'shop']) await server.query(`SET allow_system_table_mods = on; ${MOVED_INSIDE.join(';')}`, database);
  expect(await snapshot()).toBe(before);
  for (const off of PLANS) {
    for (const name of off) await server.query(`ALTER SYSTEM SET ${name} = off`);
    await server.query('SELECT pg_reload_conf()');
    expect(await snapshot()).toBe(before);
    for (const name of off) await server.query(`ALTER SYSTEM RESET ${name}`);
    await server.query('SELECT pg_reload_conf()');
  }
});
