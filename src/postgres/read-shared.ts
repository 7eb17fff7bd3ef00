// What all databases share: the databases themselves, who may connect to them, and the ACLs of what is in none of them.
import type { DatabaseFacts } from '../model/catalog.ts';
import type { ConnectGrant } from '../model/cluster.ts';
import { isPlatformDatabase } from '../plan/law/platform-roles.ts';
import type { ObjectGroup } from '../model/contents.ts';
import { ownName } from '../model/contents.ts';
import { onceFor } from '../model/once-for.ts';
import { sharedKinds, type StoredKind } from '../sql/stored.ts';
import { literal } from '../sql/sql-text.ts';
import { entriesSql, EVERYBODY, groupOf, inNames, plainName, type Whose } from './acl-sql.ts';
import { columns } from './columns.ts';
import { writtenSql } from './digest.ts';
import type { Kept } from './kept-rows.ts';
import type { Row } from './query.ts';

export interface DatabaseRow extends Pick<DatabaseFacts, 'name' | 'allowsConnections' | 'mayGrant' | 'isTemplate' | 'encoding'> {
  readonly oid: number;
  readonly owner: number;
  readonly mayConnect: boolean;
}

const DATABASE_COLUMNS = columns<DatabaseRow>({
  oid: 'oid',
  name: 'datname',
  owner: 'datdba',
  allowsConnections: 'datallowconn',
  mayGrant: `pg_catalog.pg_has_role(datdba, 'USAGE') OR pg_catalog.has_database_privilege(oid, 'CONNECT WITH GRANT OPTION')`,
  isTemplate: 'datistemplate',
  encoding: 'pg_catalog.pg_encoding_to_char(encoding)',
  mayConnect: `pg_catalog.has_database_privilege(oid, 'CONNECT')`,
});
export const DATABASES_QUERY = `SELECT ${DATABASE_COLUMNS.list} FROM pg_catalog.pg_database`;
const namesBeside = new WeakMap<object, ReadonlyMap<number, string>>();

/** The names by their OIDs: the very same map as last time beside the same roles, where it says the same. */
export function databaseNames(databases: readonly DatabaseRow[], beside: object): ReadonlyMap<number, string> {
  const before = namesBeside.get(beside);
  if (before?.size === databases.length && databases.every(({ oid, name }) => before.get(oid) === name)) return before;
  const names = new Map(databases.map(({ oid, name }) => [oid, name]));
  namesBeside.set(beside, names);
  return names;
}

export const databaseRows = (rows: readonly Row[]): readonly DatabaseRow[] => rows.map(DATABASE_COLUMNS.row);

/** @param publicConnect the OIDs of those that everybody may connect to. */
export const databaseFacts = (
  { mayConnect, ...row }: DatabaseRow,
  nameOf: ReadonlyMap<number, string>,
  publicConnect: ReadonlySet<number>,
  isOnServer: (role: string) => boolean,
): DatabaseFacts => ({
  ...row,
  owner: nameOf.get(row.owner) ?? '',
  exactOnly: row.isTemplate || isPlatformDatabase(row.name, isOnServer) || !(mayConnect || row.mayGrant),
  publicConnect: publicConnect.has(row.oid),
});

export interface ConnectRow {
  readonly database: number;
  /** 0 is PUBLIC. */
  readonly grantee: number;
  readonly grantor: number;
  readonly grantable: boolean;
}

const CONNECT_COLUMNS = columns<ConnectRow>({ database: 'd.oid', grantee: 'x.grantee', grantor: 'x.grantor', grantable: 'x.is_grantable' });
// aclexplode unpacks a stored ACL anew for each entry, which is quadratic; the concatenation unpacks it once.
const connectsQuery = (condition: string): string => `SELECT ${CONNECT_COLUMNS.list} FROM pg_catalog.pg_database d
  CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba)) || '{}'::pg_catalog.aclitem[]) x
  WHERE x.privilege_type = 'CONNECT' AND x.grantee <> d.datdba AND ${condition}`;

/** Each database is a part: its ACL is one value of one row. */
export const KEPT_CONNECTS: Kept<ConnectRow> = {
  digests: `SELECT oid, ${writtenSql('oid::bigint')}::text FROM pg_catalog.pg_database`,
  rows: connectsQuery,
  part: 'd.oid',
  read: (rows) => rows.map(CONNECT_COLUMNS.row),
  partOf: ({ database }) => database,
};

