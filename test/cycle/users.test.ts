// Users, roles and memberships on a real server: created, repaired when somebody changes them, and left alone when nothing differs.
import { describe, expect, it } from 'vitest';
import { sentenceOf } from '../../src/changes/change.ts';
import { planLines } from '../../src/changes/plan-lines.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const start = async (users: readonly object[] | string, passwords: Record<string, string> = {}, env: Record<string, string> = {}): Promise<void> => {
  steward = await createSteward(server, env);
  steward.manifests.users(users);
  steward.manifests.secrets(new Map(Object.entries(passwords)));
};
const rolesOf = async (member: string): Promise<string[]> =>
  (
    await server.query<{ role: string }>(
      `SELECT DISTINCT r.rolname AS role FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = '${member}' ORDER BY 1`,
    )
  ).map((row) => row.role);
const login = async (user: string, password: string, database = 'postgres'): Promise<void> => {
  const client = await server.client(database, { user, password });
  await client.end();
};

describe('a document', () => {
  it('becomes users who can log in, roles and memberships, and a second cycle issues no statement that writes', async () => {
    await start(
      [
        { username: 'alice', roles: ['read_only', 'analyst'] },
        { username: 'Bob "the" O\'Neil; 🐘', roles: ['read_only'] },
      ],
      { alice: 'pässwörd Ⅸ', 'Bob "the" O\'Neil; 🐘': 'b' },
    );
    expect((await steward.cycle()).result).toBe('changed');
    await login('alice', 'pässwörd Ⅸ');
    await login('Bob "the" O\'Neil; 🐘', 'b');
    expect(await rolesOf('alice')).toEqual(['analyst', 'read_only']);
    server.mark();
    expect((await steward.cycle()).result).toBe('converged');
    expect((await steward.cycle()).unchanged).toBe(true);
    expect(ddlOf(server.log())).toEqual([]);
  });

  it('sets every attribute of an entry and takes it away again when the entry no longer says it', async () => {
    await server.query('CREATE DATABASE app');
    const full = {
      username: 'alice',
      database: 'app',
      databases: ['postgres'],
      connectionLimit: 7,
      validUntil: '2031-01-31',
      comment: "it's hers",
      settings: { search_path: 'App, "Mixed", public', work_mem: '8MB', 'app.tenant': 'x' },
      databaseSettings: { app: { statement_timeout: '5s' } },
    };
    await start([full], { alice: 'a' });
    await steward.cycle();
    const read = (): Promise<unknown[]> =>
      server.query(
        `SELECT rolconnlimit, rolvaliduntil::text AS until, shobj_description(oid, 'pg_authid') AS comment, (SELECT array_agg(setconfig::text ORDER BY setdatabase) FROM pg_db_role_setting WHERE setrole = oid) AS settings FROM pg_authid WHERE rolname = 'alice'`,
      );
    expect(await read()).toEqual([
      {
        rolconnlimit: 7,
        until: '2031-01-31 00:00:00+00',
        comment: "it's hers",
        settings: [`{"search_path=app, \\"Mixed\\", public",work_mem=8MB,app.tenant=x}`, '{statement_timeout=5s}'],
      },
    ]);
    expect((await steward.cycle()).result).toBe('converged');
    steward.manifests.users([{ username: 'alice', database: 'app' }]);
    await steward.cycle();
    expect(await read()).toEqual([{ rolconnlimit: -1, until: 'infinity', comment: null, settings: null }]);
    expect((await steward.cycle()).result).toBe('converged');
  });

  it('gives membership options where the server has them, and says so clearly where it has not', async () => {
    await start(
      [
        { username: 'alice', roles: [{ name: 'ops', admin: true, inherit: false, set: true }] },
        { username: 'bob', roles: [{ name: 'ops', admin: true }] },
        { username: 'carol', roles: [{ name: 'ops', admin: false, inherit: true, set: true }] },
      ],
      { alice: 'a', bob: 'b', carol: 'c' },
    );
    const report = await steward.cycle();
    // What is so on every server may be written out for every server.
    expect(await rolesOf('carol')).toEqual(['ops']);
    expect((await steward.cycle()).outcomes).toEqual([]);
    if (server.major < 16) {
      expect(report.notices.map((notice) => notice.message)).toEqual([expect.stringContaining('need PostgreSQL 16')]);
      expect(await rolesOf('bob')).toEqual(['ops']);
      return;
    }
    expect(await server.query(`SELECT admin_option, inherit_option, set_option FROM pg_auth_members WHERE member = 'alice'::regrole`)).toEqual([
      { admin_option: true, inherit_option: false, set_option: true },
    ]);
    steward.manifests.users([{ username: 'alice', roles: ['ops'] }, { username: 'bob' }]);
    await steward.cycle();
    expect(await server.query(`SELECT admin_option, inherit_option, set_option FROM pg_auth_members WHERE member = 'alice'::regrole`)).toEqual([
      { admin_option: false, inherit_option: true, set_option: true },
    ]);
    expect(await rolesOf('bob')).toEqual([]);
    expect((await steward.cycle()).result).toBe('converged');
  });

  it('waits for a database that does not exist and grants CONNECT when it appears', async () => {
    await start([{ username: 'alice', database: 'later' }], { alice: 'a' });
    const report = await steward.cycle();
    expect(report.notices).toEqual([expect.objectContaining({ kind: 'pending', subject: 'alice' })]);
    await server.query('CREATE DATABASE later; ').then(() => server.query('REVOKE CONNECT ON DATABASE later FROM PUBLIC'));
    await steward.cycle();
    await login('alice', 'a', 'later');
  });
});

