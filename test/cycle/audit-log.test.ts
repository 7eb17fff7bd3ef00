// The audit log stays bounded: what is undone again and again is a count, and rows go by age and number, with what belongs together.
import { expect, it } from 'vitest';
import { sentenceOf } from '../../src/changes/change.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { serverForAll } from '../support/lifecycle.ts';
import { WITHOUT_HISTORY } from '../support/older-ledger.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const ADMIN = { DB_USER: 'adm', DB_PASS: 'adm-secret', DB_NAME: 'home' };
/** A plain admin with two databases, in each of which alice may read a table. */
const start = async (env: Readonly<Record<string, string>> = {}, more: readonly object[] = []): Promise<void> => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm-secret'`);
  for (const database of ['home', 'o"dd']) {
    await server.query(`CREATE DATABASE "${database.replaceAll('"', '""')}" OWNER adm`);
    await server.query(`SET ROLE adm; CREATE SCHEMA s; CREATE TABLE s.t (id int); CREATE TABLE s."it's" (id int)`, database);
  }
  const grants = (database: string): object => ({ database, schemas: ['s'], tables: { t: ['SELECT'], "it's": ['SELECT'] } });
  steward = await createSteward(server, { ...ADMIN, RETRY_BACKOFF_BASE: '1', ...env });
  steward.manifests.users([{ username: 'alice', login: false, grants: [grants('home'), grants('o"dd')] }, ...more]);
};
const audit = <T extends object>(columns: string, where = 'true'): Promise<T[]> =>
  server.query(`SELECT ${columns} FROM pgsteward.audit_log a LEFT JOIN pgsteward.audit_repeat r USING (id) WHERE ${where} ORDER BY a.id`, 'home');
/** As somebody who may do everything there, and takes no heed of what the log is. */
const tamper = (sql: string): Promise<object[]> =>
  server.query(`ALTER TABLE pgsteward.audit_log DISABLE TRIGGER append_only; ${sql}; ALTER TABLE pgsteward.audit_log ENABLE TRIGGER append_only`, 'home');
const trims = ({ outcomes }: CycleReport): string[] => outcomes.flatMap(({ change }) => (change.kind === 'trim_audit_log' ? [sentenceOf(change)] : []));
const misdeed = 'GRANT INSERT, DELETE ON s.t TO alice; REVOKE SELECT ON s."it\'s" FROM alice';

it('what somebody does again and again is repaired each time, and is a row in each database with a count', async () => {
  await start();
  await steward.cycle();
  const before = await audit('id');
  for (let round = 0; round < 12; round += 1) {
    for (const database of ['home', 'o"dd']) await server.query(`SET ROLE adm; ${misdeed}`, database);
    const { outcomes, drift, error } = await steward.cycle();
    expect([outcomes.length, drift.length, error]).toEqual([4, 4, undefined]);
  }
  const after = await audit('id');
  // A grant and a revoke of each database; in the other one than the ledger's each with the row that closes it.
  expect(after.length - before.length).toBe(6);
  const counted = await audit<{ change: string; outcome: string; times: string }>('change, outcome, times, last > at AS later', 'times > 1');
  expect(counted.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))).toEqual([
    { change: 'grant_privilege', outcome: 'applied', times: '12', later: true },
    { change: 'grant_privilege', outcome: 'intent', times: '12', later: true },
    { change: 'revoke_privilege', outcome: 'applied', times: '12', later: true },
    { change: 'revoke_privilege', outcome: 'intent', times: '12', later: true },
  ]);
  expect(await server.query('SELECT max(id) = count(*) AS gapless FROM pgsteward.audit_log', 'home')).toEqual([{ gapless: true }]);
  expect(await audit('id', `outcome = 'intent' AND NOT EXISTS (SELECT FROM pgsteward.audit_log c WHERE c.intent = a.id)`)).toEqual([]);
  // What is counted is not another's: it is another repair, and after a day a row again.
  await server.query('SET ROLE adm; GRANT UPDATE ON s.t TO alice', 'home');
  await steward.cycle();
  expect(await audit('id')).toHaveLength(after.length + 1);
  await server.query(`UPDATE pgsteward.audit_repeat SET since = since - interval '25 hours'`, 'home');
  for (let round = 0; round < 3; round += 1) {
    await server.query(`SET ROLE adm; ${misdeed}`, 'home');
    await steward.cycle();
  }
  expect(await audit('id')).toHaveLength(after.length + 3);
  expect((await steward.cycle()).result).toBe('converged');
});

