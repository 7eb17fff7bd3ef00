// A change: one typed step of a plan, whom it concerns, where it is made, and its identity. Everything that shows or runs a plan reads these.
import { createHash } from 'node:crypto';
import type { ConnectionReason } from './connection-secret.ts';
import type { PasswordSpec } from './document/types.ts';
import type { Role } from './model.ts';
import { PUBLIC } from './privileges/contents.ts';
import type { ObjectKind } from './privileges/kinds.ts';
import type { TriggerMode, TriggerRule } from './triggers/trigger-rules.ts';

export type Entity = 'user' | 'role';

/** The attributes that ALTER ROLE can set here. */
export type Attributes = Pick<Role, 'login' | 'inherit' | 'createdb' | 'createrole' | 'bypassrls' | 'connectionLimit' | 'validUntil'>;

/** Objects of one kind that a grant is about. */
export interface GrantTarget {
  /** The database that they are in; empty for what is shared by all. */
  readonly database: string;
  readonly object: ObjectKind;
  /** Empty for kinds that are in no schema. */
  readonly schema: string;
  /** Functions and columns have names in two parts (privileges/contents.ts). */
  readonly names: readonly string[];
  readonly owner: string;
}

/** Default privileges: what objects of a kind that `creator` makes will give. */
export interface DefaultTarget {
  readonly database: string;
  readonly creator: string;
  /** Empty for every schema. */
  readonly schema: string;
  readonly object: ObjectKind;
}

/** Changes that need another role's rights say as whom they run; undefined: as ourselves. */
interface ActedAs {
  readonly as: string | undefined;
}

export type Change =
  | {
      readonly kind: 'create_secret';
      readonly role: string;
      readonly secret: string;
      readonly key: string;
      readonly spec: Extract<PasswordSpec, { kind: 'generate' }>;
    }
  | {
      readonly kind: 'rotate_secret';
      /** As whom the new password logs in. */
      readonly role: string;
      readonly secret: string;
      readonly key: string;
      readonly spec: Extract<PasswordSpec, { kind: 'generate' }>;
      readonly reason: RotationReason;
    }
  | { readonly kind: 'adopt_role'; readonly role: string; readonly entity: Entity }
  | { readonly kind: 'forget_role'; readonly role: string; readonly entity: Entity; readonly reason: string }
  | { readonly kind: 'forget_privileges'; readonly role: string }
  | { readonly kind: 'create_role'; readonly role: string; readonly entity: Entity; readonly attributes: Attributes; readonly memberOf: readonly string[] }
  | { readonly kind: 'alter_role'; readonly role: string; readonly entity: Entity; readonly attributes: Partial<Attributes> }
  | { readonly kind: 'set_comment'; readonly role: string; readonly comment: string | null }
  | { readonly kind: 'set_setting'; readonly role: string; readonly database: string; readonly name: string; readonly value: string }
  | { readonly kind: 'reset_setting'; readonly role: string; readonly database: string; readonly name: string }
  | {
      readonly kind: 'grant_membership';
      readonly role: string;
      readonly member: string;
      readonly admin: boolean;
      readonly inherit: boolean;
      readonly set: boolean;
    }
  | {
      readonly kind: 'revoke_membership';
      readonly role: string;
      readonly member: string;
      readonly grantor: string;
      readonly adminOnly: boolean;
      readonly cascade: boolean;
    }
  | ({
      readonly kind: 'grant_privilege';
      readonly role: string;
      readonly on: GrantTarget;
      readonly privileges: readonly string[];
      readonly grantable: boolean;
      /** The objects are as they were made: nobody changed anything by hand. */
      readonly explained: boolean;
    } & ActedAs)
  | ({
      readonly kind: 'revoke_privilege';
      readonly role: string;
      readonly on: GrantTarget;
      readonly privileges: readonly string[];
      readonly grantor: string;
      /** How many passed the right on before it came from `grantor`; 0 where the owner granted it. The most distant goes first. */
      readonly depth: number;
      readonly optionOnly: boolean;
      readonly cascade: boolean;
      /** Roles that are not ours and hold the privilege from this one: they would lose it. */
      readonly dependents: readonly string[];
      readonly explained: boolean;
    } & ActedAs)
  | ({ readonly kind: 'grant_default_privilege'; readonly role: string; readonly privileges: readonly string[]; readonly grantable: boolean } & DefaultTarget &
      ActedAs)
  | ({
      readonly kind: 'revoke_default_privilege';
      readonly role: string;
      readonly privileges: readonly string[];
      readonly optionOnly: boolean;
    } & DefaultTarget &
      ActedAs)
  | { readonly kind: 'create_database'; readonly database: string; readonly owner: string | undefined }
  | { readonly kind: 'alter_database_owner'; readonly database: string; readonly owner: string; readonly from: string }
  | { readonly kind: 'create_schema'; readonly database: string; readonly schema: string; readonly owner: string | undefined }
  | ({ readonly kind: 'alter_schema_owner'; readonly database: string; readonly schema: string; readonly owner: string; readonly from: string } & ActedAs)
  | { readonly kind: 'create_extension'; readonly database: string; readonly extension: string; readonly schema: string | undefined }
  | { readonly kind: 'install_event_trigger'; readonly database: string; readonly admin: string; readonly newSchema: boolean }
  | {
      readonly kind: 'sync_trigger_rules';
      readonly database: string;
      readonly roles: readonly (readonly [string, TriggerMode])[];
      readonly goneRoles: readonly string[];
      readonly rules: readonly TriggerRule[];
      /** Keys. */
      readonly goneRules: readonly string[];
    }
  | { readonly kind: 'remove_event_trigger'; readonly database: string; readonly part: 'trigger' | 'rules' }
  | { readonly kind: 'set_password'; readonly role: string; readonly reason: PasswordReason }
  | { readonly kind: 'clear_password'; readonly role: string }
  | { readonly kind: 'disable_role'; readonly role: string; readonly keep: boolean }
  | { readonly kind: 'end_sessions'; readonly role: string; readonly sessions: number }
  | {
      readonly kind: 'release_owned';
      readonly role: string;
      readonly database: string;
      readonly heir: string;
      readonly objects: number;
      readonly join: readonly string[];
      readonly leave: readonly string[];
    }
  | { readonly kind: 'drop_role'; readonly role: string; readonly entity: Entity }
  | {
      readonly kind: 'write_connection_secret';
      readonly role: string;
      readonly namespace: string;
      readonly secret: string;
      readonly reason: ConnectionReason;
      /** The one that is there holds a password that no longer works. */
      readonly isBroken: boolean;
    }
  /** Of the role that we log in as ourselves. It stands beside the plan: no document can ask for it. */
  | { readonly kind: 'rotate_admin_password'; readonly role: string; readonly namespace: string; readonly secret: string; readonly reason: RotationReason };

