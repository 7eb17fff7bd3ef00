// Dependents: who holds a privilege only because somebody with a grant option passed it on.
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
