// Paths: the chains of memberships by which a role gets at what somebody holds.
import { isPublic, type Holder, superusers } from './holders.ts';
import { guisesOf, type Link, linksOf } from './links.ts';
import type { Realm } from './securable.ts';

export interface Path {
  readonly holder: Holder;
  /** From the role to the holder; the role alone where it holds it itself, and for PUBLIC. */
  readonly chain: readonly string[];
  /** Whom it has to become by SET ROLE; undefined where it has it by itself. */
  readonly setRole?: string;
}

export interface Paths {
  /** By itself, shortest first. */
  readonly own: readonly Path[];
  /** Only after SET ROLE. */
  readonly afterSetRole: readonly Path[];
  /** There are more than are looked for. */
  readonly more: boolean;
}

/** So many chains are shown of each sort: between a few dozen roles there can be millions. */
const MOST_PATHS = 100;

/** Every path from a role to one of the holders. */
export function pathsTo(realm: Realm, role: string, holders: readonly Holder[]): Paths {
  const publicly = holders.filter(isPublic).map((holder): Path => ({ holder, chain: [role] }));
  const itself = superusers(realm).find((one) => one.role === role);
  const named = Map.groupBy(
    holders.filter((holder) => !isPublic(holder)),
    (holder) => holder.role,
  );
  const own = inherited(realm, role, named);
  const set = [...asSuperuser(realm, role), ...afterSetRole(realm, role, named)];
  const byLength = (a: Path, b: Path): number => a.chain.length - b.chain.length;
  return {
    own: [...(itself === undefined ? [] : [{ holder: itself, chain: [role] }]), ...own.slice(0, MOST_PATHS).toSorted(byLength), ...publicly],
    afterSetRole: set.slice(0, MOST_PATHS).toSorted(byLength),
    more: own.length > MOST_PATHS || set.length > MOST_PATHS,
  };
}

/** One more than are shown, so that it is known whether there are more. */
const most = <T>(found: Iterable<T>): readonly T[] => {
  const all: T[] = [];
  for (const one of found) if (all.push(one) > MOST_PATHS) break;
  return all;
};

const toPaths = (chain: readonly string[], named: ReadonlyMap<string, readonly Holder[]>, setRole?: string): readonly Path[] =>
  (named.get(chain.at(-1) ?? '') ?? []).map((holder) => ({ holder, chain, ...(setRole === undefined ? {} : { setRole }) }));

function inherited(realm: Realm, role: string, named: ReadonlyMap<string, readonly Holder[]>): readonly Path[] {
  const { ofMember } = linksOf(realm);
  const distance = distances(realm, named.keys(), ({ inherit }) => inherit);
  const next = ({ at }: Stand): readonly Stand[] =>
    (ofMember.get(at) ?? []).filter(({ inherit, role: to }) => inherit && distance.has(to)).map((link) => ({ at: link.role }));
  return most(chains({ at: role }, next, ({ at }) => distance.get(at) ?? Infinity)).flatMap((chain) => toPaths(namesOf(chain), named));
}

const namesOf = (chain: readonly Stand[]): readonly string[] => chain.map(({ at }) => at);

/** A role on the way, and whether it has been become already. */
interface Stand {
  readonly at: string;
  readonly became?: string;
}

/**
 * Chains whose first links let become somebody, and whose last are inherited. The one to become is behind the last link that is not inherited:
 * each chain is found once, and none that is inherited as a whole.
 */
function afterSetRole(realm: Realm, role: string, named: ReadonlyMap<string, readonly Holder[]>): readonly Path[] {
  const { ofMember } = linksOf(realm);
  const inherits = distances(realm, named.keys(), ({ inherit }) => inherit);
  const entries = new Set([...linksOf(realm).inRole.values()].flat().flatMap((link) => (isEntry(link) && inherits.has(link.role) ? [link.member] : [])));
  const sets = distances(realm, entries, ({ set }) => set);
  const next = ({ at, became }: Stand): readonly Stand[] =>
    (ofMember.get(at) ?? []).flatMap((link): Stand[] => {
      if (became !== undefined) return link.inherit && inherits.has(link.role) ? [{ at: link.role, became }] : [];
      return [
        ...(isEntry(link) && inherits.has(link.role) ? [{ at: link.role, became: link.role }] : []),
        ...(link.set && sets.has(link.role) ? [{ at: link.role }] : []),
      ];
    });
  const far = ({ at, became }: Stand): number => (became === undefined ? (sets.get(at) ?? Infinity) : (inherits.get(at) ?? Infinity));
  return most(ending(chains({ at: role }, next, far))).flatMap((chain) => toPaths(namesOf(chain), named, chain.at(-1)?.became));
}

/** A link that gives nothing but the right to become the role. */
const isEntry = ({ set, inherit }: Link): boolean => set && !inherit;

/** Those chains at whose end somebody has been become. */
function* ending(all: Iterable<readonly Stand[]>): Iterable<readonly Stand[]> {
  for (const chain of all) if (chain.at(-1)?.became !== undefined) yield chain;
}

/** The nearest way to each superuser that the role may become: nobody inherits what a superuser may. */
function asSuperuser(realm: Realm, role: string): readonly Path[] {
  const reached = guisesOf(realm, role);
  return superusers(realm)
    .filter((holder) => holder.role !== role && reached.has(holder.role))
    .map((holder) => ({ holder, chain: backTo(reached, holder.role), setRole: holder.role }));
}

/** The chain by which a walk reached somebody. */
export function backTo(reached: ReadonlyMap<string, Link | undefined>, role: string): readonly string[] {
  const chain = [role];
  for (let link = reached.get(role); link !== undefined; link = reached.get(link.member)) chain.unshift(link.member);
  return chain;
}

/** How many links that count each role is away from the nearest of these. */
function distances(realm: Realm, from: Iterable<string>, counts: (link: Link) => boolean): ReadonlyMap<string, number> {
  const { inRole } = linksOf(realm);
  const far = new Map([...from].map((role) => [role, 0]));
  for (const [role, distance] of far) for (const link of inRole.get(role) ?? []) if (counts(link) && !far.has(link.member)) far.set(link.member, distance + 1);
  return far;
}

/** Every chain from a start, the nearest to an end first. Only what leads to an end is gone into, and memberships have no circle: none is gone in vain. */
function* chains<T extends { readonly at: string }>(start: T, next: (stand: T) => readonly T[], far: (stand: T) => number): Iterable<readonly T[]> {
  const waiting: (readonly T[])[] = far(start) === Infinity ? [] : [[start]];
  for (let chain = waiting.pop(); chain !== undefined; chain = waiting.pop()) {
    const end = chain.at(-1);
    if (end === undefined) continue;
    if (far(end) === 0) yield chain;
    const further = next(end).toSorted((a, b) => far(b) - far(a));
    for (const stand of further) waiting.push([...chain, stand]);
  }
}
