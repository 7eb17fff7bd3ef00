// Moment: which transactions a server shows as ended. While they are the same ones, nobody has changed a row in any of its databases.
import type pg from 'pg';
import { SAME_START } from './digest.ts';
import { pinnedRows, query } from './query.ts';

/**
 * Whatever changes a row has a transaction number, and numbers are the server's and not a database's. A row is seen by which of them have ended, and the snapshot names
 * just these: all below its first number, and up to its last those that it does not list. So two snapshots that read the same show the same rows everywhere. What is
 * written without a number (a vacuum's counts in the row of a table, hints for later readers) is nothing that a plan depends on.
 * It says nothing of sessions, of settings in files, or of who may log in. The snapshots of a standby, to which what spreads reads over servers may lead, do not list
 * what is still open: there no two moments are the same.
 */
const MOMENT = `SELECT pg_catalog.concat(pg_catalog.pg_current_snapshot(), ' ', ${SAME_START}, CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.clock_timestamp() END)`;

/** Asked each second, so that it takes no more than it has to: names of the server's own alone, which mean the same under any search_path. */
const glanced = async (client: pg.ClientBase, select: string): Promise<string> => String((await query(client, select))[0]?.[0]?.[0]);

/** The moment as of now, at a twentieth of the cost. */
export const glanceOf = (client: pg.ClientBase): Promise<string> => glanced(client, MOMENT);

/** How many sessions these roles (by OID) have: one ends without any transaction. */
export const sessionsOf = (client: pg.ClientBase, oids: readonly number[]): Promise<string> =>
  glanced(
    client,
    `SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_get_activity(NULL) s WHERE s.usesysid OPERATOR(pg_catalog.=) ANY ('{${oids.join(',')}}'::pg_catalog.oid[])`,
  );

/** The moment as of now; taken before something is read, what is read holds for as long as it stays the same. */
export async function momentOf(client: pg.ClientBase): Promise<string> {
  return String((await pinnedRows(client, MOMENT))[0]?.[0]);
}
