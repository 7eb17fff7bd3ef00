// Loans: from 16 on, being able to become a role is not having its rights. Our admin takes the former alone (SET without INHERIT), and what needs the
// latter has them for its own transaction, in which nobody else sees them. Below 16 it has neither of the roles that it makes, and joins them for that long.
import { type Catalog, isSameRole } from '../model/catalog.ts';
import type { Change } from '../changes/change.ts';
import { definitionOf } from '../changes/table.ts';
import { linksOf } from '../model/reach.ts';
import type { Whose } from '../model/sources.ts';
import { actingOf } from './privileges/acting.ts';
import { identifier, type Sql, sql } from '../sql/sql-text.ts';

/** Statements around those of some changes, in their transaction. */
export interface Loans {
  readonly before: readonly Sql[];
  readonly after: readonly Sql[];
}

/**
 * A function that answers what has to be said around changes; nothing for a superuser.
 * @param plan everything that is done: databases that it makes or hands over belong to somebody else by the time that they are worked in.
 */
export function loansOf(catalog: Catalog, plan: readonly Change[]): (changes: readonly Change[]) => Loans {
  const { server, cluster } = catalog;
  const acting = actingOf(catalog);
  /** Roles with a membership of our own making; those that the plan makes get one as they are made. */
  const own = linksOf(cluster.memberships).ofMember.get(server.admin) ?? [];
  const kept = new Set(own.flatMap((row) => (row.grantor === server.admin ? [row.role] : [])));
  const owners = new Map(
    plan.flatMap((change) => (change.kind === 'create_database' || change.kind === 'alter_database_owner' ? [[change.database, change.owner ?? '']] : [])),
  );
  const ownerOf = (database: string): string => owners.get(database) ?? catalog.databases.get(database)?.owner ?? '';
  return (changes) => {
    const needed = new Set(changes.flatMap((change) => definitionOf(change).rights?.(change, ownerOf) ?? []));
    if (server.major < 16) {
      const newOwners = new Set(changes.flatMap(newOwnerOf));
      const joined = [...new Set([...needed, ...newOwners, ...changes.flatMap(actorsOf)])].filter(
        (role) => acting.borrows(role) || (newOwners.has(role) && acting.joins(role)),
      );
      const gone = new Set(changes.flatMap((change) => (change.kind === 'drop_role' ? [change.role] : [])));
      return {
        before: joined.map((role) => sql`GRANT ${identifier(role)} TO CURRENT_USER`),
        after: joined.filter((role) => !gone.has(role)).map((role) => sql`REVOKE ${identifier(role)} FROM CURRENT_USER`),
      };
    }
    const borrowed = [...needed].filter((role) => acting.borrows(role));
    const dropped = new Set(changes.flatMap((change) => (change.kind === 'drop_role' ? [change.role] : [])));
    return {
      before: borrowed.map((role) => sql`GRANT ${identifier(role)} TO CURRENT_USER WITH INHERIT TRUE`),
      after: borrowed
        .filter((role) => !dropped.has(role))
        .map((role) =>
          kept.has(role) || !cluster.roles.has(role)
            ? sql`REVOKE INHERIT OPTION FOR ${identifier(role)} FROM CURRENT_USER`
            : sql`REVOKE ${identifier(role)} FROM CURRENT_USER`,
        ),
    };
  };
}

/**
 * Memberships that our admin granted to itself, in roles that it made for the document, with the rights of the role: none that it made since
 * it asks for less.
 */
export function surplusRights(catalog: Catalog, whose: Whose, leaving: ReadonlySet<string>): Change[] {
  const { server, cluster, managed } = catalog;
  if (server.superuser || server.major < 16) return [];
  return (linksOf(cluster.memberships).ofMember.get(server.admin) ?? []).flatMap((row): Change[] => {
    const role = managed.get(row.role);
    const isOwn = row.grantor === server.admin && row.inherit;
    const isMade = role !== undefined && whose.has(role.source) && role.origin === 'created' && isSameRole(role, catalog);
    return isOwn && isMade && !leaving.has(row.role) ? [{ kind: 'stop_inheriting', role: row.role }] : [];
  });
}

/** Whoever hands something over has to be a member of whom it goes to. */
export function newOwnerOf(change: Change): readonly string[] {
  const owner = definitionOf(change).newOwner?.(change);
  return owner === undefined ? [] : [owner];
}

/** As whom the statements of a change run. */
const actorsOf = (change: Change): readonly string[] => definitionOf(change).actors?.(change) ?? [];
