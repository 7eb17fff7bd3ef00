// What is read of a database for guardrails that count what acts with the rights of its owner: views that lead to what they are about, and functions with SECURITY DEFINER.
import { type DefinersAsked, definersFrom, type GuardedDefiners, type GuardedView } from '../guard/definers.ts';
import { LIMITS } from '../model/limits.ts';
import { notSystem } from '../sql/stored.ts';
import type { ObjectGroup } from '../model/contents.ts';
import { conditionsOf } from './guarded-sources.ts';
import { objectSources, type Source } from './object-sources.ts';
import type { Row } from './query.ts';
import { IS_INVOKER } from './securable-sql.ts';

const CLASS = `'pg_catalog.pg_class'::pg_catalog.regclass`;
const READS = `pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid AND d.refclassid = ${CLASS}`;
const MOST = LIMITS.besideItems + 1;

/** The views `w` that lead to what some target is about, and that relations `v`, beside them. */
const aboveSql = ({ targets }: DefinersAsked): string =>
  `WITH RECURSIVE v (oid) AS (SELECT o.oid FROM pg_catalog.pg_class o JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
      WHERE o.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${notSystem('n.nspname')} AND (${conditionsOf('table', targets)})
    UNION SELECT r.ev_class FROM v JOIN ${READS} ON d.refobjid = v.oid JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')),
  w (oid) AS (SELECT o.oid FROM v JOIN pg_catalog.pg_class o ON o.oid = v.oid JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
    WHERE o.relkind IN ('v', 'm') AND ${notSystem('n.nspname')}
      AND EXISTS (SELECT FROM ${READS} WHERE r.ev_class = o.oid AND d.refobjid <> o.oid AND d.refobjid IN (SELECT oid FROM v)) ORDER BY o.oid LIMIT ${MOST})`;

const definerFunctions = `SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace m ON m.oid = p.pronamespace
  WHERE p.prosecdef AND p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype) AND ${notSystem('m.nspname')}
  ORDER BY p.oid LIMIT ${MOST}`;

const SOURCES = objectSources({ grantees: [], columns: false, largeObjects: true });
const sourceOf = (catalog: string, kind: string, where: string): readonly Source[] =>
  SOURCES.flatMap((source) =>
    source.catalog === catalog && (source.kind === `'column'`) === (kind === 'column') ? [{ ...source, where: `${source.where ?? 'true'} AND ${where}` }] : [],
  );

/** The statements: the views, and groups of what they are and read. @param groupSql as whatever else is read of everybody. */
export function definerStatements(asked: DefinersAsked | undefined, groupSql: (source: Source) => string): readonly string[] {
  if (asked === undefined) return [];
  const functions = asked.functions ? sourceOf('pg_proc', 'function', `o.oid IN (${definerFunctions})`).map(groupSql) : [];
  if (asked.targets.length === 0) return functions;
  const above = aboveSql(asked);
  const touched = `o.oid IN (${above} SELECT oid FROM w UNION SELECT d.refobjid FROM w JOIN ${READS} ON r.ev_class = w.oid WHERE d.refobjid IN (SELECT oid FROM v))`;
  const views = `${above} SELECT n.nspname, o.relname, ${IS_INVOKER}, o.relkind = 'm',
    (SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(m.nspname, c.relname)) FROM ${READS}
      JOIN pg_catalog.pg_class c ON c.oid = d.refobjid JOIN pg_catalog.pg_namespace m ON m.oid = c.relnamespace WHERE r.ev_class = o.oid AND c.oid <> o.oid)
    FROM w JOIN pg_catalog.pg_class o ON o.oid = w.oid JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace`;
  return [...functions, views, ...sourceOf('pg_class', 'table', touched).map(groupSql), ...sourceOf('pg_class', 'column', touched).map(groupSql)];
}

/** What these statements answered, in their order. */
export function definersRead(
  asked: DefinersAsked | undefined,
  results: readonly (readonly Row[])[],
  groupOf: (row: Row) => ObjectGroup,
): GuardedDefiners | undefined {
  if (asked === undefined) return undefined;
  const [functions, rest] = asked.functions ? [results[0] ?? [], results.slice(1)] : [[], results];
  const [views = [], ...relations] = rest;
  const found = functions.map(groupOf);
  const count = found.reduce((sum, { names }) => sum + names.length, 0);
  if (views.length > LIMITS.besideItems || count > LIMITS.besideItems) return { kind: 'unknown', reason: TOO_MANY };
  return definersFrom(views.map(viewOf), relations.flat().map(groupOf), found);
}

/** Where there are more than are looked at. */
export const TOO_MANY = `there are more than ${LIMITS.besideItems} of one kind`;

const viewOf = ([schema, name, invoker, copy, reads]: Row): GuardedView => ({
  schema: schema as string,
  name: name as string,
  invoker: invoker as boolean,
  copy: copy as boolean,
  reads: ((reads ?? []) as readonly (readonly [string, string])[]).map(([of, read]) => ({ schema: of, name: read })),
});
