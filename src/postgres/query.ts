// One message, many statements: the rows of each, as arrays.
import type pg from 'pg';

export type Row = readonly unknown[];

/** Runs the statements of a text in one round trip; the rows of each statement, in order. */
export async function query(client: pg.ClientBase, text: string): Promise<Row[][]> {
  const result: unknown = await client.query({ text, rowMode: 'array' });
  return (Array.isArray(result) ? result : [result]).map((one: { rows: Row[] }) => one.rows);
}
