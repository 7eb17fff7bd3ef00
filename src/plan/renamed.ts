// Renamed roles: one that is ours is so by its OID, whatever somebody calls it.
import { type Catalog, namesByOid } from '../model/catalog.ts';

/** What somebody renamed a role to that is recorded as ours; undefined where it has its name, is gone, or goes on under the other name as one that is declared. */
export function renamedTo(name: string, { managed, oids }: Pick<Catalog, 'managed' | 'oids'>): string | undefined {
  const role = managed.get(name);
  if (role === undefined || role.oid === 0 || role.oid === oids.get(name)) return undefined;
  const now = namesByOid(oids).get(role.oid);
  return now === undefined || managed.has(now) ? undefined : now;
}
