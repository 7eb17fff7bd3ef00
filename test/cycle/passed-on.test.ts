// Passed on: what others hold from a leaving user is not ours to take, so the user stays disabled until somebody decides.
import { expect, it } from 'vitest';
import { passedOnToNobodyElse } from '../../src/sql/passed-on-sql.ts';
import type { Notice } from '../../src/changes/notice.ts';
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

const STRANGER = `o'x\u001f\n"; DROP TABLE t --`;
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Alice and a keeper; alice leaves with `leave`. */
const start = async (more: object = {}, env: Record<string, string> = {}): Promise<void> => {
  await server.query('CREATE DATABASE app');
  steward = await createSteward(server, env);
  steward.manifests.users(JSON.stringify({ ...more, users: [{ username: 'alice' }, { username: 'keeper' }, ...((more as { users?: object[] }).users ?? [])] }));
  steward.manifests.secrets(new Map(['alice', 'keeper', 'bob'].map((name) => [name, 'p'])));
  await steward.cycle();
};
const leave = async (more: object = {}) => {
  steward.manifests.users(JSON.stringify({ ...more, users: [{ username: 'keeper' }, ...((more as { users?: object[] }).users ?? [])] }));
  return steward.cycle();
};
const exists = async (role: string): Promise<boolean> => (await server.query(`SELECT 1 FROM pg_roles WHERE rolname = '${role}'`)).length > 0;
const noticeOf = ({ notices }: { readonly notices: readonly Notice[] }, subject = 'alice'): Notice | undefined =>
  notices.find((notice) => notice.kind === 'cannot' && notice.subject === subject);

/** What is granted on in the test, and the privilege. */
const OBJECTS: readonly (readonly [what: string, privilege: string])[] = [
  ['SCHEMA mine', 'USAGE'],
  ['TABLE mine.t', 'SELECT'],
  ['TABLE mine.t', 'UPDATE (b)'],
  ['SEQUENCE mine.t_id_seq', 'USAGE'],
  ['FUNCTION mine."f""x"(integer, OUT integer)', 'EXECUTE'],
  ['PROCEDURE mine.p(IN integer)', 'EXECUTE'],
  ['TYPE mine.state', 'USAGE'],
  ['LANGUAGE plpgsql', 'USAGE'],
  ['LARGE OBJECT 4711', 'SELECT'],
  ['DATABASE app', 'TEMPORARY'],
  ['TABLESPACE pg_default', 'CREATE'],
];

