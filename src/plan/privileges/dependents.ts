// Dependents: who holds a privilege only because somebody with a grant option passed it on, and over how many hands.
import { type AclEntry, pairKey } from '../../model/contents.ts';

/** More hands than this are not counted: the order of revokes (plan.ts) tells no more apart. */
const MOST_HANDS = 10;

interface Ends {
  readonly byGrantor: ReadonlyMap<string, readonly AclEntry[]>;
  /** By who may pass on which privilege. */
  readonly passing: ReadonlyMap<string, AclEntry>;
  readonly byGrantee: ReadonlyMap<string, readonly AclEntry[]>;
}

const known = new WeakMap<readonly AclEntry[], Ends>();

/** The entries by who gave and who may pass on, found once for an ACL: it is asked for each of its entries. */
function endsOf(entries: readonly AclEntry[]): Ends {
  const before = known.get(entries);
  if (before !== undefined) return before;
  const passing = new Map<string, AclEntry>();
  for (const entry of entries) {
    const key = pairKey(entry.grantee, entry.privilege);
    if (entry.grantable && !passing.has(key)) passing.set(key, entry);
  }
  const ends = { byGrantor: Map.groupBy(entries, (entry) => entry.grantor), passing, byGrantee: Map.groupBy(entries, (entry) => entry.grantee) };
  known.set(entries, ends);
  return ends;
}

/** Everybody who would lose a privilege if `role` lost its grant option, directly or by way of others; the owner passes on by its own right. */
export function dependentsOf(role: string, privilege: string, owner: string, entries: readonly AclEntry[]): ReadonlySet<string> {
  const losing = new Set([role]);
  const { byGrantor } = endsOf(entries);
  // A Set's iteration also visits what is added while it runs.
  for (const grantor of losing)
    if (grantor !== owner) for (const entry of byGrantor.get(grantor) ?? []) if (entry.privilege === privilege) losing.add(entry.grantee);
  losing.delete(role);
  return losing;
}

/** What is so of a grantor that has no grant option (any more), among all entries of an ACL; undefined where it has one. */
export function lapseOf(grantor: string, privilege: string, owner: string, entries: readonly AclEntry[]): AclEntry['lapsed'] {
  const { passing, byGrantee } = endsOf(entries);
  if (grantor === owner || passing.has(pairKey(grantor, privilege))) return undefined;
  return { holds: byGrantee.get(grantor)?.some((entry) => entry.grantor === owner && entry.privilege === privilege) === true };
}

/** Hands between the owner and who is granted by `grantor`: 0 for the owner itself, and at most MOST_HANDS. */
export function depthOf(grantor: string, privilege: string, owner: string, entries: readonly AclEntry[]): number {
  const seen = new Set<string>();
  const { passing } = endsOf(entries);
  for (let role: string | undefined = grantor; role !== undefined && role !== owner && !seen.has(role) && seen.size < MOST_HANDS;) {
    seen.add(role);
    role = passing.get(pairKey(role, privilege))?.grantor;
  }
  return seen.size;
}
