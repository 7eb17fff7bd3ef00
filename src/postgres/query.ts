// One message, many statements: the rows of each, as arrays.
import type pg from 'pg';

export type Row = readonly unknown[];

/** Runs the statements of a text in one round trip; the rows of each statement, in order. */
export async function query(client: pg.ClientBase, text: string): Promise<Row[][]> {
  const result: unknown = await client.query({ text, rowMode: 'array' });
  return (Array.isArray(result) ? result : [result]).map((one: { rows: Row[] }) => one.rows);
}

/**
 * The rows of one SELECT. The search_path is pinned, as everywhere: with another one, a function or operator of somebody who may create in
 * the schema public could fit better than the server's own, and run with our rights.
 */
export async function pinnedRows(client: pg.ClientBase, select: string): Promise<Row[]> {
  try {
    return (await query(client, `BEGIN READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp; ${select}; COMMIT`)).at(-2) ?? [];
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