it('what a leaving user passed on to others stays: the user is disabled, the notice has SQL that keeps it for them, and then the user goes', async () => {
  await start();
  const objects = server.major >= 15 ? [...OBJECTS, ['PARAMETER my.param', 'SET'] as const] : OBJECTS;
  await server.query(
    `CREATE ROLE ${quoted(STRANGER)}; CREATE ROLE third; CREATE SCHEMA mine; CREATE TABLE mine.t (id serial, b int); CREATE TYPE mine.state AS ENUM ('a');
     CREATE FUNCTION mine."f""x"(int, OUT int) LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE mine.p(int) LANGUAGE sql AS 'SELECT 1'; SELECT lo_create(4711);
     ${objects.map(([what, privilege]) => `GRANT ${privilege} ON ${what} TO alice WITH GRANT OPTION; SET ROLE alice; GRANT ${privilege} ON ${what} TO ${quoted(STRANGER)} WITH GRANT OPTION; RESET ROLE`).join('; ')};
     GRANT USAGE ON SCHEMA mine TO third; SET ROLE ${quoted(STRANGER)}; GRANT SELECT ON mine.t TO third; RESET ROLE`,
    'app',
  );
  // What it is asked for: each privilege, to whom and whether it can be passed on; not from whom.
  const held = async (): Promise<unknown> =>
    server.query(
      `SELECT DISTINCT o.kind, x.grantee::regrole::text, x.privilege_type, x.is_grantable FROM (SELECT 'r', relacl FROM pg_class UNION ALL SELECT 'a', attacl FROM pg_attribute
         UNION ALL SELECT 'f' || proname, proacl FROM pg_proc UNION ALL SELECT 'n', nspacl FROM pg_namespace UNION ALL SELECT 't', typacl FROM pg_type UNION ALL SELECT 'l', lanacl FROM pg_language
         UNION ALL SELECT 'lo', lomacl FROM pg_largeobject_metadata UNION ALL SELECT 'd', datacl FROM pg_database UNION ALL SELECT 's', spcacl FROM pg_tablespace
         ${server.major >= 15 ? `UNION ALL SELECT 'p', paracl FROM pg_parameter_acl` : ''}) o(kind, acl), aclexplode(o.acl) x JOIN pg_roles r ON r.oid = x.grantee
       WHERE r.rolname = 'third' OR r.rolname LIKE 'o''x%' ORDER BY 1, 2, 3`,
      'app',
    );
  const before = await held();
  expect(before).toHaveLength(objects.length + 2);
  const session = await server.client('app', { user: 'alice', password: 'p' });
  const ended = new Promise((resolve) => session.once('end', resolve));
  let report = await leave();
  await ended;
  expect(await server.query(`SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = 'alice'`)).toEqual([{ rolcanlogin: false, rolpassword: null }]);
  expect(noticeOf(report)).toMatchObject({ kind: 'cannot', message: expect.stringContaining(STRANGER) as string });
  expect(await held()).toEqual(before);
  // Nothing is tried in vain while nobody decides.
  expect((await steward.cycle()).planned).toEqual([]);
  for (let turn = 0; turn < 6 && (await exists('alice')); turn += 1) {
    const advice = noticeOf(report)?.advice;
    await paste(server, advice?.sql ?? '', advice?.database);
    report = await steward.cycle();
  }
  expect(noticeOf(report)).toBeUndefined();
  expect(await exists('alice')).toBe(false);
  expect(await held()).toEqual(before);
  expect((await steward.cycle()).result).toBe('converged');
  if (server.major >= 15) await server.query(`REVOKE ALL ON PARAMETER my.param FROM ${quoted(STRANGER)}, third CASCADE`);
  await server.query(`DROP OWNED BY ${quoted(STRANGER)}, third CASCADE`, 'app');
});

it('nor is what PUBLIC has from it, and taking it away by hand lets the user go as well', async () => {
  await start();
  await server.query('CREATE TABLE t (id int); GRANT SELECT ON t TO alice WITH GRANT OPTION; SET ROLE alice; GRANT SELECT ON t TO PUBLIC', 'app');
  expect(noticeOf(await leave())).toMatchObject({
    message: expect.stringContaining('PUBLIC') as string,
    advice: { sql: 'GRANT SELECT ON TABLE public.t TO PUBLIC;' },
  });
  await server.query('SET ROLE alice; REVOKE SELECT ON t FROM PUBLIC CASCADE', 'app');
  await steward.cycle();
  expect(await exists('alice')).toBe(false);
});

