// What a snapshot tells of the objects in a database: grouped by what they have in common, because most of them have the same ACL.
import type { TriggerState } from '../triggers/plan-trigger.ts';
import type { ObjectKind } from './kinds.ts';

/** PUBLIC as a grantee. No role can have this name: the server reads it as PUBLIC even in quotes. */
export const PUBLIC = 'public';

/** Between a function's name and its argument types, and between a table and its column: no name can contain it. */
const SEPARATOR = '\0';

/** The name of a function or column within its group: two parts that no quoting can confuse. */
export const joinName = (first: string, second: string): string => `${first}${SEPARATOR}${second}`;

/** The parts of such a name; the second is undefined for names of other kinds. */
export function splitName(name: string): readonly [string, string | undefined] {
  const at = name.indexOf(SEPARATOR);
  return at === -1 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)];
}

/** One entry of an ACL. */
export interface AclEntry {
  readonly grantee: string;
  readonly grantor: string;
  readonly privilege: string;
  readonly grantable: boolean;
}

/** Objects that share kind, schema, owner and ACL. */
export interface ObjectGroup {
  readonly kind: ObjectKind;
  /** Empty for kinds that are in no schema. */
  readonly schema: string;
  readonly owner: string;
  /** Functions and columns have names in two parts (joinName). */
  readonly names: readonly string[];
  /** Members of an extension. */
  readonly extension: boolean;
  /** Patterns leave it out, as the server's templates. */
  readonly exactOnly?: boolean;
  /** The ACL is NULL: nobody granted or revoked anything since the objects were made. */
  readonly untouched: boolean;
  /** Of the grantees that were asked for and of PUBLIC, and what those grantees passed on; never the owner's own. */
  readonly entries: readonly AclEntry[];
}

/** A row of pg_default_acl, or what is built in where there is none. */
export interface DefaultAcl {
  readonly creator: string;
  /** Empty: for every schema. */
  readonly schema: string;
  readonly kind: ObjectKind;
  readonly entries: readonly AclEntry[];
}

export interface DatabaseContents {
  readonly name: string;
  readonly groups: readonly ObjectGroup[];
  readonly defaults: readonly DefaultAcl[];
  /** Schema → roles that hold CREATE on it directly. */
  readonly creators: ReadonlyMap<string, readonly string[]>;
  /** Extension → its schema. */
  readonly extensions: ReadonlyMap<string, string>;
  readonly trigger: TriggerState;
  /** Privileges of the asked grantees on things that are not compared: which role, on what, how many. */
  readonly strays: readonly { readonly role: string; readonly what: string; readonly count: number }[];
}

/** Schemas of the server itself, and ours: nothing in them is granted, revoked or compared. */
export const isSystemSchema = (schema: string): boolean => schema.startsWith('pg_') || schema === 'information_schema' || schema === 'pgsteward';