it('also where an entry that something else is wrong with hides that it is drift, and what another document wants is a row', async () => {
  const loop = async (rounds: number): Promise<number> => {
    const [{ rows } = { rows: 0 }] = await server.query<{ rows: number }>('SELECT count(*)::int AS rows FROM pgsteward.audit_log', 'home');
    for (let round = 0; round < rounds; round += 1) {
      await server.query('SET ROLE adm; GRANT INSERT ON s.t TO alice', 'home');
      await steward.cycle();
    }
    return (await audit('id')).length - rows;
  };
  await start();
  await server.query(`CREATE ROLE boss; CREATE SCHEMA closed; CREATE TABLE closed.t (id int)`, 'home');
  const entry = (more: object): object => ({
    username: 'alice',
    login: false,
    grants: [
      { database: 'home', schemas: ['s'], tables: { t: ['SELECT'] } },
      { database: 'home', schemas: ['closed'], tables: { t: ['SELECT'] } },
    ],
    ...more,
  });
  steward.manifests.users([entry({})]);
  await steward.cycle();
  expect((await steward.cycle()).notices.map(({ kind }) => kind)).toContain('cannot');
  expect(await loop(8)).toBe(2);
  steward.manifests.users([entry({ comment: 'another' })]);
  await steward.cycle();
  expect(await loop(8)).toBe(2);
});

it('what is repaired as another document wants it is a row, as it is another statement', async () => {
  await start();
  for (const [round, connectionLimit] of [
    [0, 3],
    [1, 7],
  ] as const) {
    steward.manifests.users([{ username: 'alice', login: false, connectionLimit }]);
    await steward.cycle();
    await server.query('ALTER ROLE alice CONNECTION LIMIT 99');
    await steward.cycle();
    expect(await audit('sql', `sql LIKE '%CONNECTION LIMIT ${connectionLimit}%' AND times = 1`)).toHaveLength(1);
    expect(await audit('id', 'times IS NOT NULL')).toHaveLength(round + 1);
  }
});

it('a long statement that several repairs share stands with the first of them whenever any of them is a row', async () => {
  await start({}, [{ username: 'bob', login: false, grants: [{ database: 'home', schemas: ['s'], tables: { '*': [] } }] }]);
  await server.query(`SET ROLE adm; ${['a', 'b', 'c', 'd'].map((name) => `CREATE TABLE s.${name} (id int)`).join('; ')}`, 'home');
  steward.manifests.users(
    ['alice', 'bob'].map((username) => ({ username, login: false, grants: [{ database: 'home', schemas: ['s'], tables: { '*': ['SELECT'] } }] })),
  );
  await steward.cycle();
  for (const [roles, rows] of [
    ['bob', 1],
    ['alice, bob', 2],
    ['alice, bob', 0],
    ['bob', 0],
  ] as const) {
    const [{ last } = { last: 0 }] = await server.query<{ last: number }>('SELECT max(id)::int AS last FROM pgsteward.audit_log', 'home');
    await server.query(`SET ROLE adm; GRANT INSERT ON s.a, s.b, s.c, s.d TO ${roles}`, 'home');
    await steward.cycle();
    const more = await audit<{ sql: string }>('sql', `a.id > ${last}`);
    expect(more).toHaveLength(rows);
    expect(more.map(({ sql }) => sql.startsWith('REVOKE'))).toEqual(more.map((_, index) => index === 0));
  }
});

it('rows that are old go, an intent with what closed it and never alone, and the numbers go on from the newest', async () => {
  await start();
  await steward.cycle();
  const rows = await audit<{ id: string }>('a.id');
  // One intent that nothing has closed, and one that was closed lately.
  await tamper(`UPDATE pgsteward.audit_log SET at = at - interval '401 days';
    INSERT INTO pgsteward.audit_log (id, at, change, role, object, why, sql, outcome, intent)
    SELECT ${rows.length} + n, now() - age, 'release_owned', 'x', 'x in y', '', '', outcome, intent FROM (VALUES
      (1, interval '500 days', 'intent', NULL::bigint), (2, interval '500 days', 'intent', NULL), (3, interval '1 day', 'applied', ${rows.length + 2}), (4, interval '500 days', 'applied', NULL)) v(n, age, outcome, intent)`);
  const dry = await createSteward(server, { ...ADMIN, DRY_RUN: 'true', STATE_FILE: '/dev/null/no' }, steward.manifests);
  const foreseen = (await dry.cycle()).planned.map(sentenceOf);
  expect(foreseen).toEqual([`delete ${rows.length} row(s) of the audit log, of 1 to ${rows.length} (older than AUDIT_RETENTION)`]);
  expect(await audit('a.id')).toHaveLength(rows.length + 4);
  steward = await steward.restart();
  const report = await steward.cycle();
  // Now that the start has closed the open intent, as ever where nothing wants it, the last of them is the newest no longer.
  expect([report.error, trims(report)]).toEqual([
    undefined,
    [`delete ${rows.length + 1} row(s) of the audit log, of 1 to ${rows.length + 4} (older than AUDIT_RETENTION)`],
  ]);
  expect(await audit('a.id::int - ' + String(rows.length) + ' AS n, change, why')).toEqual([
    { n: 1, change: 'release_owned', why: '' },
    { n: 2, change: 'release_owned', why: '' },
    { n: 3, change: 'release_owned', why: '' },
    { n: 5, change: 'release_owned', why: expect.stringContaining('users-config') as string },
    { n: 6, change: 'trim_audit_log', why: 'AUDIT_RETENTION=400d' },
  ]);
  await expect(server.query('DELETE FROM pgsteward.audit_log', 'home')).rejects.toThrow('append-only');
  expect((await steward.cycle()).result).toBe('converged');
  const forever = await steward.restart({ AUDIT_RETENTION: 'forever' });
  steward = forever;
  expect(trims(await steward.cycle())).toEqual([]);
});

