// Changes of who is in a role.
import type { Membership } from '../model/cluster.ts';
import { identifier, identifiers } from '../sql/sql-text.ts';
import { type Advised, type Definition, driftByEntry, neverDrift, OF_ROLE } from './definition.ts';
import { cascadeWords } from './words.ts';

interface InRole {
  readonly role: string;
  readonly member: string;
}

type GrantMembership = InRole & { readonly kind: 'grant_membership'; readonly admin: boolean; readonly inherit: boolean; readonly set: boolean };

interface RevokeMembership extends InRole {
  readonly kind: 'revoke_membership';
  readonly grantor: string;
  readonly adminOnly: boolean;
  readonly cascade: boolean;
  /** Memberships of roles that are not ours to take, which end with it. */
  readonly dependents: readonly Membership[];
}

/** Of our own membership in a role that we made: we can become it, and do not have its rights. */
type StopInheriting = { readonly kind: 'stop_inheriting'; readonly role: string };

export type MembershipChange = GrantMembership | RevokeMembership | StopInheriting;

const IN_ROLE = {
  subject: ({ member }: InRole) => member,
  object: ({ role, member }: InRole) => `${member} in ${role}`,
  isDrift: driftByEntry,
  isAdvised: true,
} as const;

const bool = (value: boolean): string => (value ? 'TRUE' : 'FALSE');

export const grantMembership: Advised<GrantMembership> = {
  ...IN_ROLE,
  key: ({ role, member }) => [role, member],
  shared: ({ role, admin, inherit, set }) => [role, admin, inherit, set],
  roles: ({ role, member }) => [role, member],
  sentence: ({ role, member }) => `grant roles to ${member}: [${role}]`,
  statements: ({ role, admin, inherit, set }, { major }, members) => {
    const grant = `GRANT ${identifier(role)} TO ${identifiers(members)}`;
    if (major < 16) return [admin ? `${grant} WITH ADMIN OPTION` : grant];
    // All three are named: an existing row keeps every option that a GRANT does not mention.
    return [`${grant} WITH ADMIN ${bool(admin)}, INHERIT ${bool(inherit)}, SET ${bool(set)}`];
  },
  needs: ({ role }) => [{ what: 'administer', role }],
  counts: 'grants',
};

export const revokeMembership: Advised<RevokeMembership> = {
  ...IN_ROLE,
  key: ({ role, member, grantor }) => [role, member, grantor],
  shared: ({ role, grantor, adminOnly, cascade }) => [role, grantor, adminOnly, cascade],
  sentence: ({ role, member, adminOnly, cascade }) =>
    (adminOnly ? `revoke admin option for ${role} from ${member}` : `revoke roles from ${member}: [${role}]`) + cascadeWords(cascade),
  statements: ({ role, grantor, adminOnly, cascade }, options, members) => {
    // Below 16 a membership has one row and GRANTED BY is ignored; from 16 on a REVOKE reaches only the rows of its own grantor.
    const by = options.major < 16 || grantor === options.grantor ? '' : ` GRANTED BY ${identifier(grantor)}`;
    return [`REVOKE ${adminOnly ? 'ADMIN OPTION FOR ' : ''}${identifier(role)} FROM ${identifiers(members)}${by}${cascade ? ' CASCADE' : ''}`];
  },
  needs: ({ role, grantor }) => [
    { what: 'administer', role },
    { what: 'revoke as', role: grantor },
  ],
  endsHolders: 'any',
  revokes: true,
  counts: 'revokes',
};

export const stopInheriting: Definition<StopInheriting> = {
  ...OF_ROLE,
  sentence: ({ role }) => `stop inheriting the rights of: ${role}`,
  statements: ({ role }) => [`REVOKE INHERIT OPTION FOR ${identifier(role)} FROM CURRENT_USER`],
  isDrift: neverDrift,
};