describe('drift', () => {
  const DRIFTS: readonly [string, string][] = [
    ['a membership revoked by hand', 'REVOKE read_only FROM alice'],
    ['a membership granted by hand', 'CREATE ROLE extra; GRANT extra TO alice'],
    ['an admin option granted by hand', 'GRANT read_only TO alice WITH ADMIN OPTION'],
    ['NOLOGIN', 'ALTER ROLE alice NOLOGIN'],
    ['CREATEDB and CREATEROLE', 'ALTER ROLE alice CREATEDB CREATEROLE BYPASSRLS NOINHERIT'],
    ['a connection limit', 'ALTER ROLE alice CONNECTION LIMIT 0'],
    ['an end of validity', "ALTER ROLE alice VALID UNTIL '2001-01-01'"],
    ['an end in the infinite past', "ALTER ROLE alice VALID UNTIL '-infinity'"],
    ['a comment', "COMMENT ON ROLE alice IS 'mine'"],
    ['a setting', "ALTER ROLE alice SET work_mem = '1GB'"],
    ['a setting in a database', "ALTER ROLE alice IN DATABASE postgres SET work_mem = '1GB'"],
    ['a password', "ALTER ROLE alice PASSWORD 'other'"],
    ['no password', 'ALTER ROLE alice PASSWORD NULL'],
    ['CONNECT revoked', 'REVOKE CONNECT ON DATABASE postgres FROM alice'],
    ['CONNECT elsewhere', 'GRANT CONNECT ON DATABASE template1 TO alice WITH GRANT OPTION'],
    ['a role that became a login', 'ALTER ROLE read_only LOGIN CREATEDB'],
    ['a dropped user', 'DROP OWNED BY alice; DROP ROLE alice'],
  ];
  it.each(DRIFTS)('%s is found, repaired within one cycle and counted', async (_name, sql) => {
    await start([{ username: 'alice', roles: ['read_only'] }], { alice: 'a' });
    await steward.cycle();
    await steward.cycle();
    await server.query(sql);
    const report = await steward.cycle();
    expect(report.drift.length, report.planned.map(sentenceOf).join()).toBeGreaterThan(0);
    await login('alice', 'a');
    expect(await rolesOf('alice')).toEqual(['read_only']);
    expect((await steward.cycle()).result).toBe('converged');
    server.mark();
    expect((await steward.cycle()).result).toBe('converged');
    expect(ddlOf(server.log())).toEqual([]);
  });

  it('of an adopted role is only what its entry says', async () => {
    await server.query(`CREATE ROLE alice LOGIN CREATEDB CONNECTION LIMIT 5; COMMENT ON ROLE alice IS 'old'; ALTER ROLE alice SET work_mem = '9MB'`);
    await start([{ username: 'alice' }], { alice: 'a' });
    const report = await steward.cycle();
    expect(report.planned.map((change) => change.kind)).toEqual(['prepare_ledger', 'adopt_role', 'grant_privilege', 'set_password']);
    expect(await server.query(`SELECT rolcreatedb, rolconnlimit FROM pg_roles WHERE rolname = 'alice'`)).toEqual([{ rolcreatedb: true, rolconnlimit: 5 }]);
    expect(await server.query(`SELECT origin FROM pgsteward.managed_role`)).toEqual([{ origin: 'adopted' }]);
  });
});

