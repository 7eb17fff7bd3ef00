// What the CASCADE of a revoke takes from roles of ours that should keep it: granted again by the owner, before the revoke, so that nobody loses it.
import type { Change } from '../../changes/change.ts';
import type { ObjectGroup, ObjectName } from '../../model/contents.ts';
import { dependentsOf } from './dependents.ts';
import type { Wish } from './rules.ts';
import type { Subject } from './subject.ts';

/** A subject that should hold this on these objects of a group. */
export interface Wanted {
  readonly subject: Subject;
  readonly wish: Wish | undefined;
  readonly names: readonly ObjectName[];
}

type Revoke = Change & { kind: 'revoke_privilege' };

/** Role, privilege and grant option → objects on which the revokes of this group's plan take what is wanted. */
export function lostByCascade(
  group: ObjectGroup,
  changes: readonly Change[],
  wanted: readonly Wanted[],
): readonly { readonly role: string; readonly privilege: string; readonly grantable: boolean; readonly names: readonly ObjectName[] }[] {
  const cascades = changes.filter((change): change is Revoke => change.kind === 'revoke_privilege' && change.cascade && change.dependents.length === 0);
  if (cascades.length === 0) return [];
  const lost = new Map<string, { role: string; privilege: string; grantable: boolean; names: Set<ObjectName> }>();
  for (const revoke of cascades)
    for (const privilege of revoke.privileges) {
      const losing = new Set([revoke.role, ...dependentsOf(revoke.role, privilege, group.owner, group.entries)]);
      for (const { subject, wish, names } of wanted) {
        const grantable = wish?.get(privilege);
        if (grantable === undefined || subject.name === revoke.role || !losing.has(subject.name)) continue;
        // What somebody else granted as well stays.
        const stays = group.entries.some(
          (entry) => entry.grantee === subject.name && entry.privilege === privilege && !losing.has(entry.grantor) && (entry.grantable || !grantable),
        );
        const here = stays ? [] : revoke.on.names.filter((name) => names.includes(name));
        if (here.length === 0) continue;
        const key = [subject.name, privilege, grantable].join('\0');
        const known = lost.get(key) ?? { role: subject.name, privilege, grantable, names: new Set<ObjectName>() };
        for (const name of here) known.names.add(name);
        lost.set(key, known);
      }
    }
  return [...lost.values()].map((one) => ({ ...one, names: [...one.names] }));
}
