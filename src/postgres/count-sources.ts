// What is counted in a database before it is read: the objects of each kind, and the entries of their ACLs.
import { readEntries, type Whose } from './acl-sql.ts';
import type { Counted } from './object-count.ts';
import type { Source } from './object-sources.ts';

/** So many entries of ACLs take as much as an object. */
const ENTRIES_PER_OBJECT = 4;

/**
 * Objects of a kind by their ACLs, as they are read: entries come once for all objects of one ACL, and whoever owns objects may give each another one.
 * A function's arguments are sent with it.
 */
function objectsCounted({ kind, from, schema, owner, acl, compared, where = 'true' }: Source, roles: Whose): Counted {
  const entries = readEntries('g.acl', 'g.owner', roles);
  const weight = kind === `'function'` ? 'sum(1 + coalesce(pg_catalog.array_length(o.proallargtypes, 1), o.pronargs) / 4)' : 'count(*)';
  return {
    parts: [{ what: wordsOf(kind) }, { what: `entries in different ACLs of ${wordsOf(kind)}`, per: ENTRIES_PER_OBJECT }],
    sql: `SELECT coalesce(sum(g.objects), 0)::pg_catalog.float8,
        coalesce(sum(CASE WHEN g.acl IS NOT NULL THEN (SELECT count(*) FROM ${entries.from} WHERE ${entries.where}) END), 0)::pg_catalog.float8
      FROM (SELECT ${schema} AS schema, ${owner} AS owner, ${acl} AS acl, ${weight} AS objects FROM ${from} WHERE ${compared} AND ${where} GROUP BY 1, 2, 3) g`,
  };
}

/** Those of default privileges come one by one: there is no group of them. */
function defaultsCounted(roles: Whose): Counted {
  const { from, where } = readEntries('d.defaclacl', 'd.defaclrole', roles);
  return {
    parts: [{ what: 'default privileges' }, { what: 'entries in default privileges', per: ENTRIES_PER_OBJECT }],
    sql: `SELECT count(*)::pg_catalog.float8, coalesce(sum((SELECT count(*) FROM ${from} WHERE ${where})), 0)::pg_catalog.float8 FROM pg_catalog.pg_default_acl d`,
  };
}

const wordsOf = (kind: string): string => (kind.startsWith("'") ? `${kind.slice(1, -1).replaceAll('_', ' ')}s` : 'tables and sequences');

/** What is counted before it is read; an ACL of a schema is read in full. */
export const countedIn = (sources: readonly Source[], roles: Whose): readonly Counted[] => [
  ...sources.map((source) => objectsCounted(source, roles)),
  defaultsCounted(roles),
  {
    parts: [{ what: 'entries in ACLs of schemas' }],
    sql: 'SELECT coalesce(sum(pg_catalog.array_length(nspacl, 1)), 0)::pg_catalog.float8 FROM pg_catalog.pg_namespace WHERE nspacl IS NOT NULL',
  },
];
