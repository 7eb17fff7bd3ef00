// The diff of memberships: who should be in which role, against the rows of pg_auth_members and what hangs on them.
import type { Change } from '../changes/change.ts';
import { endingWith, isCovered } from './membership-losses.ts';
import { type Membership, membershipKey } from '../model/cluster.ts';

export interface MembershipFacts {
  /** Below 16 a membership has one row, whoever granted it. */
  readonly oneRowPerMembership: boolean;
  /** Memberships of everybody, also of those that are not compared. */
  readonly allMemberships: readonly Membership[];
  /** Whether the document says which roles somebody is in. */
  readonly decidesRoles: (member: string) => boolean;
}

type Revoke = Change & { kind: 'revoke_membership' };

/** The revoke of a row, or of its ADMIN option, with what ends with it. */
export function revokeOf(row: Membership, adminOnly: boolean, facts: MembershipFacts): { readonly change: Revoke; readonly ending: readonly Membership[] } {
  const { oneRowPerMembership, allMemberships, decidesRoles } = facts;
  const ending = row.admin && !oneRowPerMembership ? endingWith(row.role, row.member, allMemberships) : [];
  const going = new Set([row, ...ending]);
  const dependents = ending.filter((one) => one.member !== row.member && !decidesRoles(one.member) && !isCovered(one, going, allMemberships));
  const { role, member, grantor } = row;
  return { change: { kind: 'revoke_membership', role, member, grantor, adminOnly, cascade: ending.length > 0, dependents }, ending };
}

/** What several rows of one membership give together. */
const union = (rows: readonly Membership[]): Pick<Membership, 'admin' | 'inherit' | 'set'> => ({
  admin: rows.some((row) => row.admin),
  inherit: rows.some((row) => row.inherit),
  set: rows.some((row) => row.set),
});

export function diffMemberships(desired: readonly Membership[], actual: readonly Membership[], facts: MembershipFacts): Change[] {
  const key = (membership: Membership): string => membershipKey(membership.role, membership.member);
  const rowsByKey = Map.groupBy(actual, key);
  const wanted = new Map(desired.map((want) => [key(want), want]));
  const changes: Change[] = [];
  /** What the CASCADE of these revokes takes is given again, before it: it is not among what is there. */
  const lost = new Set<Membership>();
  const revoke = (row: Membership, adminOnly: boolean): void => {
    const { change, ending } = revokeOf(row, adminOnly, facts);
    changes.push(change);
    if (change.dependents.length === 0) for (const one of ending) lost.add(one);
  };
  const own = (rows: readonly Membership[], want: Membership): Membership | undefined =>
    facts.oneRowPerMembership ? rows[0] : rows.find((row) => row.grantor === want.grantor);
  const exceeds = (row: Membership, want: Membership): boolean => (row.admin && !want.admin) || (row.inherit && !want.inherit) || (row.set && !want.set);
  for (const row of actual) if (!wanted.has(key(row))) revoke(row, false);
  for (const want of desired) {
    const rows = rowsByKey.get(key(want)) ?? [];
    const mine = own(rows, want);
    for (const row of rows) if (row !== mine && exceeds(row, want)) revoke(row, false);
    if (mine?.admin === true && !want.admin) revoke(mine, true);
  }
  for (const want of desired) {
    const rows = (rowsByKey.get(key(want)) ?? []).filter((row) => !lost.has(row));
    const have = union(rows);
    if (rows.length > 0 && have.admin === want.admin && have.inherit === want.inherit && have.set === want.set) continue;
    const mine = own(rows, want);
    const now = mine === undefined ? undefined : { ...mine, admin: mine.admin && want.admin };
    if (now === undefined || now.admin !== want.admin || now.inherit !== want.inherit || now.set !== want.set)
      changes.push({ kind: 'grant_membership', role: want.role, member: want.member, admin: want.admin, inherit: want.inherit, set: want.set });
  }
  return changes;
}
