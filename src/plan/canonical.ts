// Canonical: what was read of a server, in an order that follows from its values alone. The server promises none for its rows, and the same state is the same plan.
import type { Catalog, Dependency, ManagedRole, Recognised } from '../model/catalog.ts';
import type { Cluster, Membership, Role } from '../model/cluster.ts';
import { type AclEntry, type DatabaseContents, type DefaultAcl, nameKey, type ObjectGroup } from '../model/contents.ts';
import { type InParts, type Pace, sortedInParts } from '../model/in-parts.ts';
import { KINDS, OBJECT_KINDS, type ObjectKind } from '../model/kinds.ts';
import type { PlanInput } from './plan-input.ts';
import type { DatabaseReading } from './privileges/privileges-plan.ts';
import type { PassedOn, PassedOnBy } from './removal/passed-on.ts';

type Compare<T> = (a: T, b: T) => number;

/** By code units, which is the same everywhere. */
const byText: Compare<string> = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

const byTexts =
  <T>(...texts: readonly ((item: T) => string)[]): Compare<T> =>
  (a, b) => {
    for (const text of texts) {
      const order = byText(text(a), text(b));
      if (order !== 0) return order;
    }
    return 0;
  };

/** The same list where it is in order already. */
function* ordered<T>(list: readonly T[], compare: Compare<T>, pace: Pace): InParts<readonly T[]> {
  let before: T | undefined;
  let isFirst = true;
  for (const item of list) {
    if (!isFirst && compare(before as T, item) > 0) return yield* sortedInParts(list, compare, pace);
    before = item;
    isFirst = false;
    if (pace(1)) yield;
  }
  return list;
}

/** What is read once stands for many plans: the same list or map for the same one. */
const inOrderAlready = new WeakMap<object, object>();

function* once<T extends object>(read: T, order: (read: T) => InParts<T>): InParts<T> {
  const found = inOrderAlready.get(read) as T | undefined;
  const made = found ?? (yield* order(read));
  inOrderAlready.set(read, made);
  return made;
}

/** For lists that are short, however large the server is. */
const few = <T>(list: readonly T[], compare: Compare<T>): readonly T[] =>
  list.length < 2 || list.every((item, index) => index === 0 || compare(list[index - 1] as T, item) <= 0) ? list : list.toSorted(compare);

function* byKey<V>(map: ReadonlyMap<string, V>, pace: Pace): InParts<ReadonlyMap<string, V>> {
  const keys = [...map.keys()];
  const sorted = yield* ordered(keys, byText, pace);
  return sorted === keys ? map : new Map(sorted.map((key) => [key, map.get(key) as V]));
}

const inOrder = (set: ReadonlySet<string>): ReadonlySet<string> => new Set([...set].sort(byText));

const byMember = byTexts<Membership>(
  (row) => row.role,
  (row) => row.member,
  (row) => row.grantor,
);

const byConnect = byTexts<Cluster['grants'][number]>(
  (grant) => grant.object.name,
  (grant) => grant.grantee,
  (grant) => grant.grantor,
);

const places = new Map(OBJECT_KINDS.map((kind, index) => [kind, index]));
const placeOf = (kind: ObjectKind): number => places.get(kind) ?? places.size;

/** Privileges as the server documents them; those that we have not heard of come last. */
const byHolder = (kind: ObjectKind): Compare<AclEntry> => {
  const documented = new Map(Object.keys(KINDS[kind].privileges).map((name, index) => [name, index]));
  const place = ({ privilege }: AclEntry): number => documented.get(privilege) ?? documented.size;
  return (a, b) => byText(a.grantee, b.grantee) || byText(a.grantor, b.grantor) || place(a) - place(b) || byText(a.privilege, b.privilege);
};

const BY_HOLDER = Object.fromEntries(OBJECT_KINDS.map((kind) => [kind, byHolder(kind)])) as Readonly<Record<ObjectKind, Compare<AclEntry>>>;

const entriesOf = (kind: ObjectKind, entries: readonly AclEntry[]): readonly AclEntry[] => few(entries, BY_HOLDER[kind]);

const byName = byTexts(nameKey);

const firstKey = ({ names: [first] }: ObjectGroup): string => (first === undefined ? '' : nameKey(first));

/** No object is in two groups, so that the first of their names tell them apart. */
const byGroup: Compare<ObjectGroup> = (a, b) => placeOf(a.kind) - placeOf(b.kind) || byText(a.schema, b.schema) || byText(firstKey(a), firstKey(b));