export type ChangeKind = Change['kind'];

/** Why a password is set: the user has none yet, its Secret changed, or somebody changed it on the server. */
export type PasswordReason = 'new' | 'rotated' | 'drift';

/**
 * Why a password is replaced: it is old enough, somebody asked for it, another user is to log in from now on, or a rotation was begun and not
 * finished.
 */
export type RotationReason = 'schedule' | 'request' | 'strategy' | 'unfinished';

/** The order of execution: created before granted, granted before revoked, released before dropped. Also the closed set of metric labels. */
export const CHANGE_KINDS: readonly ChangeKind[] = [
  'create_secret',
  'rotate_secret',
  'adopt_role',
  'forget_role',
  'forget_privileges',
  'create_role',
  'alter_role',
  'set_comment',
  'create_database',
  'set_setting',
  'reset_setting',
  'grant_membership',
  'revoke_membership',
  'alter_database_owner',
  'create_schema',
  'alter_schema_owner',
  'create_extension',
  'install_event_trigger',
  'sync_trigger_rules',
  'remove_event_trigger',
  'grant_privilege',
  'grant_default_privilege',
  'revoke_privilege',
  'revoke_default_privilege',
  'set_password',
  'clear_password',
  'disable_role',
  'end_sessions',
  'release_owned',
  'drop_role',
  'write_connection_secret',
  'rotate_admin_password',
];

/** Kinds of changes that are made in Kubernetes and not on the server. */
export const IN_KUBERNETES: ReadonlySet<ChangeKind> = new Set(['create_secret', 'rotate_secret', 'write_connection_secret']);

/** Kinds of changes that take something away that the document does not give. */
export const REVOKES: ReadonlySet<ChangeKind> = new Set(['revoke_membership', 'revoke_privilege', 'revoke_default_privilege']);

/** The role that a change is about: whose failure it is, and which entry it belongs to. */
export function subjectOf(change: Change): string {
  switch (change.kind) {
    case 'grant_membership':
    case 'revoke_membership':
      return change.member;
    case 'create_database':
    case 'create_schema':
    case 'create_extension':
    case 'install_event_trigger':
    case 'sync_trigger_rules':
    case 'remove_event_trigger':
      return 'owner' in change ? (change.owner ?? '') : '';
    case 'alter_database_owner':
    case 'alter_schema_owner':
      return change.owner;
    default:
      return change.role;
  }
}

/** The database that a change has to be made in; empty where any will do. */
export function databaseOf(change: Change): string {
  switch (change.kind) {
    case 'grant_privilege':
    case 'revoke_privilege':
      return change.on.database;
    case 'grant_default_privilege':
    case 'revoke_default_privilege':
    case 'create_schema':
    case 'alter_schema_owner':
    case 'create_extension':
    case 'install_event_trigger':
    case 'sync_trigger_rules':
    case 'remove_event_trigger':
    case 'release_owned':
      return change.database;
    default:
      return '';
  }
}

