// The diff: two Clusters in, the changes between them out. It knows nothing of documents, ledgers or connections.
import type { Attributes, Change, Entity } from './change.ts';
import type { Cluster, Grant, Membership, Role } from './model.ts';
import type { Acting } from './privileges/acting.ts';
import type { AclEntry } from './privileges/contents.ts';
import { dependentsOf, depthOf } from './privileges/dependents.ts';
import { sameSetting } from './setting-list.ts';

/** What the comparison needs to know beside the two states. */
export interface DiffFacts {
  readonly entities: ReadonlyMap<string, Entity>;
  /** Roles that are already recorded as ours; others that exist are adopted. */
  readonly managed: ReadonlySet<string>;
  /** Below 16 a membership has one row, whoever granted it. */
  readonly oneRowPerMembership: boolean;
  readonly acting: Acting;
  readonly ownerOf: (database: string) => string;
  /** `database\0user` that the plan makes an owner: its rights are then its own. */
  readonly willOwn: ReadonlySet<string>;
  /** Users of whom nothing is revoked. */
  readonly additive: ReadonlySet<string>;
  /** CONNECT of everybody, also of those that are not compared. */
  readonly allConnects: readonly Grant[];
}

/**
 * The changes that turn `actual` into `desired`, without order. Both hold only what may be changed: what is in `actual`
 * alone is taken away, except roles, whose removal has its own rules.
 */
export function diff(desired: Cluster, actual: Cluster, facts: DiffFacts): Change[] {
  const wantedRoles = Map.groupBy(desired.memberships, (membership) => membership.member);
  return [
    ...[...desired.roles.values()].flatMap((role) =>
      diffRole(
        role,
        actual.roles.get(role.name),
        facts,
        (wantedRoles.get(role.name) ?? []).map((membership) => membership.role),
      ),
    ),
    ...diffMemberships(desired.memberships, actual.memberships, facts.oneRowPerMembership),
    ...diffConnects(desired.grants, actual.grants, facts),
  ];
}

function diffRole(desired: Role, actual: Role | undefined, facts: DiffFacts, memberOf: readonly string[]): Change[] {
  const role = desired.name;
  const entity = facts.entities.get(role) ?? 'role';
  if (actual === undefined) {
    const { login, inherit, createdb, createrole, bypassrls, connectionLimit, validUntil } = desired;
    const attributes: Attributes = { login, inherit, createdb, createrole, bypassrls, connectionLimit, validUntil };
    const create: Change = { kind: 'create_role', role, entity, attributes, memberOf };
    const comment: Change[] = desired.comment === null ? [] : [{ kind: 'set_comment', role, comment: desired.comment }];
    return [create, ...comment, ...diffSettings(desired, undefined)];
  }
  const changes: Change[] = facts.managed.has(role) ? [] : [{ kind: 'adopt_role', role, entity }];
  const attributes = differingAttributes(desired, actual);
  if (Object.keys(attributes).length > 0) changes.push({ kind: 'alter_role', role, entity, attributes });
  if (desired.comment !== actual.comment) changes.push({ kind: 'set_comment', role, comment: desired.comment });
  if (desired.settings !== actual.settings) changes.push(...diffSettings(desired, actual));
  return changes;
}

const ATTRIBUTES = ['login', 'inherit', 'createdb', 'createrole', 'bypassrls', 'connectionLimit', 'validUntil'] as const;

/** Only attributes that differ: even saying NOREPLICATION again needs rights that a CREATEROLE admin does not have. */
const differingAttributes = (desired: Role, actual: Role): Partial<Attributes> =>
  Object.fromEntries(ATTRIBUTES.filter((name) => desired[name] !== actual[name]).map((name) => [name, desired[name]]));

function diffSettings(desired: Role, actual: Role | undefined): Change[] {
  const changes: Change[] = [];
  const role = desired.name;
  for (const [database, values] of desired.settings)
    for (const [name, value] of values) {
      const present = actual?.settings.get(database)?.get(name);
      if (present === undefined || !sameSetting(name, present, value)) changes.push({ kind: 'set_setting', role, database, name, value });
    }
  for (const [database, values] of actual?.settings ?? [])
    for (const name of values.keys()) if (desired.settings.get(database)?.has(name) !== true) changes.push({ kind: 'reset_setting', role, database, name });
  return changes;
}

