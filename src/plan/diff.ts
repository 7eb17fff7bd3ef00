// The diff: two Clusters in, the changes between them out. It knows nothing of documents, ledgers or connections.
import type { Attributes, Change, Entity } from '../changes/change.ts';
import { diffMemberships, type MembershipFacts } from './diff-memberships.ts';
import type { Cluster, ConnectGrant, Role } from '../model/cluster.ts';
import type { Acting } from './privileges/acting.ts';
import type { AclEntry } from '../model/contents.ts';
import { dependentsOf, depthOf, lapseOf } from './privileges/dependents.ts';
import { append } from '../model/append.ts';
import { createByTwo } from '../model/by-two.ts';
import { linksOf } from '../model/reach.ts';
import { sameSetting } from '../model/setting-list.ts';

/** What the comparison needs to know beside the two states. */
export interface DiffFacts extends MembershipFacts {
  readonly entities: ReadonlyMap<string, Entity>;
  /** Roles that are already recorded as ours; others that exist are adopted. */
  readonly managed: ReadonlySet<string>;
  readonly acting: Acting;
  readonly ownerOf: (database: string) => string;
  /** By database that the plan hands over, who owns it then: its rights are then its own. */
  readonly willOwn: ReadonlyMap<string, string>;
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
  const links = linksOf(desired.memberships);
  const memberOf = (role: string): readonly string[] => links.ofMember.get(role)?.map((membership) => membership.role) ?? NOWHERE;
  const changes: Change[] = [];
  for (const role of desired.roles.values()) append(changes, diffRole(role, actual.roles.get(role.name), facts, memberOf));
  append(changes, diffMemberships(desired.memberships, actual.memberships, facts));
  append(changes, diffConnects(desired.grants, actual.grants, facts));
  return changes;
}

const NOTHING: readonly Change[] = [];
const NOWHERE: readonly string[] = [];

/** @param memberOf which roles one is to be in. */
function diffRole(desired: Role, actual: Role | undefined, facts: DiffFacts, memberOf: (role: string) => readonly string[]): readonly Change[] {
  const role = desired.name;
  const entity = facts.entities.get(role) ?? 'role';
  if (actual === undefined) {
    const { login, inherit, createdb, createrole, bypassrls, connectionLimit, validUntil } = desired;
    const attributes: Attributes = { login, inherit, createdb, createrole, bypassrls, connectionLimit, validUntil };
    const create: Change = { kind: 'create_role', role, entity, attributes, memberOf: memberOf(role) };
    const comment: Change[] = desired.comment === null ? [] : [{ kind: 'set_comment', role, comment: desired.comment }];
    return [create, ...comment, ...diffSettings(desired, undefined)];
  }
  const isOurs = facts.managed.has(role);
  const isSame = ATTRIBUTES.every((name) => desired[name] === actual[name]);
  if (isOurs && isSame && desired.comment === actual.comment && hasSameSettings(desired, actual)) return NOTHING;
  const changes: Change[] = isOurs ? [] : [{ kind: 'adopt_role', role, entity }];
  const attributes = differingAttributes(desired, actual);
  if (!isSame) changes.push({ kind: 'alter_role', role, entity, attributes });
  if (desired.comment !== actual.comment) changes.push({ kind: 'set_comment', role, comment: desired.comment });
  if (!hasSameSettings(desired, actual)) changes.push(...diffSettings(desired, actual));
  return changes;
}

/** Sure for the very same, and for none at all. */
const hasSameSettings = (desired: Role, actual: Role): boolean => desired.settings === actual.settings || desired.settings.size + actual.settings.size === 0;

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
  const wanted = createByTwo<ConnectGrant[]>();
  for (const want of desired) wanted.set(want.object.name, want.grantee, []);
  const extra: ConnectGrant[] = [];
  for (const row of actual) (wanted.get(row.object.name, row.grantee) ?? extra).push(row);
  const owns = ({ object, grantee }: ConnectGrant): boolean => willOwn.get(object.name) === grantee;
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
  const changes = extra.filter((row) => !additive.has(row.grantee) && !owns(row)).map((row) => revoke(row, false));
  for (const want of desired) {
    if (owns(want)) continue;
    const rows = wanted.get(want.object.name, want.grantee) ?? [];
    if (rows.length === 0 || (want.grantable && rows.every((row) => !row.grantable)))
      changes.push({
        kind: 'grant_privilege',
        ...base(want),
        grantable: want.grantable,
        as: acting.onDatabase(want.object.name, willOwn.get(want.object.name)),
      });
    for (const row of rows) if (row.grantable && !want.grantable && !additive.has(row.grantee)) changes.push(revoke(row, true));
  }
  return changes;
}