it('past the number of rows repairs go first, and whoever makes more of them pushes nothing else out; it is told', async () => {
  await start({ AUDIT_MAX_ROWS: '10000' });
  await steward.cycle();
  const [{ kept } = { kept: 0 }] = await server.query<{ kept: number }>('SELECT count(*)::int AS kept FROM pgsteward.audit_log', 'home');
  const fill = (from: number, count: number, repairs: boolean): Promise<object[]> =>
    server.query(
      `INSERT INTO pgsteward.audit_log (id, change, role, object, why, sql, outcome) SELECT n, 'revoke_privilege', 'r', 'o', '', '', 'applied' FROM generate_series(${from}, ${from + count - 1}) n;
       ${repairs ? `INSERT INTO pgsteward.audit_repeat (id, same) SELECT n, n::text FROM generate_series(${from}, ${from + count - 1}) n` : ''}`,
      'home',
    );
  await fill(kept + 1, 9000, true);
  await fill(kept + 9001, 6000, false);
  steward = await steward.restart();
  const report = await steward.cycle();
  expect(trims(report)).toEqual([expect.stringContaining('the oldest repairs') as string]);
  expect(report.notices.map(({ message }) => message)).toContainEqual(expect.stringContaining('AUDIT_MAX_ROWS=10000: its oldest repairs'));
  const left = await audit<{ id: string }>('a.id');
  expect(left.slice(0, kept).map(({ id }) => Number(id))).toEqual(Array.from({ length: kept }, (_, index) => index + 1));
  expect(left).toHaveLength(10_001);
  // Where there is nothing else, the oldest of all.
  await fill(kept + 15_002, 12_000, false);
  steward = await steward.restart();
  for (const reason of ['the oldest repairs', 'the oldest of all']) expect(trims(await steward.cycle()).join()).toContain(reason);
  expect((await audit('a.id')).length).toBeLessThan(10_005);
  const found = await server.query<{ plan: string }>(
    `ANALYZE pgsteward.audit_log; EXPLAIN SELECT a.id FROM pgsteward.audit_log a WHERE outcome = 'intent' AND NOT EXISTS (SELECT FROM pgsteward.audit_log c WHERE c.intent = a.id) ORDER BY a.id`,
    'home',
  );
  expect(JSON.stringify(found)).not.toContain('Seq Scan');
});

it('a ledger of the version before is brought up by a plain admin, and one of a later version is left alone as ever', async () => {
  await start();
  await steward.cycle();
  const rows = await audit('a.id');
  const latest = Number((await server.query<{ version: number }>('SELECT max(version) AS version FROM pgsteward.migration', 'home'))[0]?.version);
  await server.query(
    `${WITHOUT_HISTORY}; DROP TABLE pgsteward.audit_repeat; DROP INDEX pgsteward.audit_log_intents; ALTER TABLE pgsteward.managed_role DROP COLUMN server, DROP COLUMN ledger, DROP COLUMN document, DROP COLUMN gone_since; DELETE FROM pgsteward.migration WHERE version > 4`,
    'home',
  );
  const dry = await createSteward(server, { ...ADMIN, DRY_RUN: 'true', STATE_FILE: '/dev/null/no' }, steward.manifests);
  const seen = await dry.cycle();
  expect(seen.planned.map(sentenceOf)).toEqual([`bring the ledger up to date: schema pgsteward in database home (version 4 to ${latest})`]);
  expect([seen.error, seen.notices.map(({ kind }) => kind)]).toEqual([undefined, ['fallback']]);
  steward = await steward.restart();
  await server.query(`SET ROLE adm; ${misdeed}`, 'home');
  expect([(await steward.cycle()).error, steward.warnings]).toEqual([undefined, []]);
  await server.query(`SET ROLE adm; ${misdeed}`, 'home');
  await steward.cycle();
  expect((await audit('times')).slice(rows.length)).toEqual([{ times: '2' }, { times: '2' }]);
  await server.query(`INSERT INTO pgsteward.migration (version) VALUES (${latest + 1})`, 'home');
  steward = await steward.restart();
  expect((await steward.cycle()).result).toBe('converged');
  expect(steward.warnings.join()).toContain('run the newer one');
});
