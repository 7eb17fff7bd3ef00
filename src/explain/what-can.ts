// What a role may in a database, folded: objects of one kind and schema that it may do the same with, by the same path, are one line.
import { holdersOf, isPublic, superusers } from './holders.ts';
import { rightsOf } from './links.ts';
import { backTo, type Path } from './paths.ts';
import type { Realm, Securable } from './securable.ts';
import { OBJECT_KINDS, type ObjectKind, privilegesOf } from '../model/kinds.ts';

/** Objects that share kind, schema, owner and ACL. */
export interface SecurableGroup {
  /** Empty for kinds that are in no schema. */
  readonly schema: string;
  /** Any of them: what its ACL says holds for all. */
  readonly object: Securable;
  readonly names: readonly string[];
}

/** One line of the answer. */
export interface Might {
  readonly kind: ObjectKind;
  readonly schema: string;
  readonly privileges: readonly string[];
  readonly path: Path;
  readonly names: readonly string[];
  /** They are all objects of the kind in the schema. */
  readonly all: boolean;
}

/** What a role may by itself with these objects. */
export function whatCan(realm: Realm, role: string, groups: readonly SecurableGroup[]): readonly Might[] {
  const pathOf = nearestPath(realm, role);
  const lines = new Map<string, Might & { readonly names: string[] }>();
  const placeOf = ({ object, schema }: SecurableGroup): string => JSON.stringify([object.kind, schema]);
  const total = new Map<string, number>();
  for (const group of groups) {
    const place = placeOf(group);
    total.set(place, (total.get(place) ?? 0) + group.names.length);
    for (const [key, [path, privileges]] of byPath(realm, group, pathOf)) {
      const line = lines.get(place + key) ?? { kind: group.object.kind, schema: group.schema, privileges, path, names: [], all: false };
      for (const name of group.names) line.names.push(name);
      lines.set(place + key, line);
    }
  }
  const counted = (line: Might): Might => ({ ...line, all: line.names.length === total.get(JSON.stringify([line.kind, line.schema])) });
  return inOrder([...lines.values()].map((line) => counted({ ...line, names: line.names.toSorted() })));
}

/** By kind, schema and name, in whichever order they were read: columns last, as most of what is said of them is said of their tables. */
function inOrder(lines: readonly Might[]): readonly Might[] {
  const rank = ({ kind }: Might): number => (kind === 'column' ? OBJECT_KINDS.length : OBJECT_KINDS.indexOf(kind));
  const keyed = lines.map((line) => ({ line, rank: rank(line), key: JSON.stringify([line.schema, line.names, line.privileges]) }));
  return keyed.toSorted((a, b) => a.rank - b.rank || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ line }) => line);
}

type PathOf = (object: Securable, privilege: string) => Path | undefined;

/** The privileges on a group by the path that gives them. */
function byPath({ major }: Realm, { object }: SecurableGroup, pathOf: PathOf): ReadonlyMap<string, readonly [Path, readonly string[]]> {
  const found = new Map<string, readonly [Path, string[]]>();
  for (const privilege of privilegesOf(object.kind, major)) {
    const path = pathOf(object, privilege);
    if (path === undefined) continue;
    const key = pathKey(path);
    const [, privileges] = found.get(key) ?? found.set(key, [path, []]).get(key) ?? [path, []];
    privileges.push(privilege);
  }
  // Lines are the same only where the privileges are as well.
  return new Map([...found].map(([key, [path, privileges]]) => [JSON.stringify([key, privileges]), [path, privileges]]));
}

/** What makes two paths the same to whoever reads of them: of what is built in, or is the owner's, nobody is the grantor. */
function pathKey({ holder }: Path): string {
  const { by, role } = holder;
  if (by !== 'grant') return JSON.stringify([by, role]);
  const { grantor, grantable, owner, builtIn } = holder;
  return JSON.stringify(owner || builtIn ? [by, role, owner] : [by, role, grantor, grantable]);
}

/** The nearest way of a role to a privilege: its reach is walked once. */
function nearestPath(realm: Realm, role: string): PathOf {
  const rights = rightsOf(realm, role);
  const itself = superusers(realm).find((one) => one.role === role);
  const chains = new Map<string, readonly string[]>([...rights.keys()].map((to) => [to, backTo(rights, to)]));
  return (object, privilege) => {
    if (itself !== undefined) return { holder: itself, chain: [role] };
    const paths = holdersOf(realm, object, privilege).flatMap((holder): Path[] => {
      const chain = isPublic(holder) ? [role] : chains.get(holder.role);
      return chain === undefined ? [] : [{ holder, chain }];
    });
    // What everybody has is the last thing to say of somebody.
    const rank = ({ holder, chain }: Path): number => (isPublic(holder) ? Number.MAX_SAFE_INTEGER : chain.length);
    return paths.reduce<Path | undefined>((best, path) => (best === undefined || rank(path) < rank(best) ? path : best), undefined);
  };
}
