// The end of a cycle: where it fails while several databases are worked on, nothing is begun any more, and nothing is still running when it has returned.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { fenceOf } from '../../src/postgres/fence.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { fsync: 'off', log_line_prefix: '%d ' },
  (started) => (server = started),
  () => steward,
);

const SESSIONS = 3;
const DATABASES = Array.from({ length: 8 }, (_, index) => `d${index}`);
const FENCED = fenceOf(`(SELECT 1 WHERE pg_catalog.current_database() <> 'd0') one`);
/** What a GRANT does before it is made. */
const trap = (body: string, database: string): Promise<unknown> =>
  server.query(
    `CREATE FUNCTION trap() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$;
     CREATE EVENT TRIGGER trap ON ddl_command_start WHEN TAG IN ('GRANT') EXECUTE FUNCTION trap()`,
    database,
  );

it.each([
  ['the claim as the writer is lost in one of them', FENCED, undefined],
  ['the session of the admin database is ended', 'SELECT 1', 'PERFORM pg_terminate_backend(pg_backend_pid());'],
] as const)('%s', async (_, fence, ends) => {
  const admin = ends === undefined ? [] : ['d0'];
  for (const name of DATABASES) {
    await server.query(`CREATE DATABASE ${name}`);
    await server.query('CREATE TABLE goods (id int)', name);
  }
  const env = { DB_NAME: admin[0] ?? 'postgres', EVENT_TRIGGERS: 'off', DB_POOL_MIN_CONN: '1', DB_POOL_MAX_CONN: String(SESSIONS), MAX_RETRIES: '0' };
  steward = await createSteward(server, env);
  const declare = (grants: readonly object[]): void => steward.manifests.users([{ username: 'alice', login: false, grants }]);
  declare([]);
  expect((await steward.cycle()).error).toBeUndefined();
  // The first fails at once, and those beside it take their time.
  for (const name of DATABASES) await trap(name === 'd0' ? (ends ?? '') : 'PERFORM pg_sleep(1);', name);
  declare(DATABASES.map((database) => ({ database, schemas: ['public'], tables: { goods: ['SELECT'] } })));
  server.mark();
  const { error } = await steward.cycle(fence);
  const busy = await server.query(`SELECT datname, query FROM pg_stat_activity WHERE application_name ~ '^pgsteward' AND state <> 'idle'`);
  expect([error === undefined, busy]).toEqual([false, []]);
  const granted = (): readonly string[] => [
    ...new Set(
      ddlOf(server.log())
        .filter((line) => line.includes('GRANT SELECT'))
        .map((line) => line.split(' ')[0] ?? ''),
    ),
  ];
  const began = granted();
  // Those that had begun with it, and it.
  expect(began.length).toBeLessThanOrEqual(SESSIONS);
  server.mark();
  await sleep(2500);
  expect(granted()).toEqual([]);
  // What had not begun is made by the next cycle, once nothing is in the way.
  for (const name of DATABASES) await server.query('DROP EVENT TRIGGER trap', name);
  for (const round of [1, 2]) expect((await steward.cycle()).error, String(round)).toBeUndefined();
  for (const name of DATABASES)
    expect(await server.query(`SELECT has_table_privilege('alice', 'goods', 'SELECT') AS may`, name), name).toEqual([{ may: true }]);
});
