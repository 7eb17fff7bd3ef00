// A planted ledger: what somebody else put into the schema `pgsteward` of DB_NAME before us, or into ours, runs nothing as us and is told.
import type pg from 'pg';
import { beforeEach, describe, expect, it } from 'vitest';
import { ensureLedger } from '../../src/postgres/ledger-schema.ts';
import { SMALL } from '../../src/postgres/transaction.ts';
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

const CANARY = `CREATE FUNCTION public.canary() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'canary of %', current_user; RETURN true; END $$;
  CREATE FUNCTION public.sing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'canary of %', current_user; RETURN NULL; END $$`;
const sung = (): string[] =>
  server
    .log()
    .split('\n')
    .filter((line) => line.includes('LOG:  canary of'));

const THINGS = [
  ['a trigger of somebody else', 'CREATE TRIGGER only_owner_2 BEFORE INSERT ON pgsteward.audit_log FOR EACH STATEMENT EXECUTE FUNCTION public.sing()'],
  [
    'a trigger whose condition is code of somebody else',
    `CREATE TRIGGER more BEFORE INSERT ON pgsteward.audit_log FOR EACH ROW WHEN (public.canary()) EXECUTE FUNCTION pgsteward.refuse_change()`,
  ],
  [
    'a trigger function that is not what it was',
    `CREATE OR REPLACE FUNCTION pgsteward.refuse_others() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN PERFORM public.canary(); RETURN NULL; END $$`,
  ],
  [
    'a policy',
    'ALTER TABLE pgsteward.managed_role ENABLE ROW LEVEL SECURITY; ALTER TABLE pgsteward.managed_role FORCE ROW LEVEL SECURITY; CREATE POLICY p ON pgsteward.managed_role USING (public.canary())',
  ],
  ['a rule', 'CREATE RULE r AS ON INSERT TO pgsteward.audit_log DO ALSO SELECT public.canary()'],
  ['a default', 'ALTER TABLE pgsteward.audit_log ADD more boolean DEFAULT public.canary()'],
  ['a check', 'ALTER TABLE pgsteward.audit_log ADD CHECK (public.canary())'],
  ['an index', 'ALTER FUNCTION public.canary() IMMUTABLE; CREATE INDEX more ON pgsteward.managed_role ((public.canary()))'],
  ['statistics', 'ALTER FUNCTION public.canary() IMMUTABLE; CREATE STATISTICS public.more ON (public.canary()), name FROM pgsteward.managed_role'],
  ['a column of a domain', 'CREATE DOMAIN public.odd AS text CHECK (public.canary()); ALTER TABLE pgsteward.managed_role ADD more public.odd DEFAULT NULL'],
  [
    'a view in place of a table',
    'ALTER TABLE pgsteward.managed_role RENAME TO managed_roles; CREATE VIEW pgsteward.managed_role AS SELECT * FROM pgsteward.managed_roles WHERE public.canary()',
  ],
  ['a child of a table', 'CREATE TABLE pgsteward.more () INHERITS (pgsteward.managed_role)'],
  ['a table of somebody else', 'ALTER TABLE pgsteward.managed_role OWNER TO team'],
  ['a function of somebody else', 'ALTER FUNCTION pgsteward.refuse_change() OWNER TO team'],
  ['a type of somebody else', 'CREATE DOMAIN pgsteward.odd AS text; ALTER DOMAIN pgsteward.odd OWNER TO team'],
  ['the right of others to put triggers on a table', 'GRANT TRIGGER ON pgsteward.audit_log TO mallory'],
  ['a default that has the server run a text', `ALTER TABLE pgsteward.audit_log ADD more xml DEFAULT query_to_xml('SELECT public.canary()', true, true, '')`],
  ['a check that has the server run a text', `ALTER TABLE pgsteward.audit_log ADD CHECK (query_to_xml('SELECT public.canary()', true, true, '') IS NOT NULL)`],
  ['the right of others to write to a table', 'GRANT INSERT ON pgsteward.managed_role TO mallory'],
  ['the right of others to refer to a table', 'GRANT REFERENCES ON pgsteward.managed_role TO mallory'],
  ['the right of others to refer to a column', 'GRANT REFERENCES (name) ON pgsteward.managed_role TO mallory'],
  [
    'a table of somebody else that refers to it',
    'CREATE TABLE public."it\'s" (name text REFERENCES pgsteward.managed_role ON DELETE CASCADE); ALTER TABLE public."it\'s" OWNER TO mallory',
  ],
] as const;

