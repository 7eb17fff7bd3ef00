// Snapshot → Catalog: everything a plan needs, from one REPEATABLE READ transaction with a fixed number of round trips.
import type pg from 'pg';
import type { Catalog, DatabaseFacts, Dependency, ManagedRole, ServerFacts } from '../core/catalog.ts';
import { ALL_DATABASES, type Grant, type Membership, type Role, type SettingMap } from '../core/model.ts';
import { removalCandidates } from '../core/removal.ts';
import { literal } from '../core/sql-text.ts';
import { entriesSql, groupOf, inNames } from './acl-sql.ts';
import { query, type Row } from './query.ts';
import { beginSql } from './transaction.ts';
import { LEDGER_IS_OURS, LEDGER_KNOWS_DRAIN, LEDGER_KNOWS_PRIVILEGES, LEDGER_KNOWS_TRIGGERS, ledgerSelect, readLedgerRows } from './ledger-read.ts';

export interface CatalogRequest {
  readonly client: pg.ClientBase;
  readonly source: string;
  readonly named: ReadonlySet<string>;
  /** Those whose privileges are compared. */
  readonly declaring: ReadonlySet<string>;
  /** The database that stands for what all databases share. */
  readonly defaultDatabase: string;
  /** Users that may not log in at a moment (milliseconds of the server's clock): their sessions are counted. */
  readonly closed: (now: number) => readonly string[];
  readonly statementTimeout: number;
  readonly lockTimeout: number;
  /** What the state file remembers, where there is no ledger to ask. */
  readonly remembered: ReadonlyMap<string, ManagedRole> | undefined;
  /** Databases with an event trigger, where there is no ledger to ask. */
  readonly triggerDatabases: ReadonlySet<string>;
}

/** Facts that decide which queries can be asked: one round trip. */
const FACTS = `SELECT current_setting('server_version_num')::int / 10000, current_user, r.rolsuper, r.rolcreaterole,
  (SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10),
  coalesce(current_setting('scram_iterations', true), '4096')::int,
  pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT'), ${LEDGER_IS_OURS}, ${LEDGER_KNOWS_PRIVILEGES}, ${LEDGER_KNOWS_TRIGGERS},
  ${LEDGER_KNOWS_DRAIN}, (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.float8
  FROM pg_catalog.pg_roles r WHERE rolname = current_user`;

const roleColumns = (
  verifier: string,
): string => `SELECT a.oid, a.rolname, a.rolcanlogin, a.rolinherit, a.rolsuper, a.rolcreatedb, a.rolcreaterole, a.rolreplication, a.rolbypassrls,
  a.rolconnlimit, CASE WHEN a.rolvaliduntil = '-infinity' THEN '-infinity' WHEN isfinite(a.rolvaliduntil)
  THEN to_char(a.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END, d.description, ${verifier}`;
const DESCRIPTIONS = `LEFT JOIN pg_catalog.pg_shdescription d ON d.objoid = a.oid AND d.classoid = 'pg_catalog.pg_authid'::regclass`;

const MEMBERSHIPS = (major: number): string =>
  `SELECT roleid, member, grantor, admin_option, ${major >= 16 ? 'inherit_option, set_option' : 'true, true'} FROM pg_catalog.pg_auth_members`;
const SETTINGS = 'SELECT setdatabase, setrole, setconfig FROM pg_catalog.pg_db_role_setting WHERE setrole <> 0';
const DATABASES = `SELECT oid, datname, datdba, datallowconn, pg_catalog.pg_has_role(datdba, 'USAGE') OR pg_catalog.has_database_privilege(oid, 'CONNECT WITH GRANT OPTION'), datistemplate FROM pg_catalog.pg_database`;
// aclexplode unpacks a stored ACL anew for each entry, which is quadratic; the concatenation unpacks it once.
const CONNECTS = `SELECT d.oid, x.grantee, x.grantor, x.is_grantable FROM pg_catalog.pg_database d
  CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba)) || '{}'::pg_catalog.aclitem[]) x WHERE x.privilege_type = 'CONNECT' AND x.grantee <> d.datdba`;
