// What makes a role too strong to be handed out: what it is itself, and what it reaches through its memberships.
import { type Catalog, isSameRole } from '../../model/catalog.ts';
import { isLoginMarker, platformOf } from './platform-roles.ts';
import { leavesTheServer, nearestOf, reachOf } from '../../model/reach.ts';

export interface PowerOptions {
  /** The role that we log in as, also where SET ROLE makes it act as another. */
  readonly adminLogin: string;
  readonly protectedRoles: ReadonlySet<string>;
  /** Roles that the operator allows by name, for adoption and for membership. */
  readonly allowedRoles: ReadonlySet<string>;
}

/** The last three answer with what is said of the role, or undefined where there is nothing to say. */
export interface Power {
  readonly isAdmin: (name: string) => boolean;
  /** Recorded as ours, and still the very role that was recorded. */
  readonly isOurs: (name: string) => boolean;
  /** Why nobody may touch it, whosoever it is. */
  readonly protectedReason: (name: string) => string | undefined;
  /** What a role that is not protected itself would give to whoever holds it, beyond what a document may hand out. */
  readonly powerReason: (name: string) => string | undefined;
  /** What makes a role stronger than users are, itself or by a membership. */
  readonly strength: (name: string) => string | undefined;
}

export function powerOf(catalog: Catalog, options: PowerOptions): Power {
  const { roles } = catalog.cluster;
  const isAdmin = (name: string): boolean => name === catalog.server.admin || name === options.adminLogin;
  const isOurs = (name: string): boolean => {
    const role = catalog.managed.get(name);
    return role !== undefined && isSameRole(role, catalog);
  };
  const platformReason = (name: string): string | undefined => {
    const platform = platformOf(name, (role) => roles.has(role));
    return platform === undefined ? undefined : `it belongs to the platform (${platform})`;
  };
  const protectedReason = (name: string): string | undefined => {
    if (isAdmin(name)) return 'it is the role that pgsteward itself works as';
    if (options.protectedRoles.has(name)) return 'PROTECTED_ROLES names it';
    const role = roles.get(name);
    if (role?.superuser === true) return 'it is a superuser';
    if (role?.replication === true) return 'it has the REPLICATION attribute';
    return platformReason(name);
  };
  const facts = { catalog, options, isAdmin, isOurs, platformReason, protectedReason };
  return { isAdmin, isOurs, protectedReason, powerReason: powerReasonOf(facts), strength: strengthOf(facts) };
}

interface Facts extends Pick<Power, 'isAdmin' | 'isOurs' | 'protectedReason'> {
  readonly catalog: Catalog;
  readonly options: PowerOptions;
  readonly platformReason: (name: string) => string | undefined;
}

function powerReasonOf({ catalog, options, isOurs, protectedReason }: Facts): Power['powerReason'] {
  const { roles, memberships } = catalog.cluster;
  const adminsOwn = rolesOfAdmin(catalog, (name) => isOurs(name) && catalog.managed.get(name)?.origin === 'created');
  /** What a role by itself has beyond what a document may hand out, as it is said of it. */
  const ownPower = (name: string): string | undefined => {
    if (leavesTheServer(name)) return `reaches the server's files or programs`;
    const role = roles.get(name);
    if (role?.createrole === true) return 'can create roles';
    return role?.bypassrls === true ? 'bypasses row security' : undefined;
  };
  const isPassed = (name: string): boolean => options.allowedRoles.has(name) || isLoginMarker(name);
  const isPower = (name: string): boolean => !isPassed(name) && (ownPower(name) !== undefined || adminsOwn.has(name) || protectedReason(name) !== undefined);
  const nearestPower = once(() => nearestOf(memberships, isPower));
  return (name) => {
    const own = ownPower(name);
    if (own !== undefined) return `it ${own}`;
    if (adminsOwn.has(name)) return `pgsteward's own role is a member of it`;
    const reached = nearestPower()(name);
    if (reached === undefined || reached === name) return undefined;
    const reason = leavesTheServer(reached) ? undefined : protectedReason(reached);
    if (reason !== undefined) return `it is a member of ${reached}, and ${reason.replace(/^it /, 'that ')}`;
    const power = ownPower(reached);
    return power === undefined ? `pgsteward's own role is a member of ${reached}, as it is itself` : `it ${power} through its membership in ${reached}`;
  };
}

function strengthOf({ catalog, isAdmin, platformReason }: Facts): Power['strength'] {
  const { roles, memberships } = catalog.cluster;
  /** What makes a role by itself stronger than users are, as it is said of it. */
  const ownStrength = (name: string): string | undefined => {
    if (isAdmin(name)) return 'is the role that pgsteward itself works as';
    const role = roles.get(name);
    const attribute = (['superuser', 'replication', 'createrole', 'bypassrls'] as const).find((one) => role?.[one] === true);
    if (attribute !== undefined) return `has the attribute ${attribute.toUpperCase()}`;
    return name.startsWith('pg_') ? 'is a predefined role' : platformReason(name)?.replace(/^it /, '');
  };
  const nearestStrength = once(() => nearestOf(memberships, (name) => ownStrength(name) !== undefined));
  return (name) => {
    const reached = nearestStrength()(name);
    const reason = reached === undefined ? undefined : ownStrength(reached);
    if (reason === undefined) return undefined;
    return reached === name ? `it ${reason}` : `it is a member of ${reached}, which ${reason}`;
  };
}

/**
 * What our admin can do by its memberships, and whoever is a member of the same roles can as well. What it only administers (ADMIN without
 * INHERIT and SET, as of every role that it makes from 16 on), what it granted itself, and roles that we made give nobody any of its power.
 * A superuser has nothing by memberships.
 */
const rolesOfAdmin = (catalog: Catalog, isMade: (role: string) => boolean): ReadonlySet<string> =>
  new Set([...reachOfAdmin(catalog)].filter((role) => role !== catalog.server.admin && !isMade(role)));

/** By way of which roles our admin has what it can do, itself included: also of those that we made. */
export function reachOfAdmin({ cluster, server }: Pick<Catalog, 'cluster' | 'server'>): ReadonlySet<string> {
  if (server.superuser) return new Set();
  const counting = cluster.memberships.filter((row) => (row.inherit || row.set) && !(row.member === server.admin && row.grantor === server.admin));
  return reachOf(counting, server.admin);
}

/** What is found when somebody asks for it, and kept. */
function once<T>(find: () => T): () => T {
  let found: { readonly value: T } | undefined;
  return () => (found ??= { value: find() }).value;
}
