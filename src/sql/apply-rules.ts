// The body of the function that runs in the transaction of an application's DDL: finds what it touched, and gives and takes what the rules say.
import { KINDS, type ObjectKind } from '../model/kinds.ts';
import { codeOf, comparedRows, IN_DATABASES, kindOf, schemaOf, type StoredKind, targetOf } from './stored.ts';
import { RUN_STATEMENTS, applySettled, SETTLED_VARIABLES } from './apply-settled.ts';
import { isNewTag, tagIs } from './trigger-tags.ts';
import { NOTIFY, RELATIONS, ROUTINES, TRIGGER_SCHEMA } from '../model/trigger-names.ts';

const CLASS = (name: string): string => `'pg_catalog.${name}'::pg_catalog.regclass`;
/** What the document of rules has at a path; null where there is nothing. */
const rulesAt = (...path: readonly string[]): string => `${TRIGGER_SCHEMA}.rules(${path.join(', ')})`;
/** Only words that are privileges reach a statement, whatever stands in the rules. */
const PRIVILEGES = [...new Set(Object.values(KINDS).flatMap(({ privileges }) => Object.keys(privileges)))].map((word) => `'${word}'`).join(', ');

/** Objects of one catalog among those that the command touched, but for members of extensions and what patterns do not mean. */
const objects = (part: StoredKind): string =>
  `SELECT ${kindOf(part)} AS kind, ${part.namespace === undefined ? `''` : 'n.nspname'}::text AS schema, ${part.name}::text AS name, ${part.kind === 'function' ? 'pg_catalog.oidvectortypes(o.proargtypes)' : 'NULL::text'} AS second,
          ${part.owner} AS owner, coalesce(${part.acl}, pg_catalog.acldefault(${codeOf(part)}, ${part.owner})) AS acl, ${targetOf(part)} AS target, '' AS part, o.oid
        FROM touched t JOIN pg_catalog.${part.catalog} o ON o.oid = t.objid ${[schemaOf(part), part.joined ?? ''].filter((join) => join !== '').join(' ')}
        WHERE t.classid = ${CLASS(part.catalog)} AND ${comparedRows(part)}
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ${CLASS(part.catalog)} AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ${CLASS('pg_extension')} AND e.deptype = 'e')${part.apart === undefined ? '' : ` AND NOT ${part.apart}`}`;

/** What is in schemas comes first, as most commands are about it. */
const PARTS = IN_DATABASES.filter(({ kind }) => KINDS[kind].commands !== undefined && kind !== 'column').toSorted(
  (a, b) => Number(a.namespace === undefined) - Number(b.namespace === undefined),
);
const partsOf = (kind: ObjectKind): readonly StoredKind[] => PARTS.filter((part) => part.kind === kind);

/** Temporary objects are nobody else's business. */
const COMMAND = `command AS MATERIALIZED (
      SELECT DISTINCT c.classid, c.objid FROM pg_catalog.pg_event_trigger_ddl_commands() c
        WHERE NOT c.in_extension AND c.objid IS NOT NULL AND c.schema_name IS DISTINCT FROM 'pg_temp'
          -- A copy of the database has rules that were meant for another.
          AND pg_catalog.current_database() = ${rulesAt(`'database'`)} #>> '{}')`;
/** Sequences move, and get another owner, with the table that owns them; no event names them. */
const OWNED_SEQUENCES = `SELECT d.classid, d.objid FROM command c JOIN pg_catalog.pg_depend d ON d.refclassid = ${CLASS('pg_class')} AND d.refobjid = c.objid
        AND d.classid = ${CLASS('pg_class')} AND d.deptype IN ('a', 'i') JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = 'S'
        WHERE tg_tag IN ('ALTER TABLE', 'ALTER FOREIGN TABLE') AND c.classid = ${CLASS('pg_class')}`;
/** With its schema everything in it gets another name. */
const contents = ({
  catalog,
  namespace = '',
}: StoredKind): string => `SELECT ${CLASS(catalog)}, o.oid FROM command c JOIN pg_catalog.${catalog} o ON ${namespace} = c.objid
        WHERE tg_tag = 'ALTER SCHEMA' AND c.classid = ${CLASS('pg_namespace')}`;
/** A range type comes with functions that make its values, and those of its multirange type. */
const CONSTRUCTORS = `SELECT d.classid, d.objid FROM command c LEFT JOIN pg_catalog.pg_range g ON g.rngtypid = c.objid JOIN pg_catalog.pg_depend d
        ON d.refclassid = ${CLASS('pg_type')} AND d.refobjid IN (c.objid, g.rngmultitypid) AND d.classid = ${CLASS('pg_proc')} AND d.deptype = 'i'
        WHERE tg_tag = 'CREATE TYPE' AND c.classid = ${CLASS('pg_type')}`;