it('a user that has to stay acts through nobody: what it made has moved to an heir without rights, and neither is it in roles nor is anybody in it', async () => {
  await server.query('CREATE DATABASE app');
  await server.query('CREATE ROLE accomplice; CREATE ROLE third');
  await server.query('CREATE TABLE payroll (id int); CREATE SCHEMA theirs AUTHORIZATION accomplice', 'app');
  steward = await createSteward(server);
  const roles = [{ name: 'payers', grants: [{ database: 'app', schemas: ['public'], tables: { payroll: ['SELECT'] } }] }];
  const user = (username: string): object => ({ username, database: 'app', roles: ['payers'] });
  steward.manifests.users(JSON.stringify({ roles, users: [user('alice'), user('keeper')] }));
  steward.manifests.secrets(new Map(['alice', 'keeper'].map((name) => [name, 'p'])));
  await steward.cycle();
  await server.query(
    `CREATE SCHEMA hers AUTHORIZATION alice; SET ROLE alice; GRANT USAGE ON SCHEMA hers TO accomplice;
     CREATE FUNCTION hers.peek() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT count(*) FROM public.payroll'; RESET ROLE;
     GRANT alice TO accomplice WITH ADMIN OPTION; SET ROLE accomplice; GRANT alice TO third; CREATE TABLE theirs.t (id int);
     GRANT USAGE ON SCHEMA theirs TO alice; GRANT SELECT ON theirs.t TO alice WITH GRANT OPTION; SET ROLE alice; GRANT SELECT ON theirs.t TO PUBLIC`,
    'app',
  );
  const peeks = ['SELECT hers.peek()', 'SELECT count(*) FROM payroll', 'SET ROLE alice; SELECT count(*) FROM payroll'];
  const peek = async (sql: string): Promise<unknown> => {
    const client = await server.client('app');
    await client.query('SET SESSION AUTHORIZATION accomplice');
    try {
      await client.query(sql);
      return 'seen';
    } catch {
      return 'denied';
    } finally {
      await client.end();
    }
  };
  for (const sql of peeks) expect(await peek(sql)).toBe('seen');
  steward.manifests.users(JSON.stringify({ roles, users: [user('keeper')] }));
  expect(noticeOf(await steward.cycle())).toBeDefined();
  expect(await exists('alice')).toBe(true);
  for (const sql of peeks) expect([sql, await peek(sql)]).toEqual([sql, 'denied']);
  expect(await server.query(`SELECT FROM pg_auth_members WHERE 'alice'::regrole IN (member, roleid) AND member <> 10`)).toEqual([]);
  expect((await steward.cycle()).planned).toEqual([]);
  await server.query(noticeOf(await steward.cycle())?.advice?.sql ?? '', 'app');
  await steward.cycle();
  expect(await exists('alice')).toBe(false);
});

it('what a user made has moved also where one of its privileges cannot be taken', async () => {
  await start();
  await server.query(
    `CREATE ROLE lead; CREATE ROLE other; CREATE ROLE third; CREATE TABLE t (id int); GRANT SELECT ON t TO lead WITH GRANT OPTION; GRANT lead TO other; GRANT SELECT ON t TO other WITH GRANT OPTION;
     SET ROLE other; GRANT SELECT ON t TO alice; GRANT SELECT ON t TO third; RESET ROLE; REVOKE GRANT OPTION FOR SELECT ON t FROM other; REVOKE lead FROM other;
     CREATE SCHEMA hers AUTHORIZATION alice; SET ROLE alice; CREATE FUNCTION hers.f() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'; RESET ROLE; GRANT alice TO third`,
    'app',
  );
  const { outcomes } = await leave();
  expect(outcomes.filter(({ result }) => result === 'failed').map(({ change }) => change.kind)).toContain('release_owned');
  expect(await server.query(`SELECT proowner = 'alice'::regrole AS hers FROM pg_proc WHERE proname = 'f'`, 'app')).toEqual([{ hers: false }]);
  expect(await server.query(`SELECT FROM pg_auth_members WHERE roleid = 'alice'::regrole AND member <> 10`)).toEqual([]);
});

it('what a role holds by somebody else as well does not keep the user', async () => {
  await start();
  await server.query(
    'CREATE ROLE third; CREATE TABLE t (id int); GRANT SELECT ON t TO third; GRANT SELECT ON t TO alice WITH GRANT OPTION; SET ROLE alice; GRANT SELECT ON t TO third',
    'app',
  );
  expect(noticeOf(await leave())).toBeUndefined();
  expect(await exists('alice')).toBe(false);
  expect(await server.query(`SELECT has_table_privilege('third', 't', 'SELECT') AS has`, 'app')).toEqual([{ has: true }]);
});

