// Views and SECURITY DEFINER functions that may lead to a relation with their owner's rights.
import type pg from 'pg';
import type { Definers, View } from '../explain/definers.ts';
import { LIMITS } from '../model/limits.ts';
import type { Row } from './query.ts';
import { IS_INVOKER, objectColumns, type ObjectRow, securable, storedOf } from './securable-sql.ts';

const CLASS = `'pg_catalog.pg_class'::pg_catalog.regclass`;
const REWRITE = `'pg_catalog.pg_rewrite'::pg_catalog.regclass`;

/** What the rules of a view depend on. */
const READS = `FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.classid = ${REWRITE} AND d.objid = r.oid AND d.refclassid = ${CLASS}`;

const VIEWS = `WITH RECURSIVE v (oid) AS (SELECT $1::pg_catalog.oid UNION
    SELECT c.oid FROM v JOIN pg_catalog.pg_depend d ON d.refclassid = ${CLASS} AND d.refobjid = v.oid AND d.classid = ${REWRITE}
      JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid JOIN pg_catalog.pg_class c ON c.oid = r.ev_class WHERE c.relkind IN ('v', 'm'))`;

/** Reads them in the transaction that has begun. @param target the relation's OID. */
export async function readDefiners(client: pg.ClientBase, target: number): Promise<Definers> {
  const rows = async (text: string, values: readonly unknown[]): Promise<readonly Row[]> =>
    (await client.query<unknown[]>({ text: `${text} LIMIT ${LIMITS.definers + 1}`, values: [...values], rowMode: 'array' })).rows;
  const relations = objectColumns(storedOf('table'));
  const views = await rows(
    `${VIEWS} SELECT n.nspname, o.relkind = 'm', ${IS_INVOKER},
      ARRAY(SELECT DISTINCT d.refobjid ${READS} WHERE r.ev_class = o.oid AND d.refobjid <> o.oid)::text[], o.relname, ${relations.list}
      FROM v JOIN pg_catalog.pg_class o ON o.oid = v.oid JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace WHERE o.oid <> $1::pg_catalog.oid`,
    [target],
  );
  const routines = objectColumns(storedOf('function'));
  const functions = await rows(
    `SELECT n.nspname, o.proname, ${routines.list} FROM pg_catalog.pg_proc o JOIN pg_catalog.pg_namespace n ON n.oid = o.pronamespace
      WHERE o.prosecdef AND o.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)`,
    [],
  );
  return {
    target,
    views: views.slice(0, LIMITS.definers).map((row) => viewOf(row, relations.row)),
    functions: functions
      .slice(0, LIMITS.definers)
      .map(([schema, name, ...rest]) => securable({ kind: 'function', schema: schema as string, name: name as string }, routines.row(rest))),
    more: views.length > LIMITS.definers || functions.length > LIMITS.definers,
  };
}

function viewOf([schema, copy, invoker, reads, name, ...rest]: Row, rowOf: (values: Row) => ObjectRow): View {
  const row = rowOf(rest);
  return {
    oid: row.oid,
    object: securable({ kind: 'table', schema: schema as string, name: name as string }, row),
    copy: copy as boolean,
    invoker: invoker as boolean,
    reads: (reads as readonly string[]).map(Number),
  };
}
