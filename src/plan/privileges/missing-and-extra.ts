// What a subject lacks on objects that are alike, and what it holds on them beyond its wish.
import type { Change } from '../../changes/change.ts';
import type { AclEntry, ObjectGroup } from '../../model/contents.ts';
import { dependentsOf, depthOf } from './dependents.ts';
import type { Wish } from './rules.ts';
import type { Subject } from './subject.ts';

/** A subject, and what it holds on objects that are alike. */
export interface Holder {
  readonly group: ObjectGroup;
  readonly subject: Subject;
  readonly wish: Wish;
  readonly entries: readonly AclEntry[];
  /** As whom it is granted. */
  readonly as: string | undefined;
}

type Extra = Pick<Extract<Change, { kind: 'revoke_privilege' }>, 'grantor' | 'depth' | 'privileges' | 'optionOnly' | 'cascade' | 'dependents' | 'lapsed'>;

const NOBODY: ReadonlySet<string> = new Set();

const isElsewhere = ({ group, subject }: Holder, privilege: string): boolean =>
  subject.connectsElsewhere && group.kind === 'database' && privilege === 'CONNECT';

/** What of the wish is not held. @param shared what everybody holds. */
export function missingOf(holder: Holder, shared: readonly AclEntry[]): readonly (readonly [privilege: string, grantable: boolean])[] {
  const held = new Map<string, boolean>();
  for (const { privilege, grantable } of holder.entries) held.set(privilege, grantable || held.get(privilege) === true);
  return [...holder.wish].filter(
    ([privilege, grantable]) =>
      !isElsewhere(holder, privilege) &&
      (grantable || !shared.some((entry) => entry.privilege === privilege)) &&
      (held.get(privilege) === undefined || (grantable && held.get(privilege) === false)),
  );
}

/** What is held beyond the wish, by who granted it and who depends on it. */
export function extrasOf(holder: Holder, columns: readonly AclEntry[], isOurs: (role: string) => boolean): Iterable<Extra> {
  const { group, subject, wish, as } = holder;
  const extras = new Map<string, Extra & { readonly privileges: string[] }>();
  for (const { privilege, grantor, grantable, lapsed } of holder.entries) {
    if (isElsewhere(holder, privilege)) continue;
    const wanted = wish.get(privilege);
    if (wanted !== undefined && (wanted || !grantable)) continue;
    const passes = grantable || columns.length > 0;
    const losing = passes ? dependentsOf(subject.name, privilege, group.owner, columns.length === 0 ? group.entries : [...group.entries, ...columns]) : NOBODY;
    const dependents = [...losing].filter((role) => !isOurs(role) && role !== group.owner);
    const depth = depthOf(grantor, privilege, group.owner, group.entries);
    const key = [grantor, depth, wanted !== undefined, losing.size > 0, lapsed === undefined ? '' : privilege, ...dependents].join('\0');
    const extra = extras.get(key);
    if (extra === undefined)
      extras.set(key, {
        grantor,
        depth,
        privileges: [privilege],
        optionOnly: wanted !== undefined,
        cascade: losing.size > 0,
        dependents,
        lapsed: lapsed === undefined ? undefined : { ...lapsed, as },
      });
    else extra.privileges.push(privilege);
  }
  return extras.values();
}
