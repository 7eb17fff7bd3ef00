// What the document decides about: whose privileges and memberships are as it says, and what is somebody else's.
import { abilityOf } from './ability.ts';
import { type Catalog, isSameRole } from '../model/catalog.ts';
import { type Entity, keyOf } from '../changes/change.ts';
import type { Document } from '../model/entries.ts';
import type { Law } from './law/law.ts';
import { type Cluster, type Membership, membershipKey } from '../model/cluster.ts';
import { isAgreed } from '../model/sources.ts';
import type { PassedOn } from './removal/passed-on.ts';
import type { PlanInput } from './plan-input.ts';
import { actingOf } from './privileges/acting.ts';
import { planDatabase } from './privileges/plan-database.ts';
import { isOursAmong, subjectsOf } from './privileges/subject.ts';

/** By database that the plan hands over, its new owner, as far as is known before it is made. */
export function handedOver(catalog: Catalog, law: Law, { document, adminDatabase, isDeferred }: PlanInput): ReadonlyMap<string, string> {
  const ability = abilityOf(catalog, []);
  const changes = document.databases.flatMap((entry) => planDatabase(entry, catalog, law, adminDatabase).changes);
  return new Map(
    changes.flatMap((change) =>
      change.kind === 'alter_database_owner' && ability(change) === undefined && !isDeferred(keyOf(change)) ? [[change.database, change.owner]] : [],
    ),
  );
}

/** Roles recorded as ours that still are the very roles that were recorded. */
export const oursByOid = (catalog: Catalog): ReadonlySet<string> =>
  new Set([...catalog.managed.values()].filter((role) => isSameRole(role, catalog)).map((role) => role.name));

/** Of whom the document says what they hold and which roles they are in, so that they have it again by somebody else when the one goes who gave it to them. */
export function decisionsOf(input: PlanInput, catalog: Catalog, entities: ReadonlyMap<string, Entity>) {
  const { document, adminDatabase, defaultDatabase } = input;
  const acting = actingOf(catalog);
  const isUser = (name: string): boolean => entities.get(name) === 'user';
  const additive = additiveUsers(document);
  const roles = new Set(document.roles.flatMap((role) => (role.memberOf === undefined ? [] : [role.name])));
  let exact: ((role: string) => boolean) | undefined;
  const decides = ({ grantee, owner = '', database, isConnect }: PassedOn): boolean => {
    if (grantee === undefined || input.revokes === 'report') return false;
    exact ??= isOursAmong(subjectsOf({ document, catalog, adminDatabase, defaultDatabase, isManaged: (role) => entities.has(role) }));
    const as = acting.as(owner, database);
    const mayGrant = as === undefined || acting.inability(as) === undefined;
    return mayGrant && (isUser(grantee) && isConnect ? !additive.has(grantee) : exact(grantee));
  };
  return { decides, decidesRoles: (member: string): boolean => isUser(member) || (roles.has(member) && entities.has(member)) };
}

/** The part of the actual state that the document decides about: its roles, and what its users hold. */
export function managedPart(
  actual: Cluster,
  document: Document,
  entities: ReadonlyMap<string, Entity>,
  tolerated: ReadonlySet<string>,
  isTakenBack: (row: Membership) => boolean,
): Cluster {
  const isUser = (name: string): boolean => entities.get(name) === 'user';
  const declared = new Set(document.roles.flatMap((role) => (role.memberOf !== undefined && entities.has(role.name) ? [role.name] : [])));
  return {
    roles: actual.roles,
    memberships: actual.memberships.filter(
      (row) => (isUser(row.member) || declared.has(row.member) || isTakenBack(row)) && !tolerated.has(membershipKey(row.role, row.member)),
    ),
    grants: actual.grants.filter((row) => isUser(row.grantee)),
  };
}

/**
 * Memberships of authors in roles of others that are not agreed on any more: whatever their entries say, and whether they say anything, these are revoked.
 * Those that somebody else granted are that one's.
 */
export function takenBack({ managed, server }: Pick<Catalog, 'managed' | 'server'>, { sources }: Document): (row: Membership) => boolean {
  if (sources === undefined) return () => false;
  return ({ role, member, grantor }) => {
    // Of one that is not recorded as the author's nothing was granted for it.
    const source = managed.get(member)?.source;
    if (source === undefined || !sources.authors.has(source) || grantor !== server.grantor) return false;
    return !isAgreed(role, source, sources) && !sources.undecided.has(role) && (sources.claims.get(role) ?? managed.get(role)?.source) !== source;
  };
}

/** Users that keep what the document does not say. */
export const additiveUsers = (document: Document): ReadonlySet<string> =>
  new Set(document.users.flatMap((user) => (user.additive === true ? [user.username] : [])));
