// Transactions: how each begins. Everything is SET LOCAL, so that nothing is left in a session that a pooler may hand to somebody else.
import { APPLYING } from '../core/triggers/trigger-names.ts';

export interface Timeouts {
  /** Seconds. */
  readonly statementTimeout: number;
  /** Seconds. */
  readonly lockTimeout: number;
}

const milliseconds = (seconds: number): number => Math.max(1, Math.round(seconds * 1000));

/** BEGIN with the pinned search_path and the deadlines of a polite guest. */
export const beginSql = (timeouts: Timeouts, mode = 'READ COMMITTED READ WRITE'): string =>
  [
    `BEGIN ISOLATION LEVEL ${mode}`,
    `SET LOCAL search_path = pg_catalog, pg_temp`,
    // What we change ourselves wakes nobody.
    `SET LOCAL ${APPLYING} = 'on'`,
    `SET LOCAL lock_timeout = ${milliseconds(timeouts.lockTimeout)}`,
    `SET LOCAL statement_timeout = ${milliseconds(timeouts.statementTimeout)}`,
    `SET LOCAL idle_in_transaction_session_timeout = ${milliseconds(timeouts.statementTimeout)}`,
  ].join('; ');
