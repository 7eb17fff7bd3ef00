// What an answer about access is made from: the roles of a server as one database sees them, and an object with everything that its ACL says.
import type { Membership, Role } from '../model/cluster.ts';
import type { AclEntry } from '../model/contents.ts';
import type { ObjectKind } from '../model/kinds.ts';

/** Roles and memberships, as they hold in one database. */
export interface Realm {
  readonly major: number;
  readonly roles: ReadonlyMap<string, Role>;
  readonly memberships: readonly Membership[];
  /** Who owns the database: the one member of pg_database_owner there. */
  readonly databaseOwner: string;
  /** The server's clock in milliseconds. */
  readonly now: number;
}

/** An object with its whole ACL; where that is NULL, with what it stands for. */
export interface Securable {
  readonly kind: ObjectKind;
  /** As SQL writes it, with its schema. */
  readonly name: string;
  readonly owner: string;
  /** The ACL is NULL. */
  readonly untouched: boolean;
  readonly entries: readonly AclEntry[];
  /** A relation's columns that have an ACL of their own. */
  readonly columns: ReadonlyMap<string, readonly AclEntry[]>;
  /** For a column: which one of the relation it is. */
  readonly column?: string;
  /** A catalog of the server: nobody but a superuser writes to it, whatever its ACL says. */
  readonly isCatalog: boolean;
}

/** A policy of row level security. */
export interface Policy {
  readonly name: string;
  /** As pg_policy has it: r, a, w, d, or * for all. */
  readonly command: string;
  readonly permissive: boolean;
  /** PUBLIC stands for everybody. */
  readonly roles: readonly string[];
}

/** What else there is to know of an object before its privilege is of use. */
export interface Surroundings {
  readonly database: Securable & { readonly allowsConnections: boolean };
  readonly schema: Securable | undefined;
  /** Undefined where it is off. */
  readonly rowSecurity: { readonly forced: boolean; readonly policies: readonly Policy[] } | undefined;
  /** What the server says of it beside its ACL, a sentence each. */
  readonly remarks: readonly string[];
}