it('a role of the document has what it should by the owner, within the same cycle, and one that is left alone keeps the user', async () => {
  const reader = (more: object): object => ({ name: 'reader', grants: [{ database: 'app', schemas: ['public'], tables: { t: ['SELECT'] } }], ...more });
  await start({ roles: [reader({})], users: [{ username: 'bob', database: 'app' }] });
  await server.query(
    `CREATE TABLE t (id int); GRANT SELECT ON t TO alice WITH GRANT OPTION; GRANT CONNECT ON DATABASE app TO alice WITH GRANT OPTION; REVOKE CONNECT ON DATABASE app FROM PUBLIC, bob CASCADE; REVOKE ALL ON t FROM reader;
     SET ROLE alice; GRANT SELECT ON t TO reader; GRANT CONNECT ON DATABASE app TO bob`,
    'app',
  );
  steward.manifests.users(
    JSON.stringify({ roles: [reader({ grantsMode: 'additive' })], users: [{ username: 'keeper' }, { username: 'bob', database: 'app' }] }),
  );
  expect(noticeOf(await steward.cycle())?.message).toContain('reader have privileges from it');
  steward.manifests.users(JSON.stringify({ roles: [reader({})], users: [{ username: 'keeper' }, { username: 'bob', database: 'app' }] }));
  const report = await steward.cycle();
  expect(noticeOf(report)).toBeUndefined();
  expect(await exists('alice')).toBe(false);
  expect(await server.query(`SELECT has_table_privilege('reader', 't', 'SELECT') AND has_database_privilege('bob', 'app', 'CONNECT') AS has`, 'app')).toEqual([
    { has: true },
  ]);
  expect((await steward.cycle()).result).toBe('converged');
});

it('memberships that it granted stay as well, where the server knows who did', async () => {
  await start({ roles: [{ name: 'team' }] });
  await server.query(
    `CREATE ROLE ${quoted(STRANGER)}; CREATE ROLE club; GRANT club TO alice WITH ADMIN OPTION; SET ROLE alice; GRANT club TO ${quoted(STRANGER)}; RESET ROLE`,
  );
  const members = (): Promise<unknown> => server.query(`SELECT count(*)::int AS n FROM pg_auth_members WHERE roleid = 'club'::regrole AND member <> 10`);
  const report = await leave();
  if (server.major < 16) {
    expect(await exists('alice')).toBe(false);
  } else {
    const { message, advice } = noticeOf(report) ?? {};
    expect(message).toContain(`${STRANGER} (in club)`);
    expect(await exists('alice')).toBe(true);
    await paste(server, advice?.sql ?? '');
    await steward.cycle();
    expect(await exists('alice')).toBe(false);
  }
  expect(await members()).toEqual([{ n: 1 }]);
});

it('what it costs grows with what was passed on, and no faster; past the limit the user stays, and no other', async () => {
  await start({ users: [{ username: 'bob' }] });
  const some = Array.from({ length: 150 }, (_, index) => `r${index}`);
  const passOn = (from: number, to: number): Promise<unknown> =>
    server.query(
      `DO $$ BEGIN FOR i IN ${from}..${to} LOOP EXECUTE format('CREATE TABLE s.t%1$s (); GRANT SELECT ON s.t%1$s TO alice WITH GRANT OPTION', i); END LOOP; SET LOCAL ROLE alice;
       FOR i IN ${from}..${to} LOOP EXECUTE format('GRANT SELECT ON s.t%s TO ${some.join(', ')}', i); END LOOP; END $$`,
      'app',
    );
  await server.query(`${some.map((name) => `CREATE ROLE ${name}`).join('; ')}; CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO alice`, 'app');
  await passOn(1, 300);
  expect(noticeOf(await leave({ users: [{ username: 'bob' }] }))?.message).toContain('of 45000 statements');
  await passOn(301, 700);
  await server.query('GRANT SELECT ON s.t1 TO bob', 'app');
  expect(noticeOf(await leave())?.message).toContain('what it passed on cannot be read: database app: 106');
  expect([await exists('alice'), await exists('bob')]).toEqual([true, false]);
  await server.query('DROP SCHEMA s CASCADE', 'app');
  await steward.cycle();
  expect(await exists('alice')).toBe(false);
});

it('what was passed on after the catalogs were read stops the release', async () => {
  await start();
  await server.query(
    'CREATE ROLE third; CREATE TABLE t (id int); GRANT SELECT ON t TO alice WITH GRANT OPTION; SET ROLE alice; GRANT SELECT ON t TO third',
    'app',
  );
  const [third] = await server.query<{ oid: number }>(`SELECT oid::int FROM pg_roles WHERE rolname = 'third'`);
  await expect(server.query(passedOnToNobodyElse('alice', [], server.major), 'app')).rejects.toThrow('alice passed something on in database app');
  await server.query(passedOnToNobodyElse('alice', [third?.oid ?? 0], server.major), 'app');
});

