// Changes of default privileges: what objects that somebody makes will give.
import { KINDS, kindWords, type ObjectKind } from '../model/kinds.ts';
import { identifier, keyword, list, type Sql, sql, storedIdentifier } from '../sql/sql-text.ts';
import { actedAs, type ActedAs, actors, asNobodyElse } from './acted-as.ts';
import { type Advised, driftByEntry } from './definition.ts';
import { grantees } from './privilege-sql.ts';
import { grantee, inDatabase } from './words.ts';

/** Default privileges: what objects of a kind that `creator` makes will give. */
interface OnDefaults extends ActedAs {
  readonly role: string;
  readonly database: string;
  readonly creator: string;
  /** Empty for every schema. */
  readonly schema: string;
  readonly object: ObjectKind;
  readonly privileges: readonly string[];
}

type GrantDefaultPrivilege = OnDefaults & { readonly kind: 'grant_default_privilege'; readonly grantable: boolean };
type RevokeDefaultPrivilege = OnDefaults & { readonly kind: 'revoke_default_privilege'; readonly optionOnly: boolean };

export type DefaultPrivilegeChange = GrantDefaultPrivilege | RevokeDefaultPrivilege;

const words = ({ database, object, schema, creator }: OnDefaults): string =>
  `future ${kindWords(object)}s of ${creator}${schema === '' ? '' : ` in schema ${schema}`}${inDatabase(database)}`;

const alter = ({ creator, schema }: OnDefaults): Sql =>
  sql`ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(creator)}${schema === '' ? sql`` : sql` IN SCHEMA ${storedIdentifier(schema)}`}`;

const what = ({ privileges, object }: OnDefaults): Sql => sql`${list(privileges.map(keyword))} ON ${keyword(KINDS[object].defaults?.keyword ?? '')}`;

const sharedOf = ({ database, object, schema, creator, privileges }: OnDefaults): readonly unknown[] => [database, object, schema, creator, privileges.join()];

const ON_DEFAULTS = {
  subject: ({ role }: OnDefaults) => role,
  key: ({ database, object, schema, creator, role, privileges }: OnDefaults) => [database, object, schema, creator, role, ...privileges],
  object: (change: OnDefaults) => `${change.role} on ${words(change)}`,
  database: ({ database }: OnDefaults) => database,
  needs: ({ as }: OnDefaults) => [{ what: 'act as', role: as }] as const,
  isDrift: driftByEntry,
  actors,
  names: ({ role, creator, as }: OnDefaults) => [role, creator, ...actors({ as })],
  isAdvised: true,
} as const;

export const grantDefaultPrivilege: Advised<GrantDefaultPrivilege> = {
  ...ON_DEFAULTS,
  shared: (change) => [...sharedOf(change), change.grantable],
  sentence: (change) => `grant ${change.privileges.join(', ')} on ${words(change)} to: ${grantee(change.role)}${change.grantable ? ' with grant option' : ''}`,
  statements: (change, _, roles) =>
    actedAs(change.as, [sql`${alter(change)} GRANT ${what(change)} TO ${grantees(roles)}${change.grantable ? sql` WITH GRANT OPTION` : sql``}`]),
  asSuperuser: asNobodyElse,
  counts: 'grants',
};

export const revokeDefaultPrivilege: Advised<RevokeDefaultPrivilege> = {
  ...ON_DEFAULTS,
  shared: (change) => [...sharedOf(change), change.optionOnly],
  sentence: (change) =>
    `revoke ${change.optionOnly ? 'grant option for ' : ''}${change.privileges.join(', ')} on ${words(change)} from: ${grantee(change.role)}`,
  statements: (change, _, roles) =>
    actedAs(change.as, [sql`${alter(change)} REVOKE ${change.optionOnly ? sql`GRANT OPTION FOR ` : sql``}${what(change)} FROM ${grantees(roles)}`]),
  asSuperuser: asNobodyElse,
  revokes: true,
  counts: 'revokes',
};
