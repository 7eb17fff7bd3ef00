// Changes of privileges on objects.
import { actors, asNobodyElse } from './acted-as.ts';
import { type Advised, driftByEntry, type Need } from './definition.ts';
import { type Grant, grantSql, type Revoke, revokeSql } from './privilege-sql.ts';
import { firstName, type GrantTarget, namesKey, targetWords } from './target.ts';
import { cascadeWords, grantee } from './words.ts';

interface GrantPrivilege extends Grant {
  readonly kind: 'grant_privilege';
  readonly role: string;
  /** The objects are as they were made: nobody changed anything by hand. */
  readonly explained: boolean;
}

interface RevokePrivilege extends Revoke {
  readonly kind: 'revoke_privilege';
  readonly role: string;
  /** How many passed the right on before it came from `grantor`; 0 where the owner granted it. The most distant goes first. */
  readonly depth: number;
  /** Roles that are not ours and hold the privilege from this one: they would lose it. */
  readonly dependents: readonly string[];
  readonly explained: boolean;
}

export type PrivilegeChange = GrantPrivilege | RevokePrivilege;

const ON_OBJECTS = {
  subject: ({ role }: PrivilegeChange) => role,
  object: ({ role, on }: PrivilegeChange) => `${role} on ${targetWords(on)}`,
  database: ({ on }: PrivilegeChange) => on.database,
  neededDatabase: ({ on }: PrivilegeChange) => (on.object === 'database' ? firstName(on) : on.database),
  // What default privileges explain, and what nobody has touched since it was made, was not changed by anybody.
  isDrift: ({ explained }: PrivilegeChange) => (explained ? false : driftByEntry()),
  isAdvised: true,
} as const;

const keyOf = ({ on, role, privileges }: PrivilegeChange, how: unknown): readonly unknown[] => [on.database, on.object, on.schema, role, how, ...privileges];

const sharedOf = ({ on, privileges }: PrivilegeChange): readonly unknown[] => [on.database, on.object, on.schema, privileges.join()];

const grantorsNeed = ({ on, as }: PrivilegeChange): Need =>
  as === undefined && on.object === 'database' ? { what: 'own', database: firstName(on) } : { what: 'act as', role: as };

/** A REVOKE on a table takes the privileges on its columns with it, so those are granted after it. */
export const grantPrivilege: Advised<GrantPrivilege> = {
  ...ON_OBJECTS,
  key: (change) => keyOf(change, change.grantable),
  shared: (change) => [...sharedOf(change), change.grantable, change.as, namesKey(change.on.names)],
  rank: ({ on }, rankOf) => (on.object === 'column' ? rankOf('revoke_privilege') + 0.2 : rankOf('grant_privilege')),
  sentence: ({ role, on, privileges, grantable }) =>
    `grant ${privileges.join(', ')} on ${targetWords(on)} to: ${grantee(role)}${grantable ? ' with grant option' : ''}`,
  statements: (change, _, roles) => grantSql(change, roles),
  needs: (change) => [grantorsNeed(change)],
  actors,
  names: ({ role, as }) => [role, ...actors({ as })],
  asSuperuser: asNobodyElse,
  counts: 'grants',
};

/** Of those who lend a lapsed option as well. */
const revokersOf = ({ as, lapsed }: RevokePrivilege): readonly string[] => [...actors({ as }), ...(lapsed === undefined ? [] : actors(lapsed))];

/** As a superuser: that reaches what the owner granted. What somebody else granted is reached as that one alone. */
const bySuperuser = (change: RevokePrivilege): RevokePrivilege => ({
  ...change,
  as: change.grantor === change.on.owner ? undefined : change.grantor,
  lapsed: change.lapsed && { ...change.lapsed, as: undefined },
});

/**
 * Who passed a right on can take it back only while it has the right and the way to the object: the most distant hand goes first, columns before their
 * tables, schemas and databases last.
 */
function rankOfRevoke({ on, depth }: { readonly on: GrantTarget; readonly depth: number }, kind: number): number {
  const distance = Math.min(depth, 10) / 100;
  if (on.object === 'column') return kind - 0.3 - distance;
  return kind - distance + (on.object === 'schema' || on.object === 'database' ? 0.4 : 0);
}

export const revokePrivilege: Advised<RevokePrivilege> = {
  ...ON_OBJECTS,
  key: (change) => keyOf(change, `${change.grantor} ${change.optionOnly}`),
  shared: (change) => {
    const { optionOnly, cascade, as, grantor, lapsed, on } = change;
    return [...sharedOf(change), optionOnly, cascade, as, grantor, lapsed?.as, lapsed?.holds, namesKey(on.names)];
  },
  rank: (change, rankOf) => rankOfRevoke(change, rankOf('revoke_privilege')),
  sentence: ({ role, on, privileges, optionOnly, grantor, cascade }) =>
    `revoke ${optionOnly ? 'grant option for ' : ''}${privileges.join(', ')} on ${targetWords(on)} from: ${grantee(role)} (granted by ${grantor})${cascadeWords(cascade)}`,
  statements: (change, _, roles) => revokeSql(change, roles),
  needs: (change) => [{ what: 'act as', role: change.lapsed?.as }, grantorsNeed(change)],
  actors: revokersOf,
  names: ({ role, as, grantor, lapsed }) => [role, ...actors({ as }), ...(lapsed === undefined ? [] : [grantor, lapsed.as ?? ''])],
  asSuperuser: bySuperuser,
  revokes: true,
  counts: 'revokes',
};
