// Definer index: views and functions of a database with their ACLs as they are asked for again and again, and with what a plan gives beside them.
import { holdersOf } from '../explain/holders.ts';
import { walkBack } from '../explain/links.ts';
import type { Realm } from '../explain/securable.ts';
import { targetWords } from '../changes/target.ts';
import { type AclEntry, nameKey, type ObjectGroup, type ObjectName, ownName, PUBLIC } from '../model/contents.ts';
import { type GuardedDefiners, type GuardedView, relationKey } from './definers.ts';
import type { Held } from './held.ts';
import type { Rail } from './rails.ts';

/** Privileges that are given on objects, as changes of a plan give them. */
export interface GivenAccess {
  readonly kind: string;
  readonly schema: string;
  readonly names: readonly ObjectName[];
  readonly role: string;
  readonly privileges: readonly string[];
  /** By being its owner. */
  readonly owns: boolean;
}

/** An object by which somebody gets at something with the rights of its owner. */
export interface Entrance {
  readonly kind: 'table' | 'function';
  readonly schema: string;
  readonly names: readonly ObjectName[];
  readonly owners: readonly string[];
  /** What it takes there. */
  readonly privilege: string;
  /** Who has that. */
  readonly entries: readonly (Pick<AclEntry, 'grantee' | 'grantor'> & { readonly owner?: true })[];
  readonly to: Omit<Held, 'holder'>;
}

/** One relation or function, or some functions of one ACL. */
export interface Acl {
  readonly schema: string;
  readonly names: readonly ObjectName[];
  readonly owners: readonly string[];
  readonly entries: readonly AclEntry[];
  readonly columns: readonly { readonly column: ObjectName; readonly entries: readonly AclEntry[] }[];
}

export type May = (role: string) => boolean;

/** What is known of definers in one database before any guardrail: shared by all of them. */
export interface DefinerIndex {
  readonly realm: Realm;
  readonly database: string;
  readonly unknown: string | undefined;
  readonly views: ReadonlyMap<string, GuardedView>;
  readonly relations: ReadonlyMap<string, Acl>;
  /** By each of their owners. */
  readonly functions: ReadonlyMap<string, readonly Acl[]>;
  /** Whether somebody may on it or a part of it. */
  readonly may: (acl: Acl, privilege: string) => May;
}

/** @param given what is given beside what is there. */
export function definerIndex(realm: Realm, database: string, definers: GuardedDefiners | undefined, given: readonly GivenAccess[] = []): DefinerIndex {
  const known = new Map<Acl, Map<string, May>>();
  const may = (acl: Acl, privilege: string): May => {
    const of = known.get(acl) ?? new Map<string, May>();
    known.set(acl, of);
    const found = of.get(privilege) ?? mayOf(realm, acl, privilege);
    of.set(privilege, found);
    return found;
  };
  const base = { realm, database, may };
  if (definers?.kind !== 'read') return { ...base, unknown: definers?.reason, views: new Map(), relations: new Map(), functions: new Map() };
  const more = givenBy(given);
  return {
    ...base,
    unknown: undefined,
    views: new Map(definers.views.map((view) => [relationKey(view), view])),
    relations: relationsOf(definers.relations, more),
    functions: byOwner(definers.functions.flatMap((group) => functionsOf(group, more))),
  };
}

type GivenTo = (kind: string, schema: string, name: ObjectName) => readonly GivenAccess[];

function givenBy(given: readonly GivenAccess[]): GivenTo {
  const by = new Map<string, GivenAccess[]>();
  for (const one of given)
    for (const name of one.names) {
      // Columns are asked for with their table.
      const key = JSON.stringify([one.kind, one.schema, one.kind === 'column' ? ownName(name) : nameKey(name)]);
      const others = by.get(key);
      if (others === undefined) by.set(key, [one]);
      else others.push(one);
    }
  return by.size === 0 ? () => [] : (kind, schema, name) => by.get(JSON.stringify([kind, schema, nameKey(name)])) ?? [];
}

const entriesOf = (given: readonly GivenAccess[]): readonly AclEntry[] =>
  given.flatMap(({ owns, role, privileges }) => (owns ? [] : privileges.map((privilege) => ({ grantee: role, grantor: '', privilege, grantable: false }))));
