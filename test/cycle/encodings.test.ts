// Encodings: a role's name is bytes that each database reads in its own encoding, and nobody is served, robbed or dropped for somebody else.
import { expect, it } from 'vitest';
import { QUIET } from '../privileges/quiet.ts';
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

/** What the stranger é is called in LATIN1: by its bytes, and there the user of this name is called otherwise. */
const USER = 'Ã©';
const grants = (database: string): object => ({ database, schemas: ['public'], tables: { '*': ['SELECT'] } });
const make = async (database: string, encoding: string): Promise<void> => {
  await server.query(`CREATE DATABASE ${database} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`);
  await server.query('CREATE TABLE t ()', database);
};
const tables = (database: string): Promise<{ name: string; owner: string; acl: string | null }[]> =>
  server.query(
    `SELECT relname AS name, pg_get_userbyid(relowner) AS owner, relacl::text AS acl FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1`,
    database,
  );
const readers = async (user: string, database: string): Promise<string[]> =>
  (
    await server.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND
    EXISTS (SELECT FROM aclexplode(relacl) x WHERE x.grantee = '${user}'::regrole) ORDER BY 1`,
      database,
    )
  ).map(({ name }) => name);

it('a role is neither granted anything, nor robbed of what it has and owns, for another one whose name has its bytes in a database of another encoding', async () => {
  await make('latin', 'LATIN1');
  await server.query('CREATE ROLE "é"');
  await server.query(`CREATE TABLE own (); ALTER TABLE own OWNER TO "Ã©"; GRANT UPDATE ON t TO "Ã©"`, 'latin');
  const before = await tables('latin');
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
  const keeper = { username: 'keeper', login: false };
  steward.manifests.users([{ username: USER, login: false, database: 'latin', grants: [grants('latin')] }, keeper]);
  const granting = await steward.cycle();
  expect(await tables('latin')).toEqual(before);
  const why = expect.stringContaining(`the name ${USER} means another role in database latin, or none: the server keeps names as bytes`) as string;
  expect(granting.notices.map(({ kind, message, advice }) => [kind, message, advice])).toEqual(
    ['USAGE on schema public', 'SELECT on tables', 'SELECT on future tables'].map(() => ['cannot', why, undefined]),
  );
  // Nor by the event trigger, which somebody else makes needed.
  steward.manifests.users([
    { username: USER, login: false, database: 'latin', grants: [grants('latin')] },
    { ...keeper, grants: [grants('latin')] },
  ]);
  await steward.cycle();
  await server.query('CREATE TABLE later ()', 'latin');
  expect(await readers('keeper', 'latin')).toEqual(['later', 'own', 't']);
  expect(await readers('"Ã©"', 'latin')).toEqual(['own', 't']);
  // The user itself owns something there: what it has stays where it is, and so does the stranger's.
  await server.query('CREATE TABLE mine ()', 'latin');
  await server.query(`ALTER TABLE mine OWNER TO "${Buffer.from(USER).toString('latin1')}"`, 'latin');
  const owned = await tables('latin');
  steward.manifests.users([{ ...keeper, grants: [grants('latin')] }]);
  for (let cycle = 1; cycle <= 3; cycle += 1) await steward.cycle();
  expect(await tables('latin')).toEqual(owned);
  expect(await server.query(`SELECT 1 FROM pg_roles WHERE rolname = '${USER}'`)).toHaveLength(1);
});

it('where names are the same bytes everything is done, whatever letters they have', async () => {
  await make('raw', 'SQL_ASCII');
  await make('same', 'UTF8');
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
  steward.manifests.users([
    { username: USER, login: false, databases: ['raw', 'same'], grants: [grants('raw'), grants('same')] },
    { username: 'keeper', login: false },
  ]);
  expect((await steward.cycle()).notices).toEqual([]);
  expect((await steward.cycle()).result).toBe('converged');
  for (const database of ['raw', 'same']) {
    await server.query('CREATE TABLE later ()', database);
    expect(await readers(`"${USER}"`, database)).toEqual(['later', 't']);
  }
  steward.manifests.users([{ username: 'keeper', login: false }]);
  for (let cycle = 1; cycle <= 2; cycle += 1) await steward.cycle();
  expect(await server.query(`SELECT 1 FROM pg_roles WHERE rolname = '${USER}'`)).toEqual([]);
});
