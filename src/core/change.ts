// A change: one typed step of a plan, its identity, and the sentence that says it. Everything that shows or runs a plan reads these.
import type { Grant, Role } from './model.ts';

export type Entity = 'user' | 'role';

/** The attributes that ALTER ROLE can set here. */
export type Attributes = Pick<Role, 'login' | 'inherit' | 'createdb' | 'createrole' | 'bypassrls' | 'connectionLimit' | 'validUntil'>;

export type Change =
  | { readonly kind: 'adopt_role'; readonly role: string; readonly entity: Entity }
  | { readonly kind: 'forget_role'; readonly role: string; readonly entity: Entity; readonly reason: string }
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
  | { readonly kind: 'grant_privilege'; readonly grant: Grant }
  | { readonly kind: 'revoke_privilege'; readonly grant: Grant; readonly optionOnly: boolean }
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
  | { readonly kind: 'drop_role'; readonly role: string; readonly entity: Entity };

export type ChangeKind = Change['kind'];

/** Why a password is set: the user has none yet, its Secret changed, or somebody changed it on the server. */
export type PasswordReason = 'new' | 'rotated' | 'drift';

/** The order of execution: created before granted, granted before revoked, released before dropped. Also the closed set of metric labels. */
export const CHANGE_KINDS: readonly ChangeKind[] = [
  'adopt_role',
  'forget_role',
  'create_role',
  'alter_role',
  'set_comment',
  'set_setting',
  'reset_setting',
  'grant_membership',
  'grant_privilege',
  'revoke_membership',
  'revoke_privilege',
  'set_password',
  'clear_password',
  'disable_role',
  'end_sessions',
  'release_owned',
  'drop_role',
];

/** The role that a change is about: whose failure it is, and which entry it belongs to. */
export function subjectOf(change: Change): string {
  switch (change.kind) {
    case 'grant_membership':
    case 'revoke_membership':
      return change.member;
    case 'grant_privilege':
    case 'revoke_privilege':
      return change.grant.grantee;
    default:
      return change.role;
  }
}

/** Every role that must exist for the change to work. */
export const rolesOf = (change: Change): readonly string[] => (change.kind === 'grant_membership' ? [change.role, change.member] : [subjectOf(change)]);

/** What a change acts on, for the audit log: the role, and the object where there is one. */
export function objectOf(change: Change): string {
  switch (change.kind) {
    case 'grant_membership':
    case 'revoke_membership':
      return `${change.member} in ${change.role}`;
    case 'grant_privilege':
    case 'revoke_privilege':
      return `${change.grant.grantee} on ${change.grant.object.kind} ${change.grant.object.name}`;
    case 'set_setting':
    case 'reset_setting':
      return change.database === '' ? `${change.role} ${change.name}` : `${change.role} ${change.name} in ${change.database}`;
    case 'release_owned':
      return `${change.role} in ${change.database}`;
    default:
      return change.role;
  }
}

/** Identity of a change across cycles: two plans that hold the same key want the same thing. */
export function keyOf(change: Change): string {
  const parts: readonly string[] = (() => {
    switch (change.kind) {
      case 'grant_membership':
        return [change.role, change.member];
      case 'revoke_membership':
        return [change.role, change.member, change.grantor];
      case 'grant_privilege':
      case 'revoke_privilege':
        return [change.grant.object.name, change.grant.grantee, change.grant.grantor, change.grant.privilege];
      case 'set_setting':
      case 'reset_setting':
        return [change.role, change.database, change.name];
      case 'release_owned':
        return [change.role, change.database];
      default:
        return [change.role];
    }
  })();
  return [change.kind, ...parts].join('\0');
}

/** The change as an imperative: «create role: analyst». Never holds a password, a verifier or a setting's value. */
export function sentenceOf(change: Change): string {
  switch (change.kind) {
    case 'adopt_role':
      return `adopt existing ${change.entity}: ${change.role}`;
    case 'forget_role':
      return `stop managing ${change.entity}: ${change.role} (${change.reason})`;
    case 'create_role':
      return change.entity === 'user' ? `create user: ${change.role} with roles [${change.memberOf.join(', ')}]` : `create role: ${change.role}`;
    case 'alter_role':
      return `alter ${change.entity}: ${change.role} (${attributeWords(change.attributes).join(', ')})`;
    case 'set_comment':
      return change.comment === null ? `remove comment of: ${change.role}` : `set comment of: ${change.role}`;
    case 'set_setting':
      return `set ${change.name} for: ${change.role}${inDatabase(change.database)}`;
    case 'reset_setting':
      return `reset ${change.name} for: ${change.role}${inDatabase(change.database)}`;
    case 'grant_membership':
      return `grant roles to ${change.member}: [${change.role}]`;
    case 'revoke_membership':
      return change.adminOnly
        ? `revoke admin option for ${change.role} from ${change.member}${change.cascade ? ' and what was granted with it' : ''}`
        : `revoke roles from ${change.member}: [${change.role}]${change.cascade ? ' and what was granted with it' : ''}`;
    case 'grant_privilege':
      return `grant ${change.grant.privilege} on ${change.grant.object.kind} ${change.grant.object.name} to: ${change.grant.grantee}`;
    case 'revoke_privilege':
      return `revoke ${change.optionOnly ? 'grant option for ' : ''}${change.grant.privilege} on ${change.grant.object.kind} ${change.grant.object.name} from: ${change.grant.grantee} (granted by ${change.grant.grantor})`;
    case 'set_password':
      return `set password of user: ${change.role} (${PASSWORD_REASONS[change.reason]})`;
    case 'clear_password':
      return `clear password of user: ${change.role}`;
    case 'disable_role':
      return `disable user: ${change.role}${change.keep ? '' : ' before it is dropped'}`;
    case 'end_sessions':
      return `end ${change.sessions} session(s) of user: ${change.role}`;
    case 'release_owned':
      return `reassign what ${change.role} owns in database ${change.database} to ${change.heir} and drop its privileges there (${change.objects} dependencies)`;
    case 'drop_role':
      return `drop ${change.entity}: ${change.role}`;
  }
}

const PASSWORD_REASONS: Readonly<Record<PasswordReason, string>> = {
  new: 'first password',
  rotated: 'its Secret changed',
  drift: 'changed on the server',
};

const inDatabase = (database: string): string => (database === '' ? '' : ` in database ${database}`);

function attributeWords(attributes: Partial<Attributes>): string[] {
  const word = (value: boolean | undefined, name: string): string[] => (value === undefined ? [] : [value ? name : `NO${name}`]);
  return [
    ...word(attributes.login, 'LOGIN'),
    ...word(attributes.inherit, 'INHERIT'),
    ...word(attributes.createdb, 'CREATEDB'),
    ...word(attributes.createrole, 'CREATEROLE'),
    ...word(attributes.bypassrls, 'BYPASSRLS'),
    ...(attributes.connectionLimit === undefined ? [] : [`CONNECTION LIMIT ${attributes.connectionLimit}`]),
    ...(attributes.validUntil === undefined ? [] : [`VALID UNTIL ${attributes.validUntil ?? 'infinity'}`]),
  ];
}