/** What all databases share, with the entries of those whose privileges are compared. */
function sharedQuery(names: readonly string[], major: number): string {
  const roles = (column: string): string => inNames(column, names);
  const group = (kind: string, from: string, owner: string, name: string, acl: string, fallback: string): string =>
    `SELECT '${kind}', '', pg_catalog.pg_get_userbyid(${owner}), false, ${acl} IS NULL, pg_catalog.json_build_array(${name}), ${entriesSql(`coalesce(${acl}, ${fallback})`, owner, roles)} FROM pg_catalog.${from}`;
  return [
    group('database', 'pg_database', 'datdba', 'datname', 'datacl', `pg_catalog.acldefault('d', datdba)`),
    group('tablespace', 'pg_tablespace', 'spcowner', 'spcname', 'spcacl', `pg_catalog.acldefault('t', spcowner)`),
    ...(major < 15
      ? []
      : [group('parameter', 'pg_parameter_acl', '10::pg_catalog.oid', 'parname', 'paracl', `pg_catalog.acldefault('p', 10::pg_catalog.oid)`)]),
  ].join(' UNION ALL ');
}

/** Databases in which somebody whose privileges are compared is named in an ACL; those that are read anyway are not asked for. */
export const grantedQuery = (names: readonly string[], read: readonly string[] = []): string =>
  names.length === 0
    ? 'SELECT NULL::text AS datname WHERE false'
    : // A subquery for each database finds one row by its index; a join would go through the rows of all databases.
      `SELECT g.datname FROM (SELECT d.datname, (SELECT true FROM pg_catalog.pg_shdepend s WHERE s.dbid = d.oid AND s.deptype = 'a'
    AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND ${inNames('s.refobjid', names)} LIMIT 1) AS holds
  FROM pg_catalog.pg_database d${read.length === 0 ? '' : ` WHERE d.datname <> ALL (ARRAY[${read.map(literal).join(', ')}])`}) g WHERE g.holds`;

const PARAMETERS = 'SELECT lower(name), context FROM pg_catalog.pg_settings';

/**
 * Reads the catalogs: one round trip for the facts, one for the rows, and one more only when roles may be removed.
 * @throws whatever the server answers; nothing may be concluded from a partial read.
 */
