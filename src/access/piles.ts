// Objects while changes are followed: in piles that share kind, schema, owner and ACL, taken apart only where a change is about some of them.
import { nameKey, type ObjectGroup, type ObjectName, ownName, pairKey } from '../model/contents.ts';
import type { ObjectKind } from '../model/kinds.ts';
import { type Acl, aclOf } from './acl.ts';

export interface Pile {
  readonly kind: ObjectKind;
  readonly schema: string;
  readonly extension: boolean;
  readonly exactOnly?: boolean;
  owner: string;
  untouched: boolean;
  acl: Acl;
  /** By their keys. */
  readonly names: Map<string, ObjectName>;
  /** The list that it consists of, where it is one that a change named: the next change that names it needs no look at each. */
  list: readonly ObjectName[] | undefined;
}

/** The objects of one kind and schema: by name, and the piles. */
interface Place {
  readonly byName: Map<string, Pile>;
  readonly piles: Set<Pile>;
}

export class Piles {
  readonly #places = new Map<string, Place>();
  /** Columns by their tables; made when it is asked for. */
  #columns: Map<string, Set<string>> | undefined;

  constructor(groups: readonly ObjectGroup[]) {
    for (const group of groups) this.add(group);
  }

  add({ kind, schema, owner, names, extension, exactOnly, untouched, entries }: ObjectGroup): void {
    const pile: Pile = {
      kind,
      schema,
      owner,
      extension,
      ...(exactOnly === undefined ? {} : { exactOnly }),
      untouched,
      acl: aclOf(entries),
      names: new Map(names.map((name) => [nameKey(name), name])),
      list: names,
    };
    this.#put(pile);
  }

  #place(kind: ObjectKind, schema: string): Place {
    const key = pairKey(kind, schema);
    const place = this.#places.get(key) ?? { byName: new Map(), piles: new Set() };
    this.#places.set(key, place);
    return place;
  }

  #put(pile: Pile): void {
    const { byName, piles } = this.#place(pile.kind, pile.schema);
    piles.add(pile);
    for (const key of pile.names.keys()) byName.set(key, pile);
    if (pile.kind === 'column') this.#columns = undefined;
  }

  *all(): Iterable<Pile> {
    for (const { piles } of this.#places.values()) yield* piles;
  }

  /** The pile that an object is in. */
  pileOf(kind: ObjectKind, schema: string, name: ObjectName): Pile | undefined {
    return this.#places.get(pairKey(kind, schema))?.byName.get(nameKey(name));
  }

  /** Piles of exactly these objects; of those that are not there, none. */
  of(kind: ObjectKind, schema: string, names: readonly ObjectName[]): readonly Pile[] {
    const { byName, piles } = this.#place(kind, schema);
    const [first] = names;
    const same = first === undefined ? undefined : byName.get(nameKey(first));
    if (same?.list === names) return [same];
    const found = new Map<Pile, ObjectName[]>();
    for (const name of names) {
      const pile = byName.get(nameKey(name));
      if (pile === undefined) continue;
      const some = found.get(pile);
      if (some === undefined) found.set(pile, [name]);
      else some.push(name);
    }
    return [...found].map(([pile, some]) => {
      const list = some.length === names.length ? names : some;
      if (some.length === pile.names.size) {
        pile.list = list;
        return pile;
      }
      const apart: Pile = { ...pile, acl: new Map(pile.acl), names: new Map(some.map((name) => [nameKey(name), name])), list };
      pile.list = undefined;
      for (const key of apart.names.keys()) {
        pile.names.delete(key);
        byName.set(key, apart);
      }
      piles.add(apart);
      return apart;
    });
  }

  remove(pile: Pile): void {
    const { byName, piles } = this.#place(pile.kind, pile.schema);
    piles.delete(pile);
    for (const key of pile.names.keys()) byName.delete(key);
    this.#columns = undefined;
  }

  /** The columns that are known of these tables. */
  columnsOf(schema: string, tables: readonly ObjectName[]): readonly ObjectName[] {
    const { byName } = this.#place('column', schema);
    if (byName.size === 0) return [];
    this.#columns ??= columnsByTable(this.all());
    const known = this.#columns;
    return tables.flatMap((table) => [...(known.get(pairKey(schema, ownName(table))) ?? [])].flatMap((key) => byName.get(key)?.names.get(key) ?? []));
  }

  groups(): readonly ObjectGroup[] {
    return [...this.all()].map(({ kind, schema, owner, extension, exactOnly, untouched, acl, names, list }) => ({
      kind,
      schema,
      owner,
      names: list ?? [...names.values()],
      extension,
      ...(exactOnly === undefined ? {} : { exactOnly }),
      untouched,
      entries: [...acl.values()],
    }));
  }
}

function columnsByTable(piles: Iterable<Pile>): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { kind, schema, names } of piles)
    if (kind === 'column')
      for (const [key, name] of names) {
        const table = pairKey(schema, ownName(name));
        found.set(table, (found.get(table) ?? new Set()).add(key));
      }
  return found;
}
