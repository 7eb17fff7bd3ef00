// What a snapshot tells of the objects in a database: grouped by what they have in common, because most of them have the same ACL.
import type { TriggerState } from './trigger-state.ts';
import { TRIGGER_SCHEMA } from './trigger-names.ts';
import type { ObjectKind } from './kinds.ts';

/** PUBLIC as a grantee. No role can have this name: the server reads it as PUBLIC even in quotes. */
export const PUBLIC = 'public';

/** A column: by its table, in the schema of its group. */
export interface Column {
  readonly table: string;
  readonly column: string;
}

/** A type by its own name; an array has one too (`_int4`). */
export interface TypeName {
  readonly schema: string;
  readonly name: string;
}

export type ArgumentMode = 'IN' | 'OUT' | 'INOUT' | 'VARIADIC';

/** A function, aggregate or procedure: by what tells it from others of its name. */
export interface Routine {
  readonly name: string;
  /** Types of the input arguments as the server prints them: what rules are compared with and people read. It never gets into a statement. */
  readonly shown: string;
  /** The same types as values, in order; a procedure's OUT arguments are among them, as only they tell it from others in a statement. */
  readonly types: readonly TypeName[];
  /** How a procedure takes each of them; undefined for functions and aggregates. */
  readonly modes: readonly ArgumentMode[] | undefined;
}

/** What an object is called within its group: most have one name. Parts are never joined to be taken apart again: a name holds every character. */
export type ObjectName = string | Column | Routine;

/** The name alone: a column's table, a routine without its arguments. */
export const ownName = (name: ObjectName): string => (typeof name === 'string' ? name : 'column' in name ? name.table : name.name);

/** A column's own name, or the types of a routine's arguments as the server prints them; undefined for other kinds. */
export const furtherName = (name: ObjectName): string | undefined => (typeof name === 'string' ? undefined : 'column' in name ? name.column : name.shown);

/** Two texts as one key; as neither can hold a NUL, no other two have it. */
export const pairKey = (first: string, second: string): string => `${first}\0${second}`;

/** What is the same for the same name, and for no other of its kind; for maps and sets alone. */
export function nameKey(name: ObjectName): string {
  const second = furtherName(name);
  return second === undefined ? ownName(name) : pairKey(ownName(name), second);
}

/** One entry of an ACL. */
export interface AclEntry {
  readonly grantee: string;
  readonly grantor: string;
  readonly privilege: string;
  readonly grantable: boolean;
  /** The grantor has no grant option (any more), and so can revoke nothing; whether it holds the privilege itself from the owner. */
  readonly lapsed?: { readonly holds: boolean };
}

/** Objects that share kind, schema, owner and ACL. */
export interface ObjectGroup {
  readonly kind: ObjectKind;
  /** Empty for kinds that are in no schema. */
  readonly schema: string;
  readonly owner: string;
  readonly names: readonly ObjectName[];
  /** Members of an extension. */
  readonly extension: boolean;
  /** Patterns leave it out, as the server's templates, and foreign servers with a user mapping for PUBLIC. */
  readonly exactOnly?: boolean;
  /** The ACL is NULL: nobody granted or revoked anything since the objects were made. */
  readonly untouched: boolean;
  /** Of the grantees that were asked for and of PUBLIC, and what those grantees passed on; the owner's own only where everybody's were read. */
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
export const isSystemSchema = (schema: string): boolean =>
  schema.startsWith('pg_') || schema === 'information_schema' || schema === 'pgsteward' || schema === TRIGGER_SCHEMA;
