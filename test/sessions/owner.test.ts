// The owner of a database: what is set and planted there runs nothing as us, and every statement of ours is that of our login.
import { beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { removeSql } from '../../src/sql/trigger-sql.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { max_connections: '100' },
  (started) => (server = started),
  () => steward,
);

/** Says in the server's log as whom it runs; and whoever can come back to a login with rights does so. */
const CANARY = `CREATE FUNCTION public.canary() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    RAISE LOG 'canary of % in %', current_user, session_user; RETURN true; END $$`;
const sung = (): string[] =>
  server
    .log()
    .split('\n')
    .filter((line) => line.includes('LOG:  canary of'));

const PLANTED = `CREATE SCHEMA pgsteward;
  CREATE TABLE pgsteward.trigger_subject (role text COLLATE "C" PRIMARY KEY, mode text NOT NULL, database oid NOT NULL);
  CREATE TABLE pgsteward.trigger_rule (key text PRIMARY KEY, role text COLLATE "C" NOT NULL, kind text NOT NULL, schema text NOT NULL, name text NOT NULL,
    second text, glob boolean NOT NULL, wide boolean NOT NULL, implied boolean NOT NULL, rank int[] NOT NULL, privileges text[] NOT NULL, options boolean[] NOT NULL, place text COLLATE "C");
  INSERT INTO pgsteward.trigger_subject VALUES ('mallory', 'exact', 0);
  INSERT INTO pgsteward.trigger_rule VALUES ('k', 'r', 'table', 's', 'n', NULL, false, false, false, '{}', '{}', '{}', 'p');
  ALTER TABLE pgsteward.trigger_subject ENABLE ROW LEVEL SECURITY; ALTER TABLE pgsteward.trigger_subject FORCE ROW LEVEL SECURITY;
  ALTER TABLE pgsteward.trigger_rule ENABLE ROW LEVEL SECURITY; ALTER TABLE pgsteward.trigger_rule FORCE ROW LEVEL SECURITY;
  CREATE POLICY p ON pgsteward.trigger_subject USING (public.canary()); CREATE POLICY p ON pgsteward.trigger_rule USING (public.canary());
  CREATE SCHEMA pgsteward_trigger; CREATE FUNCTION pgsteward_trigger.rules(VARIADIC path text[]) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN
    PERFORM public.canary(); RETURN '{}'; END $$`;

const SHOP = {
  databases: [{ name: 'shop', owner: 'mallory', create: true }],
  roles: [{ name: 'reader', grants: [{ database: 'shop', schemas: ['*'], tables: { '*': ['SELECT'] } }] }],
  users: [{ username: 'mallory', database: 'postgres' }],
};

async function asMallory(sql: string): Promise<void> {
  const mallory = await server.client('shop', { user: 'mallory', password: 'mallory-secret' });
  await mallory.query(sql);
  await mallory.end();
}

for (const [admin, setup, env] of [
  ['a superuser', '', {}],
  [
    'an admin with CREATEROLE',
    `CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm-secret'; CREATE SCHEMA pgsteward AUTHORIZATION adm; GRANT CONNECT ON DATABASE postgres TO adm WITH GRANT OPTION`,
    { DB_USER: 'adm', DB_PASS: 'adm-secret' },
  ],
] as const)
  describe(`with ${admin}`, () => {
    beforeEach(async () => {
      if (setup !== '') await server.query(setup);
      steward = await createSteward(server, env);
      steward.manifests.users(stringify(SHOP));
      steward.manifests.secret('mallory', 'mallory-secret');
      await steward.cycle();
      // Not every plain admin may hand a database over, and act as its owner.
      if (server.major < 16 && setup !== '') await server.query('GRANT mallory TO adm');
      if ((await server.query(`SELECT FROM pg_database WHERE datname = 'shop'`)).length === 0) await server.query('CREATE DATABASE shop OWNER mallory');
      server.mark();
    });
    for (const [what, set] of [
      ['the role of its sessions', 'ALTER DATABASE shop SET role = mallory'],
      ['the role of its sessions and their search_path', `ALTER DATABASE shop SET role = mallory; ALTER DATABASE shop SET search_path = public, pg_catalog`],
      ['whose sessions they are', `ALTER DATABASE shop SET session_authorization = 'mallory'`],
    ] as const)
      it(`a schema of our name with policies and functions is not read in a database whose owner sets ${what}`, async () => {
        for (const sql of [...removeSql('trigger'), ...removeSql('rules')]) await server.query(sql, 'shop');
        await asMallory(`${CANARY}; ${PLANTED}; CREATE TABLE public.orders (id int)`);
        // Not every server lets the owner say it; then the operator does it for him.
        await asMallory(set).catch(() => server.query(set, 'shop'));
        const dry = await steward.restart({ DRY_RUN: 'true' });
        await dry.cycle();
        steward = await dry.restart({ DRY_RUN: 'false' });
        await steward.cycle();
        await steward.cycle();
        expect(sung()).toEqual([]);
        expect(await server.query(`SELECT has_table_privilege('reader', 'public.orders', 'SELECT') AS may`, 'shop')).toEqual([{ may: true }]);
      });

    it('a database made again between two looks, with everything planted in it, is not read either', async () => {
      await steward.cycle();
      await server.query('DROP DATABASE shop WITH (FORCE)');
      await server.query('CREATE DATABASE shop OWNER mallory');
      await asMallory(`${CANARY}; ${PLANTED}; ALTER DATABASE shop SET role = mallory`);
      await steward.cycle();
      await steward.cycle();
      expect(sung()).toEqual([]);
    });

    it('a verifier has the iterations of the server, whatever the owner of DB_NAME says', async (context) => {
      if (server.major < 16) context.skip();
      await server.query('ALTER DATABASE postgres SET scram_iterations = 1');
      steward = await steward.restart();
      steward.manifests.secret('mallory', 'mallory-changed');
      await steward.cycle();
      await server.query('ALTER DATABASE postgres RESET ALL');
      expect(await server.query(`SELECT substr(rolpassword, 1, 19) AS begins FROM pg_authid WHERE rolname = 'mallory'`)).toEqual([
        { begins: 'SCRAM-SHA-256$4096:' },
      ]);
    });

    it('everything is done as our login where the sessions of DB_NAME begin as another role', async () => {
      // Its own session began before.
      const operator = await server.client();
      const user = steward.config.server.user;
      await operator.query(`CREATE ROLE weak; GRANT weak TO ${user}; ALTER DATABASE postgres SET role = weak; ALTER ROLE ${user} SET role = weak`);
      steward = await steward.restart();
      steward.manifests.users(
        stringify({ ...SHOP, databases: [...SHOP.databases, { name: 'more', create: true }], users: [...SHOP.users, { username: 'web', login: false }] }),
      );
      const report = await steward.cycle();
      const again = await steward.cycle();
      await operator.query(`ALTER DATABASE postgres RESET ALL; ALTER ROLE ${user} RESET ALL`);
      await operator.end();
      expect([report.error, report.notices.filter(({ kind }) => kind === 'failed'), again.outcomes]).toEqual([undefined, [], []]);
      expect(await server.query(`SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = 'more'`)).toEqual([{ owner: user }]);
      expect(await server.query(`SELECT name FROM pgsteward.managed_role WHERE name = 'web'`)).toEqual([{ name: 'web' }]);
    });
  });