const ADMINS = [
  ['a superuser', 'boss', 'CREATE ROLE boss LOGIN SUPERUSER', { DB_USER: 'boss', DB_PASS: 'adm-secret' }],
  ['an admin with CREATEROLE', 'adm', 'CREATE ROLE adm LOGIN CREATEROLE', { DB_USER: 'adm', DB_PASS: 'adm-secret' }],
] as const;

for (const [at, [what, admin, create, env]] of ADMINS.entries())
  describe(`with ${what}`, () => {
    const asMallory = async (sql: string): Promise<void> => {
      const mallory = await server.client('home', { user: 'mallory', password: 'mallory-secret' });
      await mallory.query(sql);
      await mallory.end();
    };
    /** A cycle of a new process. @returns what it warned of. */
    const cycle = async (): Promise<string> => {
      steward = await steward.restart();
      const report = await steward.cycle();
      expect(report.error).toBeUndefined();
      expect(await server.query(`SELECT rolname FROM pg_roles WHERE rolname = 'alice'`)).toEqual([{ rolname: 'alice' }]);
      return steward.warnings.join('\n');
    };
    beforeEach(async () => {
      await server.query(
        `${create} PASSWORD 'adm-secret'; CREATE ROLE team; CREATE ROLE mallory LOGIN PASSWORD 'mallory-secret'; GRANT team TO mallory, ${admin}`,
      );
      await server.query('CREATE DATABASE home OWNER team');
      await server.query(`${CANARY}; GRANT CREATE ON SCHEMA public TO mallory`, 'home');
      steward = await createSteward(server, { ...env, DB_NAME: 'home' });
      steward.manifests.users([{ username: 'alice', login: false }]);
      server.mark();
    });

    it('a schema of a role that the admin is a member of is not used', async () => {
      await asMallory(`SET ROLE team; CREATE SCHEMA pgsteward;
        CREATE TABLE pgsteward.managed_role (name text, entity text, origin text, source text, oid oid, status text, deletion_policy text, witness_version text,
          witness_salt text, witness_iterations int, witness_proof text, since timestamptz, privileges boolean, drain text, disabled_at timestamptz);
        CREATE TRIGGER sing BEFORE INSERT ON pgsteward.managed_role FOR EACH STATEMENT EXECUTE FUNCTION public.sing();
        GRANT ALL ON SCHEMA pgsteward TO PUBLIC; GRANT ALL ON pgsteward.managed_role TO PUBLIC`);
      const warned = await cycle();
      expect(warned).toContain(`the schema pgsteward in home is not that of "${admin}" alone`);
      expect(warned).toContain('the schema, the trigger sing');
      expect(sung()).toEqual([]);
    });

    // Each with one of the two: what is looked at is the same.
    for (const [thing, planted] of THINGS.filter((_, index) => index % 2 === at))
      it(`a ledger with ${thing} in it is neither read nor written`, async () => {
        await cycle();
        expect(await server.query(`SELECT name FROM pgsteward.managed_role`, 'home')).toEqual([{ name: 'alice' }]);
        await server.query(planted, 'home');
        server.mark();
        const rows = await server.query('SELECT count(*) FROM pgsteward.audit_log', 'home');
        steward.manifests.users([
          { username: 'alice', login: false },
          { username: 'bob', login: false },
        ]);
        // With what the process still knows, and with nothing known.
        expect((await steward.cycle()).error).toBeUndefined();
        expect(await cycle()).toContain('is not that of');
        expect(sung()).toEqual([]);
        expect(await server.query('SELECT count(*) FROM pgsteward.audit_log', 'home')).toEqual(rows);
      });

    it('the ledger of an earlier login is taken over by the SQL that the reason names, run by the operator', async () => {
      const before = await createSteward(server, { DB_NAME: 'home' }, steward.manifests);
      await before.cycle();
      const warned = await cycle();
      const sql = /run there: (ALTER .*); otherwise DROP SCHEMA pgsteward CASCADE/.exec(warned)?.[1] ?? '';
      expect(sql).toContain(`ALTER SCHEMA pgsteward OWNER TO ${admin}`);
      await server.query(sql, 'home');
      expect(await cycle()).toBe('');
      expect(await server.query(`SELECT name, origin FROM pgsteward.managed_role`, 'home')).toEqual([{ name: 'alice', origin: 'created' }]);
    });

    it('no SQL is named that would hand over what somebody planted: a function, a view or a table of another name', async () => {
      await asMallory(`SET ROLE team; CREATE SCHEMA pgsteward; GRANT USAGE ON SCHEMA pgsteward TO PUBLIC; CREATE TABLE pgsteward.managed_role (name text)`);
      for (const planted of [
        `FUNCTION pgsteward.refuse_change() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT public.canary()'`,
        'VIEW pgsteward.audit_log AS SELECT public.canary()',
        'TABLE pgsteward.more (name text)',
      ]) {
        await asMallory(`SET ROLE team; CREATE ${planted}`);
        const warned = await cycle();
        expect(warned).toContain('must not be handed over: drop that, or run there: DROP SCHEMA pgsteward CASCADE');
        expect(warned).not.toContain('OWNER TO');
        await asMallory(`SET ROLE team; DROP ${/^\w+ [\w.]+(?:\(\))?/.exec(planted)?.[0] ?? ''}`);
      }
      expect(await cycle()).toContain(`run there: ALTER SCHEMA pgsteward OWNER TO ${admin}; ALTER TABLE pgsteward.managed_role OWNER TO ${admin}; otherwise`);
    });

    it('a schema of somebody else that lets nobody in stops nothing', async () => {
      await server.query('CREATE SCHEMA pgsteward; CREATE TABLE pgsteward.managed_role (name text)', 'home');
      expect(await cycle()).toContain('is not that of');
    });

    it('the admin may be renamed', async () => {
      await cycle();
      await server.query(`ALTER ROLE ${admin} RENAME TO renamed; ALTER ROLE renamed PASSWORD 'adm-secret'`);
      steward = await steward.restart({ DB_USER: 'renamed' });
      expect([(await steward.cycle()).error, steward.warnings]).toEqual([undefined, []]);
    });

    it('a schema that somebody makes after we looked is not used either, and is told', async () => {
      const client = await server.client('home', { user: admin, password: 'adm-secret' });
      const racing = {
        query: async (...args: readonly unknown[]): Promise<unknown> => {
          if (typeof args[0] === 'string' && args[0].includes('CREATE SCHEMA pgsteward')) await asMallory('SET ROLE team; CREATE SCHEMA pgsteward');
          return (client.query as (...all: unknown[]) => Promise<unknown>).apply(client, [...args]);
        },
      } as unknown as pg.ClientBase;
      const state = await ensureLedger(racing, SMALL);
      expect(state).toMatchObject({ usable: false });
      expect(JSON.stringify(state)).toContain('is not that of');
      await client.end();
    });
  });

