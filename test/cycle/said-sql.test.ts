// SQL within sentences: taken out of the message as a terminal shows it, pasted into psql by whom it names, it has done what it says.
import { afterEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { noticeLine } from '../../src/changes/notice.ts';
import { oneLine } from '../../src/document/show.ts';
import { identifier } from '../../src/sql/sql-text.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { paste } from '../support/psql.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { fsync: 'off', max_prepared_transactions: '10' },
  (started) => (server = started),
  () => steward,
);
// Before the server is reset (hooks run in reverse), which waits for their locks.
afterEach(async () => {
  for (const { sql, database } of await server.query<{ sql: string; database: string }>(
    `SELECT format('ROLLBACK PREPARED %L', gid) AS sql, database FROM pg_prepared_xacts`,
  ))
    await server.query(sql, database);
});

/** Quotes, what psql takes for something else, keys of a terminal, a line's end, and characters that nobody sees. */
const ODD = `'"; :x \\q \\\\ \u0003\n\u200D\u{E0001}\u2028`;
const [ADM, ALICE] = [`adm ${ODD}`, `alice ${ODD}`];
const [adm, alice] = [identifier(ADM), identifier(ALICE)];

/** What a report says, as a terminal shows it. */
const said = ({ notices, error }: CycleReport): string => oneLine([...notices.map(noticeLine), error?.message ?? '', ...steward.warnings].join(' | '));
/** The SQL that stands there, once more as it is shown. */
const found = (report: CycleReport, pattern: RegExp): string => {
  const text = said(report);
  const [, sql] = pattern.exec(text) ?? [];
  expect(sql, text).toBeDefined();
  return `${sql};`;
};
const start = async (env: Readonly<Record<string, string>>, users: readonly object[]): Promise<CycleReport> => {
  steward = await createSteward(server, { DB_LOCK_TIMEOUT: '0.5', ...env });
  return declare(users);
};
const declare = (users: readonly object[], more: object = {}): Promise<CycleReport> => {
  steward.manifests.users(stringify({ ...more, users: [{ username: 'keeper', login: false }, ...users] }));
  return steward.cycle();
};
const again = async (): Promise<CycleReport> => {
  steward = await steward.restart();
  return steward.cycle();
};
const plainAdmin = async (): Promise<Record<string, string>> => {
  await server.query(`CREATE ROLE ${adm} LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; GRANT pg_signal_backend TO ${adm}`);
  await server.query(`CREATE DATABASE home OWNER ${adm}`);
  return { DB_USER: ADM, DB_PASS: 'adm', DB_NAME: 'home' };
};
const exists = async (name: string): Promise<boolean> =>
  (await server.query<{ name: string }>('SELECT rolname AS name FROM pg_roles')).some((role) => role.name === name);

