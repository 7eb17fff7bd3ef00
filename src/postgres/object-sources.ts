// What is read of the objects of each kind in a database: their names, owners and ACLs, which of them are compared, and which are read.
import { comparedRows, IN_DATABASES, kindOf, notSystem, rowsOf, schemaOf, type StoredKind } from '../sql/stored.ts';
import { inOids } from './acl-sql.ts';
import { COLUMN_NAME, ROUTINE_NAME } from './object-names.ts';

export interface SourcesRequest {
  /** Those whose privileges are compared. */
  readonly grantees: readonly number[];
  /** Whether all of those are still to be made: then what is read is read again once they are. */
  readonly nobodyYet?: boolean;
  /** Whether rules name columns or large objects: otherwise only those are read that have an ACL. */
  readonly columns: boolean;
  readonly largeObjects: boolean;
}

/** Rows of pg_shdepend `s` that are about this database. */
export const HERE = `s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`;

export const SYSTEM = notSystem('n.nspname');

export interface Source {
  readonly kind: string;
  readonly from: string;
  /** Catalog whose members extensions have. */
  readonly catalog: string;
  readonly schema: string;
  readonly owner: string;
  readonly acl: string;
  /** What json_agg can collect: a text, or the parts of a name as JSON. */
  readonly name: string;
  /** An ACL by which whoever granted this one may have had the grant option; asked for where somebody but the owner granted. */
  readonly around?: string;
  /** An ACL that stands for NULL. */
  readonly fallback: string;
  /** Which of it patterns leave out. */
  readonly apart: string;
  /** What is compared. */
  readonly compared: string;
  /** What of it is read. */
  readonly where?: string;
}

const fallback = (code: string): string => `pg_catalog.acldefault('${code}', g.owner)`;

function sourceOf(stored: StoredKind, request: SourcesRequest): Source {
  const { kind, catalog, namespace, owner, acl, name, code, joined = '', apart = 'false' } = stored;
  return {
    kind: kindOf(stored),
    from: `${rowsOf(stored)} ${joined}`.trimEnd(),
    catalog,
    schema: namespace === undefined ? `''` : 'n.nspname',
    owner,
    acl,
    name: kind === 'function' ? ROUTINE_NAME : name,
    fallback: kind === 'table' ? `pg_catalog.acldefault(CASE WHEN g.kind = 'sequence' THEN 's' ELSE 'r' END::"char", g.owner)` : fallback(code),
    apart,
    compared: comparedRows(stored),
    // Anybody may make millions, each with an ACL: where no rule names any, only those are read in which somebody of ours stands.
    ...(kind === 'large_object' && !request.largeObjects ? { where: `${acl} IS NOT NULL AND o.oid IN (${namedIn(catalog, request.grantees)})` } : {}),
  };
}

/** They stand with their tables. */
const columnsOf = (table: StoredKind, request: SourcesRequest): Source => ({
  kind: `'column'`,
  from: `pg_catalog.pg_attribute a JOIN pg_catalog.pg_class o ON o.oid = a.attrelid ${schemaOf(table)}`,
  catalog: table.catalog,
  schema: 'n.nspname',
  owner: table.owner,
  acl: 'a.attacl',
  around: `CASE WHEN a.attacl IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.aclexplode(a.attacl || '{}'::pg_catalog.aclitem[]) y WHERE y.grantor <> ${table.owner}) THEN ${table.acl} END`,
  name: COLUMN_NAME,
  // Not '{}': an array without dimensions is no ACL.
  fallback: fallback('c'),
  apart: 'false',
  compared: `o.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND ${SYSTEM}`,
  where: request.columns ? 'true' : 'a.attacl IS NOT NULL',
});

/** What is read of a database, in the order of its queries. */
export const objectSources = (request: SourcesRequest): readonly Source[] =>
  IN_DATABASES.map((stored) => (stored.kind === 'column' ? columnsOf(stored, request) : sourceOf(stored, request)));

/** OIDs of objects of a catalog in whose ACLs they stand, by an index instead of a look at each ACL. */
const namedIn = (catalog: string, grantees: readonly number[]): string =>
  `SELECT s.objid FROM pg_catalog.pg_shdepend s WHERE ${HERE} AND s.deptype = 'a' AND s.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass
      AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND ${inOids('s.refobjid', grantees)}`;
