// Definers: what is read of views and of functions with SECURITY DEFINER, by which somebody gets at what a guardrail is about with the rights of another.
import { type AclEntry, nameKey, type ObjectGroup, ownName, pairKey, PUBLIC } from '../model/contents.ts';
import type { GuardTarget } from '../model/guardrails.ts';
import { kindsOf, type Named, type Rail } from './rails.ts';

interface RelationName {
  readonly schema: string;
  readonly name: string;
}

/** A view, or a materialized one. */
export interface GuardedView extends RelationName {
  /** What it reads is looked at with the rights of whoever asks. */
  readonly invoker: boolean;
  /** A copy, made when it was last refreshed. */
  readonly copy: boolean;
  /** Relations that it reads. */
  readonly reads: readonly RelationName[];
}

export type GuardedDefiners =
  | {
      readonly kind: 'read';
      /** Those that lead to something that a guardrail is about, by themselves or over others. */
      readonly views: readonly GuardedView[];
      /** These views and what they read, with their columns that have an ACL. */
      readonly relations: readonly ObjectGroup[];
      readonly functions: readonly ObjectGroup[];
    }
  /** Nobody knows who gets at what by them. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** What of it is asked for in a database. */
export interface DefinersAsked {
  readonly targets: readonly GuardTarget[];
  readonly functions: boolean;
}

/** @returns undefined where no guardrail counts them there. */
export function definersAsked(rails: readonly Rail[], database: Named): DefinersAsked | undefined {
  const those = rails.filter(({ through, isIn }) => through.definer !== false && isIn(database));
  if (those.length === 0) return undefined;
  const targets = those.flatMap((rail) => rail.targets.filter((target) => kindsOf(target).includes('table')));
  return { targets, functions: those.some(({ through }) => through.definer === true) };
}

export const relationKey = ({ schema, name }: RelationName): string => pairKey(schema, name);

/** Of all views those that lead to one of these relations. @param isBase by schema and name. */
export function viewsAbove(views: readonly GuardedView[], isBase: (relation: RelationName) => boolean): readonly GuardedView[] {
  const readers = new Map<string, GuardedView[]>();
  const found = new Set<GuardedView>();
  for (const view of views)
    for (const read of view.reads) {
      if (isBase(read)) found.add(view);
      const key = relationKey(read);
      const others = readers.get(key);
      if (others === undefined) readers.set(key, [view]);
      else others.push(view);
    }
  // A Set's iteration also visits what is added while it runs.
  for (const view of found) for (const reader of readers.get(relationKey(view)) ?? []) found.add(reader);
  return views.filter((view) => found.has(view));
}

/** In an order that follows from values alone, and of groups only the names that are asked for. */
export function definersFrom(views: readonly GuardedView[], relations: readonly ObjectGroup[], functions: readonly ObjectGroup[]): GuardedDefiners {
  const keys = new Set(views.flatMap((view) => [relationKey(view), ...view.reads.map(relationKey)]));
  const kept = relations.flatMap((group): ObjectGroup[] => {
    if ((group.kind !== 'table' && group.kind !== 'column') || (group.kind === 'column' && group.entries.length === 0)) return [];
    const names = group.names.filter((name) => keys.has(relationKey({ schema: group.schema, name: ownName(name) })));
    return names.length === 0 ? [] : [{ ...group, names }];
  });
  return { kind: 'read', views: sortedBy(views, relationKey), relations: withOrder(kept), functions: withOrder(functions) };
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Entries in an order that no server decides. */
export const inOrder = (entries: readonly AclEntry[]): readonly AclEntry[] =>
  entries.toSorted((a, b) => byText(a.grantee, b.grantee) || byText(a.grantor, b.grantor) || byText(a.privilege, b.privilege));

const withOrder = (groups: readonly ObjectGroup[]): readonly ObjectGroup[] =>
  sortedBy(groups, groupKey).map((group) => ({ ...group, entries: inOrder(group.entries) }));

const groupKey = ({ kind, schema, names: [name = ''] }: ObjectGroup): string => JSON.stringify([kind, schema, nameKey(name)]);

const sortedBy = <T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] =>
  items
    .map((item) => ({ item, key: keyOf(item) }))
    .toSorted((a, b) => byText(a.key, b.key))
    .map(({ item }) => item);

/** With other names of roles. */
export function renamedDefiners(
  definers: GuardedDefiners,
  naming: (role: string) => string,
  entries: (of: readonly AclEntry[]) => readonly AclEntry[],
): GuardedDefiners {
  if (definers.kind === 'unknown') return definers;
  const renamed = (groups: readonly ObjectGroup[]): readonly ObjectGroup[] =>
    groups.map((group) => ({ ...group, owner: naming(group.owner), entries: entries(group.entries) }));
  return { ...definers, relations: renamed(definers.relations), functions: renamed(definers.functions) };
}

/** Every role that they name. */
export const definerRoles = (definers: GuardedDefiners | undefined): readonly string[] =>
  definers?.kind !== 'read'
    ? []
    : [...definers.relations, ...definers.functions]
        .flatMap(({ owner, entries }) => [owner, ...entries.flatMap(({ grantee, grantor }) => [grantee, grantor])])
        .filter((role) => role !== PUBLIC);
