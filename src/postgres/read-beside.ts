// What decides on access in a database beside ACLs, of all its relations and functions at once.
import type pg from 'pg';
import type { Beside, RelationName } from '../access/beside.ts';
import { LIMITS } from '../model/limits.ts';
import { notSystem } from '../sql/stored.ts';
import { query } from './query.ts';
import { IS_INVOKER, policiesOf, POLICIES, REMARKS } from './securable-sql.ts';
import { beginSql, type Timeouts } from './transaction.ts';

const CLASS = `'pg_catalog.pg_class'::pg_catalog.regclass`;
const HERE = `JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace WHERE ${notSystem('n.nspname')}`;

/** Of each so many, and one more by which it is known that there are more. */
const LIMIT = `LIMIT ${LIMITS.besideItems + 1}`;

const STATEMENTS = [
  `SELECT n.nspname, o.relname, o.relforcerowsecurity, ${POLICIES} FROM pg_catalog.pg_class o ${HERE} AND o.relrowsecurity ORDER BY 1, 2 ${LIMIT}`,
  `SELECT n.nspname, o.relname, ${IS_INVOKER}, o.relkind = 'm',
    (SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(m.nspname, c.relname)) FROM pg_catalog.pg_rewrite r
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid AND d.refclassid = ${CLASS}
      JOIN pg_catalog.pg_class c ON c.oid = d.refobjid JOIN pg_catalog.pg_namespace m ON m.oid = c.relnamespace WHERE r.ev_class = o.oid AND c.oid <> o.oid)
    FROM pg_catalog.pg_class o ${HERE} AND o.relkind IN ('v', 'm') ORDER BY 1, 2 ${LIMIT}`,
  `SELECT n.nspname, o.proname, pg_catalog.oidvectortypes(o.proargtypes) FROM pg_catalog.pg_proc o JOIN pg_catalog.pg_namespace n ON n.oid = o.pronamespace
    WHERE o.prosecdef AND o.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype) AND ${notSystem('n.nspname')} ORDER BY 1, 2, 3 ${LIMIT}`,
  `SELECT ${REMARKS.large_object ?? 'NULL'}`,
];

/** Reads it in a transaction of its own. @throws whatever the server answers. */
export async function readBeside(client: pg.ClientBase, timeouts: Timeouts): Promise<Beside> {
  try {
    const results = await query(client, `${beginSql(timeouts, 'REPEATABLE READ READ ONLY')};\n${STATEMENTS.join(';\n')};\nCOMMIT`);
    const [secured = [], views = [], definers = [], [remarks = []] = []] = results.slice(-STATEMENTS.length - 1);
    const few = <T>(rows: readonly T[]): readonly T[] => rows.slice(0, LIMITS.besideItems);
    return {
      rowSecurity: few(secured).map(([schema, name, forced, policies]) => ({
        schema: schema as string,
        name: name as string,
        forced: forced as boolean,
        policies: policiesOf(policies),
      })),
      views: few(views).map(([schema, name, invoker, copy, reads]) => ({
        schema: schema as string,
        name: name as string,
        invoker: invoker as boolean,
        copy: copy as boolean,
        reads: ((reads ?? []) as readonly (readonly [string, string])[]).map(([of, read]): RelationName => ({ schema: of, name: read })),
      })),
      definers: few(definers).map(([schema, name, shown]) => ({ schema: schema as string, name: name as string, shown: shown as string })),
      largeObjects: (remarks[0] ?? null) as string | null,
      more: [secured, views, definers].some(({ length }) => length > LIMITS.besideItems),
    };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
