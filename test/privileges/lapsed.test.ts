// Lapsed grants: a grantor that has lost its grant option can revoke nothing, and what it granted is still to be taken.
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

/** Roles of the document that hold nothing but USAGE on the schema. */
const start = async (roles: readonly string[], env: Record<string, string> = {}): Promise<void> => {
  steward = await createSteward(server, env);
  steward.manifests.users(
    JSON.stringify({ roles: roles.map((name) => ({ name, grants: [{ database: 'app', schemas: ['s'] }] })), users: [{ username: 'keeper' }] }),
  );
  steward.manifests.secret('keeper', 'p');
  await steward.cycle();
};

/** `who` grants by a grant option of its own, loses it while a membership keeps what it granted, and then the membership. */
const lapse = (who: string, grant: string, lost: string, to: string): string =>
  `GRANT ${grant} TO lead WITH GRANT OPTION; GRANT lead TO ${who}; GRANT ${grant} TO ${who} WITH GRANT OPTION; SET ROLE ${who}; GRANT ${grant} TO ${to}; RESET ROLE;
   REVOKE ${lost} FROM ${who}; REVOKE lead FROM ${who}; REVOKE ${grant} FROM lead CASCADE;`;

it('what was granted by somebody that has lost its grant option is revoked, once, and who granted it is left as it was', async () => {
  await server.query('CREATE DATABASE app');
  await server.query(
    `CREATE SCHEMA s; CREATE TABLE s."t'1" (id int, b int); CREATE TABLE s.u (id int); CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    'app',
  );
  await start(['r1', 'r2']);
  await server.query(
    `CREATE ROLE lead; CREATE ROLE "o""th'er"; GRANT USAGE ON SCHEMA s TO "o""th'er"; REVOKE EXECUTE ON FUNCTION s.f() FROM PUBLIC;
     ${lapse(`"o""th'er"`, `SELECT, INSERT ON s."t'1"`, `GRANT OPTION FOR SELECT, INSERT ON s."t'1"`, 'r1, r2')}
     ${lapse(`"o""th'er"`, `UPDATE ON s.u`, `UPDATE ON s.u`, 'r1')}
     ${lapse(`"o""th'er"`, `SELECT (b) ON s."t'1"`, `SELECT (b) ON s."t'1"`, 'r2')}
     ${lapse(`"o""th'er"`, `EXECUTE ON FUNCTION s.f()`, `EXECUTE ON FUNCTION s.f()`, 'r1')}
     ${lapse(`"o""th'er"`, `CREATE ON SCHEMA s`, `CREATE ON SCHEMA s`, 'r1')}
     ${lapse(`"o""th'er"`, `TEMPORARY ON DATABASE app`, `TEMPORARY ON DATABASE app`, 'r2')}`,
    'app',
  );
  const held = (): Promise<{ kind: string; privilege: string; grantee: string }[]> =>
    server.query(
      `SELECT o.kind, x.privilege_type AS privilege, x.grantee::regrole::text AS grantee, x.is_grantable AS grantable FROM (SELECT 'r', relacl FROM pg_class UNION ALL SELECT 'a', attacl FROM pg_attribute
         UNION ALL SELECT 'f', proacl FROM pg_proc UNION ALL SELECT 'n', nspacl FROM pg_namespace UNION ALL SELECT 'd', datacl FROM pg_database WHERE datname = 'app') o(kind, acl), aclexplode(o.acl) x
       WHERE x.grantee IN (SELECT oid FROM pg_roles WHERE rolname IN ('r1', 'r2', 'lead', 'o"th''er')) ORDER BY 1, 2, 3`,
      'app',
    );
  expect((await held()).filter(({ grantee }) => grantee.startsWith('r'))).toHaveLength(2 * 2 + 5 + 2);
  const report = await steward.cycle();
  expect(report.outcomes.filter(({ result }) => result !== 'applied')).toEqual([]);
  expect(report.notices).toEqual([]);
  expect(await held()).toEqual([
    { kind: 'n', privilege: 'USAGE', grantee: `"o""th'er"`, grantable: false },
    { kind: 'n', privilege: 'USAGE', grantee: 'r1', grantable: false },
    { kind: 'n', privilege: 'USAGE', grantee: 'r2', grantable: false },
    { kind: 'r', privilege: 'INSERT', grantee: `"o""th'er"`, grantable: false },
    { kind: 'r', privilege: 'SELECT', grantee: `"o""th'er"`, grantable: false },
  ]);
  expect((await steward.cycle()).result).toBe('converged');
});

/** A role of the document, and somebody, with a SELECT from who has lapsed; what else is to be done in the database. */
const withLapsed = async (to: string, more = '', env: Record<string, string> = {}): Promise<void> => {
  await server.query('CREATE DATABASE app');
  await server.query(`CREATE SCHEMA s; CREATE TABLE s.t (id int)`, 'app');
  await start(['r1'], env);
  await server.query(
    `CREATE ROLE lead; CREATE ROLE other; CREATE ROLE third; GRANT USAGE ON SCHEMA s TO other, third; ${lapse('other', 'SELECT ON s.t', 'SELECT ON s.t', to)} ${more}`,
    'app',
  );
};
const has = async (role: string): Promise<boolean> =>
  (await server.query<{ has: boolean }>(`SELECT has_table_privilege('${role}', 's.t', 'SELECT') AS has`, 'app'))[0]?.has === true;
const audited = async (): Promise<number> =>
  (await server.query(`SELECT 1 FROM pgsteward.audit_log WHERE change = 'revoke_privilege' AND outcome = 'applied'`)).length;

it('one that is a superuser by now cannot revoke it: nothing is tried in vain, and the SQL does it', async () => {
  await withLapsed('r1', 'ALTER ROLE other SUPERUSER');
  const report = await steward.cycle();
  const [notice] = report.notices;
  expect(report.notices).toEqual([
    { kind: 'cannot', subject: 'r1', message: expect.stringContaining('other granted it, and is a superuser by now') as string, advice: notice?.advice },
  ]);
  await steward.cycle();
  expect([await audited(), await has('r1')]).toEqual([0, true]);
  await paste(server, notice?.advice?.sql ?? '', notice?.advice?.database);
  expect([await has('r1'), (await steward.cycle()).result]).toEqual([false, 'converged']);
  expect(await server.query(`SELECT rolsuper FROM pg_roles WHERE rolname = 'other'`)).toEqual([{ rolsuper: true }]);
});

it('one that granted to others as well keeps its grants to them: nothing is taken from those, and the SQL lets it revoke', async () => {
  await withLapsed('r1, third');
  const { notices } = await steward.cycle();
  expect(notices).toEqual([
    { kind: 'failed', subject: 'r1', message: expect.stringContaining('other has lost its grant option') as string, advice: notices[0]?.advice },
  ]);
  expect([await has('r1'), await has('third'), await audited()]).toEqual([true, true, 0]);
  await paste(server, notices[0]?.advice?.sql ?? '', notices[0]?.advice?.database);
  steward = await steward.restart();
  await steward.cycle();
  expect([await has('r1'), await has('third'), (await steward.cycle()).result]).toEqual([false, true, 'converged']);
});

it('a change that has no effect is made less and less often', async () => {
  await withLapsed('r1', '', { RETRY_BACKOFF_BASE: '10' });
  // Somebody grants again whatever is revoked, in the same transaction.
  await server.query(
    `CREATE FUNCTION again() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN GRANT SELECT ON s.t TO r1; END $$;
     CREATE EVENT TRIGGER zz_again ON ddl_command_end WHEN TAG IN ('REVOKE') EXECUTE FUNCTION again()`,
    'app',
  );
  for (let cycle = 0; cycle < 12; cycle += 1)
    expect((await steward.cycle()).notices.map(({ kind }) => kind)).toEqual([expect.stringMatching(/^(?:not_converging|failed)$/)]);
  expect(await audited()).toBeLessThan(7);
});
