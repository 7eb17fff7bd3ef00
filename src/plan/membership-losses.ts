// Losses of memberships: from 16 on the server knows who granted one, and takes it from those who have it from somebody that loses the ADMIN option.
import { type Membership, membershipKey } from '../model/cluster.ts';
import { linksOf } from '../model/reach.ts';
import { identifier } from '../sql/sql-text.ts';

/** Rows of a role that somebody granted to others. */
export const grantedBy = (grantor: string, memberships: readonly Membership[]): readonly Membership[] =>
  (linksOf(memberships).byGrantor.get(grantor) ?? []).filter((row) => row.member !== grantor);

/** What goes when somebody loses the ADMIN option on a role: what it granted of it, and what those granted. */
export function endingWith(role: string, member: string, memberships: readonly Membership[]): readonly Membership[] {
  const { passedOn } = linksOf(memberships);
  const losing = new Set([member]);
  const rows = new Set<Membership>();
  // A Set's iteration also visits what is added while it runs.
  for (const grantor of losing)
    for (const row of passedOn.get(membershipKey(role, grantor)) ?? []) {
      if (row.member === grantor) continue;
      rows.add(row);
      if (row.admin) losing.add(row.member);
    }
  return [...rows];
}

/** Whether a member has as much by rows that do not go. */
export const isCovered = (row: Membership, going: ReadonlySet<Membership>, memberships: readonly Membership[]): boolean =>
  (linksOf(memberships).ofMember.get(row.member) ?? []).some(
    (other) => other.role === row.role && !going.has(other) && (other.admin || !row.admin) && (other.inherit || !row.inherit) && (other.set || !row.set),
  );

const bool = (value: boolean): string => (value ? 'TRUE' : 'FALSE');

/** The statement that gives the same membership, by whoever runs it. */
export const giveAgain = ({ role, member, admin, inherit, set }: Membership): string =>
  `GRANT ${identifier(role)} TO ${identifier(member)} WITH ADMIN ${bool(admin)}, INHERIT ${bool(inherit)}, SET ${bool(set)}`;
