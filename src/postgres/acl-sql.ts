// SQL that turns ACLs into rows: grouped on the server, and only the entries of those that are asked for.
import type { AclEntry } from '../core/privileges/contents.ts';
import { PUBLIC } from '../core/privileges/contents.ts';
import type { ObjectGroup } from '../core/privileges/contents.ts';
import type { ObjectKind } from '../core/privileges/kinds.ts';
import { literal } from '../core/sql-text.ts';
import type { Row } from './query.ts';

/** A comparison that is true for these roles by OID; false where there are none. */
export const inOids = (column: string, oids: readonly number[]): string =>
  oids.length === 0 ? 'false' : `${column} = ANY ('{${oids.join(',')}}'::pg_catalog.oid[])`;

/** The same by name, for where OIDs are not known yet. */
export const inNames = (column: string, names: readonly string[]): string =>
  names.length === 0 ? 'false' : `${column} IN (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = ANY (ARRAY[${names.map(literal).join(', ')}]))`;

/**
 * The entries of an ACL as JSON: grantee's name (null for PUBLIC), grantor's name, privilege, grant option; null where there are none.
 * @param acl an expression, with acldefault() filled in.
 * @param roles the entries that are wanted: a condition on a column. What those roles granted on is among them, PUBLIC's entries always, the owner's own never.
 */
export const entriesSql = (acl: string, owner: string, roles: (column: string) => string): string =>
  // aclexplode unpacks a stored ACL anew for each entry, which is quadratic; the concatenation unpacks it once.
  `(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(CASE WHEN x.grantee <> 0 THEN pg_catalog.pg_get_userbyid(x.grantee) END,
      pg_catalog.pg_get_userbyid(x.grantor), x.privilege_type, x.is_grantable))
    FROM pg_catalog.aclexplode(${acl} || '{}'::pg_catalog.aclitem[]) x WHERE (x.grantee <> ${owner} AND (x.grantee = 0 OR ${roles('x.grantee')})) OR (x.grantor <> ${owner} AND ${roles('x.grantor')}))`;

export function entriesOf(json: unknown): readonly AclEntry[] {
  return ((json ?? []) as readonly (readonly [string | null, string, string, boolean])[]).map(([grantee, grantor, privilege, grantable]) => ({
    grantee: grantee ?? PUBLIC,
    grantor,
    privilege,
    grantable,
  }));
}

/** A row of a group query: kind, schema, owner, extension, untouched, names, entries. */
export function groupOf(row: Row): ObjectGroup {
  const [kind, schema, owner, extension, untouched, names, entries] = row as readonly [
    ObjectKind,
    string,
    string,
    boolean,
    boolean,
    readonly string[],
    unknown,
  ];
  // Sorted here: ACLs can only be grouped by hashing, which an ordered aggregate rules out.
  return { kind, schema, owner, names: names.toSorted(), extension, untouched, entries: entriesOf(entries) };
}
