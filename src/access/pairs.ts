// Objects before and after changes, together where they share what they have on both sides: most are never looked at one by one.
import type { Securable } from '../explain/securable.ts';
import { furtherName, nameKey, type ObjectGroup, type ObjectName, ownName } from '../model/contents.ts';
import type { ObjectKind } from '../model/kinds.ts';

/** Objects of one kind and schema; undefined on the side on which they are not there. */
export interface Pair {
  readonly kind: ObjectKind;
  readonly schema: string;
  readonly names: ObjectName[];
  readonly before: Securable | undefined;
  readonly after: Securable | undefined;
  /** Owner and ACL are the same. */
  readonly isSame: boolean;
}

type Side = ReadonlyMap<string, ObjectGroup>;

const keyOf = (kind: ObjectKind, schema: string, name: string): string => `${kind}\0${schema}\0${name}`;

const sideOf = (groups: readonly ObjectGroup[]): Side =>
  new Map(groups.flatMap((group) => group.names.map((name): [string, ObjectGroup] => [keyOf(group.kind, group.schema, nameKey(name)), group])));

/** A group as access is asked of it: a column with what its table gives. */
function securable(group: ObjectGroup | undefined, table: ObjectGroup | undefined): Securable | undefined {
  if (group?.kind !== 'column') return group === undefined ? undefined : { ...plain(group), columns: new Map() };
  return { ...plain(group), entries: table?.entries ?? [], columns: new Map([['', group.entries]]), column: '' };
}

const plain = ({ kind, owner, untouched, entries }: ObjectGroup) => ({ kind, name: '', owner, untouched, entries, isCatalog: false });

/** Where nothing was done, each group with itself. Columns without an ACL are as their tables are, and left out. */
export function pairsOf(before: readonly ObjectGroup[], after: readonly ObjectGroup[]): readonly Pair[] {
  const found = new Map<string, Pair>();
  const numbers = new Map<ObjectGroup | undefined, number>([[undefined, 0]]);
  const numberOf = (group: ObjectGroup | undefined): number => {
    const number = numbers.get(group) ?? numbers.size;
    numbers.set(group, number);
    return number;
  };
  const [was, is] = before === after ? [sideOf(before), undefined] : [sideOf(before), sideOf(after)];
  const now = is ?? was;
  const add = (name: ObjectName, kind: ObjectKind, schema: string): void => {
    const key = keyOf(kind, schema, nameKey(name));
    const isColumn = kind === 'column' && furtherName(name) !== undefined;
    const [old, next] = [was.get(key), now.get(key)];
    if (isColumn && old?.untouched !== false && next?.untouched !== false) return;
    const table = (side: Side): ObjectGroup | undefined => (isColumn ? side.get(keyOf('table', schema, ownName(name))) : undefined);
    const [oldTable, nextTable] = [table(was), table(now)];
    const id = JSON.stringify([kind, schema, numberOf(old), numberOf(next), numberOf(oldTable), numberOf(nextTable)]);
    const pair = found.get(id);
    if (pair !== undefined) return void pair.names.push(name);
    // A column that is on one side alone is without an ACL on the other.
    const none = (group: ObjectGroup | undefined): ObjectGroup | undefined => (isColumn && group !== undefined ? { ...group, entries: [] } : undefined);
    const isSame = isAlike(old, next) && isAlike(oldTable, nextTable);
    const [first, second] = [securable(old ?? none(next), oldTable), securable(next ?? none(old), nextTable)];
    found.set(id, { kind, schema, names: [name], before: first, after: second, isSame });
  };
  for (const { kind, schema, names } of after) for (const name of names) add(name, kind, schema);
  if (is !== undefined)
    for (const { kind, schema, names } of before) for (const name of names) if (!is.has(keyOf(kind, schema, nameKey(name)))) add(name, kind, schema);
  return [...found.values()];
}

function isAlike(a: ObjectGroup | undefined, b: ObjectGroup | undefined): boolean {
  if (a === b) return true;
  if (a?.owner !== b?.owner || a?.entries.length !== b?.entries.length) return false;
  const held = new Set(a?.entries.map(entryKey));
  return b?.entries.every((entry) => held.has(entryKey(entry))) === true;
}

const entryKey = ({ grantee, grantor, privilege, grantable }: ObjectGroup['entries'][number]): string => `${grantee}\0${grantor}\0${privilege}\0${grantable}`;
