// Everybody who has a privilege on an object, each with the shortest path: one walk back from those who hold it, however many roles there are.
import { type Holder, holdersOf, isPublic, superusers } from './holders.ts';
import { type Link, walkBack } from './links.ts';
import type { Path } from './paths.ts';
import type { Realm, Securable, Surroundings } from './securable.ts';

export interface Person {
  readonly role: string;
  readonly login: boolean;
  readonly path: Path;
  /** What keeps it from using it: CONNECT on the database, USAGE on the schema. */
  readonly lacks: readonly string[];
}

export interface WhoCan {
  /** PUBLIC has it, and so has everybody; those who would have it anyway are listed. */
  readonly everybody: boolean;
  /** By themselves: those who may log in first. */
  readonly people: readonly Person[];
  /** Those who have it only after SET ROLE; none where everybody has it. */
  readonly afterSetRole: readonly Person[];
}

/** The paths that are told of. */
export const pathsIn = ({ people, afterSetRole }: WhoCan): readonly Path[] => [...people, ...afterSetRole].map(({ path }) => path);

/** The shortest path of everybody who has it by itself, by role; PUBLIC's entries are not among them. */
function shortestPaths(realm: Realm, object: Securable, privilege: string): ReadonlyMap<string, Path> {
  const holders = holdersOf(realm, object, privilege).filter((holder) => !isPublic(holder));
  const held = new Map<string, Holder>();
  for (const holder of holders) if (!held.has(holder.role)) held.set(holder.role, holder);
  const reached = walkBack(realm, held.keys(), ({ inherit }) => inherit);
  const paths = new Map<string, Path>(superusers(realm).map((holder) => [holder.role, { holder, chain: [holder.role] }]));
  for (const role of reached.keys()) {
    if (paths.has(role) || !realm.roles.has(role)) continue;
    const chain = onFrom(reached, role);
    const holder = held.get(chain.at(-1) ?? '');
    if (holder !== undefined) paths.set(role, { holder, chain });
  }
  return paths;
}

/** Where a walk back came from, from somebody on. */
function onFrom(reached: ReadonlyMap<string, Link | undefined>, role: string): readonly string[] {
  const chain = [role];
  for (let link = reached.get(role); link !== undefined; link = reached.get(link.role)) chain.push(link.role);
  return chain;
}

const isForEverybody = (realm: Realm, object: Securable, privilege: string): boolean => holdersOf(realm, object, privilege).some(isPublic);

/** Whether somebody may, asked of many. */
export function askOf(realm: Realm, object: Securable, privilege: string): (role: string) => boolean {
  if (isForEverybody(realm, object, privilege)) return () => true;
  const paths = shortestPaths(realm, object, privilege);
  return (role) => paths.has(role);
}

export function whoCan(realm: Realm, object: Securable, privilege: string, { database, schema }: Partial<Pick<Surroundings, 'database' | 'schema'>>): WhoCan {
  const own = shortestPaths(realm, object, privilege);
  const everybody = isForEverybody(realm, object, privilege);
  const connects = object.kind === 'database' || database === undefined ? () => true : askOf(realm, database, 'CONNECT');
  const uses = schema === undefined ? () => true : askOf(realm, schema, 'USAGE');
  const person = (role: string, path: Path): Person => ({
    role,
    login: realm.roles.get(role)?.login === true,
    path,
    lacks: [
      ...(connects(role) ? [] : [`CONNECT on the database ${database?.name}`]),
      ...(uses(path.setRole ?? role) ? [] : [`USAGE on the schema ${schema?.name}`]),
    ],
  });
  return {
    everybody,
    people: sorted([...own].map(([role, path]) => person(role, path))),
    afterSetRole: everybody ? [] : sorted([...laterPaths(realm, own)].map(([role, path]) => person(role, path))),
  };
}

/** The shortest path of those who may become somebody who has it. */
function laterPaths(realm: Realm, own: ReadonlyMap<string, Path>): ReadonlyMap<string, Path> {
  const reached = walkBack(realm, own.keys(), ({ set }) => set);
  const later = new Map<string, Path>();
  for (const role of reached.keys()) {
    if (own.has(role)) continue;
    const chain = onFrom(reached, role);
    const setRole = chain.at(-1) ?? '';
    const rest = own.get(setRole);
    if (rest !== undefined) later.set(role, { holder: rest.holder, chain: [...chain, ...rest.chain.slice(1)], setRole });
  }
  return later;
}

const sorted = (people: readonly Person[]): readonly Person[] =>
  people.toSorted((a, b) => Number(b.login) - Number(a.login) || a.path.chain.length - b.path.chain.length || (a.role < b.role ? -1 : 1));
