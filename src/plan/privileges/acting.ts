// Acting: as which role a statement about somebody's object has to run, and whether our admin can be that role.
import type { Inability } from '../../changes/inability.ts';
import { actAs } from '../../changes/advice.ts';
import type { Catalog } from '../../model/catalog.ts';
import { linksOf, reachOf } from '../../model/reach.ts';

/** Owns what belongs to «whoever owns the database»; nobody can SET ROLE to it, but the database's owner has its rights. */
export const DATABASE_OWNER = 'pg_database_owner';

export interface Acting {
  /** The role to SET before a statement that needs the rights of `owner`; undefined where our own rights suffice. */
  readonly as: (owner: string, database: string) => string | undefined;
  /**
   * The same for a grant on a database itself, where a grant option of ours is enough.
   * @param newOwner who owns it by then, where the plan hands it over: what we may there now, we may no more.
   */
  readonly onDatabase: (name: string, newOwner?: string) => string | undefined;
  /** The role to SET before a REVOKE of what `grantor` granted on an object of `owner`. */
  readonly asGrantor: (grantor: string, owner: string, database: string) => string | undefined;
  /** Whether we can give ourselves the rights of this role for a transaction, and have to (plan/loans.ts). */
  readonly borrows: (role: string) => boolean;
  /** Whether we can make ourselves a member of this role for a transaction, below 16, and have to: to make it the owner of something. */
  readonly joins: (role: string) => boolean;
  /** Why we cannot act as this role; undefined where we can. */
  readonly inability: (role: string) => Inability | undefined;
}

const known = new WeakMap<Catalog, Acting>();

/** Decided from memberships: INHERIT gives the rights of a role, SET allows to become it (16+; before, the member's own INHERIT counts). */
export function actingOf(catalog: Catalog): Acting {
  const acting = known.get(catalog) ?? newActing(catalog);
  known.set(catalog, acting);
  return acting;
}

function newActing(catalog: Catalog): Acting {
  const { server, cluster, databases, managed, oids } = catalog;
  const inherited = closure(catalog, (row) => (server.major >= 16 ? row.inherit : cluster.roles.get(row.member)?.inherit === true));
  const administered = new Set((linksOf(cluster.memberships).ofMember.get(server.admin) ?? []).flatMap((row) => (row.admin ? [row.role] : [])));
  const settable = closure(catalog, (row) => row.set);
  const ownerOf = (owner: string, database: string): string => (owner === DATABASE_OWNER ? (databases.get(database)?.owner ?? owner) : owner);
  const as = (owner: string, database: string): string | undefined => {
    const role = ownerOf(owner, database);
    return server.superuser || inherited.has(role) ? undefined : role;
  };
  /** CREATEROLE may grant every role but superusers there; nobody can be a member of its own members. */
  const joins = (role: string): boolean =>
    server.major < 16 &&
    !server.superuser &&
    server.createrole &&
    role !== '' &&
    !settable.has(role) &&
    cluster.roles.get(role)?.superuser !== true &&
    !reachOf(cluster.memberships, role).has(server.admin);
  /** Made by us: from 16 on we administer such roles, and below nothing says so but the ledger. */
  const isMade = (role: string): boolean => {
    const row = managed.get(role);
    return !cluster.roles.has(role) || (row?.origin === 'created' && row.oid === oids.get(role));
  };
  const borrows = (role: string): boolean => {
    if (server.major < 16) return joins(role) && isMade(role);
    return !server.superuser && role !== '' && !inherited.has(role) && (administered.has(role) || !cluster.roles.has(role));
  };
  return {
    as,
    onDatabase: (name, newOwner) => {
      const facts = databases.get(name);
      if (newOwner !== undefined && newOwner !== facts?.owner) return as(newOwner, name);
      const role = as(facts?.owner ?? '', name);
      return role !== undefined && cluster.roles.has(role) && !settable.has(role) && facts?.mayGrant === true ? undefined : role;
    },
    asGrantor: (grantor, owner, database) => {
      if (grantor === owner || ownerOf(grantor, database) === ownerOf(owner, database)) return as(owner, database);
      // A REVOKE by somebody other than the grantor succeeds and does nothing.
      return grantor === server.admin && !server.superuser ? undefined : grantor;
    },
    joins,
    borrows,
    inability: (role) =>
      // One that is not there yet is made by the plan, and from then on we can become it.
      server.superuser || settable.has(role) || !cluster.roles.has(role) || (server.major < 16 && borrows(role))
        ? undefined
        : {
            reason: `${server.admin} cannot act as ${role}`,
            advice: actAs(role, catalog),
          },
  };
}

function closure({ server, cluster }: Catalog, counts: (row: Catalog['cluster']['memberships'][number]) => boolean): ReadonlySet<string> {
  const { ofMember } = linksOf(cluster.memberships);
  const reached = new Set([server.admin]);
  // A Set's iteration also visits what is added while it runs.
  for (const role of reached) for (const row of ofMember.get(role) ?? []) if (counts(row)) reached.add(row.role);
  return reached;
}
