// One message, many statements: the rows of each, as arrays.
import type pg from 'pg';
import { beginSql, SMALL } from './transaction.ts';

export type Row = readonly unknown[];

/** Runs the statements of a text in one round trip; the rows of each statement, in order. */
export async function query(client: pg.ClientBase, text: string): Promise<Row[][]> {
  const result: unknown = await client.query({ text, rowMode: 'array' });
  return (Array.isArray(result) ? result : [result]).map((one: { rows: Row[] }) => one.rows);
}

/** The same for statements by name, each of which is one. */
export async function queryByName<K extends string>(client: pg.ClientBase, statements: Readonly<Record<K, string>>): Promise<Record<K, readonly Row[]>> {
  const names = Object.keys(statements) as K[];
  const results = await query(client, names.map((name) => statements[name]).join(';\n'));
  return Object.fromEntries(names.map((name, index) => [name, results[index] ?? []])) as unknown as Record<K, readonly Row[]>;
}

/**
 * The rows of one SELECT (of the last one), in a transaction of its own that begins as every one does: with another search_path, a function or operator of somebody
 * who may create in the schema public could fit better than the server's own, and run with our rights.
 */
export async function pinnedRows(client: pg.ClientBase, select: string): Promise<Row[]> {
  try {
    return (await query(client, [beginSql(SMALL, 'REPEATABLE READ READ ONLY'), select, 'COMMIT'].join(';\n'))).at(-2) ?? [];
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
