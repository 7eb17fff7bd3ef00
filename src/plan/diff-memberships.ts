// The diff of memberships: who should be in which role, against the rows of pg_auth_members and what hangs on them.
import type { Change } from '../changes/change.ts';
import { endingWith, isCovered } from './membership-losses.ts';
import { createByTwo } from '../model/by-two.ts';
import type { Membership } from '../model/cluster.ts';

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

const NONE: readonly Membership[] = [];

/** Of each that is wanted, its rows; and the rows of none. */
function pairs(
  desired: readonly Membership[],
  actual: readonly Membership[],
): { readonly rowsOf: readonly (readonly Membership[])[]; readonly extra: readonly Membership[] } {
  const wanted = createByTwo<Membership[]>();
  const rowsOf = desired.map(({ role, member }) => {
    // Who is wanted twice has the same rows.
    const known = wanted.get(role, member);
    if (known !== undefined) return known;
    const rows: Membership[] = [];
    wanted.set(role, member, rows);
    return rows;
  });
  const extra: Membership[] = [];
  for (const row of actual) (wanted.get(row.role, row.member) ?? extra).push(row);
  return { rowsOf, extra };
}

export function diffMemberships(desired: readonly Membership[], actual: readonly Membership[], facts: MembershipFacts): Change[] {
  const { rowsOf, extra } = pairs(desired, actual);
  const changes: Change[] = [];
  /** What the CASCADE of these revokes takes is given again, before it: it is not among what is there. */
  const lost = new Set<Membership>();
  const revoke = (row: Membership, adminOnly: boolean): void => {
    const { change, ending } = revokeOf(row, adminOnly, facts);
    changes.push(change);
    if (change.dependents.length === 0) for (const one of ending) lost.add(one);
  };
  const left = (rows: readonly Membership[]): readonly Membership[] => (lost.size === 0 ? rows : rows.filter((row) => !lost.has(row)));
  const own = (rows: readonly Membership[], want: Membership): Membership | undefined =>
    facts.oneRowPerMembership ? rows[0] : rows.find((row) => row.grantor === want.grantor);
  const exceeds = (row: Membership, want: Membership): boolean => (row.admin && !want.admin) || (row.inherit && !want.inherit) || (row.set && !want.set);
  for (const row of extra) revoke(row, false);
  for (const [index, want] of desired.entries()) {
    const rows = rowsOf[index] ?? NONE;
    const mine = own(rows, want);
    for (const row of rows) if (row !== mine && exceeds(row, want)) revoke(row, false);
    if (mine?.admin === true && !want.admin) revoke(mine, true);
  }
  for (const [index, want] of desired.entries()) {
    const rows = left(rowsOf[index] ?? NONE);
    const have = union(rows);
    if (rows.length > 0 && have.admin === want.admin && have.inherit === want.inherit && have.set === want.set) continue;
    const mine = own(rows, want);
    const now = mine === undefined ? undefined : { ...mine, admin: mine.admin && want.admin };
    if (now === undefined || now.admin !== want.admin || now.inherit !== want.inherit || now.set !== want.set)
      changes.push({ kind: 'grant_membership', role: want.role, member: want.member, admin: want.admin, inherit: want.inherit, set: want.set });
  }
  return changes;
}