describe('the law', () => {
  it('refuses superusers, replication, the admin, protected names and roles that reach beyond the database, each with its reason', async () => {
    await server.query(
      `CREATE ROLE boss LOGIN SUPERUSER; CREATE ROLE copy LOGIN REPLICATION; CREATE ROLE keepoff LOGIN; CREATE ROLE prog LOGIN; GRANT pg_execute_server_program TO prog; CREATE ROLE maker CREATEROLE; CREATE ROLE via; GRANT maker TO via`,
    );
    await start(
      ['boss', 'copy', 'keepoff', 'prog', 'postgres']
        .map((username) => ({ username }))
        .concat([{ username: 'alice', roles: ['boss', 'pg_read_server_files', 'via', 'pg_monitor', 'prog'] } as { username: string }]),
      { boss: 'x', copy: 'x', keepoff: 'x', prog: 'x', postgres: 'x', alice: 'a' },
      { PROTECTED_ROLES: 'keepoff' },
    );
    const report = await steward.cycle();
    expect(report.notices.filter((notice) => notice.kind === 'refused').map((notice) => notice.subject)).toEqual([
      'boss',
      'copy',
      'keepoff',
      'prog',
      'postgres',
      'alice',
      'alice',
      'alice',
      'alice',
      'alice',
    ]);
    expect(await rolesOf('alice')).toEqual([]);
    await expect(login('boss', 'x')).rejects.toThrow();
    const allowed = await steward.restart({ ALLOWED_ROLES: 'pg_monitor' });
    await allowed.cycle();
    expect(await rolesOf('alice')).toContain('pg_monitor');
    steward = allowed;
  });

  it('does not hand out a refused role because the document names it as a user, nor adopt a powerful role that took a managed name', async () => {
    await start([{ username: 'postgres' }, { username: 'alice', roles: ['postgres'] }, { username: 'bob' }], { postgres: 'x', alice: 'a', bob: 'b' });
    await steward.cycle();
    expect(await rolesOf('alice')).toEqual([]);
    await server.query(`DROP OWNED BY bob; DROP ROLE bob; CREATE ROLE bob LOGIN CREATEROLE PASSWORD 'their own'`);
    const report = await steward.cycle();
    expect(report.notices.map((notice) => notice.message).join()).toContain('it can create roles');
    await login('bob', 'their own');
  });

  it('refuses settings that ordinary users may not make', async () => {
    await start(
      [
        {
          username: 'alice',
          settings: {
            session_preload_libraries: 'evil',
            log_statement: 'none',
            'anon.transparent_dynamic_masking': 'off',
            'anonymous.x': 'y',
            work_mem: '8MB',
          },
        },
      ],
      { alice: 'a' },
    );
    const report = await steward.cycle();
    expect(report.notices.map((notice) => notice.kind)).toEqual(['refused', 'refused', 'refused']);
    expect(await server.query(`SELECT setconfig::text AS config FROM pg_db_role_setting WHERE setrole = 'alice'::regrole`)).toEqual([
      { config: '{anonymous.x=y,work_mem=8MB}' },
    ]);
  });

  it('refuses a role that another source owns, with its name', async () => {
    await start([{ username: 'alice' }], { alice: 'a' });
    await steward.cycle();
    await server.query(`UPDATE pgsteward.managed_role SET source = 'other/config'`);
    const report = await steward.cycle();
    expect(report.notices[0]?.message).toContain('it belongs to the source other/config');
  });
});

it('a failing statement stops only its own change', async () => {
  const many = Array.from({ length: 40 }, (_, index) => ({ username: `user-${index}`, ...(index === 17 ? { settings: { work_mem: 'banana' } } : {}) }));
  await start(many, Object.fromEntries(many.map(({ username }) => [username, 'p'])));
  const report = await steward.cycle();
  expect(report.outcomes.filter((outcome) => outcome.result === 'failed').map((outcome) => sentenceOf(outcome.change))).toEqual(['set work_mem for: user-17']);
  await login('user-39', 'p');
  const audit = await server.query<{ outcome: string; count: string }>(`SELECT outcome, count(*) FROM pgsteward.audit_log GROUP BY 1 ORDER BY 1`);
  expect(audit.map((row) => row.outcome)).toEqual(['applied', 'failed']);
  expect(await server.query(`SELECT max(id) = count(*) AS gapless FROM pgsteward.audit_log`)).toEqual([{ gapless: true }]);
});

it('a dry run says what would happen and writes nothing anywhere', async () => {
  await start([{ username: 'alice', roles: ['read_only', 'analyst'] }], { alice: 'a' }, { DRY_RUN: 'true' });
  server.mark();
  const report = await steward.cycle();
  expect(planLines(report.planned).slice(0, 4)).toEqual([
    'create schema: pgsteward in database postgres (the ledger: which roles are ours, and every change)',
    'create user: alice with roles [read_only, analyst]',
    'create role: read_only',
    'create role: analyst',
  ]);
  expect(ddlOf(server.log())).toEqual([]);
  expect(await server.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'pgsteward'`)).toEqual([]);
});
