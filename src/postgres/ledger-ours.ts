// Whether the ledger is ours alone: what is in the schema `pgsteward` that somebody else owns, or that would run by reading or writing it.
import { createHash } from 'node:crypto';
import { APPEND_ONLY_BODY, GUARD_BODY } from '../sql/closed-schema.ts';
import { literal } from '../sql/sql-text.ts';

const TABLE_NAMES = ['managed_role', 'audit_log', 'audit_repeat', 'audit_chain', 'document', 'migration', 'revision', 'trigger_database']
  .map(literal)
  .join(', ');
/** As a subquery it is asked once, and not for each row. */
const N = `(SELECT pg_catalog.to_regnamespace('pgsteward'))`;
const catalog = (name: string): string => `'pg_catalog.${name}'::pg_catalog.regclass`;

/** Triggers that we made ourselves: what they run is in one of these bodies, and nothing else is. */
const BODIES = [GUARD_BODY, APPEND_ONLY_BODY].map((body) => literal(createHash('md5').update(body).digest('hex'))).join(', ');
const IS_OUR_FUNCTION = `p.pronamespace = ${N} AND pg_catalog.md5(pg_catalog.convert_to(p.prosrc, 'UTF8')) IN (${BODIES}) AND l.lanname = 'plpgsql'
      AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp'] AND NOT p.prosecdef AND p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype`;
const IS_OUR_TRIGGER = `${IS_OUR_FUNCTION} AND t.tgqual IS NULL`;

/** What of a table runs when a row is written: defaults, checks, indexes; and the types of its columns. None of ours needs anything but the server's own. */
const PARTS = `SELECT ${catalog('pg_class')}::pg_catalog.oid AS classid, c.oid AS objid, c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = ${N}
    UNION ALL SELECT ${catalog('pg_attrdef')}, a.oid, c.relname FROM pg_catalog.pg_attrdef a JOIN pg_catalog.pg_class c ON c.oid = a.adrelid WHERE c.relnamespace = ${N}
    UNION ALL SELECT ${catalog('pg_constraint')}, k.oid, c.relname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid WHERE c.relnamespace = ${N}`;
/**
 * Defaults and checks as the server keeps them. Those of ours call now() (1299), clock_timestamp() (2649) and operators; others of the server's own
 * functions run whatever text they are given (query_to_xml), and no dependency tells of them.
 */
const EXPRESSIONS = `SELECT c.relname, a.adbin AS tree FROM pg_catalog.pg_attrdef a JOIN pg_catalog.pg_class c ON c.oid = a.adrelid WHERE c.relnamespace = ${N}
    UNION ALL SELECT c.relname, k.conbin FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid WHERE c.relnamespace = ${N} AND k.conbin IS NOT NULL`;
const CALLS_MORE = `pg_catalog.strpos(pg_catalog.regexp_replace(s.tree::text, ':funcid (1299|2649) ', '', 'g'), ':funcid ') > 0`;
/** What is written there is believed. TRIGGER puts code on a table, and REFERENCES puts it on a table of its holder, where a DELETE of ours arrives: what is deferred there runs as us, below 18. */
const RIGHTS = `x.privilege_type NOT IN ('SELECT', 'MAINTAIN') AND x.grantee <> c.relowner AND x.grantee <> r.oid`;
const CODE = ['pg_proc', 'pg_operator', 'pg_type', 'pg_opclass', 'pg_collation', 'pg_am'].map(catalog).join(', ');

/**
 * Rows of what is not ours alone: what it is, and the statement that gives it to us. Ownership by our login itself (`r`) counts: whoever may become
 * the owner, or is a superuser as well, is somebody else, and what has been given to us could be anything. So nothing is given but tables of our names and
 * functions of our text: whoever may call or use another would do so with our rights.
 */
