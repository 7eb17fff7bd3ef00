// Locked relations: tables that others have locked, found by one question instead of by waiting for each of them.
import type pg from 'pg';
import type { ObjectName } from '../model/contents.ts';
import type { GrantTarget } from '../changes/change.ts';
import { type Holder, holdersOf } from './blockers.ts';
import { pinnedRows } from './query.ts';

export interface Locked {
  /** Whether others keep a GRANT on this object waiting. Only tables, their columns and sequences are known. */
  has(on: Pick<GrantTarget, 'object' | 'schema'>, name: ObjectName): boolean;
  readonly holders: readonly Holder[];
}

const ours = (lock: string): string => `${lock}.pid IS NOT DISTINCT FROM pg_catalog.pg_backend_pid()`;
const here = `(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`;

/** A GRANT waits for whoever changed the same row in a transaction that is open; from 18 on it locks the table as well, as a SELECT does. */
const rowOf = (lock: string): string => `${lock}.locktype = 'transactionid' AND ${lock}.mode = 'ExclusiveLock' AND NOT ${ours(lock)}`;
const tableOf = (lock: string): string =>
  `${lock}.locktype = 'relation' AND ${lock}.mode = 'AccessExclusiveLock' AND ${lock}.database = ${here} AND NOT ${ours(lock)}`;

/**
 * What is locked at this moment in the session's database, and by whom.
 * @throws whatever the server answers.
 */
export async function lockedRelations(client: pg.ClientBase, major: number): Promise<Locked> {
  const locks = (condition: string, column: string): string => `SELECT l.${column} FROM pg_catalog.pg_locks l WHERE l.granted AND ${condition}`;
  const tables = major < 18 ? '' : ` OR c.oid IN (${locks(tableOf('l'), 'relation')})`;
  const rows = await pinnedRows(
    client,
    `SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND (c.xmax IN (${locks(rowOf('l'), 'transactionid')})${tables})`,
  );
  const bySchema = Map.groupBy(rows as unknown as readonly (readonly [string, string])[], ([schema]) => schema);
  const names = new Map([...bySchema].map(([schema, pairs]) => [schema, new Set(pairs.map(([, name]) => name))]));
  const changed = `${rowOf('h')} AND h.transactionid IN (SELECT c.xmax FROM pg_catalog.pg_class c)`;
  const holders = names.size === 0 ? [] : await holdersOf(client, major < 18 ? changed : `(${changed}) OR (${tableOf('h')})`);
  return {
    has: ({ object, schema }, name) => {
      const relation = typeof name === 'string' ? name : 'table' in name ? name.table : undefined;
      return relation !== undefined && ['table', 'sequence', 'column'].includes(object) && names.get(schema)?.has(relation) === true;
    },
    holders,
  };
}
