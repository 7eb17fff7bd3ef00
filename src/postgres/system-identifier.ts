// The server's own identifier, by which a copy made by dump and restore, or by pg_upgrade, is known to be another server.
import type pg from 'pg';
import { query, type Row } from './query.ts';

/** SQL: the identifier, or NULL where we may not ask for it. It is made by initdb; standbys, snapshots and restores to a point in time share it. */
export const IDENTIFIER = `CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
  THEN (SELECT c.system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system() c) END`;

/** Sessions of servers that have the function and refuse to answer it, as platforms without a control file do. */
const refused = new WeakSet<pg.ClientBase>();

/** Deadlines, locks, a session that ends: these say nothing about the function. */
const PASSING = /^(08|40|53|55|57)/;

/**
 * Runs the first message of a reading, with the identifier in it; where the server answers with an error, once more without.
 * @param text the statements, with an expression for the identifier put where it is asked for.
 * @throws whatever the server answers to the message without it.
 */
export async function withIdentifier(client: pg.ClientBase, text: (identifier: string) => string): Promise<Row[][]> {
  if (!refused.has(client))
    try {
      return await query(client, text(IDENTIFIER));
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (typeof code !== 'string' || PASSING.test(code)) throw error;
      await client.query('ROLLBACK');
      refused.add(client);
    }
  return query(client, text('NULL::pg_catalog.text'));
}
