// Who holds a privilege on an object, before any membership: entries of ACLs, predefined roles, superusers.
import { type AclEntry, PUBLIC } from '../model/contents.ts';
import type { Realm, Securable } from './securable.ts';

/** Somebody who holds a privilege, and by what. */
export type Holder =
  | {
      readonly by: 'grant';
      readonly role: string;
      /** Empty where it is a plan that would grant it: no role is called so. */
      readonly grantor: string;
      readonly grantable: boolean;
      /** It is the owner, who has it because nobody took it away. */
      readonly owner: boolean;
      /** Nobody granted it: the ACL is NULL, and this is what that means. */
      readonly builtIn: boolean;
      /** It is on this column alone. */
      readonly column?: string;
    }
  | { readonly by: 'predefined'; readonly role: string }
  /** A superuser needs no entry; nobody inherits that from it. */
  | { readonly by: 'superuser'; readonly role: string };

const RELATIONS: ReadonlySet<string> = new Set(['table', 'sequence', 'column']);

/** What the server lets nobody but a superuser do to its catalogs. */
const WRITES: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'USAGE']);

const OF_RELATIONS: Readonly<Record<string, readonly string[]>> = {
  SELECT: ['pg_read_all_data'],
  INSERT: ['pg_write_all_data'],
  UPDATE: ['pg_write_all_data'],
  DELETE: ['pg_write_all_data'],
  MAINTAIN: ['pg_maintain'],
};

/** Predefined roles whose members need no entry for it. */
function predefined({ kind }: Securable, privilege: string): readonly string[] {
  if (RELATIONS.has(kind)) return OF_RELATIONS[privilege] ?? [];
  return kind === 'schema' && privilege === 'USAGE' ? ['pg_read_all_data', 'pg_write_all_data'] : [];
}

/** Everybody who holds the privilege on the whole object (a column: on it or on its table); superusers are not among them. */
export function holdersOf(realm: Realm, object: Securable, privilege: string): readonly Holder[] {
  const column = object.column === undefined ? [] : grants(object, object.columns.get(object.column) ?? [], privilege, object.column);
  // The table's own entries count for nothing there; those of a column the server does not look at as closely.
  if (object.isCatalog && WRITES.has(privilege)) return column;
  return [
    ...grants(object, object.entries, privilege),
    ...column,
    ...predefined(object, privilege).flatMap((role): Holder[] => (realm.roles.has(role) ? [{ by: 'predefined', role }] : [])),
  ];
}

/** Who holds it on some columns of a relation. */
export const columnHolders = (object: Securable, privilege: string): readonly Holder[] =>
  object.kind === 'table' ? [...object.columns].flatMap(([column, entries]) => grants(object, entries, privilege, column)) : [];

const grants = ({ owner, untouched }: Securable, entries: readonly AclEntry[], privilege: string, column?: string): readonly Holder[] =>
  entries
    .filter((entry) => entry.privilege === privilege)
    .map(({ grantee, grantor, grantable }) => ({
      by: 'grant',
      role: grantee,
      grantor,
      grantable,
      owner: grantee === owner,
      builtIn: untouched && column === undefined,
      ...(column === undefined ? {} : { column }),
    }));

/** Whether a holder is everybody. */
export const isPublic = ({ role }: Holder): boolean => role === PUBLIC;

const isSuperuser = (realm: Realm, role: string): boolean => realm.roles.get(role)?.superuser === true;

/** The superusers of a realm, as holders of everything. */
export const superusers = (realm: Realm): readonly Holder[] =>
  [...realm.roles.keys()].filter((role) => isSuperuser(realm, role)).map((role): Holder => ({ by: 'superuser', role }));

/** Whether a role may by itself, which is what has_*_privilege answers. @param rights the roles whose rights it has. */
export function mayWith(realm: Realm, object: Securable, privilege: string, role: string, rights: { has(role: string): boolean }): boolean {
  return isSuperuser(realm, role) || holdersOf(realm, object, privilege).some((holder) => isPublic(holder) || rights.has(holder.role));
}
