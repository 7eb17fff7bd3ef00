// The diff: two Clusters in, the changes between them out. It knows nothing of documents, ledgers or connections.
import type { Attributes, Change, Entity } from '../changes/change.ts';
import { diffMemberships, type MembershipFacts } from './diff-memberships.ts';
import type { Cluster, ConnectGrant, Role } from '../model/cluster.ts';
import type { Acting } from './privileges/acting.ts';
import type { AclEntry } from '../model/contents.ts';
import { dependentsOf, depthOf, lapseOf } from './privileges/dependents.ts';
import { sameSetting } from '../model/setting-list.ts';

/** What the comparison needs to know beside the two states. */
export interface DiffFacts extends MembershipFacts {
  readonly entities: ReadonlyMap<string, Entity>;
  /** Roles that are already recorded as ours; others that exist are adopted. */
  readonly managed: ReadonlySet<string>;
  readonly acting: Acting;
  readonly ownerOf: (database: string) => string;
  /** `database\0user` that the plan makes an owner: its rights are then its own. */
  readonly willOwn: ReadonlySet<string>;
  /** Users of whom nothing is revoked. */
  readonly additive: ReadonlySet<string>;
  /** CONNECT of everybody, also of those that are not compared. */
  readonly allConnects: readonly ConnectGrant[];
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
    ...diffMemberships(desired.memberships, actual.memberships, facts),
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

const NOBODY: readonly AclEntry[] = [];

function diffConnects(
  desired: readonly ConnectGrant[],
  actual: readonly ConnectGrant[],
  { acting, ownerOf, entities, allConnects, additive, willOwn }: DiffFacts,
): Change[] {
  const key = (grant: ConnectGrant): string => [grant.object.name, grant.grantee, grant.privilege].join('\0');
  const rowsByKey = Map.groupBy(actual, key);
  const wanted = new Set(desired.map(key));
  const base = ({ object: { name }, grantee }: ConnectGrant) => ({
    role: grantee,
    on: { database: '', object: 'database' as const, schema: '', names: [name], owner: ownerOf(name) },
    privileges: ['CONNECT'],
    explained: false,
  });
  const losses = (losing: ReadonlySet<string>, owner: string) => ({
    cascade: losing.size > 0,
    dependents: [...losing].filter((role) => entities.get(role) !== 'user' && role !== owner),
  });
  const byDatabase = Map.groupBy(allConnects, (row) => row.object.name);
  const entriesOf = (database: string): readonly AclEntry[] => byDatabase.get(database) ?? NOBODY;
  const revoke = (row: ConnectGrant, optionOnly: boolean): Change => {
    const { grantor, privilege, grantee, grantable } = row;
    const database = row.object.name;
    const owner = ownerOf(database);
    const others = grantor === owner ? NOBODY : entriesOf(database);
    const lapsed = lapseOf(grantor, privilege, owner, others);
    return {
      kind: 'revoke_privilege',
      ...base(row),
      grantor,
      depth: depthOf(grantor, privilege, owner, others),
      optionOnly,
      ...losses(grantable ? dependentsOf(grantee, privilege, owner, entriesOf(database)) : new Set(), owner),
      lapsed: lapsed === undefined ? undefined : { ...lapsed, as: acting.onDatabase(database) },
      as: acting.asGrantor(grantor, owner, database),
    };
  };
  const changes = actual
    .filter((row) => !wanted.has(key(row)) && !additive.has(row.grantee) && !willOwn.has(`${row.object.name}\0${row.grantee}`))
    .map((row) => revoke(row, false));
  for (const want of desired) {
    if (willOwn.has(`${want.object.name}\0${want.grantee}`)) continue;
    const rows = rowsByKey.get(key(want)) ?? [];
    if (rows.length === 0 || (want.grantable && rows.every((row) => !row.grantable)))
      changes.push({ kind: 'grant_privilege', ...base(want), grantable: want.grantable, as: acting.onDatabase(want.object.name) });
    for (const row of rows) if (row.grantable && !want.grantable && !additive.has(row.grantee)) changes.push(revoke(row, true));
  }
  return changes;
}
