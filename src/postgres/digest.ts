// Digest: SQL that tells whether a row was written since it was read, by which transaction wrote it last.
import { randomBytes } from 'node:crypto';

/** For the life of this process. Whoever knew it could choose, of many transactions, those of which the sum is the one from before. */
const KEY = randomBytes(8).readBigInt64BE();

/**
 * SQL: what tells a row of this identity (a bigint) from all that stood in its place; of many rows their sum does. The transaction is the seed: the server folds a
 * bigint before it hashes it, so that put into one number an object that was dropped and made again, each number one more, would often look the same.
 */
export const writtenSql = (identity: string, xmin = 'xmin'): string => `pg_catalog.hashint8extended(${identity}, ${xmin}::text::bigint # '${KEY}'::bigint)`;

/**
 * SQL: equal while a number of a transaction stands for one transaction. The server goes on after a crash of one of its processes, without what was not
 * yet written of transactions that did not wait for it (synchronous_commit = off), and gives their numbers out again. Its statistics begin anew then.
 */
export const SAME_START = `pg_catalog.concat(pg_catalog.pg_postmaster_start_time(), ' ', pg_catalog.pg_is_in_recovery(), ' ', pg_catalog.pg_stat_get_bgwriter_stat_reset_time())`;