export async function readCatalog(request: CatalogRequest): Promise<Catalog & { readonly hasLedger: boolean }> {
  const { client } = request;
  try {
    const catalog = await readInTransaction(request);
    await client.query('COMMIT');
    return catalog;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function readInTransaction(request: CatalogRequest): Promise<Catalog & { readonly hasLedger: boolean }> {
  const { client } = request;
  const facts = (await query(client, `${beginSql(request, 'REPEATABLE READ READ ONLY')}; ${FACTS}`)).at(-1)?.[0];
  if (facts === undefined) throw new Error('the server did not say who we are');
  const [major, admin, superuser, createrole, bootstrap, scramIterations, readsVerifiers, hasLedger, knowsPrivileges, knowsTriggers, knowsDrain, now] =
    facts as [number, string, boolean, boolean, string, number, boolean, boolean, boolean, boolean, boolean, number];
  const server: ServerFacts = {
    major,
    admin,
    superuser,
    createrole,
    grantor: superuser && major >= 16 ? bootstrap : admin,
    scramIterations,
    readsVerifiers,
    now,
  };
  const roleQuery = readsVerifiers
    ? `${roleColumns('a.rolpassword')} FROM pg_catalog.pg_authid a ${DESCRIPTIONS}`
    : `${roleColumns('NULL')} FROM pg_catalog.pg_roles a ${DESCRIPTIONS}`;
  const declaring = [...request.declaring];
  const privilegeQueries = [sharedQuery(declaring, major), grantedQuery(declaring)];
  const results = await query(
    client,
    [
      roleQuery,
      MEMBERSHIPS(major),
      SETTINGS,
      DATABASES,
      CONNECTS,
      PARAMETERS,
      hasLedger ? ledgerSelect(knowsPrivileges, knowsDrain) : 'SELECT 1 WHERE false',
      hasLedger && knowsTriggers ? 'SELECT name FROM pgsteward.trigger_database' : 'SELECT 1 WHERE false',
      ...privilegeQueries,
    ].join(';\n'),
  );
  const [roles = [], memberships = [], settings = [], databases = [], connects = [], parameters = [], ledger = [], triggers = [], shared = [], granted = []] =
    results;
  const managed = hasLedger ? readLedgerRows(ledger) : (request.remembered ?? new Map<string, ManagedRole>());
  const templates = new Set(databases.flatMap((row) => (row[5] === true ? [row[1] as string] : [])));
  const nameOf = new Map(roles.map((row) => [row[0] as number, row[1] as string]));
  const databaseOf = new Map(databases.map((row) => [row[0] as number, row[1] as string]));
  const oids = new Map(roles.map((row) => [row[1] as string, row[0] as number]));
  const publicConnect = new Set(connects.filter((row) => row[1] === 0).map((row) => row[0] as number));
  const candidates = removalCandidates(managed.values(), request.source, request.named).flatMap((role) => oids.get(role.name) ?? []);
  const counted = [...new Set([...candidates, ...request.closed(now).flatMap((name) => oids.get(name) ?? [])])];
  const ends = counted.length === 0 ? [] : await query(client, `${dependencyQuery(candidates)};\n${sessionQuery(counted)}`);
  return {
    server,
    cluster: {
      roles: rolesOf(roles, settingsOf(settings, nameOf, databaseOf)),
      memberships: membershipsOf(memberships, nameOf),
      grants: connects.flatMap((row) => grantOf(row, nameOf, databaseOf)),
    },
    bootstrap,
    shared: shared.map(groupOf).map((group) => (group.kind === 'database' && templates.has(group.names[0] ?? '') ? { ...group, exactOnly: true } : group)),
    triggerDatabases: hasLedger ? new Set(triggers.map((row) => row[0] as string)) : request.triggerDatabases,
    granted: new Set(granted.map((row) => row[0] as string)),
    oids,
    databases: new Map(databases.map((row) => [row[1] as string, databaseFacts(row, nameOf, publicConnect)])),
    verifiers: new Map(readsVerifiers ? roles.map((row) => [row[1] as string, row[12] as string | null]) : []),
    parameters: new Map(parameters.map((row) => [row[0] as string, row[1] as string])),
    managed,
    dependencies: dependenciesOf(ends[0] ?? [], nameOf, databaseOf, request.defaultDatabase),
    sessions: new Map((ends[1] ?? []).map((row) => [row[0] as string, Number(row[1])])),
    counted,
    hasLedger,
  };
}

const EMPTY_SETTINGS: ReadonlyMap<string, SettingMap> = new Map();

function rolesOf(rows: readonly Row[], settings: ReadonlyMap<string, ReadonlyMap<string, SettingMap>>): Map<string, Role> {
  const roles = new Map<string, Role>();
  for (const row of rows) {
    const [, name, login, inherit, superuser, createdb, createrole, replication, bypassrls, connectionLimit, validUntil, comment] = row as [
      number,
      string,
      boolean,
      boolean,
      boolean,
      boolean,
      boolean,
      boolean,
      boolean,
      number,
      string | null,
      string | null,
    ];
    roles.set(name, {
      name,
      login,
      inherit,
      superuser,
      createdb,
      createrole,
      replication,
      bypassrls,
      connectionLimit,
      validUntil,
      comment,
      settings: settings.get(name) ?? EMPTY_SETTINGS,
    });
  }
  return roles;
}

function settingsOf(rows: readonly Row[], nameOf: ReadonlyMap<number, string>, databaseOf: ReadonlyMap<number, string>): Map<string, Map<string, SettingMap>> {
  const settings = new Map<string, Map<string, SettingMap>>();
  for (const [database, role, config] of rows as readonly (readonly [number, number, readonly string[] | null])[]) {
    const name = nameOf.get(role);
    const where = database === 0 ? ALL_DATABASES : databaseOf.get(database);
    if (name === undefined || where === undefined || config === null) continue;
    const entries = config.map((entry): [string, string] => {
      const split = entry.indexOf('=');
      return [entry.slice(0, split).toLowerCase(), entry.slice(split + 1)];
    });
    const ofRole = settings.get(name) ?? new Map<string, SettingMap>();
    settings.set(name, ofRole.set(where, new Map(entries)));
  }
  return settings;
}

/** Rows whose role or member is gone are left out: the server can leave such orphans behind. */
function membershipsOf(rows: readonly Row[], nameOf: ReadonlyMap<number, string>): Membership[] {
  return (rows as readonly (readonly [number, number, number, boolean, boolean, boolean])[]).flatMap(([roleId, memberId, grantorId, admin, inherit, set]) => {
    const role = nameOf.get(roleId);
    const member = nameOf.get(memberId);
    return role === undefined || member === undefined ? [] : [{ role, member, grantor: nameOf.get(grantorId) ?? '', admin, inherit, set }];
  });
}

function grantOf(row: Row, nameOf: ReadonlyMap<number, string>, databaseOf: ReadonlyMap<number, string>): Grant[] {
  const [database, grantee, grantor, grantable] = row as readonly [number, number, number, boolean];
  const name = databaseOf.get(database);
  const to = nameOf.get(grantee);
  return name === undefined || to === undefined
    ? []
    : [{ object: { kind: 'database', name }, grantee: to, grantor: nameOf.get(grantor) ?? '', privilege: 'CONNECT', grantable }];
}

function databaseFacts(row: Row, nameOf: ReadonlyMap<number, string>, publicConnect: ReadonlySet<number>): DatabaseFacts {
  const [oid, name, owner, allowsConnections, mayGrant, isTemplate] = row as readonly [number, string, number, boolean, boolean, boolean];
  return { name, owner: nameOf.get(owner) ?? '', allowsConnections, isTemplate, publicConnect: publicConnect.has(oid), mayGrant };
}

/** pg_shdepend is empty for a role exactly when DROP ROLE would succeed; rows of shared objects have dbid 0. */
const dependencyQuery = (oids: readonly number[]): string =>
  `SELECT refobjid, dbid, count(*)::int FROM pg_catalog.pg_shdepend WHERE refclassid = 'pg_catalog.pg_authid'::regclass AND refobjid = ANY (ARRAY[${oids.join(',')}]::pg_catalog.oid[]) GROUP BY 1, 2 ORDER BY 1, 2`;

export const sessionQuery = (oids: readonly number[]): string =>
  `SELECT usename, count(*)::int FROM pg_catalog.pg_stat_activity WHERE usesysid IN (${oids.join(',')}) AND usename <> ${literal('')} GROUP BY 1`;

function dependenciesOf(
  rows: readonly Row[],
  nameOf: ReadonlyMap<number, string>,
  databaseOf: ReadonlyMap<number, string>,
  shared: string,
): Map<string, Dependency[]> {
  const dependencies = new Map<string, Map<string, number>>();
  for (const [roleId, databaseId, objects] of rows as readonly (readonly [number, number, number])[]) {
    const role = nameOf.get(roleId);
    const database = databaseId === 0 ? shared : databaseOf.get(databaseId);
    if (role === undefined || database === undefined) continue;
    const ofRole = dependencies.get(role) ?? new Map<string, number>();
    dependencies.set(role, ofRole.set(database, (ofRole.get(database) ?? 0) + objects));
  }
  return new Map([...dependencies].map(([role, counts]) => [role, [...counts].map(([database, objects]) => ({ database, objects }))]));
}
