// What gives its holder the powers of our own role, or of the platform that runs the server: not handed out, not adopted, not altered, not made an owner.
import { describe, expect, it } from 'vitest';
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

const start = async (document: object, env: Record<string, string> = {}): Promise<void> => {
  steward = await createSteward(server, env);
  steward.manifests.users(JSON.stringify(document));
  steward.manifests.secrets(new Map(['alice', 'keeper', ...PLATFORM].map((name) => [name, 'p'])));
};
const PLATFORM = [
  'rds_superuser',
  'azure_pg_admin',
  'cloudsqlsuperuser',
  'alloydbsuperuser',
  'supabase_admin',
  'neon_superuser',
  'crunchy_superuser',
  'doadmin',
  'avnadmin',
];
const rolesOf = async (member: string): Promise<string[]> =>
  (
    await server.query<{ role: string }>(
      `SELECT DISTINCT roleid::regrole::text AS role FROM pg_auth_members WHERE member = (SELECT oid FROM pg_roles WHERE rolname = '${member}') ORDER BY 1`,
    )
  ).map((row) => row.role);
const state = (): Promise<object[]> =>
  server.query(
    `SELECT rolname, rolcanlogin, rolconnlimit, rolpassword, shobj_description(oid, 'pg_authid') AS comment FROM pg_authid WHERE rolname = ANY ('{${PLATFORM.join()}}') ORDER BY 1`,
  );
const said = (report: Awaited<ReturnType<Steward['cycle']>>): string => report.notices.map(({ kind, message }) => `${kind}: ${message}`).join('\n');