/** What several rows of one membership give together. */
const union = (rows: readonly Membership[]): Pick<Membership, 'admin' | 'inherit' | 'set'> => ({
  admin: rows.some((row) => row.admin),
  inherit: rows.some((row) => row.inherit),
  set: rows.some((row) => row.set),
});

function diffMemberships(desired: readonly Membership[], actual: readonly Membership[], oneRow: boolean): Change[] {
  const key = (membership: Membership): string => `${membership.role}\0${membership.member}`;
  const rowsByKey = Map.groupBy(actual, key);
  const wanted = new Set(desired.map(key));
  /** Grants that a member made with its own ADMIN option; they stand in the way of taking it. */
  const granters = new Set(actual.filter((row) => row.grantor !== '').map((row) => `${row.role}\0${row.grantor}`));
  const revoke = (row: Membership, adminOnly: boolean): Change => ({
    kind: 'revoke_membership',
    role: row.role,
    member: row.member,
    grantor: row.grantor,
    adminOnly,
    cascade: row.admin && granters.has(`${row.role}\0${row.member}`),
  });
  const grant = ({ role, member, admin, inherit, set }: Membership): Change => ({ kind: 'grant_membership', role, member, admin, inherit, set });

  const changes: Change[] = actual.filter((row) => !wanted.has(key(row))).map((row) => revoke(row, false));
  for (const want of desired) {
    const rows = rowsByKey.get(key(want)) ?? [];
    const have = union(rows);
    if (rows.length > 0 && have.admin === want.admin && have.inherit === want.inherit && have.set === want.set) continue;
    const own = oneRow ? rows[0] : rows.find((row) => row.grantor === want.grantor);
    const exceeds = (row: Membership): boolean => (row.admin && !want.admin) || (row.inherit && !want.inherit) || (row.set && !want.set);
    changes.push(...rows.filter((row) => row !== own && exceeds(row)).map((row) => revoke(row, false)));
    if (own?.admin === true && !want.admin) changes.push(revoke(own, true));
    const ownNow = own === undefined ? undefined : { ...own, admin: own.admin && want.admin };
    if (ownNow === undefined || ownNow.admin !== want.admin || ownNow.inherit !== want.inherit || ownNow.set !== want.set) changes.push(grant(want));
  }
  return changes;
}

function diffConnects(desired: readonly Grant[], actual: readonly Grant[], { acting, ownerOf, entities, allConnects, additive, willOwn }: DiffFacts): Change[] {
  const key = (grant: Grant): string => [grant.object.name, grant.grantee, grant.privilege].join('\0');
  const rowsByKey = Map.groupBy(actual, key);
  const wanted = new Set(desired.map(key));
  const base = ({ object: { name }, grantee }: Grant) => ({
    role: grantee,
    on: { database: '', object: 'database' as const, schema: '', names: [name], owner: ownerOf(name) },
    privileges: ['CONNECT'],
    explained: false,
  });
  const losses = (losing: ReadonlySet<string>, owner: string) => ({
    cascade: losing.size > 0,
    dependents: [...losing].filter((role) => entities.get(role) !== 'user' && role !== owner),
  });
  const entriesOf = (database: string): AclEntry[] => allConnects.filter((row) => row.object.name === database);
  const revoke = (row: Grant, optionOnly: boolean): Change => ({
    kind: 'revoke_privilege',
    ...base(row),
    grantor: row.grantor,
    depth: depthOf(row.grantor, row.privilege, ownerOf(row.object.name), row.grantor === ownerOf(row.object.name) ? [] : entriesOf(row.object.name)),
    optionOnly,
    ...losses(
      row.grantable ? dependentsOf(row.grantee, row.privilege, ownerOf(row.object.name), entriesOf(row.object.name)) : new Set(),
      ownerOf(row.object.name),
    ),
    as: acting.asGrantor(row.grantor, ownerOf(row.object.name), row.object.name),
  });
  const changes = actual
    .filter((row) => !wanted.has(key(row)) && !additive.has(row.grantee) && !willOwn.has(`${row.object.name}\0${row.grantee}`))
    .map((row) => revoke(row, false));
  for (const want of desired) {
    const rows = rowsByKey.get(key(want)) ?? [];
    if (rows.length === 0 || (want.grantable && rows.every((row) => !row.grantable)))
      changes.push({ kind: 'grant_privilege', ...base(want), grantable: want.grantable, as: acting.onDatabase(want.object.name) });
    for (const row of rows) if (row.grantable && !want.grantable && !additive.has(row.grantee)) changes.push(revoke(row, true));
  }
  return changes;
}