const heirsOf = (given: readonly GivenAccess[]): readonly string[] => given.flatMap(({ owns, role }) => (owns ? [role] : []));

function relationsOf(groups: readonly ObjectGroup[], given: GivenTo): ReadonlyMap<string, Acl> {
  const columns = new Map<string, { readonly column: ObjectName; readonly entries: readonly AclEntry[] }[]>();
  const add = (schema: string, column: ObjectName, entries: readonly AclEntry[]): void => {
    const key = relationKey({ schema, name: ownName(column) });
    const others = columns.get(key) ?? [];
    columns.set(key, others);
    others.push({ column, entries });
  };
  for (const { kind, schema, names, entries } of groups) if (kind === 'column') for (const name of names) add(schema, name, entries);
  return new Map(
    groups.flatMap(({ kind, schema, names, owner, entries }) =>
      kind !== 'table'
        ? []
        : names.map((name): [string, Acl] => {
            const more = given(kind, schema, name);
            const key = relationKey({ schema, name: ownName(name) });
            const parts = [...(columns.get(key) ?? []), ...columnsOf(given('column', schema, name), ownName(name))];
            return [key, { schema, names: [name], owners: [owner, ...heirsOf(more)], entries: [...entries, ...entriesOf(more)], columns: parts }];
          }),
    ),
  );
}

function byOwner(acls: readonly Acl[]): ReadonlyMap<string, readonly Acl[]> {
  const by = new Map<string, Acl[]>();
  for (const acl of acls)
    for (const owner of acl.owners) {
      const others = by.get(owner);
      if (others === undefined) by.set(owner, [acl]);
      else others.push(acl);
    }
  return by;
}

/** What belongs to somebody is open to it, and to whoever inherits from it: also from a superuser, from whom nobody inherits anything else. */
export const ownersAt = ({ through }: Pick<Rail, 'through'>, { owners }: Acl): Entrance['entries'] =>
  through.ownership ? owners.map((owner) => ({ grantee: owner, grantor: owner, owner: true })) : [];

const columnsOf = (given: readonly GivenAccess[], table: string): Acl['columns'] =>
  given.flatMap((one) => one.names.flatMap((column) => (ownName(column) === table ? [{ column, entries: entriesOf([one]) }] : [])));

/** Those that are given something stand for themselves. */
function functionsOf({ schema, names, owner, entries }: ObjectGroup, given: GivenTo): readonly Acl[] {
  const one = { schema, columns: [] };
  const apart = names.flatMap((name): (Acl & { readonly name: ObjectName })[] => {
    const more = given('function', schema, name);
    return more.length === 0 ? [] : [{ ...one, name, names: [name], owners: [owner, ...heirsOf(more)], entries: [...entries, ...entriesOf(more)] }];
  });
  const taken = new Set(apart.map(({ name }) => name));
  const left = names.filter((name) => !taken.has(name));
  return [...(left.length === 0 ? [] : [{ ...one, names: left, owners: [owner], entries }]), ...apart];
}

/** Everybody who may by itself on a relation or a part of it; its owner may whatever it says, as it may give it to itself. What PUBLIC may is no longer behind anybody. */
export function mayOf(realm: Realm, { owners, entries, columns }: Acl, privilege: string): May {
  const object = { kind: 'table', name: '', owner: '', untouched: false, columns: new Map(), isCatalog: false } as const;
  const holders = [...entries, ...columns.flatMap((one) => one.entries)];
  const roles = holdersOf(realm, { ...object, entries: holders }, privilege).flatMap(({ role }) => (role === PUBLIC ? [] : [role]));
  const able = walkBack(realm, [...roles, ...owners], ({ inherit }) => inherit);
  // Nobody inherits what a superuser may.
  return (role) => able.has(role) || realm.roles.get(role)?.superuser === true;
}

/** An object, for people. */
export const wordsOf = ({ database }: DefinerIndex, kind: 'table' | 'function', schema: string, name: ObjectName): string =>
  targetWords({ database, object: kind, schema, names: [name] });
