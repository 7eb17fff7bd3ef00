// Extensions: an installation script runs with our rights and finds by name what others put into the schema, so it is not run there.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { QUIET } from './quiet.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { ...QUIET, max_prepared_transactions: '5' },
  (started) => (server = started),
  () => steward,
);

const start = async (databases: string, env: Record<string, string> = {}, more = ''): Promise<void> => {
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1', DB_LOCK_TIMEOUT: '1', ...env });
  steward.manifests.users(`databases: [${databases}]\n${more}users: [{username: keeper, login: false}]`);
};
const mallory = (database = 'shop') => server.client(database, { user: 'mallory', password: 'm' });
const isSuperuser = async (): Promise<boolean> =>
  (await server.query<{ rolsuper: boolean }>(`SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'`))[0]?.rolsuper === true;
const installed = (): Promise<{ name: string; schema: string }[]> =>
  server.query(`SELECT extname AS name, extnamespace::regnamespace::text AS schema FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1`, 'shop');
const said = (report: Awaited<ReturnType<Steward['cycle']>>): string => report.notices.map(({ kind, message }) => `${kind}: ${message}`).join('\n');

/** What earthdistance of before PostgreSQL 16 finds instead of cube's own: reading '(0)' as this type runs the function in the session that installs. */
const trap = (schema: string): string => `
  CREATE FUNCTION ${schema}.spring(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF current_setting('is_superuser') = 'on' THEN ALTER ROLE mallory SUPERUSER; END IF; RETURN true; END $$;
  CREATE DOMAIN ${schema}.bait AS text CHECK (${schema}.spring(VALUE));
  CREATE TYPE ${schema}.cube AS (point ${schema}.bait);
  CREATE FUNCTION ${schema}.cube_is_point(${schema}.cube) RETURNS boolean LANGUAGE sql AS 'SELECT true';
  CREATE FUNCTION ${schema}.cube_dim(${schema}.cube) RETURNS integer LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION ${schema}.cube_distance(${schema}.cube, ${schema}.cube) RETURNS float8 LANGUAGE sql AS 'SELECT 0::float8';`;

beforeEach(async () => {
  await server.query(`CREATE ROLE mallory LOGIN PASSWORD 'm'`);
  await server.query('CREATE DATABASE shop');
  // As every database of 14 is, and many that were moved from there.
  await server.query('GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE SCHEMA cube; CREATE EXTENSION cube SCHEMA cube', 'shop');
});
afterEach(async () => {
  for (const { gid } of await server.query<{ gid: string }>('SELECT gid FROM pg_prepared_xacts').catch(() => []))
    await server.query(`ROLLBACK PREPARED '${gid}'`, 'shop');
});

