// The memberships of a role that goes: those that it has, and those of others in it.
import { type Change, keyOf } from '../../changes/change.ts';
import { revokeOf } from '../diff-memberships.ts';
import { linksOf } from '../../model/reach.ts';
import type { RemovalFacts } from './removal-policy.ts';

export const leaveAllRoles = (name: string, { catalog, decidesRoles }: RemovalFacts): Change[] => {
  const facts = { oneRowPerMembership: catalog.server.major < 16, allMemberships: catalog.cluster.memberships, decidesRoles };
  return (linksOf(catalog.cluster.memberships).ofMember.get(name) ?? []).map((row) => revokeOf(row, false, facts).change);
};

/** Whoever is in the role has its rights for as long as it is there. */
export function membersOut(name: string, { catalog, changes }: RemovalFacts): Change[] {
  const facts = { oneRowPerMembership: catalog.server.major < 16, allMemberships: catalog.cluster.memberships, decidesRoles: () => true };
  const planned = new Set(changes.map(keyOf));
  const members = (linksOf(catalog.cluster.memberships).inRole.get(name) ?? []).filter((row) => row.member !== catalog.server.admin);
  return members.map((row) => revokeOf(row, false, facts).change).filter((change) => !planned.has(keyOf(change)));
}

/** What is left to do about a role that has to stay: when what it owns has moved, for which it may need them, it leaves its roles, but for those in which others are by its doing. */
export const leaveWhenEmpty = (name: string, moves: readonly Change[], input: RemovalFacts): Change[] =>
  moves.length > 0 ? [] : leaveAllRoles(name, input).filter((change) => change.kind !== 'revoke_membership' || change.dependents.length === 0);
