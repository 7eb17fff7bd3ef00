// Roles that may go, and users that may not log in: what stands between them and DROP ROLE, and their sessions.
import type pg from 'pg';
import type { Dependency } from '../model/catalog.ts';
import { NOT_OWNED } from '../sql/release-sql.ts';
import { literal } from '../sql/sql-text.ts';
import { columns } from './columns.ts';
import { query, type Row } from './query.ts';

interface DependencyRow {
  readonly role: number;
  readonly database: number;
  /** The catalog of what the role owns; null for everything else. */
  readonly owned: string | null;
  readonly isAcl: boolean;
  readonly count: number;
}

const DEPENDENCY_COLUMNS = columns<DependencyRow>({
  role: 'refobjid',
  database: 'dbid',
  owned: `CASE WHEN deptype = 'o' AND classid NOT IN ${NOT_OWNED} THEN (SELECT c.relname FROM pg_catalog.pg_class c WHERE c.oid = classid) END`,
  isAcl: `deptype = 'a' AND classid <> 'pg_catalog.pg_auth_members'::pg_catalog.regclass`,
  count: 'count(*)::int',
});

/** pg_shdepend is empty for a role exactly when DROP ROLE would succeed; rows of shared objects have dbid 0. */
const dependencyQuery = (oids: readonly number[]): string =>
  `SELECT ${DEPENDENCY_COLUMNS.list}
   FROM pg_catalog.pg_shdepend WHERE refclassid = 'pg_catalog.pg_authid'::regclass AND refobjid = ANY (ARRAY[${oids.join(',')}]::pg_catalog.oid[]) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`;

/** Our own come and go with every look, and are never ended; a parallel worker is a part of somebody's session. */
export const sessionQuery = (oids: readonly number[]): string =>
  `SELECT usename, count(*)::int FROM pg_catalog.pg_stat_activity
   WHERE usesysid IN (${oids.join(',')}) AND usename <> ${literal('')} AND usename <> current_user AND backend_type IS DISTINCT FROM 'parallel worker' GROUP BY 1`;

export interface Leaving {
  readonly dependencies: ReadonlyMap<string, readonly Dependency[]>;
  readonly sessions: ReadonlyMap<string, number>;
}

export interface Names {
  readonly nameOf: ReadonlyMap<number, string>;
  readonly databaseOf: ReadonlyMap<number, string>;
  /** The database that stands for what all databases share. */
  readonly shared: string;
}

/**
 * One round trip, and none where there is nobody to ask about.
 * @param candidates roles that may go, by OID.
 * @param counted those whose sessions are counted.
 */
export async function readLeaving(client: pg.ClientBase, candidates: readonly number[], counted: readonly number[], names: Names): Promise<Leaving> {
  if (counted.length === 0) return { dependencies: new Map(), sessions: new Map() };
  const [dependencies = [], sessions = []] = await query(client, `${dependencyQuery(candidates)};\n${sessionQuery(counted)}`);
  return { dependencies: dependenciesOf(dependencies, names), sessions: new Map(sessions.map(([name, count]) => [name as string, Number(count)])) };
}

interface Counts {
  objects: number;
  acls: number;
  readonly owned: Map<string, number>;
}

function dependenciesOf(rows: readonly Row[], { nameOf, databaseOf, shared }: Names): Map<string, Dependency[]> {
  const dependencies = new Map<string, Map<string, Counts>>();
  for (const { role: oid, database: databaseOid, owned, isAcl, count } of rows.map(DEPENDENCY_COLUMNS.row)) {
    const role = nameOf.get(oid);
    const database = databaseOid === 0 ? shared : databaseOf.get(databaseOid);
    if (role === undefined || database === undefined) continue;
    const ofRole = dependencies.get(role) ?? new Map<string, Counts>();
    const here = ofRole.get(database) ?? { objects: 0, owned: new Map<string, number>(), acls: 0 };
    here.objects += count;
    if (isAcl) here.acls += count;
    if (owned !== null) here.owned.set(owned, (here.owned.get(owned) ?? 0) + count);
    dependencies.set(role, ofRole.set(database, here));
  }
  return new Map([...dependencies].map(([role, places]) => [role, [...places].map(([database, here]) => ({ database, ...here }))]));
}
