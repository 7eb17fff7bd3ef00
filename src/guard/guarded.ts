// Guarded: what is read of a database for guardrails: the objects that they are about with everybody's entries, and what objects to come will give.
import { type AclEntry, type DefaultAcl, nameKey, type ObjectGroup, type ObjectName, ownName, PUBLIC } from '../model/contents.ts';
import { isGlob } from '../model/pattern.ts';
import type { GuardTarget } from '../model/guardrails.ts';
import { isAimedAt, kindsOf, type Named, type Rail } from './rails.ts';

export interface Guarded {
  /** Entries of an owner on its own are not among them: it gives itself whatever it wants. */
  readonly groups: readonly ObjectGroup[];
  readonly defaults: readonly DefaultAcl[];
}

/** What is known of a database. */
export type GuardedReading = { readonly kind: 'read'; readonly guarded: Guarded } | { readonly kind: 'unreadable'; readonly reason: string };

export const NOTHING_GUARDED: Guarded = { groups: [], defaults: [] };

interface DatabaseToGuard extends Named {
  readonly allowsConnections: boolean;
}

/** The databases that guardrails are about, of those that there are and that can be connected to. */
export const guardedDatabases = (rails: readonly Rail[], databases: Iterable<DatabaseToGuard>): readonly string[] =>
  rails.length === 0
    ? []
    : [...databases].filter((database) => database.allowsConnections && rails.some((rail) => rail.isIn(database))).map(({ name }) => name);

/** Everything in a database that some guardrail is about, as one list of targets. */
export const targetsIn = (rails: readonly Rail[], database: Named): readonly GuardTarget[] =>
  rails.filter((rail) => rail.isIn(database)).flatMap(({ targets }) => targets);

/** Of groups and default privileges with everybody's entries, what these targets are about. Of objects of one ACL an example for each target is enough. */
export function guardedOf(targets: readonly GuardTarget[], groups: readonly ObjectGroup[], defaults: readonly DefaultAcl[]): Guarded {
  const kinds = new Set(targets.flatMap(kindsOf));
  const find = finderOf(targets);
  const about = groups.flatMap((group): ObjectGroup[] => {
    if (!kinds.has(group.kind) || (group.kind === 'column' && group.entries.length === 0)) return [];
    const names = find(group);
    return names.length === 0 ? [] : [{ ...group, names, entries: inOrder(group.entries) }];
  });
  return {
    groups: sortedBy(about, ({ kind, schema, names: [name = ''] }) => JSON.stringify([kind, schema, nameKey(name)])),
    defaults: sortedBy(
      defaults.filter(({ kind, entries }) => kinds.has(kind) && entries.length > 0).map((row) => ({ ...row, entries: inOrder(row.entries) })),
      ({ creator, schema, kind }) => JSON.stringify([creator, schema, kind]),
    ),
  };
}

/** Every role that is named there; not PUBLIC. */
export const rolesOf = ({ groups, defaults }: Guarded): ReadonlySet<string> =>
  new Set(
    [...groups.map(({ owner, entries }) => [owner, entries] as const), ...defaults.map(({ creator, entries }) => [creator, entries] as const)]
      .flatMap(([owner, entries]) => [owner, ...entries.flatMap(({ grantee, grantor }) => [grantee, grantor])])
      .filter((role) => role !== PUBLIC),
  );

/** Finds the first object of a group for each target; those that are named exactly are looked up. */
function finderOf(targets: readonly GuardTarget[]): (group: ObjectGroup) => readonly ObjectName[] {
  const isExact = ({ kind, name }: GuardTarget): boolean => kind !== 'database' && kind !== 'function' && !isGlob(name);
  const exact = Map.groupBy(targets.filter(isExact), ({ name }) => name);
  const patterns = targets.filter((target) => !isExact(target));
  return ({ kind, schema, names }) => {
    const left = new Set(patterns.filter((target) => kindsOf(target).includes(kind)));
    const found: ObjectName[] = [];
    const seen = new Set<GuardTarget>();
    for (const name of names) {
      const here = [...(exact.get(ownName(name)) ?? []).filter((target) => !seen.has(target)), ...left].filter((target) =>
        isAimedAt(target, kind, schema, name),
      );
      if (here.length > 0) found.push(name);
      for (const target of here) {
        left.delete(target);
        seen.add(target);
      }
    }
    return found.toSorted((a, b) => byText(nameKey(a), nameKey(b)));
  };
}

/** What is said of it must not follow from the order in which a server has it. */
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const sortedBy = <T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] =>
  items
    .map((item) => ({ item, key: keyOf(item) }))
    .toSorted((a, b) => byText(a.key, b.key))
    .map(({ item }) => item);
const inOrder = (entries: readonly AclEntry[]): readonly AclEntry[] =>
  entries.toSorted((a, b) => byText(a.grantee, b.grantee) || byText(a.grantor, b.grantor) || byText(a.privilege, b.privilege));

/** Whether what a target names is there. */
export const isThereIn =
  ({ groups }: Guarded) =>
  (target: GuardTarget): boolean =>
    groups.some(({ kind, schema, names }) => kind === target.kind && names.some((name) => isAimedAt(target, kind, schema, name)));
