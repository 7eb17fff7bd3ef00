// Everything: where `'*'` says what is so, for the objects that there are and for those to come. That is where default privileges of everybody who makes objects give the same.
import type { Catalog } from '../../model/catalog.ts';
import { type DatabaseContents, nameKey, type ObjectName, ownName } from '../../model/contents.ts';
import { KINDS, OBJECT_KINDS, type ObjectKind } from '../../model/kinds.ts';
import { DATABASE_OWNER } from '../privileges/acting.ts';
import { union, type Wish, wishOf } from '../privileges/rules.ts';
import { whyUnsaid } from './sayable.ts';
import type { Holding } from './whole-server.ts';

/** Kinds of which `'*'` in a schema stands for objects to come. */
const TO_COME = OBJECT_KINDS.filter((kind) => KINDS[kind].scope === 'schema' && KINDS[kind].defaults !== undefined);

const NOTHING: Wish = wishOf([]);
export const EVERYTHING = '*';

interface Owned {
  readonly owner: string;
  readonly name: ObjectName;
  /** As a holding on it has it: made once for all roles. */
  readonly key: string;
}

/** Who makes objects in each schema of a database, and which there are. */
interface Place {
  readonly contents: DatabaseContents;
  /** Those who may create there, and those who own something there. */
  readonly makers: ReadonlyMap<string, ReadonlySet<string>>;
  readonly objects: ReadonlyMap<string, readonly Owned[]>;
  /** creator, schema, kind and grantee → what is given. */
  readonly given: ReadonlyMap<string, Wish>;
}

/** As no name can hold a NUL, no other names have the same. */
const key = (...parts: readonly string[]): string => parts.join('\0');
const objectKey = (schema: string, name: ObjectName): string => `${schema}\0${nameKey(name)}`;

function placeOf(contents: DatabaseContents, owner: string): Place {
  const real = (role: string): string => (role === DATABASE_OWNER ? owner : role);
  const makers = new Map<string, Set<string>>();
  for (const group of contents.groups)
    if (group.kind === 'schema')
      for (const name of group.names) makers.set(ownName(name), new Set([owner, real(group.owner), ...(contents.creators.get(ownName(name)) ?? []).map(real)]));
  const objects = new Map<string, Owned[]>();
  for (const { kind, schema, owner: holder, names, extension } of contents.groups) {
    if (!TO_COME.includes(kind) || extension) continue;
    makers.get(schema)?.add(real(holder));
    const known = objects.get(key(schema, kind)) ?? [];
    objects.set(key(schema, kind), known);
    for (const name of names) known.push({ owner: real(holder), name, key: objectKey(schema, name) });
  }
  const given = new Map<string, Wish>();
  for (const { creator, schema, kind, entries } of contents.defaults)
    for (const [grantee, those] of Map.groupBy(entries, (entry) => entry.grantee))
      given.set(key(creator, schema, kind, grantee), wishOf(those.map(({ privilege, grantable }) => [privilege, grantable] as const)));
  return { contents, makers, objects, given };
}

/** Who makes objects in a schema of a database, or in any (the empty text). */
export function makersIn(contents: DatabaseContents, { databases }: Pick<Catalog, 'databases'>, schema: string): ReadonlySet<string> {
  const { makers } = placeOf(contents, databases.get(contents.name)?.owner ?? '');
  return schema === '' ? new Set([...makers.values()].flatMap((roles) => [...roles])) : (makers.get(schema) ?? new Set());
}

/** What all of these makers give a role by default, in every schema (the empty text) or in one; undefined where they do not give the same. */
function common(role: string, kind: ObjectKind, schema: string, makers: Iterable<string>, { given }: Place): Wish | undefined {
  const wishes = new Set([...makers].filter((maker) => maker !== role).map((maker) => given.get(key(maker, schema, kind, role)) ?? NOTHING));
  const [only = NOTHING] = wishes;
  return wishes.size > 1 ? undefined : only;
}

/** Says what roles hold in a database by `'*'` where it can: the holdings of a role there → the same, shorter, and with what is meant for objects to come. */
export function folding(contents: DatabaseContents, catalog: Catalog): (role: string, held: readonly Holding[]) => readonly Holding[] {
  const place = placeOf(contents, catalog.databases.get(contents.name)?.owner ?? '');
  const receivers = new Set(contents.defaults.flatMap(({ entries }) => entries.map(({ grantee }) => grantee)));
  return (role, held) => (receivers.has(role) ? TO_COME.reduce((left, kind) => folded(role, kind, left, place), held) : held);
}

function folded(role: string, kind: ObjectKind, held: readonly Holding[], place: Place): readonly Holding[] {
  const { contents, makers, objects } = place;
  const everybody = new Set([...makers.values()].flatMap((roles) => [...roles]));
  const general = common(role, kind, '', everybody, place);
  if (general === undefined) return held;
  const heldOn = new Map<string, Holding>();
  for (const one of held) if (one.kind === kind) heldOn.set(objectKey(one.schema, one.name), one);
  const replaced = new Set<Holding>();
  const added: Holding[] = [];
  const base = { database: contents.name, kind };
  if (general.size > 0) added.push({ ...base, schema: EVERYTHING, name: EVERYTHING, wish: general, isPattern: true });
  for (const [schema, roles] of makers) {
    const own = common(role, kind, schema, roles, place);
    if (own === undefined) return held;
    const whole = union(general, own) ?? NOTHING;
    if (whole.size === 0) continue;
    if (own.size > 0) added.push({ ...base, schema, name: EVERYTHING, wish: whole, isPattern: true });
    for (const { owner, name, key: object } of objects.get(key(schema, kind)) ?? []) {
      const holding = heldOn.get(object);
      const wish = holding?.wish ?? NOTHING;
      if (holding !== undefined) replaced.add(holding);
      if (owner === role || wish === whole) continue;
      const exception = { ...base, schema, name, wish };
      if (whyUnsaid(exception) !== undefined) return held;
      added.push(exception);
    }
  }
  return [...held.filter((one) => !replaced.has(one)), ...added];
}
