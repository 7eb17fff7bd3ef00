// The SQL of what others hold only because of a role: what they would lose with it, and a guard for what was given meanwhile.
import { BY_HASH, objectsNaming } from './acl-sources.ts';
import { literal } from './sql-text.ts';

/** Statements that the server sends for each holder. */
const STATEMENTS = 5;

/** A SELECT of how many entries that query has to go through for each role. */
export const entriesSql = (roles: (column: string) => string, major: number): string =>
  `SELECT n.role, pg_catalog.sum(pg_catalog.cardinality(n.acl) + coalesce(pg_catalog.cardinality(n.around), 0))::pg_catalog.float8 FROM (${objectsNaming(roles, major)}) n WHERE n.owner <> n.role GROUP BY 1`;

/**
 * A SELECT of what others would lose in this database, and of what all databases share, if certain roles went: a row for each role that goes,
 * grantee (0 for PUBLIC) and owner. What they hold by somebody else as well they keep, and it is not among it, nor what they have on a column by its table.
 * @param roles a condition on the OID of a role.
 */
export const passedOnSql = (roles: (column: string) => string, major: number): string =>
  `WITH RECURSIVE object AS MATERIALIZED (SELECT pg_catalog.row_number() OVER () AS id, n.* FROM (${objectsNaming(roles, major)}) n WHERE n.owner <> n.role),
  entry AS MATERIALIZED (SELECT o.id, o.role, o.owner, x.grantor, x.grantee, x.privilege_type AS privilege, x.is_grantable AS grantable
    FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x),
  gone AS (SELECT e.* FROM entry e WHERE e.grantor = e.role
    UNION SELECT e.* FROM gone g JOIN entry e ON e.id = g.id AND e.privilege = g.privilege AND e.grantor = g.grantee WHERE g.grantable AND g.grantee <> g.owner),
  stays AS (SELECT e.* FROM entry e WHERE e.grantee <> e.role AND NOT EXISTS (SELECT FROM gone g
      WHERE g.id = e.id AND g.privilege = e.privilege AND g.grantor = e.grantor AND g.grantee = e.grantee)
    UNION SELECT g.* FROM stays s JOIN gone g ON g.id = s.id AND g.privilege = s.privilege AND g.grantor = s.grantee WHERE s.grantable AND g.grantee <> g.role),
  lost AS (SELECT g.id, g.role, g.owner, g.grantee, g.grantable, pg_catalog.string_agg(DISTINCT g.privilege, ',') AS privileges,
      pg_catalog.count(*) FILTER (WHERE g.privilege = 'CONNECT') > 0 AS connects
    FROM gone g WHERE g.grantee NOT IN (g.role, g.owner) AND NOT EXISTS (SELECT FROM stays s
      WHERE s.id = g.id AND s.privilege = g.privilege AND s.grantee = g.grantee AND (s.grantable OR NOT g.grantable))
      AND NOT EXISTS (SELECT FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(CASE WHEN o.around IS NOT NULL THEN o.around || '{}'::pg_catalog.aclitem[] END) y WHERE o.id = g.id AND y.grantor = g.owner
        AND y.grantee = g.grantee AND y.privilege_type = g.privilege AND (y.is_grantable OR NOT g.grantable))
    GROUP BY 1, 2, 3, 4, 5, CASE WHEN g.privilege = 'CONNECT' THEN 1 ELSE 0 END)
SELECT l.role, l.grantee, l.owner, l.connects, pg_catalog.count(*)::int AS objects, (pg_catalog.array_agg(pg_catalog.format('GRANT %s ON %s TO %s%s',
    (SELECT pg_catalog.string_agg(CASE WHEN o.col IS NULL THEN p.name ELSE pg_catalog.format('%s (%I)', p.name, o.col) END, ', ' ORDER BY p.name)
      FROM pg_catalog.unnest(pg_catalog.string_to_array(l.privileges, ',')) p(name)),
    pg_catalog.concat_ws(' ', nullif(o.kind, ''), o.name), CASE WHEN l.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(l.grantee)) END,
    CASE WHEN l.grantable THEN ' WITH GRANT OPTION' ELSE '' END) ORDER BY o.kind, o.name, o.col, l.privileges, l.grantable))[1:${STATEMENTS}] AS statements
  FROM lost l JOIN object o ON o.id = l.id GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`;

/** Raises where somebody holds something from the role of whom the plan did not know: it was given since the catalogs were read. */
export const passedOnToNobodyElse = (role: string, known: readonly number[], major: number): string => {
  const isRole = (column: string): string => `${column} IN (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = ${literal(role)})`;
  const isNews = (column: string): string => `NOT (${column} = ANY ('{${known.join(',')}}'::pg_catalog.oid[]))`;
  const members = `EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE ${isRole('m.grantor')} AND m.member <> m.grantor AND ${isNews('m.member')})`;
  return `DO LANGUAGE plpgsql ${literal(`
BEGIN
  ${BY_HASH};
  IF EXISTS (SELECT FROM (${passedOnSql(isRole, major)}) p(role, grantee) WHERE ${isNews('p.grantee')})${major < 16 ? '' : ` OR ${members}`} THEN
    RAISE EXCEPTION USING ERRCODE = '2BP01', MESSAGE = pg_catalog.format('%I passed something on in database %I after the catalogs were read, and it would end with it', ${literal(role)}, pg_catalog.current_database());
  END IF;
  SET LOCAL enable_nestloop = on;
END`)}`;
};
