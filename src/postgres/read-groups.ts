// All objects of a database with their ACLs, grouped on the server by what they have in common, as what a role may do is folded from.
import type pg from 'pg';
import type { SecurableGroup } from '../explain/what-can.ts';
import type { ObjectKind } from '../model/kinds.ts';
import { codeOf, comparedRows, IN_DATABASES, kindOf, notSystem, rowsOf, sharedKinds, type StoredKind } from '../sql/stored.ts';
import { query, type Row } from './query.ts';
import { allEntries, entriesFrom } from './securable-sql.ts';

const nameOf = ({ kind, name }: StoredKind): string =>
  kind === 'function' ? `${name} || '(' || pg_catalog.oidvectortypes(o.proargtypes) || ')'` : `${name}::text`;

/** One row for each ACL of a kind, schema and owner. */
const grouped = (stored: StoredKind): string =>
  `SELECT g.kind, g.schema, pg_catalog.pg_get_userbyid(g.owner), g.acl IS NULL, g.names, ${allEntries('coalesce(g.acl, pg_catalog.acldefault(g.code, g.owner))')}
    FROM (SELECT ${kindOf(stored)}::text AS kind, ${stored.namespace === undefined ? `''` : 'n.nspname'}::text AS schema, ${stored.owner} AS owner, ${stored.acl} AS acl,
      ${codeOf(stored)}::"char" AS code, pg_catalog.json_agg(${nameOf(stored)}) AS names FROM ${rowsOf(stored)} ${stored.joined ?? ''} WHERE ${comparedRows(stored)} GROUP BY 1, 2, 3, 4, 5) g`;

/** Columns are told only where they have an ACL of their own. */
const COLUMNS = `SELECT 'column', g.schema, pg_catalog.pg_get_userbyid(g.owner), false, g.names, ${allEntries('g.acl')}
  FROM (SELECT n.nspname::text AS schema, o.relowner AS owner, a.attacl AS acl, pg_catalog.json_agg(o.relname || '.' || a.attname) AS names
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class o ON o.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND ${notSystem('n.nspname')} GROUP BY 1, 2, 3) g`;

/** What is in this database, in the transaction that has begun; nothing of the server's own schemas. */
export const readGroups = (client: pg.ClientBase): Promise<readonly SecurableGroup[]> =>
  groupsOf(client, [...IN_DATABASES.filter(({ kind }) => kind !== 'column').map(grouped), COLUMNS]);

/** What is in no database. */
export const readSharedGroups = (client: pg.ClientBase, major: number): Promise<readonly SecurableGroup[]> => groupsOf(client, sharedKinds(major).map(grouped));

async function groupsOf(client: pg.ClientBase, statements: readonly string[]): Promise<readonly SecurableGroup[]> {
  return (await query(client, statements.join(';\n'))).flat().map(groupOf);
}

function groupOf([kind, schema, owner, untouched, names, entries]: Row): SecurableGroup {
  const all = names as readonly string[];
  const object = {
    kind: kind as ObjectKind,
    name: all[0] ?? '',
    owner: owner as string,
    untouched: untouched as boolean,
    entries: entriesFrom(entries),
    columns: new Map(),
    isCatalog: false,
  };
  return { schema: schema as string, object, names: all };
}