const COLUMNS = `SELECT 'column', w.schema, w.name, a.attname::text, w.owner, coalesce(a.attacl, pg_catalog.acldefault('c', w.owner)), w.target, pg_catalog.format(' (%I)', a.attname), w.oid
        FROM whole w JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE w.kind = 'table' AND ${rulesAt(`'columns'`)} IS NOT NULL`;

/** The few that can be for an object among thousands, at seven places. */
const MATCHING = `SELECT r.role, coalesce(r.implied, false) AS implied, r.rank, r.privileges
        FROM pg_catalog.unnest(ARRAY[${[
          [`'exact'`, 'o.kind', 'o.schema', 'o.name'],
          [`'exact'`, 'o.kind', 'o.schema', `'*'`],
          [`'exact'`, 'o.kind', `'*'`, 'o.name'],
          [`'exact'`, 'o.kind', `'*'`, `'*'`],
          [`'glob'`, 'o.kind', 'o.schema'],
          [`'glob'`, 'o.kind', `'*'`],
          [`'wide'`, 'o.kind'],
        ]
          .map((path) => rulesAt(...path))
          .join(', ')}]) AS found(rules)
        CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(found.rules) AS r(role text, schema text, name text, second text, implied boolean, rank integer, privileges jsonb)
        WHERE (r.schema IS NULL OR o.schema LIKE r.schema) AND (r.name IS NULL OR o.name LIKE r.name)
          AND (r.second IS NULL OR CASE WHEN o.kind = 'column' AND r.name IS NOT NULL THEN o.second LIKE r.second ELSE o.second = r.second END)`;

/** What is to be done for some kinds of objects, into `statements`, and into `rest` whether that leaves something for the cycle. */
const planned = (more: readonly string[], parts: readonly StoredKind[], columns: boolean): string => `
    WITH ${COMMAND}, touched AS (
      ${['SELECT * FROM command', ...more].join('\n      UNION ')}
    ), whole AS (
      ${parts.map(objects).join('\n      UNION ALL ')}
    ), object AS MATERIALIZED (
      SELECT w.*, pg_catalog.row_number() OVER () AS id FROM ${columns ? `(SELECT * FROM whole UNION ALL ${COLUMNS}) w` : 'whole w'}
    ), best AS (
      SELECT o.id, r.*, r.implied OR r.rank = pg_catalog.max(r.rank) FILTER (WHERE NOT r.implied) OVER (PARTITION BY o.id, r.role) AS counts,
        pg_catalog.bool_or(NOT r.implied) OVER (PARTITION BY o.id, r.role) AS named
      FROM object o CROSS JOIN LATERAL (${MATCHING}) r
    ), entry AS (
      -- A rule that gives nothing still names the object.
      SELECT b.id, b.role, p.privilege, CASE WHEN b.counts THEN coalesce(p.option = 'true', false) END AS wanted, NULL::boolean AS held, NULL::boolean AS by_owner, b.named
      FROM best b LEFT JOIN LATERAL pg_catalog.jsonb_each(b.privileges) AS p(privilege, option) ON true
      UNION ALL SELECT o.id, CASE WHEN x.grantee = 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(x.grantee)::text END, x.privilege_type,
        NULL, x.is_grantable, x.grantor = o.owner, NULL
      FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.owner
    ), difference AS MATERIALIZED (
      SELECT f.*, f.held IS NOT NULL AND (f.wanted IS NULL OR f.held AND NOT f.wanted) AND (f.mode = 'exact' OR f.mode = 'named' AND f.named) AS extra
      FROM (SELECT a.id, a.role, a.privilege, pg_catalog.bool_or(a.wanted) AS wanted, pg_catalog.bool_or(a.held) AS held, pg_catalog.bool_and(a.by_owner) AS by_owner,
            pg_catalog.bool_or(pg_catalog.bool_or(a.named)) OVER (PARTITION BY a.id, a.role) AS named,
            ${rulesAt(`'role'`, 'a.role')} #>> '{}' AS mode
          FROM entry a GROUP BY a.id, a.role, a.privilege) f
      WHERE f.mode IS NOT NULL AND f.privilege IN (${PRIVILEGES})
    ), change AS (
      SELECT o.target, o.part <> '' AS columns, d.role, d.wanted AS option, pg_catalog.string_agg(d.privilege || o.part, ', ' ORDER BY o.part, d.privilege) AS privileges
      FROM difference d JOIN object o ON o.id = d.id
      WHERE CASE WHEN d.wanted IS NULL THEN d.extra AND d.by_owner AND NOT d.held
        ELSE (d.held IS NULL OR d.wanted AND NOT d.held${
          columns
            ? `
          -- A REVOKE on a table takes the privileges on its columns with it.
          OR o.part <> '' AND EXISTS (SELECT FROM difference t JOIN object w ON w.id = t.id WHERE w.part = '' AND w.target = o.target
            AND t.role = d.role AND t.privilege = d.privilege AND t.wanted IS NULL AND t.extra AND t.by_owner AND NOT t.held)`
            : ''
        })
          AND (d.role = 'public' OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = d.role AND r.oid <> o.owner)) END
      GROUP BY 1, 2, 3, 4
    )
    SELECT pg_catalog.array_agg(CASE WHEN g.option IS NULL THEN pg_catalog.format('REVOKE %s ON %s FROM %s', g.privileges, g.target, g.roles)
          ELSE pg_catalog.format('GRANT %s ON %s TO %s%s', g.privileges, g.target, g.roles, CASE WHEN g.option THEN ' WITH GRANT OPTION' ELSE '' END) END
          ORDER BY CASE WHEN g.option IS NULL THEN CASE WHEN g.columns THEN 2 ELSE 3 END WHEN g.columns THEN 4 ELSE 1 END),
        EXISTS (SELECT FROM difference d WHERE d.extra AND (NOT d.by_owner OR d.held))
      INTO statements, rest
      FROM (SELECT c.target, c.columns, c.option, c.privileges,
            pg_catalog.string_agg(CASE WHEN c.role = 'public' THEN 'PUBLIC' ELSE pg_catalog.quote_ident(c.role) END, ', ' ORDER BY c.role) AS roles
          FROM change c GROUP BY 1, 2, 3, 4) g;`;

