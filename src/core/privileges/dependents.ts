// Dependents: who holds a privilege only because somebody with a grant option passed it on, and over how many hands.
import type { AclEntry } from './contents.ts';

/** Everybody who would lose a privilege if `role` lost its grant option, directly or by way of others; the owner passes on by its own right. */
export function dependentsOf(role: string, privilege: string, owner: string, entries: readonly AclEntry[]): ReadonlySet<string> {
  const losing = new Set([role]);
  // A Set's iteration also visits what is added while it runs.
  for (const grantor of losing)
    if (grantor !== owner) for (const entry of entries) if (entry.grantor === grantor && entry.privilege === privilege) losing.add(entry.grantee);
  losing.delete(role);
  return losing;
}

/** Hands between the owner and who is granted by `grantor`: 0 for the owner itself. */
export function depthOf(grantor: string, privilege: string, owner: string, entries: readonly AclEntry[]): number {
  const seen = new Set<string>();
  for (let role: string | undefined = grantor; role !== undefined && role !== owner && !seen.has(role);) {
    seen.add(role);
    const grantee: string = role;
    role = entries.find((entry) => entry.grantee === grantee && entry.privilege === privilege && entry.grantable)?.grantor;
  }
  return seen.size;
}
