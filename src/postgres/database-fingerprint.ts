// The fingerprint of one database: a small query whose answer changes whenever something does that a plan for it depends on.
import type pg from 'pg';
import { IN_DATABASES, type StoredKind } from '../sql/stored.ts';
import { SAME_START } from './digest.ts';
import { rowsDigest } from './fingerprint.ts';
import { pinnedRows } from './query.ts';

const xmins = (catalog: string, where = 'true'): string => rowsDigest('o.oid::bigint', `pg_catalog.${catalog} o WHERE ${where}`);

/** What initdb made is as it was for as long as it has no ACL: where that is most of the rows, an ACL is all that is read of it. */
const madeHere = (oid: string, acl: string): string => `(${oid} >= 16384 OR ${acl} IS NOT NULL)`;

function digestOf({ kind, catalog, rows = catalog, namespace, acl, compared }: StoredKind, columns: boolean): string {
  if (kind === 'column')
    return rowsDigest(
      '(attrelid::bigint << 12) # attnum::bigint',
      `pg_catalog.pg_attribute WHERE ${columns ? `attnum > 0 AND ${madeHere('attrelid', 'attacl')}` : 'attacl IS NOT NULL'}`,
    );
  if (kind === 'table') return xmins(rows, `(${compared} OR ${acl} IS NOT NULL)`);
  return xmins(rows, namespace === undefined ? 'true' : madeHere('o.oid', acl));
}

/**
 * One small query whose answer changes whenever something does that a plan for this database depends on. Every UPDATE gives a row a new
 * xmin, so no ACL has to be read; rows of columns are looked at where they can have one.
 */
export const FINGERPRINT = ({ columns, database, definers }: DatabaseFingerprintFacts): string =>
  `SELECT pg_catalog.concat_ws('|', ${[
    // Before 15 asking for one statistic has those of all tables written and read.
    `CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 150000 THEN ${SAME_START} END`,
    ...IN_DATABASES.map((stored) => digestOf(stored, columns)),
    ...['pg_default_acl', 'pg_extension', 'pg_event_trigger'].map((catalog) => xmins(catalog)),
    // Its own ACL is read only for guardrails; whoever asks for the server's fingerprint sees that one as well.
    ...(database ? [rowsDigest('oid::bigint', 'pg_catalog.pg_database WHERE datname = pg_catalog.current_database()')] : []),
    // What a view reads.
    ...(definers ? [xmins('pg_rewrite', 'o.oid >= 16384')] : []),
    // The table itself is for superusers alone.
    `(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashint8extended(srvid::bigint, umid::bigint))) FROM pg_catalog.pg_user_mappings WHERE umuser = 0)`,
    rowsDigest(
      '(classid::bigint << 32) # objid::bigint',
      `pg_catalog.pg_depend WHERE refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND deptype = 'e'`,
    ),
  ].join(', ')})`;

/** What a fingerprint looks at beside what every one does; two compare only under the same facts. */
export interface DatabaseFingerprintFacts {
  readonly columns: boolean;
  /** The row of the database itself. */
  readonly database: boolean;
  /** The rules of views. */
  readonly definers?: boolean;
}

/** The fingerprint of the session's database. */
export async function databaseFingerprint(client: pg.ClientBase, facts: DatabaseFingerprintFacts): Promise<string> {
  return String((await pinnedRows(client, FINGERPRINT(facts)))[0]?.[0]);
}