describe('a lock on the ledger by somebody who may write to every table', () => {
  it('is named, with what ends it, where it keeps us from reading and where it keeps us from writing', async () => {
    await server.query(`CREATE ROLE writer LOGIN PASSWORD 'writer-secret'; GRANT pg_write_all_data TO writer`);
    steward = await createSteward(server, { DB_LOCK_TIMEOUT: '0.3', MAX_RETRIES: '0' });
    steward.manifests.users([{ username: 'alice', login: false }]);
    await steward.cycle();
    const writer = await server.client('postgres', { user: 'writer', password: 'writer-secret' });
    const [{ pid } = { pid: 0 }] = (await writer.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows;
    const named = `the ledger is locked by session ${pid} of writer in database postgres (SELECT pg_catalog.pg_terminate_backend(${pid}))`;
    await writer.query('BEGIN; LOCK TABLE pgsteward.managed_role IN ACCESS EXCLUSIVE MODE');
    steward.manifests.users([{ username: 'alice', login: false, comment: 'changed' }]);
    expect((await steward.cycle()).error?.message).toContain(named);
    await writer.query('ROLLBACK; BEGIN; LOCK TABLE pgsteward.audit_log IN SHARE MODE');
    expect((await steward.cycle()).notices.map(({ message }) => message).join()).toContain(named);
    await writer.end();
    steward = await steward.restart();
    expect((await steward.cycle()).result).toBe('changed');
  });
});
