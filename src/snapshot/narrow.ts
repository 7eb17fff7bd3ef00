// Narrow: of all that a snapshot holds, what would have been read for one document: then everything that plans has the very same values.
import type { Catalog, ManagedRole } from '../model/catalog.ts';
import { type AclEntry, type DatabaseContents, type ObjectGroup, PUBLIC } from '../model/contents.ts';
import type { Document } from '../model/entries.ts';
import { declaringNames, namesIn, withFormerNames } from '../model/named.ts';
import { whoseOf } from '../model/sources.ts';
import { closedNames } from '../plan/removal/drain.ts';
import type { HeldThere } from '../plan/removal/passed-on.ts';
import { removalCandidates } from '../plan/removal/removal-policy.ts';
import { standIns } from './passwords.ts';
import type { Snapshot } from './snapshot.ts';

export type CatalogFromSnapshot = Catalog & { readonly hasLedger: boolean; readonly imported: readonly ManagedRole[] };

/** The catalog as it would have been read for a document. */
export function catalogFor(document: Document, { catalog, source }: Pick<Snapshot, 'catalog' | 'source'>): CatalogFromSnapshot {
  const { holders, passwords: _passwords, managed: _managed, ...facts } = catalog;
  const { verifiers, managed } = standIns(catalog);
  const declaring = withFormerNames(declaringNames(document), document);
  const oidsOf = (names: readonly string[]): readonly number[] => names.flatMap((name) => catalog.oids.get(name) ?? []);
  const leaving = removalCandidates(managed.values(), whoseOf(source, document), namesIn(document)).map(({ name }) => name);
  const counted = [...new Set([...leaving, ...closedNames(document, catalog.server.now, { managed, oids: catalog.oids })])];
  return {
    ...facts,
    managed,
    verifiers,
    shared: facts.shared.map((group) => withEntriesOf(group, declaring)),
    granted: new Set([...holders].flatMap(([database, roles]) => (roles.some((role) => declaring.has(role)) ? [database] : []))),
    dependencies: of(catalog.dependencies, leaving),
    sessions: of(catalog.sessions, counted),
    leaving: oidsOf(leaving),
    counted: oidsOf(counted),
    imported: [],
    recognised: [],
    unsure: new Map(),
    absent: new Map(),
  };
}

const of = <T>(map: ReadonlyMap<string, T>, names: readonly string[]): ReadonlyMap<string, T> => {
  const some = new Set(names);
  return new Map([...map].filter(([name]) => some.has(name)));
};

/** What is read of an ACL where certain roles are asked for; the same as `readEntries` in SQL. */
const entriesOf = (entries: readonly AclEntry[], owner: string, roles: ReadonlySet<string>): readonly AclEntry[] =>
  entries.filter(({ grantee, grantor }) => (grantee !== owner && (grantee === PUBLIC || roles.has(grantee))) || (grantor !== owner && roles.has(grantor)));

const withEntriesOf = (group: ObjectGroup, roles: ReadonlySet<string>): ObjectGroup => ({ ...group, entries: entriesOf(group.entries, group.owner, roles) });

export interface Asked {
  readonly roles: ReadonlySet<string>;
  /** Those without an ACL as well. */
  readonly columns: boolean;
  readonly largeObjects: boolean;
}

/** The contents of a database as they would have been read for certain roles. */
export function contentsFor(contents: DatabaseContents, { roles, columns, largeObjects }: Asked): DatabaseContents {
  const isNamed = ({ entries, owner }: ObjectGroup): boolean =>
    entries.some(({ grantee, grantor }) => (grantee !== owner && roles.has(grantee)) || (grantor !== owner && roles.has(grantor)));
  const isRead = (group: ObjectGroup): boolean => {
    if (group.kind === 'column') return columns || !group.untouched;
    return group.kind !== 'large_object' || largeObjects || (!group.untouched && isNamed(group));
  };
  return {
    ...contents,
    groups: contents.groups.filter(isRead).map((group) => withEntriesOf(group, roles)),
    defaults: contents.defaults.map((row) => ({ ...row, entries: entriesOf(row.entries, row.creator, roles) })),
    strays: contents.strays.filter(({ role }) => roles.has(role)),
  };
}

/** What those who leave passed on, in the order in which it would have been read. */
export function heldFor(leavers: readonly ManagedRole[], catalog: Pick<Catalog, 'dependencies'>, recorded: readonly HeldThere[]): readonly HeldThere[] {
  const places = leavers.flatMap(({ name }) => (catalog.dependencies.get(name) ?? []).map(({ database }) => database));
  const byDatabase = Map.groupBy(recorded, ({ database }) => database);
  return [...new Set(places)].flatMap((database) => {
    const here = new Map((byDatabase.get(database) ?? []).map((one) => [one.name, one]));
    return leavers.flatMap(({ name }) => here.get(name) ?? []);
  });
}
