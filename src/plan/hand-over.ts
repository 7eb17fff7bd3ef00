// Handing over: roles that another source declares by now than the one that they are recorded of, where both say so. Nothing of the role itself changes.
import type { Change } from '../changes/change.ts';
import { type Catalog, isSameRole } from '../model/catalog.ts';
import type { Document } from '../model/entries.ts';
import type { Whose } from '../model/sources.ts';
import type { Desired } from './desired.ts';

/** What the operator has stays as it is recorded, but for what an author hands over to it. */
export function handedOverRoles(catalog: Catalog, whose: Whose, { sources }: Pick<Document, 'sources'>, entities: Desired['entities']): Change[] {
  if (sources === undefined) return [];
  return [...entities].flatMap(([role, entity]): Change[] => {
    const row = catalog.managed.get(role);
    const to = sources.claims.get(role) ?? (sources.moves.has(role) ? whose.of(role) : undefined);
    if (row === undefined || to === undefined || row.source === to || !whose.has(row.source) || !isSameRole(row, catalog)) return [];
    return [{ kind: 'hand_over_role', role, entity, from: row.source, to }];
  });
}
