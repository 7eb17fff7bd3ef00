// A dump that is restored into a managed database: what it brings has its declared privileges, and nothing in it fails.
import { execFileSync } from 'node:child_process';
import { afterEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { QUIET, settles, writesDuring } from '../privileges/quiet.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  QUIET,
  (started) => (server = started),
  () => steward,
);
afterEach(() => server.query('DROP DATABASE IF EXISTS source'));

/** Runs one of the tools that come with psql. */
const tool = (name: string, args: readonly string[], input?: Buffer): Buffer =>
  execFileSync(name, ['-h', server.host, '-p', String(server.port), '-U', server.user, ...args], {
    env: { ...process.env, PGPASSWORD: server.password },
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(input === undefined ? {} : { input }),
  });
/** 0 where there is none. */
const dumpMajor = (): number => {
  try {
    return Number(/\d+/.exec(execFileSync('pg_dump', ['--version'], { encoding: 'utf8' }))?.[0] ?? 0);
  } catch {
    return 0;
  }
};

it('pg_restore into a managed database: each object is as declared when it is there, whoever owned it and whatever it held', async ({ skip }) => {
  steward = await createSteward(server);
  // pg_dump refuses a server that is newer than itself.
  if (dumpMajor() < server.major) skip();
  await server.query('CREATE ROLE maker; CREATE ROLE kafka');
  await server.query('CREATE DATABASE source');
  await server.query('CREATE DATABASE shop');
  await server.query(
    `CREATE SCHEMA sales AUTHORIZATION maker; SET ROLE maker; CREATE TABLE sales.outbox (id serial PRIMARY KEY, note text); INSERT INTO sales.outbox (note) VALUES ('a');
     CREATE TABLE sales.secret (id int); GRANT SELECT ON sales.secret TO kafka; CREATE VIEW sales.seen AS SELECT * FROM sales.outbox;
     CREATE FUNCTION sales.call(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE sales.parts (id int) PARTITION BY RANGE (id);
     CREATE TABLE sales.part PARTITION OF sales.parts DEFAULT`,
    'source',
  );
  steward.manifests.users(
    stringify({
      roles: [
        {
          name: 'kafka',
          grants: [
            { database: 'shop', schemas: ['sales'], tables: { '*': ['SELECT'], secret: [], outbox: ['SELECT', 'INSERT'] }, functions: { 'c*': ['EXECUTE'] } },
          ],
        },
      ],
      users: [{ username: 'connector', login: false }],
    }),
  );
  await settles(server, steward);
  tool('pg_restore', ['--exit-on-error', '-d', 'shop'], tool('pg_dump', ['-Fc', 'source']));
  const tables = `SELECT relname, has_table_privilege('kafka', oid, 'SELECT') AS reads, has_table_privilege('kafka', oid, 'INSERT') AS writes
    FROM pg_class WHERE relnamespace = 'sales'::regnamespace AND relkind IN ('r', 'p', 'v') AND relname <> 'secret' ORDER BY 1`;
  expect(await server.query(tables, 'shop')).toEqual(
    ['outbox', 'part', 'parts', 'seen'].map((relname) => ({ relname, reads: true, writes: relname === 'outbox' })),
  );
  // The dump's own GRANT comes last; only the cycle takes it back.
  await steward.cycle();
  expect(await server.query(`SELECT has_table_privilege('kafka', 'sales.secret', 'SELECT') AS may`, 'shop')).toEqual([{ may: false }]);
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
});