/** Of PUBLIC, and of what is gone, there is none. */
export const connectGrants = onceFor(
  (rows: readonly ConnectRow[], nameOf: ReadonlyMap<number, string>, databaseOf: ReadonlyMap<number, string>): readonly ConnectGrant[] => {
    const grants: ConnectGrant[] = [];
    for (const row of rows) {
      const [name, to] = [databaseOf.get(row.database), nameOf.get(row.grantee)];
      if (name !== undefined && to !== undefined) grants.push(connectGrant(row, name, to, nameOf.get(row.grantor) ?? ''));
    }
    return grants;
  },
);

const connectGrant = onceFor(({ grantable }: ConnectRow, name: string, grantee: string, grantor: string): ConnectGrant => ({
  object: { kind: 'database', name },
  grantee,
  grantor,
  privilege: 'CONNECT',
  grantable,
}));

/** Objects that are in no database, with the entries of those whose privileges are compared. */
export function sharedQuery(names: readonly string[] | 'everybody', major: number, kinds = sharedKinds(major)): string {
  const roles: Whose = names === 'everybody' ? EVERYBODY : (column) => inNames(column, names);
  const group = ({ kind, catalog, owner, name, acl, code }: StoredKind): string =>
    `SELECT '${kind}', '', pg_catalog.pg_get_userbyid(${owner}), false, ${acl} IS NULL, pg_catalog.json_build_array(${name}), ${entriesSql(`coalesce(${acl}, pg_catalog.acldefault('${code}', ${owner}))`, owner, roles)} FROM pg_catalog.${catalog} o`;
  return kinds.map(group).join(' UNION ALL ');
}

/** Tablespaces and parameters with everybody's entries, for guardrails. */
export const guardedSharedQuery = (major: number): string =>
  sharedQuery(
    'everybody',
    major,
    sharedKinds(major).filter(({ kind }) => kind !== 'database'),
  );

export const sharedOf = (rows: readonly Row[], databases: ReadonlyMap<string, DatabaseFacts>): readonly ObjectGroup[] =>
  rows
    .map((row) => groupOf(row, plainName))
    .map((group) => (group.kind === 'database' && databases.get(ownName(group.names[0] ?? ''))?.exactOnly === true ? { ...group, exactOnly: true } : group));

/**
 * Databases in which somebody whose privileges are compared is named in an ACL; those that are read anyway are not asked for. For each database its
 * rows are gone through in the order of the index that begins with the database, up to the first that fits (FIRST_BY_INDEX): there is a row for every
 * object and role, and the server's statistics of them may be older than nearly all of them.
 */
export const grantedQuery = (names: readonly string[], read: readonly string[] = []): string =>
  names.length === 0
    ? 'SELECT NULL::text AS datname WHERE false'
    : `SELECT g.datname FROM (SELECT d.datname, (SELECT true FROM pg_catalog.pg_shdepend s WHERE s.dbid = d.oid AND s.deptype = 'a'
    AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    AND s.refobjid = ANY (ARRAY(SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = ANY (ARRAY[${names.map(literal).join(', ')}])))
    ORDER BY s.dbid, s.classid, s.objid LIMIT 1) AS holds
  FROM pg_catalog.pg_database d${read.length === 0 ? '' : ` WHERE d.datname <> ALL (ARRAY[${read.map(literal).join(', ')}])`}) g WHERE g.holds`;

/** Of each database, the roles that are named in an ACL of something in it: for whom `grantedQuery` would have told it. */
export const HOLDERS = `SELECT d.datname, pg_catalog.array_agg(DISTINCT r.rolname::pg_catalog.text) FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON d.oid = s.dbid
  JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid WHERE s.deptype = 'a' AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass GROUP BY 1`;

const inTransaction = (value: string): string =>
  `SELECT pg_catalog.set_config('enable_bitmapscan', '${value}', true), pg_catalog.set_config('enable_sort', '${value}', true)`;

/** Before the statement that has a query of this kind: of all plans, only the one that ends at the first row. And after it. */
export const FIRST_BY_INDEX = inTransaction('off');
export const ANY_PLAN = inTransaction('on');
