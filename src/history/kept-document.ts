// A document that a revision kept: its items by their names, and as YAML that the same reader reads.
import { SAID_LISTS, type SaidList } from '../document/normal-document.ts';
import type { Written } from '../document/write-yaml.ts';

/** An item by the keys that it has, each as JSON says it. */
export type KeptItem = ReadonlyMap<string, Written>;

/** The items of each list, by name. */
export type KeptDocument = ReadonlyMap<SaidList, ReadonlyMap<string, KeptItem>>;

/** What was kept, read again; undefined where it is nothing that we wrote. */
export function readKept(text: string): KeptDocument | undefined {
  try {
    const whole = written(JSON.parse(text));
    if (!(whole instanceof Map)) return undefined;
    return new Map(SAID_LISTS.map((list) => [list, itemsOf(list, whole.get(list))] as const));
  } catch {
    return undefined;
  }
}

function itemsOf(list: SaidList, items: Written | undefined): ReadonlyMap<string, KeptItem> {
  const found = new Map<string, KeptItem>();
  for (const item of Array.isArray(items) ? (items as readonly Written[]) : []) {
    const name = item instanceof Map ? (item as KeptItem).get(list === 'users' ? 'username' : 'name') : undefined;
    if (typeof name === 'string') found.set(name, item as KeptItem);
  }
  return found;
}

/** The document as it is written; a list without items is left out, but that of the users. */
export const asWritten = (document: KeptDocument): Written =>
  new Map<string, Written>(
    [...document].flatMap(([list, items]): [string, Written][] => {
      if (list === 'users' && items.size === 0)
        return [
          ['allowEmpty', true],
          ['users', []],
        ];
      return items.size === 0 ? [] : [[list, [...items.values()]]];
    }),
  );

/** JSON → values whose mappings keep their order, and in which no key is special. */
function written(value: unknown): Written {
  if (Array.isArray(value)) return value.map(written);
  if (typeof value === 'object' && value !== null) return new Map(Object.entries(value).map(([key, one]) => [key, written(one)]));
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}
