// Transactions: how each begins. Everything is SET LOCAL, so that nothing is left in a session that a pooler may hand to somebody else.
import { APPLYING } from '../model/trigger-names.ts';
import { LOCAL_PINS } from './pins.ts';

export interface Timeouts {
  /** Seconds. */
  readonly statementTimeout: number;
  /** Seconds. */
  readonly lockTimeout: number;
}

/** For what is asked where nobody has said how long it may take. */
export const SMALL: Timeouts = { statementTimeout: 60, lockTimeout: 5 };

export type TransactionMode = 'READ COMMITTED READ WRITE' | 'REPEATABLE READ READ ONLY';

const milliseconds = (seconds: number): number => Math.max(1, Math.round(seconds * 1000));

/**
 * BEGIN as our login itself, with every parameter pinned and the deadlines of a polite guest. The one way by which a transaction of ours begins:
 * `ALTER DATABASE … SET role`, or another client of our login behind the same pooler, may have made the session somebody else's, and any parameter
 * may have been set on the database, the role or the server. RESET ROLE would go back to that; so nothing of ours says it.
 */
export const beginSql = (timeouts: Timeouts, mode: TransactionMode = 'READ COMMITTED READ WRITE'): string =>
  [
    `BEGIN ISOLATION LEVEL ${mode}, NOT DEFERRABLE`,
    `SET LOCAL ROLE NONE`,
    `SET LOCAL search_path = pg_catalog, pg_temp`,
    `SET LOCAL lock_timeout = ${milliseconds(timeouts.lockTimeout)}`,
    `SET LOCAL statement_timeout = ${milliseconds(timeouts.statementTimeout)}`,
    `SET LOCAL idle_in_transaction_session_timeout = ${milliseconds(timeouts.statementTimeout)}`,
    LOCAL_PINS,
    // What we change ourselves wakes nobody.
    `SET LOCAL ${APPLYING} = 'on'`,
  ].join('; ');