const FOREIGN = `
  SELECT 'the schema' AS what, pg_catalog.format('ALTER SCHEMA pgsteward OWNER TO %I', r.rolname) AS cure FROM pg_catalog.pg_namespace n WHERE n.oid = ${N} AND n.nspowner <> r.oid
  UNION ALL SELECT pg_catalog.format('the relation %I', c.relname), CASE WHEN c.relkind = 'r' AND c.relname IN (${TABLE_NAMES}) THEN pg_catalog.format('ALTER TABLE pgsteward.%I OWNER TO %I', c.relname, r.rolname) END
    FROM pg_catalog.pg_class c WHERE c.relnamespace = ${N} AND c.relowner <> r.oid AND c.relkind <> 'i'
  UNION ALL SELECT pg_catalog.format('the function %I', p.proname), CASE WHEN ${IS_OUR_FUNCTION} THEN pg_catalog.format('ALTER ROUTINE %s OWNER TO %I', p.oid::pg_catalog.regprocedure, r.rolname) END
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang WHERE p.pronamespace = ${N} AND p.proowner <> r.oid
  UNION ALL SELECT pg_catalog.format('the type %I', y.typname), NULL
    FROM pg_catalog.pg_type y WHERE y.typnamespace = ${N} AND y.typowner <> r.oid AND y.typrelid = 0 AND y.typelem = 0
  UNION ALL SELECT pg_catalog.format('%I, which is no plain table', c.relname), NULL FROM pg_catalog.pg_class c WHERE c.relnamespace = ${N}
    AND (c.relname IN (${TABLE_NAMES}) AND c.relkind <> 'r' OR c.relrowsecurity OR c.relforcerowsecurity OR c.relhasrules OR c.relhassubclass
      OR EXISTS (SELECT FROM pg_catalog.pg_policy y WHERE y.polrelid = c.oid)
      OR EXISTS (SELECT FROM pg_catalog.pg_statistic_ext e WHERE e.stxrelid = c.oid)
      OR EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 'v'))
  UNION ALL SELECT pg_catalog.format('the trigger %I', t.tgname), pg_catalog.format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::pg_catalog.regclass)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE c.relnamespace = ${N} AND NOT t.tgisinternal AND (${IS_OUR_TRIGGER}) IS NOT TRUE
  UNION ALL SELECT pg_catalog.format('%I, which uses what is not the server''s own', s.relname), NULL
    FROM (${PARTS}) s JOIN pg_catalog.pg_depend d ON d.classid = s.classid AND d.objid = s.objid WHERE d.refclassid IN (${CODE})
  UNION ALL SELECT pg_catalog.format('%I, which calls what is not ours', s.relname), NULL FROM (${EXPRESSIONS}) s WHERE ${CALLS_MORE}
  UNION ALL SELECT pg_catalog.format('the table %s, which refers to %I', k.conrelid::pg_catalog.regclass, c.relname),
      pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::pg_catalog.regclass, k.conname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_constraint k ON k.confrelid = c.oid JOIN pg_catalog.pg_class o ON o.oid = k.conrelid
    WHERE c.relnamespace = ${N} AND o.relnamespace <> c.relnamespace
  UNION ALL SELECT pg_catalog.format('a right of others to write to %I, to put triggers on it or to refer to it', c.relname), pg_catalog.format('REVOKE ALL ON pgsteward.%I FROM %s CASCADE', c.relname,
      CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END)
    FROM (SELECT c.relname, c.relowner, c.relacl AS acl FROM pg_catalog.pg_class c WHERE c.relnamespace = ${N}
      UNION ALL SELECT c.relname, c.relowner, a.attacl FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = ${N} AND a.attacl IS NOT NULL) c
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.acl) x WHERE ${RIGHTS}`;

/** SQL: true where nothing in the schema is anybody else's. `r` is our own row of pg_roles. */
const NOTHING_FOREIGN = `NOT EXISTS (${FOREIGN})`;

/** SQL: the first of what is not ours alone, and the statements that give all of it to us; NULL where there is nothing, and where something of it is not of our making. */
export const FOREIGN_PARTS = `(SELECT pg_catalog.string_agg(what, ', ') FROM (SELECT DISTINCT what FROM (${FOREIGN}) f ORDER BY what LIMIT 5) w),
  (SELECT CASE WHEN pg_catalog.bool_and(cure IS NOT NULL) AND pg_catalog.count(*) <= 50 THEN pg_catalog.string_agg(DISTINCT cure, '; ' ORDER BY cure) END FROM (${FOREIGN}) f)`;

/** SQL: true where the ledger is there and ours alone, with the same `r`: only then is it read and written. */
export const LEDGER_IS_OURS = `(EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = ${N} AND c.relname = 'managed_role') AND ${NOTHING_FOREIGN})`;

/**
 * A statement that fails where this table of the ledger could be anybody's, for reads that come later than the snapshot in which all of it was
 * looked at. Nothing but a plain table of ours is read, and what writing would run is not looked at. Whoever plans a query runs expressions of
 * indexes and statistics.
 */
export const ledgerGuard = (table: 'managed_role' | 'audit_log' | 'audit_repeat' | 'audit_chain' | 'document' | 'migration' | 'revision'): string =>
  `SELECT 1 / count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_roles r ON r.oid = c.relowner AND r.oid = n.nspowner
    WHERE n.nspname = 'pgsteward' AND c.relname = '${table}' AND r.rolname = current_user AND c.relkind = 'r' AND NOT (c.relrowsecurity OR c.relforcerowsecurity OR c.relhasrules OR c.relhassubclass)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 'v')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext e WHERE e.stxrelid = c.oid)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_depend d ON d.classid = ${catalog('pg_class')} AND d.objid = i.indexrelid
        WHERE i.indrelid = c.oid AND d.refclassid IN (${CODE}))`;
