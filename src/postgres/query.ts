// One message, many statements: the rows of each, as arrays.
import type pg from 'pg';

export type Row = readonly unknown[];

/** Runs the statements of a text in one round trip; the rows of each statement, in order. */
export async function query(client: pg.ClientBase, text: string): Promise<Row[][]> {
  const result: unknown = await client.query({ text, rowMode: 'array' });
  return (Array.isArray(result) ? result : [result]).map((one: { rows: Row[] }) => one.rows);
}

/**
 * The one value of a query. The search_path is pinned, as everywhere: with another one, a function or operator of somebody who may create in
 * the schema public could fit better than the server's own, and run with our rights.
 */
export async function pinnedValue(client: pg.ClientBase, select: string): Promise<string> {
  try {
    const rows = await query(client, `BEGIN READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp; ${select}; COMMIT`);
    return String(rows.at(-2)?.[0]?.[0]);
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
