// Objects that a privilege is granted on: what they are called in sentences and keys.
import { furtherName, nameKey, type ObjectName, ownName } from '../model/contents.ts';
import { digestOf } from '../model/digest.ts';
import { kindWords, type ObjectKind } from '../model/kinds.ts';
import { onceFor } from '../model/once-for.ts';
import { inDatabase, SHOWN } from './words.ts';

/** Objects of one kind that a grant is about. */
export interface GrantTarget {
  /** The database that they are in; empty for what is shared by all. */
  readonly database: string;
  readonly object: ObjectKind;
  /** Empty for kinds that are in no schema. */
  readonly schema: string;
  readonly names: readonly ObjectName[];
  readonly owner: string;
}

/** The name of a target's only object, of a kind whose objects have one name: a database. */
export const firstName = ({ names: [name = ''] }: Pick<GrantTarget, 'names'>): string => ownName(name);

const namesKeys = new WeakMap<readonly ObjectName[], string>();

/** A short text that is the same for the same names; lists are long, and shared by many changes. */
export function namesKey(names: readonly ObjectName[]): string {
  const known = namesKeys.get(names);
  if (known !== undefined) return known;
  const [only = ''] = names;
  const key = names.length === 1 ? nameKey(only) : `${names.length} ${digestOf(names.map(nameKey))}`;
  namesKeys.set(names, key);
  return key;
}

/** A name as people write it: functions with their arguments, columns behind their table. */
function shownName(object: ObjectKind, name: ObjectName): string {
  const second = furtherName(name);
  if (second === undefined) return ownName(name);
  return object === 'function' ? `${ownName(name)}(${second})` : `${ownName(name)}.${second}`;
}

/** All objects, each as people write it. */
export const targetNames = ({ object, schema, names }: GrantTarget): readonly string[] => shownNames(names, object, schema);

const shownNames = onceFor((names: readonly ObjectName[], object: ObjectKind, schema: string): readonly string[] => {
  const prefix = schema === '' || object === 'schema' ? '' : `${schema}.`;
  return names.map((name) => `${prefix}${shownName(object, name)}`);
});

/** `table public.orders in database shop`, or `40 tables of schema public (a, b, c, …) in database shop`. */
export function targetWords({ database, object, schema, names }: Omit<GrantTarget, 'owner'>): string {
  const kind = kindWords(object);
  const shown = names.slice(0, SHOWN).map((name) => shownName(object, name));
  const prefix = schema === '' || object === 'schema' ? '' : `${schema}.`;
  if (names.length === 1) return `${kind} ${prefix}${shown[0] ?? ''}${inDatabase(database)}`;
  const of = prefix === '' ? '' : ` of schema ${schema}`;
  return `${names.length} ${kind}s${of} (${shown.join(', ')}${names.length > SHOWN ? ', …' : ''})${inDatabase(database)}`;
}
