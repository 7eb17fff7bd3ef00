// Acting: as which role a statement about somebody's object has to run, and whether our admin can be that role.
import type { Inability } from '../ability.ts';
import type { Catalog } from '../catalog.ts';
import { identifier } from '../sql-text.ts';

/** Owns what belongs to «whoever owns the database»; nobody can SET ROLE to it, but the database's owner has its rights. */
const DATABASE_OWNER = 'pg_database_owner';

export interface Acting {
  /** The role to SET before a statement that needs the rights of `owner`; undefined where our own rights suffice. */
  readonly as: (owner: string, database: string) => string | undefined;
  /** The same for a grant on a database itself, where a grant option of ours is enough. */
  readonly onDatabase: (name: string) => string | undefined;
  /** The role to SET before a REVOKE of what `grantor` granted on an object of `owner`. */
  readonly asGrantor: (grantor: string, owner: string, database: string) => string | undefined;
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
  const { server, cluster, databases } = catalog;
  const inherited = closure(catalog, (row) => (server.major >= 16 ? row.inherit : cluster.roles.get(row.member)?.inherit === true));
  const settable = closure(catalog, (row) => row.set);
  const ownerOf = (owner: string, database: string): string => (owner === DATABASE_OWNER ? (databases.get(database)?.owner ?? owner) : owner);
  const as = (owner: string, database: string): string | undefined => {
    const role = ownerOf(owner, database);
    return server.superuser || inherited.has(role) ? undefined : role;
  };
  return {
    as,
    onDatabase: (name) => {
      const facts = databases.get(name);
      const role = as(facts?.owner ?? '', name);
      return role !== undefined && !settable.has(role) && facts?.mayGrant === true ? undefined : role;
    },
    asGrantor: (grantor, owner, database) => {
      if (grantor === owner || ownerOf(grantor, database) === ownerOf(owner, database)) return as(owner, database);
      // A REVOKE by somebody other than the grantor succeeds and does nothing.
      return grantor === server.admin && !server.superuser ? undefined : grantor;
    },
    inability: (role) =>
      server.superuser || settable.has(role)
        ? undefined
        : {
            reason: `${server.admin} cannot act as ${role}`,
            sql: `GRANT ${identifier(role)} TO ${identifier(server.admin)}${server.major >= 16 ? ' WITH INHERIT TRUE, SET TRUE' : ''}`,
          },
  };
}

function closure({ server, cluster }: Catalog, counts: (row: Catalog['cluster']['memberships'][number]) => boolean): ReadonlySet<string> {
  const granted = new Map<string, string[]>();
  for (const row of cluster.memberships) {
    if (!counts(row)) continue;
    const roles = granted.get(row.member);
    if (roles === undefined) granted.set(row.member, [row.role]);
    else roles.push(row.role);
  }
  const reached = new Set([server.admin]);
  // A Set's iteration also visits what is added while it runs.
  for (const role of reached) for (const next of granted.get(role) ?? []) reached.add(next);
  return reached;
}
