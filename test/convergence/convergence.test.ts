// Convergence: random documents and random drift on one real server; after a cycle the catalogs say what the document says, and the next
// cycle issues no statement that writes.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, ddlOf, resetServer } from '../support/steward.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres({ settings: { synchronous_commit: 'off' } });
});
afterAll(() => server.stop());

const NAMES = ['alice', 'Bob', 'c d', 'select', 'é🐘', 'x"y', "o'k", 'back\\slash'];
const ROLES = ['read', 'Write', 'all rights', '__proto__'];
const DATABASES = ['postgres', 'app one', 'Two'];

const roleEntry = (major: number) =>
  fc.oneof(
    fc.constantFrom(...ROLES),
    fc.record({ name: fc.constantFrom(...ROLES), admin: fc.boolean(), ...(major >= 16 ? { inherit: fc.boolean(), set: fc.boolean() } : {}) }),
  );
const user = (major: number) =>
  fc.record(
    {
      username: fc.constantFrom(...NAMES),
      database: fc.constantFrom(...DATABASES),
      databases: fc.uniqueArray(fc.constantFrom(...DATABASES)),
      roles: fc.uniqueArray(roleEntry(major), { selector: (role) => (typeof role === 'string' ? role : role.name) }),
      connectionLimit: fc.integer({ min: -1, max: 9 }),
      validUntil: fc.constantFrom('2030-01-01', '2031-05-05T10:00:00+02:00', 'infinity'),
      settings: fc.record(
        { work_mem: fc.constantFrom('1MB', '2MB'), search_path: fc.constantFrom('a, b', '"A b", public'), jit: fc.boolean() },
        { requiredKeys: [] },
      ),
      comment: fc.constantFrom('one', "two's"),
      login: fc.boolean(),
    },
    { requiredKeys: ['username'] },
  );
const document = (major: number) => fc.uniqueArray(user(major), { selector: (entry) => entry.username, minLength: 1, maxLength: 6 });

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const drift = fc.record({
  who: fc.constantFrom(...NAMES),
  role: fc.constantFrom(...ROLES),
  what: fc.constantFrom('grant', 'revoke', 'attributes', 'setting', 'password', 'connect', 'drop', 'comment', 'admin'),
});
const driftSql = ({ who, role, what }: { who: string; role: string; what: string }): string =>
  ({
    grant: `GRANT ${quote(role)} TO ${quote(who)}`,
    revoke: `REVOKE ${quote(role)} FROM ${quote(who)} CASCADE`,
    admin: `GRANT ${quote(role)} TO ${quote(who)} WITH ADMIN OPTION`,
    attributes: `ALTER ROLE ${quote(who)} CREATEDB CREATEROLE NOINHERIT CONNECTION LIMIT 1 VALID UNTIL '2020-01-01'`,
    setting: `ALTER ROLE ${quote(who)} SET work_mem = '77MB'; ALTER ROLE ${quote(who)} IN DATABASE postgres SET jit = off`,
    password: `ALTER ROLE ${quote(who)} PASSWORD 'stolen'`,
    connect: `GRANT CONNECT ON DATABASE "Two" TO ${quote(who)} WITH GRANT OPTION; REVOKE CONNECT ON DATABASE postgres FROM ${quote(who)}`,
    drop: `DROP OWNED BY ${quote(who)}; DROP ROLE ${quote(who)}`,
    comment: `COMMENT ON ROLE ${quote(who)} IS 'by hand'`,
  })[what] ?? '';

type Entry = {
  username: string;
  database?: string;
  databases?: string[];
  roles?: (string | { name: string; admin: boolean; inherit?: boolean; set?: boolean })[];
  connectionLimit?: number;
  validUntil?: string;
  login?: boolean;
  comment?: string;
};