it('grants without a grant option behind them do not keep a user: made by way of a membership that ended since', async () => {
  await start();
  await server.query(
    `CREATE ROLE lead; CREATE ROLE other; CREATE TABLE t (id int, b int); GRANT SELECT, UPDATE ON t TO lead WITH GRANT OPTION; GRANT lead TO alice, other;
     GRANT SELECT, INSERT, UPDATE ON t TO alice WITH GRANT OPTION; GRANT SELECT, UPDATE ON t TO other WITH GRANT OPTION; GRANT keeper TO alice;
     SET ROLE alice; GRANT SELECT ON t TO keeper; GRANT UPDATE (b) ON t TO keeper; RESET ROLE; SET ROLE other; GRANT SELECT, UPDATE ON t TO alice; RESET ROLE;
     REVOKE SELECT, UPDATE ON t FROM alice; REVOKE GRANT OPTION FOR SELECT ON t FROM other; REVOKE UPDATE ON t FROM other; REVOKE lead FROM alice, other; GRANT SELECT, UPDATE ON t TO keeper`,
    'app',
  );
  expect(noticeOf(await leave())).toBeUndefined();
  expect(await exists('alice')).toBe(false);
  expect(await server.query(`SELECT relacl::text FROM pg_class WHERE relname = 't'`, 'app')).toEqual([
    {
      relacl: '{postgres=arwdDxtm/postgres,lead=r*w*/postgres,other=r/postgres,keeper=rw/postgres}'.replace(
        server.major < 17 ? 'tm/' : ' ',
        server.major < 17 ? 't/' : ' ',
      ),
    },
  ]);
});

it('a membership that somebody passed on with its ADMIN option does not end with it for others, and is given again to users of the document', async () => {
  const club = (admin: boolean): object => ({
    users: [
      { username: 'bob', roles: ['club'] },
      { username: 'carl', roles: admin ? [{ name: 'club', admin }] : ['club'] },
    ],
  });
  await start({ roles: [{ name: 'club' }], ...club(true) });
  if (server.major < 16) return;
  steward.manifests.secret('carl', 'p');
  await steward.cycle();
  await server.query(
    `CREATE ROLE ${quoted(STRANGER)}; REVOKE club FROM bob; SET ROLE carl; GRANT club TO bob; GRANT club TO ${quoted(STRANGER)} WITH ADMIN OPTION; RESET ROLE;
     CREATE ROLE third; SET ROLE ${quoted(STRANGER)}; GRANT club TO third; RESET ROLE`,
  );
  const members = async (): Promise<unknown> =>
    (
      await server.query<{ name: string; by: string; admin: boolean }>(
        `SELECT m.rolname AS name, g.rolname AS by, a.admin_option AS admin FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.grantor
         WHERE a.roleid = 'club'::regrole ORDER BY 1, 2`,
      )
    ).map(({ name, by, admin }) => [name, by, admin]);
  steward.manifests.users(
    JSON.stringify({ roles: [{ name: 'club' }], users: [{ username: 'alice' }, { username: 'keeper' }, ...(club(false) as { users: object[] }).users] }),
  );
  const { message, advice } = noticeOf(await steward.cycle(), 'carl') ?? {};
  expect(message).toContain(`carl made ${STRANGER}, third members of club`);
  expect(await members()).toEqual([
    ['bob', 'carl', false],
    ['carl', 'postgres', true],
    [STRANGER, 'carl', true],
    ['third', STRANGER, false],
  ]);
  await paste(server, advice?.sql ?? '');
  await steward.cycle();
  expect(await members()).toEqual([
    ['bob', 'postgres', false],
    ['carl', 'postgres', false],
    [STRANGER, 'postgres', true],
    ['third', STRANGER, false],
    ['third', 'postgres', false],
  ]);
  expect((await steward.cycle()).result).toBe('converged');
});