describe('a platform’s own administrators', () => {
  it('are not handed out, adopted, altered, made owners or dropped, and the reason names the platform', async () => {
    await server.query(PLATFORM.map((name) => `CREATE ROLE ${name} NOLOGIN`).join('; '));
    const before = await state();
    await server.query('CREATE DATABASE shop');
    await start({
      databases: [{ name: 'shop', owner: 'rds_superuser', schemas: [{ name: 'app', owner: 'azure_pg_admin' }] }],
      roles: [{ name: 'cloudsqlsuperuser', comment: 'mine now', memberOf: ['team'] }],
      users: [
        { username: 'alice', roles: PLATFORM },
        ...PLATFORM.filter((name) => name !== 'cloudsqlsuperuser').map((username) => ({ username, connectionLimit: 3 })),
      ],
    });
    const report = await steward.cycle();
    expect(await rolesOf('alice')).toEqual([]);
    expect(await state()).toEqual(before);
    expect(said(report)).toContain(
      'membership in rds_superuser is refused: it belongs to the platform (Amazon RDS and Aurora); ALLOWED_ROLES=rds_superuser allows it',
    );
    expect(said(report)).toContain('the user is refused: it belongs to the platform (Azure Database for PostgreSQL)');
    expect(await server.query(`SELECT datdba::regrole::text AS owner FROM pg_database WHERE datname = 'shop'`)).toEqual([{ owner: 'postgres' }]);
    expect(await server.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'app'`, 'shop')).toEqual([]);
    await server.query(
      `INSERT INTO pgsteward.managed_role (name, entity, origin, source, oid, status) SELECT rolname, 'user', 'adopted', '${steward.config.source.namespace}/${steward.config.source.configMapName}', oid, 'active' FROM pg_roles WHERE rolname = 'doadmin'`,
    );
    steward.manifests.users('users: [{username: keeper}]');
    await steward.cycle();
    expect(await state()).toEqual(before);
  });

  it('are handed out where the operator names them, and nothing else of theirs', async () => {
    await server.query('CREATE ROLE rds_superuser; CREATE ROLE rds_password; CREATE ROLE dba; GRANT rds_password TO dba');
    await start({ users: [{ username: 'alice', roles: ['rds_superuser', 'dba'] }] }, { ALLOWED_ROLES: 'rds_superuser' });
    const report = await steward.cycle();
    expect(await rolesOf('alice')).toEqual(['rds_superuser']);
    expect(said(report)).toContain('membership in dba is refused: it is a member of rds_password, and that belongs to the platform');
  });

  it('do not take common names from servers of one’s own, and roles that only say how somebody logs in are for everybody', async () => {
    await server.query('CREATE ROLE rds_iam; CREATE ROLE service_role');
    await start({ roles: [{ name: 'anon' }], users: [{ username: 'alice', roles: ['anon', 'service_role', 'rds_iam'] }] });
    const report = await steward.cycle();
    expect([report.result, said(report)]).toEqual(['changed', '']);
    expect(await rolesOf('alice')).toEqual(['anon', 'rds_iam', 'service_role']);
    expect(await server.query(`SELECT name FROM pgsteward.managed_role ORDER BY 1`)).toEqual([{ name: 'alice' }, { name: 'anon' }, { name: 'service_role' }]);
    await server.query('CREATE ROLE supabase_admin');
    expect(said(await steward.cycle())).toContain(
      'membership in service_role is there and stays, but pgsteward would not give it: it belongs to the platform (Supabase)',
    );
  });
});

describe('what our own role is a member of', () => {
  const plain = async (users: readonly object[], env: Record<string, string> = {}): Promise<void> => {
    await server.query(
      `CREATE ROLE steward LOGIN CREATEROLE CREATEDB PASSWORD 's'; CREATE ROLE unheard_of_admin; CREATE ROLE below; CREATE ROLE via; CREATE ROLE free`,
    );
    await server.query('CREATE DATABASE home OWNER steward');
    await server.query('GRANT unheard_of_admin TO steward; GRANT below TO unheard_of_admin; GRANT below TO via');
    if (server.major >= 16) await server.query('GRANT free, unheard_of_admin, below, via TO steward WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
    if (server.major >= 16) await server.query('GRANT unheard_of_admin TO steward WITH INHERIT TRUE');
    await start({ users }, { DB_USER: 'steward', DB_PASS: 's', DB_NAME: 'home', ...env });
  };

  it('is powerful, by whatever name and however far away; what it only administers is not', async () => {
    await plain([
      { username: 'alice', roles: ['unheard_of_admin', 'below', 'via', 'free'] },
      { username: 'unheard_of_admin', password: 'none' },
    ]);
    const report = await steward.cycle();
    expect(await rolesOf('alice')).toEqual(['free']);
    expect(said(report)).toContain(
      "membership in unheard_of_admin is refused: pgsteward's own role is a member of it; ALLOWED_ROLES=unheard_of_admin allows it",
    );
    expect(said(report)).toContain("membership in via is refused: pgsteward's own role is a member of below, as it is itself; ALLOWED_ROLES=via allows it");
    expect(said(report)).toContain("the user is refused: pgsteward's own role is a member of it");
    expect(await server.query(`SELECT rolcanlogin FROM pg_roles WHERE rolname = 'unheard_of_admin'`)).toEqual([{ rolcanlogin: false }]);
  });

  it('is handed out where the operator names it, and roles that it made and what they own always are', async () => {
    await plain([{ username: 'alice', roles: ['via', 'made', 'unheard_of_admin'] }], { ALLOWED_ROLES: 'unheard_of_admin,below' });
    expect(said(await steward.cycle())).not.toContain('is refused');
    expect(await rolesOf('alice')).toEqual(['made', 'unheard_of_admin', 'via']);
    steward.manifests.users(
      'databases: [{name: shop, owner: shop_owner, create: true}]\nusers: [{username: keeper}, {username: alice, roles: [made, shop_owner]}]',
    );
    expect(said(await steward.cycle())).not.toContain('is refused');
    expect(await rolesOf('alice')).toEqual(['made', 'shop_owner']);
  });

  it('does not count for a superuser, who has nothing by memberships', async () => {
    await server.query('CREATE ROLE app; GRANT app TO postgres');
    await start({ users: [{ username: 'alice', roles: ['app'] }] });
    expect(said(await steward.cycle())).toBe('');
    expect(await rolesOf('alice')).toEqual(['app']);
  });
});

it('that the operator could allow something is said only where that is so', async () => {
  await server.query('CREATE ROLE theirs; CREATE ROLE boss SUPERUSER');
  await start({ users: [{ username: 'keeper' }] });
  await steward.cycle();
  await server.query(
    `INSERT INTO pgsteward.managed_role (name, entity, origin, source, oid, status) SELECT rolname, 'role', 'created', 'other/source', oid, 'active' FROM pg_roles WHERE rolname = 'theirs'`,
  );
  steward.manifests.users('users: [{username: keeper, roles: [theirs, boss, pg_monitor]}, {username: boss}]');
  const suggestions = said(await steward.cycle())
    .split('\n')
    .flatMap((line) => /ALLOWED_ROLES=(\w+)/.exec(line)?.[1] ?? []);
  expect(suggestions).toEqual(['boss', 'pg_monitor']);
  steward = await steward.restart({ ALLOWED_ROLES: 'boss,pg_monitor,theirs' });
  expect(said(await steward.cycle())).not.toContain('ALLOWED_ROLES');
  expect(await rolesOf('keeper')).toEqual(['boss', 'pg_monitor']);
});

it.each(['a superuser', 'a plain admin'])(
  'a database that the platform keeps for itself, or that is closed to %s, is meant by its name and by no pattern',
  async (admin) => {
    await server.query(
      `CREATE ROLE adm LOGIN CREATEROLE CREATEDB ${admin === 'a superuser' ? 'SUPERUSER' : ''} PASSWORD 'adm'; CREATE ROLE rdsadmin; CREATE ROLE stranger`,
    );
    await server.query('CREATE DATABASE home OWNER adm');
    await server.query('CREATE DATABASE rdsadmin OWNER rdsadmin');
    await server.query('CREATE DATABASE closed OWNER stranger');
    await server.query('CREATE DATABASE cloudsqladmin OWNER adm');
    await server.query('REVOKE ALL ON DATABASE rdsadmin, closed FROM PUBLIC; ALTER DATABASE postgres OWNER TO adm');
    const document = (databases: string): object => ({
      roles: [{ name: 'reader', grants: [{ databases, databasePrivileges: ['CONNECT', 'TEMPORARY'] }] }],
      users: [{ username: 'keeper', login: false, grants: [{ databases, schemas: ['pub*'], tables: { '*': ['SELECT'] }, databasePrivileges: ['CONNECT'] }] }],
    });
    try {
      await start(document('*'), { DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home', EVENT_TRIGGERS: 'off' });
      const report = await steward.cycle();
      const left = admin === 'a superuser' ? 'rdsadmin' : 'closed, rdsadmin';
      expect(said(report)).toContain(`unmanaged: a pattern does not mean ${left}: the platform's own, or closed to our admin`);
      // Below 15 the schema public belongs to the bootstrap superuser, and a plain admin is told of that.
      expect(await steward.cycle()).toMatchObject({ ...(server.major < 15 ? {} : { result: 'converged' }), planned: [] });
      const held = (): Promise<unknown> =>
        server.query(
          `SELECT datname FROM pg_database d WHERE datacl::text ~ 'reader=.*c.*/' AND datname ~ '^(rdsadmin|closed|cloudsqladmin|home)$' ORDER BY 1`,
        );
      expect(await held()).toEqual((admin === 'a superuser' ? ['closed', 'cloudsqladmin', 'home'] : ['cloudsqladmin', 'home']).map((datname) => ({ datname })));
      // By its name it is told what is missing.
      steward.manifests.users(JSON.stringify(document('rdsadmin')));
      const named = await steward.cycle();
      expect(named.result).toBe(admin === 'a superuser' ? 'changed' : 'incomplete');
      expect(said(named)).not.toContain('a pattern does not mean');
    } finally {
      await server.query('ALTER DATABASE postgres OWNER TO postgres');
    }
  },
);
