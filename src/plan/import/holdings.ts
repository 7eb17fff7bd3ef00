// Holdings: what each role holds by itself on which object, whoever granted it; an owner's own rights are never among it.
import { type AclEntry, type ObjectGroup, ownName } from '../../model/contents.ts';
import { DATABASE_OWNER } from '../privileges/acting.ts';
import { type Wish, wishOf } from '../privileges/rules.ts';
import { contentsOf, type Holding, type WholeServer } from './whole-server.ts';

/** By grantee, PUBLIC included. In a database that is not asked for there is nothing. */
export function holdingsOf(whole: WholeServer): ReadonlyMap<string, readonly Holding[]> {
  const { catalog, isWantedDatabase } = whole;
  const found = new Map<string, Holding[]>();
  const add = (group: ObjectGroup, database: string, owner: string): void => {
    const real = group.owner === DATABASE_OWNER ? owner : group.owner;
    for (const [grantee, entries] of Map.groupBy(group.entries, (entry) => entry.grantee)) {
      if (grantee === real || grantee === group.owner) continue;
      const held = found.get(grantee) ?? [];
      found.set(grantee, held);
      const wish = heldBy(entries);
      for (const name of group.names)
        held.push({ database: group.kind === 'database' ? ownName(name) : database, kind: group.kind, schema: group.schema, name, wish });
    }
  };
  for (const group of catalog.shared) if (group.kind !== 'database' || group.names.every((name) => isWantedDatabase(ownName(name)))) add(group, '', '');
  for (const { name, groups } of contentsOf(whole)) for (const group of groups) add(group, name, catalog.databases.get(name)?.owner ?? '');
  return found;
}

/** What several entries of one grantee give together. */
function heldBy(entries: readonly AclEntry[]): Wish {
  const held = new Map<string, boolean>();
  for (const { privilege, grantable } of entries) held.set(privilege, grantable || held.get(privilege) === true);
  return wishOf(held);
}
