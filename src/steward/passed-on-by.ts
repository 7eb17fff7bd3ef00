// What those who leave passed on to others: asked for in each database in which something depends on them.
import { type Catalog, type ManagedRole, namesByOid } from '../model/catalog.ts';
import { type HeldThere, passedOnFrom, type PassedOnBy } from '../plan/removal/passed-on.ts';
import { sideBySide } from '../async/side-by-side.ts';
import { describeFailure } from '../postgres/failures.ts';
import { readPassedOn } from '../postgres/read-passed-on.ts';
import type { WithSession } from './database-session.ts';

/** @param sessions so many databases are asked at a time. */
export const passedOnBy = async (leavers: readonly ManagedRole[], catalog: Catalog, withSession: WithSession, sessions: number): Promise<PassedOnBy> =>
  passedOnFrom(await heldFrom(leavers, catalog, withSession, sessions));

/** The same by role and database. */
export async function heldFrom(leavers: readonly ManagedRole[], catalog: Catalog, withSession: WithSession, sessions: number): Promise<readonly HeldThere[]> {
  const places = leavers.flatMap(({ name }) =>
    (catalog.dependencies.get(name) ?? []).flatMap(({ database }) =>
      catalog.databases.get(database)?.allowsConnections === true ? [{ name, database, oid: catalog.oids.get(name) ?? 0 }] : [],
    ),
  );
  if (places.length === 0) return [];
  const nameOf = namesByOid(catalog.oids);
  const { major } = catalog.server;
  const found = await sideBySide(sessions, [...Map.groupBy(places, ({ database }) => database)], async ([database, there]) => {
    const roles = there.map(({ oid }) => oid);
    const read = await withSession(database, (client) => readPassedOn({ client, database, roles, major, nameOf })).catch(describeFailure);
    const said = (why: string): { readonly unreadable: string } => ({ unreadable: `database ${database}: ${why}` });
    return there.map(({ name, oid }): HeldThere => {
      const held = typeof read === 'string' ? { unreadable: read } : (read.get(oid) ?? []);
      return { name, database, held: 'unreadable' in held ? said(held.unreadable) : held };
    });
  });
  return found.flat();
}
