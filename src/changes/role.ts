// Changes of roles themselves: as they are made and altered, with their comments and parameters.
import type { Entity } from '../model/cluster.ts';
import { parseList } from '../model/setting-list.ts';
import { identifier, literal, settingName } from '../sql/sql-text.ts';
import { type Attributes, attributesSql, attributeWords, creationAttributes } from './attributes.ts';
import { type Advised, type Definition, driftByEntry, OF_ROLE } from './definition.ts';
import { inDatabase } from './words.ts';

interface CreateRole {
  readonly kind: 'create_role';
  readonly role: string;
  readonly entity: Entity;
  readonly attributes: Attributes;
  readonly memberOf: readonly string[];
}

type AlterRole = { readonly kind: 'alter_role'; readonly role: string; readonly entity: Entity; readonly attributes: Partial<Attributes> };
type SetComment = { readonly kind: 'set_comment'; readonly role: string; readonly comment: string | null };

interface Setting {
  readonly role: string;
  /** Empty for every database. */
  readonly database: string;
  readonly name: string;
}

type SetSetting = Setting & { readonly kind: 'set_setting'; readonly value: string };
type ResetSetting = Setting & { readonly kind: 'reset_setting' };

export type RoleChange = CreateRole | AlterRole | SetComment | SetSetting | ResetSetting;

export const createRole: Definition<CreateRole> = {
  ...OF_ROLE,
  roles: () => [],
  sentence: ({ entity, role, memberOf }) => (entity === 'user' ? `create user: ${role} with roles [${memberOf.join(', ')}]` : `create role: ${role}`),
  statements: ({ role, attributes }) => [`CREATE ROLE ${identifier(role)}${attributesSql(creationAttributes(attributes))}`],
  isDrift: driftByEntry,
  forLogin: true,
  remembers: ({ entity, attributes }) => ({ what: 'ours', entity, origin: 'created', isDisabled: entity === 'user' && !attributes.login }),
};

export const alterRole: Advised<AlterRole> = {
  ...OF_ROLE,
  // The end of a validity that follows from what was done just now is not the connection limit over again.
  key: ({ role, attributes }) => [role, ...Object.keys(attributes)],
  sentence: ({ entity, role, attributes }) => `alter ${entity}: ${role} (${attributeWords(attributes)})`,
  statements: ({ role, attributes }) => [`ALTER ROLE ${identifier(role)}${attributesSql(attributes)}`],
  isDrift: driftByEntry,
  isAdvised: true,
  endsHolders: 'any',
  forLogin: true,
  login: ({ attributes }) => attributes.login,
  loses: ({ attributes: { login, validUntil, inherit, createdb, createrole, bypassrls } }) => {
    if (login === false || (validUntil !== undefined && validUntil !== null)) return 'login';
    return [inherit, createdb, createrole, bypassrls].includes(false) ? 'rights' : undefined;
  },
};

export const setComment: Advised<SetComment> = {
  ...OF_ROLE,
  sentence: ({ role, comment }) => `${comment === null ? 'remove' : 'set'} comment of: ${role}`,
  statements: ({ role, comment }) => [`COMMENT ON ROLE ${identifier(role)} IS ${comment === null ? 'NULL' : literal(comment)}`],
  isDrift: driftByEntry,
  isAdvised: true,
};

const SETTING = {
  ...OF_ROLE,
  key: ({ role, database, name }: Setting) => [role, database, name],
  object: ({ role, database, name }: Setting) => (database === '' ? `${role} ${name}` : `${role} ${name} in ${database}`),
  isDrift: driftByEntry,
  isAdvised: true,
} as const;

const alterSettings = ({ role, database }: Setting): string => `ALTER ROLE ${identifier(role)}${database === '' ? '' : ` IN DATABASE ${identifier(database)}`}`;

function settingValue(name: string, value: string): string {
  const list = parseList(name, value);
  if (list === undefined) return literal(value);
  return list.length === 0 ? "''" : list.map((element) => literal(element)).join(', ');
}

export const setSetting: Advised<SetSetting> = {
  ...SETTING,
  neededDatabase: ({ database }) => database,
  sentence: ({ name, role, database }) => `set ${name} for: ${role}${inDatabase(database)}`,
  statements: (change) => [`${alterSettings(change)} SET ${settingName(change.name)} TO ${settingValue(change.name, change.value)}`],
};

export const resetSetting: Advised<ResetSetting> = {
  ...SETTING,
  sentence: ({ name, role, database }) => `reset ${name} for: ${role}${inDatabase(database)}`,
  statements: (change) => [`${alterSettings(change)} RESET ${settingName(change.name)}`],
};
