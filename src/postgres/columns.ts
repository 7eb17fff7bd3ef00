// The columns of a SELECT by name: what is asked for and what comes back stand in one place, in whichever order.
import type { Row } from './query.ts';

export interface Columns<T extends object> {
  /** What stands behind SELECT. */
  readonly list: string;
  /** A row of that statement, by the names. */
  readonly row: (values: Row) => T;
}

/** @param sql the expression of each column. What the server answers to them is T by the writer's word: of numeric types only those that the client makes numbers of. */
export function columns<T extends object>(sql: { readonly [K in keyof T]: string }): Columns<T> {
  const names = Object.keys(sql) as (keyof T)[];
  return {
    list: names.map((name) => sql[name]).join(', '),
    row: (values) => {
      const row: Partial<T> = {};
      for (let index = 0; index < names.length; index += 1) row[names[index] as keyof T] = values[index] as T[keyof T];
      return row as T;
    },
  };
}
