// Guarded: what is read of a database for guardrails: the objects that they are about with everybody's entries, and what objects to come will give.
import { type DefaultAcl, nameKey, type ObjectGroup, type ObjectName, PUBLIC } from '../model/contents.ts';
import { createPace, type InParts, type Pace } from '../model/in-parts.ts';
import type { GuardTarget } from '../model/guardrails.ts';
import { definerRoles, type GuardedDefiners, inOrder } from './definers.ts';
import { aimOf } from './aim.ts';
import { kindsOf, type Named, type Rail } from './rails.ts';

export interface Guarded {
  /** Entries of an owner on its own are not among them: it gives itself whatever it wants. */
  readonly groups: readonly ObjectGroup[];
  readonly defaults: readonly DefaultAcl[];
  /** Where guardrails count what acts with the rights of its owner. */
  readonly definers?: GuardedDefiners | undefined;
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
export function* guardedOf(
  targets: readonly GuardTarget[],
  groups: readonly ObjectGroup[],
  defaults: readonly DefaultAcl[],
  pace: Pace = createPace(),
): InParts<Guarded> {
  const kinds = new Set(targets.flatMap(kindsOf));
  const about: ObjectGroup[] = [];
  for (const group of groups) {
    if (!kinds.has(group.kind) || (group.kind === 'column' && group.entries.length === 0)) continue;
    const names = yield* namesOf(targets, group, pace);
    if (names.length > 0) about.push({ ...group, names, entries: inOrder(group.entries) });
  }
  return {
    groups: sortedBy(about, ({ kind, schema, names: [name = ''] }) => JSON.stringify([kind, schema, nameKey(name)])),
    defaults: sortedBy(
      defaults.filter(({ kind, entries }) => kinds.has(kind) && entries.length > 0).map((row) => ({ ...row, entries: inOrder(row.entries) })),
      ({ creator, schema, kind }) => JSON.stringify([creator, schema, kind]),
    ),
  };
}

/** Every role that is named there; not PUBLIC. */
export const rolesOf = ({ groups, defaults, definers }: Guarded): ReadonlySet<string> =>
  new Set([
    ...definerRoles(definers),
    ...[...groups.map(({ owner, entries }) => [owner, entries] as const), ...defaults.map(({ creator, entries }) => [creator, entries] as const)]
      .flatMap(([owner, entries]) => [owner, ...entries.flatMap(({ grantee, grantor }) => [grantee, grantor])])
      .filter((role) => role !== PUBLIC),
  ]);

/** The first object of a group for each target. */
function* namesOf(targets: readonly GuardTarget[], { kind, schema, names }: ObjectGroup, pace: Pace): InParts<readonly ObjectName[]> {
  const aim = aimOf(targets);
  const found: ObjectName[] = [];
  const seen = new Set<GuardTarget>();
  for (const name of names) {
    let looked = 1;
    const before = seen.size;
    for (const target of aim.at(kind, schema, name)) {
      seen.add(target);
      looked += 1;
    }
    if (seen.size > before) found.push(name);
    if (pace(looked)) yield;
  }
  return found.toSorted((a, b) => byText(nameKey(a), nameKey(b)));
}

/** What is said of it must not follow from the order in which a server has it. */
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const sortedBy = <T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] =>
  items
    .map((item) => ({ item, key: keyOf(item) }))
    .toSorted((a, b) => byText(a.key, b.key))
    .map(({ item }) => item);
