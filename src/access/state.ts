// What access to a whole server is decided by: its roles and memberships, and every object with its whole ACL, the owners' own entries as well.
import type { Catalog } from '../model/catalog.ts';
import type { Membership, Role } from '../model/cluster.ts';
import { type DefaultAcl, type ObjectGroup, ownName } from '../model/contents.ts';
import type { Beside } from './beside.ts';
import type { Realm } from '../explain/securable.ts';

/** What is in one database: groups and default privileges with every entry. */
export interface DatabaseAccess {
  readonly groups: readonly ObjectGroup[];
  readonly defaults: readonly DefaultAcl[];
  /** Left out where it was not read. */
  readonly beside?: Beside;
}

export interface AccessState {
  readonly major: number;
  /** The server's clock in milliseconds. */
  readonly now: number;
  /** As whom changes are made, and under whom the memberships that it grants are recorded. */
  readonly admin: string;
  readonly grantor: string;
  /** The bootstrap superuser. */
  readonly bootstrap: string;
  readonly roles: ReadonlyMap<string, Role>;
  readonly memberships: readonly Membership[];
  /** Databases, tablespaces and parameters with every entry. */
  readonly shared: readonly ObjectGroup[];
  /** Databases that take no connections. */
  readonly closed: ReadonlySet<string>;
  /** Parameters of the server by lower-case name → pg_settings.context. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Those that were read. */
  readonly databases: ReadonlyMap<string, DatabaseAccess>;
}

/** A state that changes leave, and what of it cannot be known before: a sentence each. */
export interface AfterChanges extends AccessState {
  readonly unknown: readonly string[];
}

/** Who owns a database; empty where there is none of the name. */
const ownerOfDatabase = (shared: readonly ObjectGroup[], database: string): string =>
  shared.find(({ kind, names }) => kind === 'database' && names.some((name) => ownName(name) === database))?.owner ?? '';

/** The roles as one database sees them. */
export const realmIn = ({ major, now, roles, memberships, shared }: AccessState, database: string): Realm => ({
  major,
  now,
  roles,
  memberships,
  databaseOwner: ownerOfDatabase(shared, database),
});

/** What is read of a server, put together. @param databases their contents, with the entries of everybody. */
export function accessState(
  { server, cluster, bootstrap, shared, databases: all, parameters }: Pick<Catalog, 'server' | 'cluster' | 'bootstrap' | 'shared' | 'databases' | 'parameters'>,
  databases: ReadonlyMap<string, DatabaseAccess>,
): AccessState {
  const { major, now, admin, grantor } = server;
  const { roles, memberships } = cluster;
  const closed = new Set([...all.values()].flatMap(({ name, allowsConnections }) => (allowsConnections ? [] : [name])));
  return { major, now, admin, grantor, bootstrap, roles, memberships, shared, closed, parameters, databases };
}
