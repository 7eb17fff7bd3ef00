// Encodings: in which databases the name of a role means that role. The server keeps it as bytes, and each database reads them in its own encoding.
import type { Catalog } from '../model/catalog.ts';
import { type Change, databaseOf } from '../changes/change.ts';
import { definitionOf } from '../changes/table.ts';

/** In SQL_ASCII nothing is converted: there a name has the bytes that we send, which are UTF-8. */
const read = (encoding: string): string => (encoding === 'SQL_ASCII' ? 'UTF8' : encoding);

/** Letters of ASCII are the same bytes in every encoding that a database can have. */
// oxlint-disable-next-line no-control-regex
const isAscii = (name: string): boolean => /^[\0-\x7f]*$/.test(name);

/**
 * A function that answers whether a role is called in this database as in ours. Where it is not, its name is that of nobody or, as `Ã©` in LATIN1
 * has the bytes of `é` in UTF-8, of somebody else.
 */
export function namingOf({ server, databases }: Pick<Catalog, 'server' | 'databases'>): (role: string, database: string) => boolean {
  const ours = read(server.encoding);
  return (role, database) => isAscii(role) || read(databases.get(database)?.encoding ?? server.encoding) === ours;
}

/** The first role of a change that its database calls otherwise than ours; undefined where there is none. */
export function misnamedIn(change: Change, catalog: Pick<Catalog, 'server' | 'databases'>): string | undefined {
  const database = databaseOf(change);
  if (database === '') return undefined;
  const isNamed = namingOf(catalog);
  const lent = catalog.server.superuser ? [] : [catalog.databases.get(database)?.owner ?? ''];
  return definitionOf(change)
    .names?.(change, lent)
    .find((role) => !isNamed(role, database));
}
