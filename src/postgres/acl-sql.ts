// SQL that turns ACLs into rows: grouped on the server, and only the entries of those that are asked for.
import type { AclEntry } from '../model/contents.ts';
import { nameKey, type ObjectGroup, type ObjectName, PUBLIC } from '../model/contents.ts';
import type { ObjectKind } from '../model/kinds.ts';
import { literal } from '../sql/sql-text.ts';
import type { Row } from './query.ts';

/** A comparison that is true for these roles by OID; false where there are none. */
export const inOids = (column: string, oids: readonly number[]): string =>
  oids.length === 0 ? 'false' : `${column} = ANY ('{${oids.join(',')}}'::pg_catalog.oid[])`;

/** The same by name, for where OIDs are not known yet. */
export const inNames = (column: string, names: readonly string[]): string =>
  names.length === 0 ? 'false' : `${column} IN (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = ANY (ARRAY[${names.map(literal).join(', ')}]))`;

/** Whose entries are read: a condition on a column. */
export type Whose = (column: string) => string;

/** Every entry that there is, the owner's own as well. */
export const EVERYBODY: Whose = () => 'true';

/**
 * The entries of an ACL that are read, as a FROM clause with `x`, and the condition on them: what those roles granted on is among them, PUBLIC's entries always, the owner's own only with EVERYBODY's.
 * @param acl an expression, with acldefault() filled in.
 * @param roles the entries that are wanted: a condition on a column.
 */
export const readEntries = (acl: string, owner: string, roles: Whose): { readonly from: string; readonly where: string } => ({
  // aclexplode unpacks a stored ACL anew for each entry, which is quadratic; the concatenation unpacks it once.
  from: `pg_catalog.aclexplode(${acl} || '{}'::pg_catalog.aclitem[]) x`,
  where:
    roles === EVERYBODY
      ? 'true'
      : `((x.grantee <> ${owner} AND (x.grantee = 0 OR ${roles('x.grantee')})) OR (x.grantor <> ${owner} AND ${roles('x.grantor')}))`,
});

/**
 * Those entries as JSON: grantee's name (null for PUBLIC), grantor's name, privilege, grant option, and of a grantor without the option whether it holds the privilege from
 * the owner; null where there are none. The subqueries do not depend on `x`, so the server asks each once for an ACL, and only where somebody but the owner granted.
 * @param around an ACL by which whoever granted may have had the option as well: that of a column's table.
 */
export function entriesSql(acl: string, owner: string, roles: Whose, around = `'{}'::pg_catalog.aclitem[]`): string {
  const { from, where } = readEntries(acl, owner, roles);
  const told = (of: string, which: string): string =>
    `(SELECT y.grantee, y.privilege_type FROM pg_catalog.aclexplode(${of} || '{}'::pg_catalog.aclitem[]) y WHERE ${which})`;
  return `(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(CASE WHEN x.grantee <> 0 THEN pg_catalog.pg_get_userbyid(x.grantee) END,
      pg_catalog.pg_get_userbyid(x.grantor), x.privilege_type, x.is_grantable,
      CASE WHEN x.grantor <> ${owner} AND (x.grantor, x.privilege_type) NOT IN ${told(`${acl} || ${around}`, 'y.is_grantable')}
        THEN (x.grantor, x.privilege_type) IN ${told(acl, `y.grantor = ${owner}`)} END))
    FROM ${from} WHERE ${where})`;
}

export function entriesOf(json: unknown): readonly AclEntry[] {
  return ((json ?? []) as readonly (readonly [string | null, string, string, boolean, boolean | null])[]).map(
    ([grantee, grantor, privilege, grantable, holds]) => ({
      grantee: grantee ?? PUBLIC,
      grantor,
      privilege,
      grantable,
      ...(holds === null ? {} : { lapsed: { holds } }),
    }),
  );
}

/**
 * A row of a group query: kind, schema, owner, extension, untouched, names, entries, and where it is known, whether patterns leave it out.
 * @param nameOf a name as the server wrote it in JSON → its value.
 */
export function groupOf(row: Row, nameOf: (kind: ObjectKind, json: unknown) => ObjectName): ObjectGroup {
  const [kind, schema, owner, extension, untouched, names, entries, apart] = row as readonly [
    ObjectKind,
    string,
    string,
    boolean,
    boolean,
    readonly unknown[],
    unknown,
    boolean | undefined,
  ];
  // Sorted here: ACLs can only be grouped by hashing, which an ordered aggregate rules out.
  const group = { kind, schema, owner, names: sorted(names.map((name) => nameOf(kind, name))), extension, untouched, entries: entriesOf(entries) };
  return apart === true ? { ...group, exactOnly: true } : group;
}

/** The names in such a row, as the server wrote them. */
export const namesIn = (row: Row): readonly unknown[] => row[5] as readonly unknown[];

/** By their keys, which are made once for each. */
const sorted = (names: readonly ObjectName[]): readonly ObjectName[] =>
  names
    .map((name) => ({ name, key: nameKey(name) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ name }) => name);

/** The name of an object of a kind whose objects have one. */
export const plainName = (_kind: ObjectKind, json: unknown): string => json as string;
