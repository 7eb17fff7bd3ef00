// Strays: privileges in a database on what is not compared: the server's own objects and ours, and kinds that nobody has heard of yet.
import { inOids } from './acl-sql.ts';
import { HERE, type Source } from './object-sources.ts';

const classOf = (catalog: string): string => `'pg_catalog.${catalog}'::pg_catalog.regclass`;

/** Rows of pg_shdepend: there is one for each role that an ACL names beside its owner, whatever it is the ACL of. */
const namedIn = (grantees: readonly number[]): string =>
  `pg_catalog.pg_shdepend s WHERE ${HERE} AND s.deptype = 'a' AND s.refclassid = ${classOf('pg_authid')} AND ${inOids('s.refobjid', grantees)}`;

/** OIDs of what initdb makes: of its roles pg_shdepend knows nothing. */
const FIRST_NORMAL = 16384;

/**
 * A SELECT of one row: whether there may be any. It takes a part of the time of asking for them, and nearly always there are none.
 * @param sources those of which there is anything.
 */
export function areStrays(sources: readonly Source[], grantees: readonly number[]): string {
  if (grantees.some((oid) => oid < FIRST_NORMAL)) return 'SELECT true';
  if (grantees.length === 0) return 'SELECT false';
  const compared = [...Map.groupBy(sources, ({ catalog }) => catalog)].map(([catalog, those]) => {
    const isOne = those.map(
      ({ kind, from, compared: where }) =>
        `EXISTS (SELECT FROM ${from} WHERE o.oid = s.objid AND ${kind === `'column'` ? 'a.attnum = s.objsubid AND ' : 's.objsubid = 0 AND '}${where})`,
    );
    return `WHEN ${classOf(catalog)} THEN ${isOne.join(' OR ')}`;
  });
  return `SELECT EXISTS (SELECT FROM ${namedIn(grantees)} AND NOT CASE s.classid ${compared.join(' ')} WHEN ${classOf('pg_default_acl')} THEN true ELSE false END)`;
}

/** The server's own objects and ours are few enough to be looked through; kinds that nobody has heard of show in pg_shdepend. */
export function straysSql(sources: readonly Source[], grantees: readonly number[]): string {
  const known = [...new Set(sources.map((source) => source.catalog)), 'pg_default_acl'].map(classOf).join(', ');
  const others = sources.map(
    (source) => `SELECT x.grantee, ${source.kind.startsWith("'") ? source.kind : `'relation'`} AS what
      FROM ${source.from} CROSS JOIN LATERAL pg_catalog.aclexplode(${source.acl} || '{}'::pg_catalog.aclitem[]) x
      WHERE ${source.acl} IS NOT NULL AND (${source.compared}) IS NOT TRUE AND x.grantee <> ${source.owner} AND ${inOids('x.grantee', grantees)}`,
  );
  return `SELECT pg_catalog.pg_get_userbyid(t.grantee), t.what, count(*)::int FROM (
    SELECT s.refobjid AS grantee, s.classid::pg_catalog.regclass::text AS what FROM ${namedIn(grantees)} AND s.classid NOT IN (${known})
    UNION ALL ${others.join('\n    UNION ALL ')}) t GROUP BY 1, 2`;
}
