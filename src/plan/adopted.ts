// Adopted users: who is a member of one already, or has ADMIN on it, shares what it gets, and no document says so.
import type { Catalog } from '../model/catalog.ts';
import type { Desired } from './desired.ts';
import { firstNames } from '../model/first-names.ts';
import type { Notice } from '../changes/notice.ts';

/** A notice for each user that we did not make and that has members whom the document does not know of. */
export function membersOfAdopted(catalog: Catalog, { entities, cluster }: Desired): Notice[] {
  const wanted = new Set(cluster.memberships.map((row) => JSON.stringify([row.role, row.member])));
  const members = Map.groupBy(catalog.cluster.memberships, (row) => row.role);
  return [...entities].flatMap(([subject, entity]): Notice[] => {
    if (entity !== 'user' || catalog.managed.get(subject)?.origin === 'created') return [];
    const others = (members.get(subject) ?? []).filter(
      (row) =>
        row.member !== catalog.server.admin && catalog.cluster.roles.get(row.member)?.superuser !== true && !wanted.has(JSON.stringify([row.role, row.member])),
    );
    const names = [...new Set(others.map((row) => row.member))].toSorted();
    if (names.length === 0) return [];
    const admins = new Set(others.filter((row) => row.admin).map((row) => row.member));
    const shown = firstNames(names.map((name) => (admins.has(name) ? `${name} (with ADMIN, and so who else is)` : name)));
    const message = `the role was there before, and ${shown} ${names.length === 1 ? 'is a member' : 'are members'} of it: what it gets they have as well; revoke that where it is not meant`;
    return [{ kind: 'unmanaged', subject, message }];
  });
}
