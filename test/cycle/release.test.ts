// Release by an admin without superuser: what it cannot do it says, with SQL that then works.
import { expect, it } from 'vitest';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const KEEPER = { username: 'keeper' };
const declare = (users: readonly object[]): void => {
  steward.manifests.users(JSON.stringify({ users }));
  steward.manifests.secrets(new Map(users.map((user) => [(user as { username: string }).username, 'p'])));
};
const heirOf = async (): Promise<string> =>
  (await server.query<{ name: string }>(`SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'pgsteward\\_heir\\_%'`))[0]?.name ?? '';

it('a plain admin that may not lend CREATE on a schema says what a superuser has to run, and then the user goes', async () => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; GRANT pg_signal_backend TO adm; CREATE ROLE stranger`);
  await server.query('CREATE DATABASE home OWNER adm');
  await server.query('CREATE DATABASE shop OWNER adm');
  steward = await createSteward(server, { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home' });
  declare([{ username: `mal'"l;ory` }, KEEPER]);
  await steward.cycle();
  await server.query(
    `CREATE SCHEMA theirs AUTHORIZATION stranger; GRANT ALL ON SCHEMA theirs TO "mal'""l;ory"; SET SESSION AUTHORIZATION "mal'""l;ory";
     CREATE FUNCTION theirs.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; RESET SESSION AUTHORIZATION; REVOKE ALL ON SCHEMA theirs FROM "mal'""l;ory"`,
    'shop',
  );
  declare([KEEPER]);
  const { message = '' } = (await steward.cycle()).notices.find((notice) => notice.subject === `mal'"l;ory`) ?? {};
  const heir = await heirOf();
  const sql = /run in database shop as a superuser: (REASSIGN OWNED BY .*? TO "\w+")/.exec(message)?.[1] ?? '';
  expect([message.includes('permission denied for schema theirs'), sql]).toEqual([true, `REASSIGN OWNED BY "mal'""l;ory" TO "${heir}"`]);
  await server.query(sql, 'shop');
  steward = await steward.restart();
  expect((await steward.cycle()).outcomes.filter(({ result }) => result !== 'applied')).toEqual([]);
  expect([await server.query(`SELECT 1 FROM pg_roles WHERE rolname LIKE 'mal%'`), (await steward.cycle()).result]).toEqual([[], 'converged']);
});
