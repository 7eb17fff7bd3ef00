// What was read of a server, as it will be read when some roles have their new names: nothing else of it changes, as everything goes by the OID.
import type { Change } from '../changes/change.ts';
import type { Catalog, ManagedRole } from '../model/catalog.ts';
import type { AclEntry, DatabaseContents } from '../model/contents.ts';
import { renamedDefiners } from '../guard/definers.ts';
import type { Guarded, GuardedReading } from '../guard/guarded.ts';
import type { DatabaseReading } from './privileges/privileges-plan.ts';
import type { PassedOnBy } from './removal/passed-on.ts';

export type Rename = Extract<Change, { kind: 'rename_role' }>;

/** How a role is called after the renames. */
type Naming = (name: string) => string;

const namingOf = (renames: readonly Rename[]): Naming => {
  const names = new Map(renames.map(({ from, role }) => [from, role]));
  return (name) => names.get(name) ?? name;
};

/** The name is part of an MD5 password. */
export const isMd5 = (verifier: string | null | undefined): boolean => verifier?.startsWith('md5') === true;

/** What is remembered of a role, under its new name. The proof of an MD5 password has no salt, and ends with the password. */
export const renamedRow = (row: ManagedRole, name: string): ManagedRole => ({ ...row, name, witness: row.witness?.salt === '' ? null : row.witness });

/** The catalog after the renames. */
export function renamedCatalog<T extends Catalog>(catalog: T, renames: readonly Rename[]): T {
  if (renames.length === 0) return catalog;
  const naming = namingOf(renames);
  const { cluster } = catalog;
  const keyed = <V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> => new Map([...map].map(([name, value]) => [naming(name), value]));
  const isRenamed = new Set(renames.map(({ role }) => role));
  return {
    ...catalog,
    cluster: {
      roles: new Map([...cluster.roles.values()].map((role) => [naming(role.name), { ...role, name: naming(role.name) }])),
      memberships: cluster.memberships.map((row) => ({ ...row, role: naming(row.role), member: naming(row.member), grantor: naming(row.grantor) })),
      grants: cluster.grants.map((row) => ({ ...row, grantee: naming(row.grantee), grantor: naming(row.grantor) })),
    },
    shared: catalog.shared.map((group) => ({ ...group, owner: naming(group.owner), entries: renamedEntries(group.entries, naming) })),
    oids: keyed(catalog.oids),
    databases: new Map([...catalog.databases].map(([name, facts]) => [name, { ...facts, owner: naming(facts.owner) }])),
    verifiers: new Map(
      [...catalog.verifiers].map(([name, verifier]) => {
        const now = naming(name);
        return [now, isRenamed.has(now) && isMd5(verifier) ? null : verifier];
      }),
    ),
    managed: renamedRows(catalog.managed, renames),
    dependencies: keyed(catalog.dependencies),
    sessions: keyed(catalog.sessions),
  };
}

function renamedRows(managed: Catalog['managed'], renames: readonly Rename[]): Catalog['managed'] {
  const rows = new Map(managed);
  for (const { role, recorded } of renames) {
    const row = recorded === undefined ? undefined : rows.get(recorded);
    if (row === undefined) continue;
    rows.delete(row.name);
    rows.set(role, renamedRow(row, role));
  }
  return rows;
}

const renamedEntries = (entries: readonly AclEntry[], naming: Naming): readonly AclEntry[] =>
  entries.map((entry) => ({ ...entry, grantee: naming(entry.grantee), grantor: naming(entry.grantor) }));

/** What was read in the databases, after the renames. */
export function renamedReadings(readings: ReadonlyMap<string, DatabaseReading>, renames: readonly Rename[]): ReadonlyMap<string, DatabaseReading> {
  if (renames.every(({ from, role }) => from === role)) return readings;
  const naming = namingOf(renames);
  return new Map(
    [...readings].map(([name, reading]) => [name, reading.kind === 'read' ? { kind: 'read', contents: renamedContents(reading.contents, naming) } : reading]),
  );
}

const renamedContents = (contents: DatabaseContents, naming: Naming): DatabaseContents => ({
  ...contents,
  groups: contents.groups.map((group) => ({ ...group, owner: naming(group.owner), entries: renamedEntries(group.entries, naming) })),
  defaults: contents.defaults.map((row) => ({ ...row, creator: naming(row.creator), entries: renamedEntries(row.entries, naming) })),
  creators: new Map([...contents.creators].map(([schema, roles]) => [schema, roles.map(naming)])),
  strays: contents.strays.map((stray) => ({ ...stray, role: naming(stray.role) })),
});

/** What guardrails are about, after the renames. */
export function renamedGuarded(guarded: ReadonlyMap<string, GuardedReading>, renames: readonly Rename[]): ReadonlyMap<string, GuardedReading> {
  if (renames.every(({ from, role }) => from === role)) return guarded;
  const naming = namingOf(renames);
  const entries = (of: readonly AclEntry[]): readonly AclEntry[] => renamedEntries(of, naming);
  const renamed = ({ groups, defaults, definers }: Guarded): Guarded => ({
    ...(definers === undefined ? {} : { definers: renamedDefiners(definers, naming, entries) }),
    groups: groups.map((group) => ({ ...group, owner: naming(group.owner), entries: renamedEntries(group.entries, naming) })),
    defaults: defaults.map((row) => ({ ...row, creator: naming(row.creator), entries: renamedEntries(row.entries, naming) })),
  });
  return new Map([...guarded].map(([name, reading]) => [name, reading.kind === 'read' ? { kind: 'read', guarded: renamed(reading.guarded) } : reading]));
}

/** What leavers passed on, after the renames; statements that somebody shall run stay as the server spells them now. */
export function renamedPassedOn(passedOn: PassedOnBy, renames: readonly Rename[]): PassedOnBy {
  if (renames.length === 0) return passedOn;
  const naming = namingOf(renames);
  const named = (name: string | undefined): string | undefined => (name === undefined ? undefined : naming(name));
  return new Map(
    [...passedOn].map(([role, held]) => [
      role,
      'unreadable' in held ? held : held.map((one) => ({ ...one, grantee: named(one.grantee), owner: named(one.owner) })),
    ]),
  );
}
