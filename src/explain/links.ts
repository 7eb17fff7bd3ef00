// Memberships as the server follows them: what one gives by itself, and what only after SET ROLE, in every version.
import type { Realm } from './securable.ts';

/** All rows of pg_auth_members of one role and member as one: what any of them gives, it gives. */
export interface Link {
  readonly member: string;
  readonly role: string;
  /** The member has the role's rights by itself. */
  readonly inherit: boolean;
  /** The member may become the role. */
  readonly set: boolean;
}

export interface Links {
  readonly ofMember: ReadonlyMap<string, readonly Link[]>;
  readonly inRole: ReadonlyMap<string, readonly Link[]>;
}

export const DATABASE_OWNER = 'pg_database_owner';

const known = new WeakMap<Realm, Links>();

/** The links of a realm by both of their ends; made once for each. */
export function linksOf(realm: Realm): Links {
  const links = known.get(realm) ?? makeLinks(realm);
  known.set(realm, links);
  return links;
}

function makeLinks({ memberships, roles, major, databaseOwner }: Realm): Links {
  // Below 16 it is the member itself that inherits or does not, from all roles alike and as it is now.
  const inherits = (member: string, byRow: boolean): boolean => (major >= 16 ? byRow : roles.get(member)?.inherit === true);
  const all = [
    ...memberships.map(({ member, role, inherit, set }) => ({ member, role, inherit: inherits(member, inherit), set })),
    // No row says so, and no row can.
    ...(roles.has(DATABASE_OWNER) && roles.has(databaseOwner)
      ? [{ member: databaseOwner, role: DATABASE_OWNER, inherit: inherits(databaseOwner, true), set: true }]
      : []),
  ];
  const ofMember = new Map([...Map.groupBy(all, ({ member }) => member)].map(([member, rows]) => [member, merged(rows)]));
  return { ofMember, inRole: Map.groupBy([...ofMember.values()].flat(), ({ role }) => role) };
}

const merged = (rows: readonly Link[]): readonly Link[] =>
  [...Map.groupBy(rows, ({ role }) => role)].map(([role, same]) => ({
    member: same[0]?.member ?? '',
    role,
    inherit: same.some(({ inherit }) => inherit),
    set: same.some(({ set }) => set),
  }));

/** Those that are reached over links that count, the starts included, each with the link by which it is reached first. */
function walk(starts: Iterable<string>, next: (role: string) => readonly Link[], end: 'role' | 'member', counts: (link: Link) => boolean) {
  const reached = new Map<string, Link | undefined>();
  for (const start of starts) reached.set(start, undefined);
  // A Map's iteration also visits what is added while it runs.
  for (const [at] of reached) for (const link of next(at)) if (counts(link) && !reached.has(link[end])) reached.set(link[end], link);
  return reached;
}

/** The roles whose rights a role has by itself, itself included. */
export const rightsOf = (realm: Realm, role: string): ReadonlyMap<string, Link | undefined> =>
  walk(
    [role],
    (at) => linksOf(realm).ofMember.get(at) ?? [],
    'role',
    ({ inherit }) => inherit,
  );

/** The roles that a role may become, itself included. */
export const guisesOf = (realm: Realm, role: string): ReadonlyMap<string, Link | undefined> =>
  walk(
    [role],
    (at) => linksOf(realm).ofMember.get(at) ?? [],
    'role',
    ({ set }) => set,
  );

/** Everybody from whom links that count lead to one of these, each with the first link of a shortest way there; of the starts themselves with none. */
export const walkBack = (realm: Realm, starts: Iterable<string>, counts: (link: Link) => boolean): ReadonlyMap<string, Link | undefined> =>
  walk(starts, (at) => linksOf(realm).inRole.get(at) ?? [], 'member', counts);
