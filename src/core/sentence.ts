// Change → words: the sentence that says it in a plan, a log and a notice, and the object that an audit row names.
import type { Attributes, Change, DefaultTarget, GrantTarget, PasswordReason, RotationReason } from './change.ts';
import type { ConnectionReason } from './connection-secret.ts';
import { PUBLIC, splitName } from './privileges/contents.ts';
import { kindWords, type ObjectKind } from './privileges/kinds.ts';

/** What a change acts on, for the audit log: the role, and the object where there is one. */
export function objectOf(change: Change): string {
  switch (change.kind) {
    case 'grant_membership':
    case 'revoke_membership':
      return `${change.member} in ${change.role}`;
    case 'grant_privilege':
    case 'revoke_privilege':
      return `${change.role} on ${targetWords(change.on)}`;
    case 'grant_default_privilege':
    case 'revoke_default_privilege':
      return `${change.role} on ${defaultWords(change)}`;
    case 'set_setting':
    case 'reset_setting':
      return change.database === '' ? `${change.role} ${change.name}` : `${change.role} ${change.name} in ${change.database}`;
    case 'release_owned':
      return `${change.role} in ${change.database}`;
    case 'create_database':
    case 'alter_database_owner':
      return `database ${change.database}`;
    case 'create_schema':
    case 'alter_schema_owner':
      return `schema ${change.schema}${inDatabase(change.database)}`;
    case 'create_extension':
      return `extension ${change.extension}${inDatabase(change.database)}`;
    case 'install_event_trigger':
    case 'sync_trigger_rules':
    case 'remove_event_trigger':
      return `event trigger${inDatabase(change.database)}`;
    case 'create_secret':
    case 'rotate_secret':
      return `secret ${change.secret}`;
    case 'write_connection_secret':
      return `secret ${change.namespace}/${change.secret}`;
    case 'rotate_admin_password':
      return `${change.role} in secret ${change.namespace}/${change.secret}`;
    default:
      return change.role;
  }
}

/** The change as an imperative: «create role: analyst». Never holds a password, a verifier or a setting's value. */
export function sentenceOf(change: Change): string {
  switch (change.kind) {
    case 'adopt_role':
      return `adopt existing ${change.entity}: ${change.role}`;
    case 'forget_role':
      return `stop managing ${change.entity}: ${change.role} (${change.reason})`;
    case 'forget_privileges':
      return `stop managing privileges of: ${change.role} (the document no longer declares any; what it holds stays)`;
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
      return `grant ${change.privileges.join(', ')} on ${targetWords(change.on)} to: ${grantee(change.role)}${change.grantable ? ' with grant option' : ''}`;
    case 'revoke_privilege':
      return `revoke ${change.optionOnly ? 'grant option for ' : ''}${change.privileges.join(', ')} on ${targetWords(change.on)} from: ${grantee(change.role)} (granted by ${change.grantor})${change.cascade ? ' and what was granted with it' : ''}`;
    case 'grant_default_privilege':
      return `grant ${change.privileges.join(', ')} on ${defaultWords(change)} to: ${grantee(change.role)}${change.grantable ? ' with grant option' : ''}`;
    case 'revoke_default_privilege':
      return `revoke ${change.optionOnly ? 'grant option for ' : ''}${change.privileges.join(', ')} on ${defaultWords(change)} from: ${grantee(change.role)}`;
    case 'create_database':
      return `create database: ${change.database}${change.owner === undefined ? '' : ` owned by ${change.owner}`}`;
    case 'alter_database_owner':
      return `give database ${change.database} to: ${change.owner} (now owned by ${change.from})`;
    case 'create_schema':
      return `create schema: ${change.schema}${inDatabase(change.database)}${change.owner === undefined ? '' : ` owned by ${change.owner}`}`;
    case 'alter_schema_owner':
      return `give schema ${change.schema}${inDatabase(change.database)} to: ${change.owner} (now owned by ${change.from})`;
    case 'create_extension':
      return `create extension: ${change.extension}${inDatabase(change.database)}${change.schema === undefined ? '' : ` in schema ${change.schema}`}`;
    case 'install_event_trigger':
      return `install the event trigger${inDatabase(change.database)}`;
    case 'sync_trigger_rules':
      return `synchronise what the event trigger follows${inDatabase(change.database)} (${change.rules.length} new rules, ${change.goneRules.length} removed)`;
    case 'remove_event_trigger':
      return `remove ${change.part === 'trigger' ? 'the event trigger' : 'what the event trigger followed'}${inDatabase(change.database)}`;
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
    case 'create_secret':
      return `create secret: ${change.secret} (a generated password for ${change.role})`;
    case 'rotate_secret':
      return `rotate secret: ${change.secret} (a new password for ${change.role}: ${ROTATION_REASONS[change.reason]})`;
    case 'write_connection_secret':
      return `write connection secret: ${change.namespace}/${change.secret} (for ${change.role}: ${CONNECTION_REASONS[change.reason]})`;
    case 'rotate_admin_password':
      return `rotate our own password: ${change.role} (in secret ${change.namespace}/${change.secret}: ${ROTATION_REASONS[change.reason]})`;
  }
}

const ROTATION_REASONS: Readonly<Record<RotationReason, string>> = {
  schedule: 'the old one is old enough',
  request: 'somebody asked for it',
  strategy: 'two users log in by turns from now on',
  unfinished: 'what was begun is finished',
};

const CONNECTION_REASONS: Readonly<Record<ConnectionReason, string>> = {
  new: 'there is none',
  changed: 'what it is made from changed',
  rotated: 'the password changed',
  drift: 'changed by hand',
};

const PASSWORD_REASONS: Readonly<Record<PasswordReason, string>> = {
  new: 'first password',
  rotated: 'its Secret changed',
  drift: 'changed on the server',
};

const inDatabase = (database: string): string => (database === '' ? '' : ` in database ${database}`);

const grantee = (role: string): string => (role === PUBLIC ? 'PUBLIC' : role);

/** A name as people write it: functions with their arguments, columns behind their table. */
function shownName(object: ObjectKind, name: string): string {
  const [first, second] = splitName(name);
  if (second === undefined) return first;
  return object === 'function' ? `${first}(${second})` : `${first}.${second}`;
}

/** How many objects a sentence names. */
const SHOWN = 3;

/** `table public.orders in database shop`, or `40 tables of schema public (a, b, c, …) in database shop`. */
export function targetWords({ database, object, schema, names }: Omit<GrantTarget, 'owner'>): string {
  const kind = kindWords(object);
  const shown = names.slice(0, SHOWN).map((name) => shownName(object, name));
  const prefix = schema === '' || object === 'schema' ? '' : `${schema}.`;
  if (names.length === 1) return `${kind} ${prefix}${shown[0] ?? ''}${inDatabase(database)}`;
  const of = prefix === '' ? '' : ` of schema ${schema}`;
  return `${names.length} ${kind}s${of} (${shown.join(', ')}${names.length > SHOWN ? ', …' : ''})${inDatabase(database)}`;
}

const defaultWords = ({ database, object, schema, creator }: DefaultTarget): string =>
  `future ${kindWords(object)}s of ${creator}${schema === '' ? '' : ` in schema ${schema}`}${inDatabase(database)}`;

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