describe('nobody becomes superuser by an extension', () => {
  it('that an honest author wants in the schema public, in which everybody may create', async () => {
    const client = await mallory();
    await client.query(trap('public'));
    await client.end();
    await start('{name: shop, extensions: [earthdistance]}');
    const report = await steward.cycle();
    expect(await isSuperuser()).toBe(false);
    expect(said(report)).toContain('extension earthdistance in database shop is refused: everybody may create objects in schema public');
    expect(await installed()).toEqual([{ name: 'cube', schema: 'cube' }]);
  });

  it.runIf(Number(process.env['PG_MAJOR'] ?? 18) < 16)('as the very same installation makes her one where the operator names it', async () => {
    const client = await mallory();
    await client.query(trap('public'));
    await client.end();
    await start('{name: shop, extensions: [earthdistance]}', { ALLOWED_EXTENSIONS: 'earthdistance' });
    await steward.cycle();
    expect(await isSuperuser()).toBe(true);
  });

  it('in a schema that she owns, may create in, or left something in', async () => {
    await server.query('CREATE SCHEMA hers AUTHORIZATION mallory; CREATE SCHEMA open; GRANT ALL ON SCHEMA open TO mallory; CREATE SCHEMA closed', 'shop');
    await server.query('GRANT ALL ON SCHEMA closed TO mallory', 'shop');
    const client = await mallory();
    for (const schema of ['hers', 'open', 'closed']) await client.query(trap(schema));
    await client.end();
    await server.query('REVOKE ALL ON SCHEMA closed FROM mallory', 'shop');
    for (const [schema, why] of [
      ['hers', 'mallory owns schema hers'],
      ['open', 'mallory may create objects in schema open'],
      ['closed', 'mallory has objects in schema closed'],
    ] as const) {
      await start(`{name: shop, extensions: [{name: earthdistance, schema: ${schema}}]}`);
      expect(said(await steward.cycle())).toContain(why);
      await steward.close();
    }
    expect(await isSuperuser()).toBe(false);
    expect(await installed()).toHaveLength(1);
  });

  it('that a document wants in the database or schema of an owner, whoever that is', async () => {
    await start(
      `{name: shop, owner: mallory, schemas: [{name: app, owner: mallory}], extensions: [{name: earthdistance, schema: app}, pg_trgm]}`,
      {},
      'roles: [{name: mallory}]\n',
    );
    await server.query('ALTER ROLE mallory NOLOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    const report = await steward.cycle();
    expect(said(report)).toContain('mallory owns schema app');
    expect(said(report)).toMatch(/extension pg_trgm in database shop (is refused|waits)/);
    expect(await installed()).toHaveLength(1);
  });

  it('whose prerequisite lies in a schema of hers', async () => {
    await server.query('DROP EXTENSION cube; CREATE SCHEMA hers AUTHORIZATION mallory; CREATE EXTENSION cube SCHEMA hers', 'shop');
    await start(`{name: shop, extensions: [{name: earthdistance, schema: fresh}]}`);
    const report = await steward.cycle();
    expect(report.outcomes.filter((one) => one.result === 'failed').map((one) => one.message)).toEqual([
      'extension earthdistance is not installed: mallory owns schema hers, and its script would use with our rights what it finds there (42501)',
    ]);
    // Whoever runs it, the guard refuses: there is no SQL that would do it.
    expect(report.notices.filter(({ kind }) => kind === 'cannot').map(({ advice }) => advice)).toEqual([undefined]);
    expect((await installed()).map((one) => one.name)).toEqual(['cube']);
  });

  it.each(['open', 'prepared'])('by a transaction that is still %s when nobody else may create any longer', async (how) => {
    await server.query('CREATE SCHEMA place; GRANT ALL ON SCHEMA place TO mallory', 'shop');
    const client = await mallory();
    await client.query(`BEGIN; ${trap('place')}`);
    if (how === 'prepared') await client.query(`PREPARE TRANSACTION 'later'`);
    await server.query('REVOKE ALL ON SCHEMA place FROM mallory', 'shop');
    await start(`{name: shop, extensions: [{name: earthdistance, schema: place}]}`);
    const report = await steward.cycle();
    expect(report.outcomes.flatMap((one) => (one.result === 'failed' ? [one.message] : [])).join()).toMatch(
      how === 'open'
        ? /earthdistance is not installed yet: the session \d+ of mallory began before/
        : /earthdistance is not installed yet: the prepared transaction 'later' of mallory began before/,
    );
    await client.query(how === 'open' ? 'COMMIT' : `COMMIT PREPARED 'later'`);
    await client.end();
    expect(said(await steward.cycle())).toContain('mallory has objects in schema place');
    expect(await isSuperuser()).toBe(false);
    expect(await installed()).toHaveLength(1);
  });

  it('by a schema of the name that its control file gives, made just before', async () => {
    await start(`{name: shop, extensions: [{name: cube, schema: cube}, {name: plpgsql, schema: pg_catalog}, {name: hstore, schema: pgsteward}]}`);
    const report = await steward.cycle();
    expect(said(report)).toBe('refused: extension hstore in database shop is refused: schema pgsteward belongs to the server or to pgsteward');
  });
});

describe('what an honest author wants is installed', () => {
  it('into a schema that is made for it, in the same cycle, and nobody else may create there', async () => {
    await server.query('DROP EXTENSION cube', 'shop');
    await start(
      `{name: shop, owner: shop_owner, public: {schemas: {extensions: [USAGE]}}, extensions: [{name: cube, schema: extensions}, {name: earthdistance, schema: extensions}, {name: hstore, schema: extensions}]}`,
    );
    const report = await steward.cycle();
    expect(report.result, said(report)).toBe('changed');
    expect(await installed()).toEqual(['cube', 'earthdistance', 'hstore'].map((name) => ({ name, schema: 'extensions' })));
    const client = await mallory();
    await client.query('SET search_path = public, extensions');
    expect((await client.query(`SELECT extensions.earth_distance(extensions.ll_to_earth(0, 0), extensions.ll_to_earth(0, 0)) AS d`)).rows).toEqual([{ d: 0 }]);
    await expect(client.query('CREATE TYPE extensions.cube2 AS (a integer)')).rejects.toThrow('permission denied');
    await client.end();
    expect((await steward.cycle()).result).toBe('converged');
  });

  it('into the schema public once the document has closed it to everybody, and a dry run says that it waits', async () => {
    const document = '{name: shop, public: {schemas: {public: [USAGE]}}, extensions: [pg_trgm]}';
    await start(document, { DRY_RUN: 'true' });
    expect(said(await steward.cycle())).toContain(
      'pending: extension pg_trgm in database shop waits until it is no longer so that everybody may create objects in schema public',
    );
    await steward.close();
    await start(document);
    const report = await steward.cycle();
    expect(report.result, said(report)).toBe('changed');
    expect(await installed()).toContainEqual({ name: 'pg_trgm', schema: 'public' });
    expect((await steward.cycle()).result).toBe('converged');
  });

  it('wherever it wants, where the operator names the extension', async () => {
    await start(`{name: shop, owner: mallory, extensions: [pg_trgm]}`, { ALLOWED_EXTENSIONS: 'pg_trgm' }, 'roles: [{name: mallory}]\n');
    await server.query('ALTER ROLE mallory NOLOGIN');
    await steward.cycle();
    expect(await installed()).toContainEqual({ name: 'pg_trgm', schema: 'public' });
  });

  it('by an admin without superuser, which waits for those who began before and is not held up by the idle', async () => {
    await server.query(`CREATE ROLE steward LOGIN CREATEROLE PASSWORD 's'; ALTER DATABASE shop OWNER TO steward`);
    await server.query('CREATE SCHEMA pgsteward AUTHORIZATION steward; CREATE SCHEMA place AUTHORIZATION steward', 'shop');
    const idle = await mallory();
    const busy = await mallory();
    await busy.query('BEGIN; SELECT 1');
    const committed = new Promise((resolve) => setTimeout(() => resolve(busy.query('COMMIT')), 500));
    await start(`{name: shop, extensions: [{name: hstore, schema: place}, {name: pg_trgm, schema: own}]}`, {
      DB_USER: 'steward',
      DB_PASS: 's',
      DB_NAME: 'shop',
    });
    const report = await steward.cycle();
    expect(report.result, said(report)).toBe('changed');
    expect(await installed()).toEqual(
      expect.arrayContaining([
        { name: 'hstore', schema: 'place' },
        { name: 'pg_trgm', schema: 'own' },
      ]),
    );
    await committed;
    await Promise.all([idle.end(), busy.end()]);
  });
});