/**
 * It must never make the application's statement fail: one block catches what can be caught, a lock is waited for only as long as the function's
 * own lock_timeout says, and a cancelled or timed-out statement was cancelled by somebody else. Its only input are catalogs and the
 * rules, which are a constant; nothing of the application's is called or evaluated, and every name is quoted. The usual commands have a query of their own: each
 * session plans only those that it comes to. One block and no more, as each that writes uses up a transaction number.
 */
export const applyRules = (): string => `
DECLARE
  statements text[];
  statement text;
  by_column boolean;
  rest boolean := false;${SETTLED_VARIABLES}
BEGIN${applySettled()}
  BEGIN
  by_column := ${rulesAt(`'columns'`)} IS NOT NULL;
  IF waited THEN
    RAISE LOG 'pgsteward: the rules of % were not applied at once: a lock that somebody holds', tg_tag;
    rest := true;
  ELSIF ${tagIs(RELATIONS.filter(isNewTag))} AND NOT by_column THEN
    ${planned([], partsOf('table'), false)}
  ELSIF ${tagIs(RELATIONS)} AND NOT by_column THEN
    ${planned([OWNED_SEQUENCES], partsOf('table'), false)}
  ELSIF ${tagIs(ROUTINES)} THEN
    ${planned([], partsOf('function'), false)}
  ELSE
    ${planned([OWNED_SEQUENCES, CONSTRUCTORS, ...PARTS.filter(({ namespace }) => namespace !== undefined).map(contents)], PARTS, true)}
    -- A GRANT holds locks until the transaction ends, and the server has not many more than this.
    IF tg_tag = 'ALTER SCHEMA' AND pg_catalog.cardinality(statements) > 1000 THEN
      statements := NULL;
      rest := true;
    END IF;
  END IF;
  ${RUN_STATEMENTS}
  IF rest THEN
    ${NOTIFY}
  END IF;
EXCEPTION WHEN OTHERS THEN
  BEGIN
    RAISE LOG 'pgsteward: the rules of % were not applied at once: % (%)', tg_tag, SQLERRM, SQLSTATE;
    -- All together were undone with the one that failed: each by itself, so that it stays the only one. A lock is not waited for again.
    FOREACH statement IN ARRAY CASE WHEN SQLSTATE = '55P03' THEN '{}' ELSE coalesce(statements, '{}') END LOOP
      BEGIN
        EXECUTE statement;
      EXCEPTION
        WHEN lock_not_available THEN EXIT;
        WHEN OTHERS THEN RAISE LOG 'pgsteward: left to the next cycle: % (%)', SQLERRM, SQLSTATE;
      END;
    END LOOP;
    ${NOTIFY}
  EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'pgsteward: %: % (%)', tg_tag, SQLERRM, SQLSTATE;
  END;
  END;
END`;