/** What the document says, written for this test alone, in the shape that `actual` reads from the catalogs. */
function expected(users: readonly Entry[], major: number): object[] {
  return users
    .map((entry) => ({
      name: entry.username,
      login: entry.login ?? true,
      attributes: [true, false, false, false],
      limit: entry.connectionLimit ?? -1,
      until:
        entry.validUntil === undefined || entry.validUntil === 'infinity'
          ? null
          : new Date(entry.validUntil.length === 10 ? `${entry.validUntil}T00:00:00Z` : entry.validUntil).getTime() / 1000,
      comment: entry.comment ?? null,
      roles: (entry.roles ?? [])
        .map((role) =>
          typeof role === 'string'
            ? { role, admin: false, inherit: true, set: true }
            : { role: role.name, admin: role.admin, inherit: major < 16 || (role.inherit ?? true), set: major < 16 || (role.set ?? true) },
        )
        .toSorted((a, b) => (a.role < b.role ? -1 : 1)),
      databases: [...new Set([entry.database ?? 'postgres', ...(entry.databases ?? [])])].toSorted(),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

async function actual(major: number): Promise<object[]> {
  const options = major >= 16 ? 'bool_or(m.inherit_option), bool_or(m.set_option)' : 'true, true';
  const rows = await server.query<{ value: { name: string; roles: { role: string }[]; databases: string[] } }>(`
    SELECT json_build_object('name', a.rolname, 'login', a.rolcanlogin, 'attributes', json_build_array(a.rolinherit, a.rolcreatedb, a.rolcreaterole, a.rolbypassrls), 'limit', a.rolconnlimit,
      'until', CASE WHEN isfinite(a.rolvaliduntil) THEN extract(epoch FROM a.rolvaliduntil)::int END, 'comment', shobj_description(a.oid, 'pg_authid'),
      'roles', coalesce((SELECT json_agg(json_build_object('role', x.role, 'admin', x.admin, 'inherit', x.inherit, 'set', x.set)) FROM
        (SELECT r.rolname, bool_or(m.admin_option), ${options} FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = a.oid GROUP BY 1) x(role, admin, inherit, set)), '[]'),
      'databases', coalesce((SELECT json_agg(d.datname) FROM pg_database d, aclexplode(d.datacl) x WHERE x.grantee = a.oid AND x.privilege_type = 'CONNECT' AND NOT x.is_grantable), '[]')) AS value
    FROM pg_authid a WHERE a.rolname = ANY (ARRAY[${NAMES.map((name) => `E'${name.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`).join(',')}])`);
  return rows
    .map(({ value }) => ({ ...value, roles: value.roles.toSorted((a, b) => (a.role < b.role ? -1 : 1)), databases: value.databases.toSorted() }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

it('200 random documents, each after random drift, end in what they say and stay there', { timeout: 900_000 }, async () => {
  await resetServer(server);
  for (const database of DATABASES.slice(1)) await server.query(`CREATE DATABASE ${quote(database)}`);
  const steward = await createSteward(server, { MAX_DELETIONS: '100', RETRY_BACKOFF_BASE: '1' });
  steward.manifests.secrets(new Map(NAMES.map((name) => [name, `pw ${name}`])));
  const { major } = server;
  let cases = 0;
  await fc.assert(
    fc.asyncProperty(document(major), fc.array(drift, { maxLength: 5 }), async (users, drifts) => {
      cases += 1;
      // Different names may lead to the same Secret; a reference of its own keeps each user apart.
      steward.manifests.users(
        users.map((entry) => ({
          ...entry,
          passwordSecretRef: { name: `user-${[...entry.username].map((char) => (/[a-z0-9.-]/.test(char) ? char : '-')).join('')}-secret` },
        })),
      );
      await steward.cycle();
      for (const item of drifts) await server.query(driftSql(item)).catch(() => undefined);
      const report = await steward.cycle();
      expect(report.outcomes.filter((outcome) => outcome.result !== 'applied')).toEqual([]);
      expect(await actual(major)).toEqual(expected(users, major));
      server.mark();
      expect((await steward.cycle()).result).toBe('converged');
      expect(ddlOf(server.log())).toEqual([]);
    }),
    { numRuns: 200, seed: 20261121, endOnFailure: true },
  );
  expect(cases).toBeGreaterThanOrEqual(200);
  expect(await server.query('SELECT max(id) = count(*) AS gapless FROM pgsteward.audit_log')).toEqual([{ gapless: true }]);
  await steward.close();
});