it('a session that holds a lock, and a prepared transaction, are ended, and what waited is done', async () => {
  await start({}, [{ username: ALICE, login: false }]);
  await server.query(`CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'p'`);
  const boss = await server.client('postgres', { user: 'boss', password: 'p' });
  await boss.query(`BEGIN; ALTER ROLE ${alice} CONNECTION LIMIT 7`);
  await paste(server, found(await declare([]), /of boss in database postgres \((SELECT .*?\(\d+\))\)/));
  await expect(boss.query('SELECT 1')).rejects.toThrow();
  await again();
  expect(await exists(ALICE)).toBe(false);
  await declare([{ username: ALICE, login: false }]);
  const other = await server.client('postgres', { user: 'boss', password: 'p' });
  await other.query(`BEGIN; ALTER ROLE ${alice} CONNECTION LIMIT 7`);
  await other.query(`PREPARE TRANSACTION '${ODD.replaceAll("'", "''")}'`);
  await other.end();
  await paste(server, found(await declare([]), /run in database postgres: (ROLLBACK PREPARED .*?')\)/));
  expect(await server.query('SELECT FROM pg_prepared_xacts')).toEqual([]);
  await again();
  expect(await exists(ALICE)).toBe(false);
});

it('a user that somebody renamed has its name again', async () => {
  const users = [{ username: ALICE, login: false }];
  await start(await plainAdmin(), users);
  await server.query(`ALTER ROLE ${alice} RENAME TO ${identifier(`bob ${ODD}`)}`);
  await paste(server, found(await declare(users), /(ALTER ROLE \S.* RENAME TO .*?") \(an MD5/));
  expect([await exists(ALICE), await exists(`bob ${ODD}`)]).toEqual([true, false]);
  expect(said(await again())).not.toContain('renamed');
});

it.each([['pgsteward_objects'], ['pgsteward_drift'], ['pgsteward_objects', 'pgsteward_drift']])(
  'event triggers that somebody has disabled work again (%s %s)',
  async (...triggers) => {
    await server.query('CREATE DATABASE shop');
    const users = [{ username: ALICE, login: false, grants: [{ database: 'shop', schemas: ['public'], tables: { '*': ['SELECT'] } }] }];
    await start({ EVENT_TRIGGERS: 'auto' }, users);
    for (const name of triggers) await server.query(`ALTER EVENT TRIGGER ${name} DISABLE`, 'shop');
    await paste(server, found(await declare(users), /in database shop is disabled.*?(ALTER EVENT TRIGGER .* ENABLE) there/), 'shop');
    expect(await server.query('SELECT FROM pg_event_trigger WHERE evtenabled <> $$O$$', 'shop')).toEqual([]);
    expect(said(await again())).not.toContain('disabled');
  },
);

it('a schema for the ledger is made', async () => {
  const env = await plainAdmin();
  await server.query('ALTER DATABASE home OWNER TO postgres');
  await paste(server, found(await start(env, []), /run there: (CREATE SCHEMA pgsteward AUTHORIZATION .*?")\. Until/), 'home');
  steward = await steward.restart();
  expect([(await steward.cycle()).error, steward.warnings]).toEqual([undefined, []]);
  expect((await server.query('SELECT FROM pgsteward.managed_role', 'home')).length).toBeGreaterThan(0);
});

it('the ledger of an earlier login is handed over, and what somebody planted is dropped', async () => {
  const env = await plainAdmin();
  await start({ DB_NAME: 'home' }, []);
  await steward.close();
  await server.query(`CREATE TABLE public.other (id text REFERENCES pgsteward.managed_role (name)); GRANT INSERT ON pgsteward.managed_role TO ${adm}`, 'home');
  await server.query(`ALTER TABLE public.other RENAME TO ${identifier(`other ${ODD}`)}`, 'home');
  const cures = found(await start(env, []), /nobody else may have touched it, run there: (.*); otherwise DROP SCHEMA/);
  await paste(server, cures, 'home');
  steward = await steward.restart();
  expect([(await steward.cycle()).error, steward.warnings]).toEqual([undefined, []]);
  await server.query('CREATE VIEW pgsteward.more AS SELECT 1 AS id', 'home');
  steward = await steward.restart();
  await paste(server, found(await steward.cycle(), /drop that, or run there: (DROP SCHEMA pgsteward CASCADE)/), 'home');
  steward = await steward.restart();
  expect([(await steward.cycle()).error, steward.warnings]).toEqual([undefined, []]);
});

it('what a user owns goes to its heir, where a plain admin may not lend CREATE', async () => {
  const env = await plainAdmin();
  await server.query('CREATE ROLE stranger');
  await server.query(`CREATE DATABASE shop OWNER ${adm}`);
  await start(env, [{ username: ALICE, login: false }]);
  await server.query(
    `CREATE SCHEMA theirs AUTHORIZATION stranger; GRANT ALL ON SCHEMA theirs TO ${alice}; SET SESSION AUTHORIZATION ${alice};
     CREATE FUNCTION theirs.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; RESET SESSION AUTHORIZATION; REVOKE ALL ON SCHEMA theirs FROM ${alice}`,
    'shop',
  );
  await paste(server, found(await declare([]), /run in database "?shop"? as a superuser: (REASSIGN OWNED BY .*? TO "\w+")/), 'shop');
  expect((await again()).outcomes.filter(({ result }) => result !== 'applied')).toEqual([]);
  expect(await exists(ALICE)).toBe(false);
});