/** The database that must exist for the change to work; empty where none has to. */
export function neededDatabase(change: Change): string {
  if (change.kind === 'set_setting' || change.kind === 'alter_database_owner') return change.database;
  if ((change.kind === 'grant_privilege' || change.kind === 'revoke_privilege') && change.on.object === 'database') return change.on.names[0] ?? '';
  return databaseOf(change);
}

/** The database whose event trigger must be there for the change to work; undefined where none has to. */
export const neededTrigger = (change: Change): string | undefined => (change.kind === 'sync_trigger_rules' ? triggerKey(change.database) : undefined);

/** How the event trigger of a database stands among names of roles. */
export const triggerKey = (database: string): string => `\0trigger\0${database}`;

/** Every role that must exist for the change to work. */
export function rolesOf(change: Change): readonly string[] {
  if (change.kind === 'create_secret') return [];
  if (change.kind === 'grant_membership') return [change.role, change.member];
  const subject = subjectOf(change);
  return subject === '' || subject === PUBLIC ? [] : [subject];
}

/** Identity of a change across cycles, without the objects that it names: what several of one identity name adds up. */
export function groupKeyOf(change: Change): string {
  const parts: readonly unknown[] = (() => {
    switch (change.kind) {
      case 'grant_membership':
        return [change.role, change.member];
      case 'revoke_membership':
        return [change.role, change.member, change.grantor];
      case 'grant_privilege':
      case 'revoke_privilege':
        return [
          change.on.database,
          change.on.object,
          change.on.schema,
          change.role,
          change.kind === 'grant_privilege' ? change.grantable : `${change.grantor} ${change.optionOnly}`,
          ...change.privileges,
        ];
      case 'grant_default_privilege':
      case 'revoke_default_privilege':
        return [change.database, change.object, change.schema, change.creator, change.role, ...change.privileges];
      case 'set_setting':
      case 'reset_setting':
        return [change.role, change.database, change.name];
      // The end of a validity that follows from what was done just now is not the connection limit over again.
      case 'alter_role':
        return [change.role, ...Object.keys(change.attributes)];
      case 'release_owned':
        return [change.role, change.database];
      case 'create_database':
      case 'alter_database_owner':
        return [change.database];
      case 'create_schema':
      case 'alter_schema_owner':
        return [change.database, change.schema];
      case 'create_extension':
        return [change.database, change.extension];
      case 'create_secret':
      case 'rotate_secret':
        return [change.role, change.secret];
      case 'write_connection_secret':
        return [change.role, change.namespace, change.secret];
      case 'install_event_trigger':
        return [change.database];
      case 'remove_event_trigger':
        return [change.database, change.part];
      case 'sync_trigger_rules':
        return [change.database, digest([change.roles, change.goneRoles, change.rules.map((rule) => rule.key), change.goneRules])];
      default:
        return [change.role];
    }
  })();
  return [change.kind, ...parts].join('\0');
}

const digest = (content: unknown): string => createHash('sha1').update(JSON.stringify(content)).digest('base64url');

/** The objects that a change names one by one; empty for those that are about one thing. */
export const namesOf = (change: Change): readonly string[] => (change.kind === 'grant_privilege' || change.kind === 'revoke_privilege' ? change.on.names : []);

const namesKeys = new WeakMap<readonly string[], string>();

/** A short text that is the same for the same names; lists are long, and shared by many changes. */
export function namesKey(names: readonly string[]): string {
  const known = namesKeys.get(names);
  if (known !== undefined) return known;
  const key = names.length === 1 ? (names[0] ?? '') : `${names.length} ${createHash('sha1').update(names.join('\0\0')).digest('base64url')}`;
  namesKeys.set(names, key);
  return key;
}

/** Identity of a change across cycles: two plans that hold the same key want the same thing. */
export const keyOf = (change: Change): string => `${groupKeyOf(change)}\0${namesKey(namesOf(change))}`;

/** How a database stands among names of roles: no role can be called so, as a NUL cannot be stored. */
export const databaseKey = (name: string): string => `\0${name}`;

/** A change taken apart by its objects; undefined where a part has none. A change that names no objects is not taken apart. */
export function splitNames(change: Change, isIn: (name: string) => boolean): { readonly inside: Change | undefined; readonly outside: Change | undefined } {
  const names = namesOf(change);
  const inside = names.filter(isIn);
  const outside = inside.length === 0 ? names : names.filter((name) => !isIn(name));
  return {
    inside: inside.length === 0 ? undefined : forNames(change, inside),
    outside: outside.length === 0 && names.length > 0 ? undefined : forNames(change, outside),
  };
}

/** The same change for some of its objects. */
export const forNames = (change: Change, names: readonly string[]): Change =>
  change.kind === 'grant_privilege' || change.kind === 'revoke_privilege' ? { ...change, on: { ...change.on, names } } : change;
