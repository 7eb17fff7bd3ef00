// State: the roles of a server as each of its databases sees them, and what is guarded there.
import type { Realm } from '../explain/securable.ts';
import type { Catalog } from '../model/catalog.ts';
import type { Membership, Role } from '../model/cluster.ts';
import type { GuardedReading } from './guarded.ts';
import type { Rail } from './rails.ts';

export interface GuardState {
  readonly rails: readonly Rail[];
  readonly guarded: ReadonlyMap<string, GuardedReading>;
  readonly databases: Catalog['databases'];
  readonly major: number;
  /** As whom we log in: nobody whom a guardrail is against. */
  readonly admin: string;
  readonly roles: ReadonlyMap<string, Role>;
  readonly memberships: readonly Membership[];
  readonly realmOf: (database: string) => Realm;
}

export function stateOf(
  rails: readonly Rail[],
  guarded: ReadonlyMap<string, GuardedReading>,
  { server, cluster, databases }: Pick<Catalog, 'server' | 'cluster' | 'databases'>,
): GuardState {
  const { roles, memberships } = cluster;
  const { major, admin, now } = server;
  return { rails, guarded, databases, major, admin, roles, memberships, realmOf: realmsOf({ major, roles, memberships, now }, databases) };
}

/** Databases of one owner see the same roles. */
export function realmsOf(roles: Omit<Realm, 'databaseOwner'>, databases: Catalog['databases']): (database: string) => Realm {
  const realms = new Map<string, Realm>();
  return (database) => {
    const databaseOwner = databases.get(database)?.owner ?? '';
    const realm = realms.get(databaseOwner) ?? { ...roles, databaseOwner };
    realms.set(databaseOwner, realm);
    return realm;
  };
}
