// Locks on the ledger: whoever may write to every table (pg_write_all_data) or maintain them all may lock ours, and is named.
import type pg from 'pg';
import { describeHolder, holdersOf } from './blockers.ts';

/** Row locks of our own sessions on the table that numbers the audit log are everyday; those of others are in the way like whole tables. */
const LOCKS = `h.relation IN (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relnamespace = pg_catalog.to_regnamespace('pgsteward'))
  AND h.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
  AND h.mode NOT IN ('AccessShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity s WHERE s.pid = h.pid AND s.usename = session_user)`;
const MOST = 3;

/**
 * Does the work in a session of the admin database; where it waited in vain, the failure also says who has locked the ledger.
 * @throws what the work throws.
 */
export async function namingLedgerLocks<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && (error as { readonly code?: unknown }).code === '55P03') {
      await client.query('ROLLBACK').catch(() => undefined);
      const holders = await holdersOf(client, LOCKS).catch(() => []);
      if (holders.length > 0) error.message += `; the ledger is locked by ${holders.slice(0, MOST).map(describeHolder).join(' and ')}`;
    }
    throw error;
  }
}
