// Adopted roles: one that was there before stays when it leaves the document, without what the document said that it holds.
import { expect, it } from 'vitest';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { paste } from '../support/psql.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const NAME = `old'"r`;
const QUOTED = `"old'""r"`;
const declare = (...roles: object[]): void => steward.manifests.users(JSON.stringify({ roles, users: [{ username: 'keeper' }] }));
const entry = (more: object = {}): object => ({
  name: NAME,
  grants: [{ database: 'app', schemas: ['s'], tables: { '*': ['SELECT'] }, databasePrivileges: ['CONNECT'] }],
  ...more,
});
const start = async (env: Record<string, string> = {}, more: object = {}): Promise<void> => {
  await server.query(`CREATE ROLE ${QUOTED}`);
  await server.query('CREATE DATABASE app');
  await server.query(
    `CREATE SCHEMA s; CREATE TABLE s.t (id int); CREATE TABLE s.own (id int); ALTER TABLE s.own OWNER TO ${QUOTED}; GRANT INSERT ON s.t TO ${QUOTED}; GRANT SELECT ON s.own TO PUBLIC`,
    'app',
  );
  steward = await createSteward(server, env);
  declare(entry(more));
  steward.manifests.secret('keeper', 'p');
  await steward.cycle();
  expect((await facts()).slice(0, 3)).toEqual([true, true, true]);
};
/** SELECT on the table, USAGE on the schema, default privileges; INSERT on the table; what it owns; whether it is remembered. */
const facts = async (): Promise<unknown[]> => {
  const [row] = await server.query<{ facts: unknown[] }>(
    `SELECT ARRAY[has_table_privilege(r.oid, 's.t', 'SELECT'), has_schema_privilege(r.oid, 's', 'USAGE'), EXISTS (SELECT FROM pg_default_acl, aclexplode(defaclacl) x WHERE x.grantee = r.oid),
       has_table_privilege(r.oid, 's.t', 'INSERT'), has_table_privilege('keeper', 's.own', 'SELECT') AND EXISTS (SELECT FROM pg_class WHERE relowner = r.oid)] AS facts
     FROM pg_roles r WHERE rolname = 'old''"r'`,
    'app',
  );
  const known = await server.query(`SELECT 1 FROM pgsteward.managed_role WHERE name LIKE 'old%'`);
  return [...(row?.facts ?? []), known.length > 0];
};

it('it loses what it was given, default privileges included, and keeps what it owns', async () => {
  await start();
  declare();
  const dry = await steward.restart({ DRY_RUN: 'true' });
  expect((await dry.cycle()).planned.map(({ kind }) => kind).filter((kind) => kind !== 'remove_event_trigger')).toEqual(['release_owned', 'release_owned']);
  steward = await dry.restart({ DRY_RUN: 'false' });
  const report = await steward.cycle();
  expect([report.notices, report.outcomes.filter(({ result }) => result !== 'applied')]).toEqual([[], []]);
  expect(await facts()).toEqual([false, false, false, false, true, false]);
  expect((await steward.cycle()).result).toBe('converged');
});

it('where it is additive it keeps all that it holds', async () => {
  await start({}, { grantsMode: 'additive' });
  await steward.cycle();
  declare();
  await steward.cycle();
  expect(await facts()).toEqual([true, true, true, true, true, false]);
});

it('REVOKES=report says it and takes nothing, and what others have from it is not taken either', async () => {
  await start({ REVOKES: 'report' });
  declare();
  const report = await steward.cycle();
  expect(report.notices).toEqual([expect.objectContaining({ kind: 'held', subject: NAME })]);
  expect(await facts()).toEqual([true, true, true, true, true, true]);
  await server.query(
    `CREATE ROLE third; GRANT SELECT ON s.t TO ${QUOTED} WITH GRANT OPTION; SET ROLE ${QUOTED}; GRANT SELECT ON s.t TO third; RESET ROLE`,
    'app',
  );
  steward = await steward.restart({ REVOKES: 'apply' });
  const [notice] = (await steward.cycle()).notices;
  expect(notice).toMatchObject({ kind: 'cannot', subject: NAME, advice: { sql: 'GRANT SELECT ON TABLE s.t TO third;', database: 'app' } });
  await paste(server, notice?.advice?.sql ?? '', notice?.advice?.database);
  await steward.cycle();
  expect(await facts()).toEqual([false, false, false, false, true, false]);
  expect(await server.query(`SELECT has_table_privilege('third', 's.t', 'SELECT') AS has`, 'app')).toEqual([{ has: true }]);
});
