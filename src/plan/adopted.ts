// Adopted users: who is a member of one already, or has ADMIN on it, shares what it gets, and no document says so.
import type { Catalog } from '../model/catalog.ts';
import type { Desired } from './desired.ts';
import { firstNames } from '../model/first-names.ts';
import { linksOf } from '../model/reach.ts';
import type { Notice } from '../changes/notice.ts';

/** A notice for each user that we did not make and that has members whom the document does not know of. */
export function membersOfAdopted(catalog: Catalog, { entities, cluster }: Desired): Notice[] {
  const { inRole } = linksOf(catalog.cluster.memberships);
  const wanted = linksOf(cluster.memberships);
  return [...entities].flatMap(([subject, entity]): Notice[] => {
    if (entity !== 'user' || !inRole.has(subject) || catalog.managed.get(subject)?.origin === 'created') return [];
    const known = new Set(wanted.inRole.get(subject)?.map((row) => row.member));
    const others = (inRole.get(subject) ?? []).filter(
      (row) => row.member !== catalog.server.admin && catalog.cluster.roles.get(row.member)?.superuser !== true && !known.has(row.member),
    );
    const names = [...new Set(others.map((row) => row.member))].toSorted();
    if (names.length === 0) return [];
    const admins = new Set(others.filter((row) => row.admin).map((row) => row.member));
    const shown = firstNames(names.map((name) => (admins.has(name) ? `${name} (with ADMIN, and so who else is)` : name)));
    const message = `the role was there before, and ${shown} ${names.length === 1 ? 'is a member' : 'are members'} of it: what it gets they have as well; revoke that where it is not meant`;
    return [{ kind: 'unmanaged', subject, message }];
  });
}
