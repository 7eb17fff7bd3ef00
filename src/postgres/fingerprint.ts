// The fingerprint: one small query whose answer changes whenever a row that a plan depends on does.
import type pg from 'pg';
import { sharedKinds } from '../sql/stored.ts';
import { SAME_START, writtenSql } from './digest.ts';
import { ledgerGuard } from './ledger-ours.ts';
import { pinnedRows } from './query.ts';
import { sessionQuery } from './read-leaving.ts';
import { FIRST_BY_INDEX, grantedQuery } from './read-shared.ts';

/** Rows by what identifies them and by who wrote them last. */
export const rowsDigest = (key: string, from: string): string =>
  `(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(${writtenSql(key)})) FROM ${from})`;

/** What can be read for a fingerprint; under other facts it is another one, also where nothing is found. */
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
  /** OIDs of the roles that go when they own and hold nothing any longer. Of others it is not asked: there may be a row for each object. */
  readonly leaving: readonly number[];
}

/**
 * The fingerprint of roles, memberships, settings, comments, databases and the ledger. Every UPDATE gives a row a new xmin, so the rows need
 * not be read themselves; pg_authid's can be seen by whoever may read it, others hash the rows of pg_roles.
 */
export async function fingerprint(client: pg.ClientBase, facts: FingerprintFacts): Promise<string> {
  const roles = facts.readsVerifiers
    ? rowsDigest('oid::bigint', 'pg_catalog.pg_authid')
    : `(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(r::text, 0::bigint))) FROM pg_catalog.pg_roles r)`;
  const parts = [
    SAME_START,
    roles,
    rowsDigest('((roleid::bigint << 32) # member::bigint) # (grantor::bigint << 16)', 'pg_catalog.pg_auth_members'),
    rowsDigest('(setdatabase::bigint << 32) # setrole::bigint', 'pg_catalog.pg_db_role_setting'),
    ...sharedKinds(facts.major).map(({ catalog }) => rowsDigest('oid::bigint', `pg_catalog.${catalog}`)),
    rowsDigest('objoid::bigint', "pg_catalog.pg_shdescription WHERE classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass"),
    ...(facts.declaring.length === 0
      ? []
      : [`(SELECT coalesce(pg_catalog.string_agg(g.datname, '/' ORDER BY g.datname), '') FROM (${grantedQuery(facts.declaring, facts.read)}) g)`]),
    ...(facts.counted.length === 0 ? [] : [`(SELECT coalesce(pg_catalog.sum(s.count), 0) FROM (${sessionQuery(facts.counted)}) s)`]),
    ...(facts.leaving.length === 0
      ? []
      : [
          rowsDigest(
            '(dbid::bigint << 32) # objid::bigint',
            `pg_catalog.pg_shdepend WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND refobjid IN (${facts.leaving.join(', ')})`,
          ),
        ]),
    ...(facts.ledger ? [rowsDigest('oid::bigint', 'pgsteward.managed_role')] : []),
  ];
  const select = `${FIRST_BY_INDEX}; SELECT pg_catalog.concat_ws('|', ${parts.join(', ')})`;
  return String((await pinnedRows(client, facts.ledger ? `${ledgerGuard('managed_role')}; ${select}` : select))[0]?.[0]);
}