function* groupsOf(groups: readonly ObjectGroup[], pace: Pace): InParts<readonly ObjectGroup[]> {
  const inside: ObjectGroup[] = [];
  for (const group of groups) {
    if (pace(1 + group.names.length + group.entries.length)) yield;
    const [names, entries] = [few(group.names, byName), entriesOf(group.kind, group.entries)];
    inside.push(names === group.names && entries === group.entries ? group : { ...group, names, entries });
  }
  return yield* ordered(inside, byGroup, pace);
}

const byDefault: Compare<DefaultAcl> = (a, b) => byText(a.creator, b.creator) || byText(a.schema, b.schema) || placeOf(a.kind) - placeOf(b.kind);

function* contentsOf(contents: DatabaseContents, pace: Pace): InParts<DatabaseContents> {
  const creators = new Map([...(yield* byKey(contents.creators, pace))].map(([schema, roles]) => [schema, few(roles, byText)]));
  return {
    ...contents,
    groups: yield* groupsOf(contents.groups, pace),
    defaults: few(contents.defaults, byDefault).map((one) => ({ ...one, entries: entriesOf(one.kind, one.entries) })),
    creators,
    extensions: yield* byKey(contents.extensions, pace),
    strays: few(
      contents.strays,
      byTexts(
        (stray) => stray.role,
        (stray) => stray.what,
      ),
    ),
  };
}

const settingsOf = (role: Role): Role =>
  role.settings.size === 0
    ? role
    : {
        ...role,
        settings: new Map(
          [...role.settings].sort(([a], [b]) => byText(a, b)).map(([database, values]) => [database, new Map([...values].sort(([a], [b]) => byText(a, b)))]),
        ),
      };

function* rolesOf(roles: Cluster['roles'], pace: Pace): InParts<Cluster['roles']> {
  const sorted = yield* byKey(roles, pace);
  const result = new Map<string, Role>();
  let isSame = true;
  for (const [name, role] of sorted) {
    const made = settingsOf(role);
    isSame &&= made === role;
    result.set(name, made);
  }
  return isSame ? sorted : result;
}

const dependenciesOf = (dependencies: Catalog['dependencies']): Catalog['dependencies'] =>
  new Map(
    [...dependencies].map(([role, places]) => [
      role,
      few(
        places,
        byTexts((one) => one.database),
      ).map((one): Dependency => ({ ...one, owned: new Map([...one.owned].sort(([a], [b]) => byText(a, b))) })),
    ]),
  );

const byHolderOfOther = byTexts<PassedOn>(
  ({ database }) => database,
  ({ grantee }) => grantee ?? '',
  ({ owner }) => owner ?? '',
  ({ isConnect }) => String(isConnect),
);

const passedOnOf = (passedOn: PassedOnBy): PassedOnBy =>
  new Map([...passedOn].map(([role, held]) => [role, 'unreadable' in held ? held : few(held, byHolderOfOther)]));

function* catalogOf(catalog: Catalog, pace: Pace): InParts<Catalog> {
  return {
    ...catalog,
    cluster: {
      roles: yield* once(catalog.cluster.roles, (roles) => rolesOf(roles, pace)),
      memberships: yield* once(catalog.cluster.memberships, (rows) => ordered(rows, byMember, pace)),
      grants: yield* once(catalog.cluster.grants, (rows) => ordered(rows, byConnect, pace)),
    },
    shared: yield* groupsOf(catalog.shared, pace),
    triggerDatabases: inOrder(catalog.triggerDatabases),
    granted: inOrder(catalog.granted),
    databases: yield* byKey(catalog.databases, pace),
    parameters: yield* byKey(catalog.parameters, pace),
    managed: yield* once(catalog.managed, (managed) => byKey<ManagedRole>(managed, pace)),
    recognised: few(
      catalog.recognised,
      byTexts<Recognised>(
        ({ from }) => from ?? '',
        ({ by }) => by,
      ),
    ),
    unsure: yield* byKey(catalog.unsure, pace),
    absent: yield* byKey(catalog.absent, pace),
    dependencies: dependenciesOf(yield* byKey(catalog.dependencies, pace)),
    sessions: yield* byKey(catalog.sessions, pace),
  };
}

/** What a plan is made from, with all that was read of the server in one order. */
export function* canonical(input: PlanInput, pace: Pace): InParts<PlanInput> {
  const readings = new Map<string, DatabaseReading>();
  for (const [name, reading] of yield* byKey(input.readings, pace))
    readings.set(name, reading.kind === 'read' ? { ...reading, contents: yield* once(reading.contents, (contents) => contentsOf(contents, pace)) } : reading);
  return {
    ...input,
    catalog: yield* catalogOf(input.catalog, pace),
    readings,
    passedOn: passedOnOf(input.passedOn),
    passwords: yield* byKey(input.passwords, pace),
  };
}
