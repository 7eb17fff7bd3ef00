// The fingerprint: one small query whose answer changes whenever a row that a plan depends on does.
import type pg from 'pg';
import { pinnedRows } from './query.ts';
import { grantedQuery, sessionQuery } from './read-catalog.ts';

const xmin = 'xmin::text::bigint';

/**
 * The seed is the row's xmin: the hash of a bigint folds its halves into one another, and a new row can have the same
 * folded value as the one that it replaces.
 */
const sum = (expression: string, from: string): string =>
  `(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashint8extended(${expression}, ${xmin}))) FROM ${from})`;

/** What can be read for a fingerprint; two fingerprints compare only under the same facts. */
export interface FingerprintFacts {
  readonly readsVerifiers: boolean;
  readonly ledger: boolean;
  readonly major: number;
  /** Those whose privileges are compared, in whichever database they hold some. */
  readonly declaring: readonly string[];
  /** Databases that have fingerprints of their own. */
  readonly read: readonly string[];
  /** OIDs of the roles whose sessions matter: when one of them ends, there is something to do. */
  readonly counted: readonly number[];
}

/**
 * The fingerprint of roles, memberships, settings, comments, databases and the ledger. Every UPDATE gives a row a new xmin, so the rows need
 * not be read themselves; pg_authid's can be seen by whoever may read it, others hash the rows of pg_roles.
 */
export async function fingerprint(client: pg.ClientBase, facts: FingerprintFacts): Promise<string> {
  const roles = facts.readsVerifiers
    ? sum(`(oid::bigint << 32) # ${xmin}`, 'pg_catalog.pg_authid')
    : `(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(r::text, 0::bigint))) FROM pg_catalog.pg_roles r)`;
  const parts = [
    'pg_catalog.pg_postmaster_start_time()',
    'pg_catalog.pg_is_in_recovery()',
    roles,
    sum(`(((roleid::bigint << 32) # member::bigint) # (grantor::bigint << 16)) # (${xmin} << 8)`, 'pg_catalog.pg_auth_members'),
    sum(`((setdatabase::bigint << 32) # setrole::bigint) # (${xmin} << 8)`, 'pg_catalog.pg_db_role_setting'),
    sum(`(oid::bigint << 32) # ${xmin}`, 'pg_catalog.pg_database'),
    sum(`(oid::bigint << 32) # ${xmin}`, 'pg_catalog.pg_tablespace'),
    ...(facts.major < 15 ? [] : [sum(`(oid::bigint << 32) # ${xmin}`, 'pg_catalog.pg_parameter_acl')]),
    sum(`(objoid::bigint << 32) # ${xmin}`, "pg_catalog.pg_shdescription WHERE classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass"),
    ...(facts.declaring.length === 0
      ? []
      : [`(SELECT pg_catalog.string_agg(g.datname, '/' ORDER BY g.datname) FROM (${grantedQuery(facts.declaring, facts.read)}) g)`]),
    ...(facts.counted.length === 0 ? [] : [`(SELECT pg_catalog.sum(s.count) FROM (${sessionQuery(facts.counted)}) s)`]),
    ...(facts.ledger ? [sum(`(oid::bigint << 32) # ${xmin}`, 'pgsteward.managed_role')] : []),
  ];
  return String((await pinnedRows(client, `SELECT pg_catalog.concat_ws('|', ${parts.join(', ')})`))[0]?.[0]);
}
