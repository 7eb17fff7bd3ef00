// The body of the function that runs in the transaction of an application's DDL: finds what it touched, and gives and takes what the rules say.
import { KINDS } from '../privileges/kinds.ts';
import { APPLYING, NOTIFY, RELATIONS, ROUTINES } from './trigger-names.ts';

const CLASS = (name: string): string => `'pg_catalog.${name}'::pg_catalog.regclass`;
/** Without a pattern: what a backslash means in a literal is a setting of the session. */
const OUR_BUSINESS = `NOT pg_catalog.starts_with(n.nspname::text, 'pg_') AND n.nspname NOT IN ('information_schema', 'pgsteward')`;
/** Only words that are privileges reach a statement, whatever stands in the table. */
const PRIVILEGES = [...new Set(Object.values(KINDS).flatMap(({ privileges }) => Object.keys(privileges)))].map((word) => `'${word}'`).join(', ');

interface Part {
  readonly catalog: string;
  readonly kind: string;
  readonly schema?: string;
  readonly name: string;
  readonly second?: string;
  readonly owner: string;
  readonly acl: string;
  readonly code: string;
  readonly target: string;
  readonly from?: string;
  readonly where?: string;
}

/** Objects of one catalog among those that the command touched, but for members of extensions. */
const objects = (part: Part): string =>
  `SELECT ${part.kind} AS kind, ${part.schema ?? `''::text`} AS schema, ${part.name}::text AS name, ${part.second ?? 'NULL::text'} AS second,
          o.${part.owner} AS owner, coalesce(o.${part.acl}, pg_catalog.acldefault(${part.code}, o.${part.owner})) AS acl, ${part.target} AS target, '' AS part, o.oid
        FROM touched t JOIN pg_catalog.${part.catalog} o ON o.oid = t.objid ${part.from ?? ''}
        WHERE t.classid = ${CLASS(part.catalog)} AND ${part.where ?? 'true'}
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ${CLASS(part.catalog)} AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ${CLASS('pg_extension')} AND e.deptype = 'e')`;

const inSchema = (column: string): string => `JOIN pg_catalog.pg_namespace n ON n.oid = o.${column}`;

const RELATION: Part = {
  catalog: 'pg_class',
  kind: `CASE WHEN o.relkind = 'S' THEN 'sequence' ELSE 'table' END`,
  schema: 'n.nspname::text',
  name: 'o.relname',
  owner: 'relowner',
  acl: 'relacl',
  code: `CASE WHEN o.relkind = 'S' THEN 's' ELSE 'r' END::"char"`,
  target: `pg_catalog.format('%s %I.%I', CASE WHEN o.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, o.relname)`,
  from: inSchema('relnamespace'),
  where: `o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${OUR_BUSINESS}`,
};
const ROUTINE: Part = {
  catalog: 'pg_proc',
  kind: `'function'`,
  schema: 'n.nspname::text',
  name: 'o.proname',
  second: 'pg_catalog.oidvectortypes(o.proargtypes)',
  owner: 'proowner',
  acl: 'proacl',
  code: `'f'`,
  // By its keyword: a function and a procedure may share name and types.
  target: `pg_catalog.format('%s %s', CASE WHEN o.prokind = 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, o.oid::pg_catalog.regprocedure)`,
  from: inSchema('pronamespace'),
  where: OUR_BUSINESS,
};
const RARE: readonly Part[] = [
  {
    catalog: 'pg_type',
    kind: `'type'`,
    schema: 'n.nspname::text',
    name: 'o.typname',
    owner: 'typowner',
    acl: 'typacl',
    code: `'T'`,
    target: `pg_catalog.format('TYPE %I.%I', n.nspname, o.typname)`,
    from: `${inSchema('typnamespace')} LEFT JOIN pg_catalog.pg_class k ON k.oid = o.typrelid`,
    where: `o.typtype IN ('b', 'd', 'e', 'r', 'c') AND (k.relkind IS NULL OR k.relkind = 'c') AND NOT (o.typelem <> 0 AND o.typlen = -1) AND ${OUR_BUSINESS}`,
  },
  {
    catalog: 'pg_namespace',
    kind: `'schema'`,
    name: 'o.nspname',
    owner: 'nspowner',
    acl: 'nspacl',
    code: `'n'`,
    target: `pg_catalog.format('SCHEMA %I', o.nspname)`,
    where: OUR_BUSINESS.replaceAll('n.nspname', 'o.nspname'),
  },
  {
    catalog: 'pg_language',
    kind: `'language'`,
    name: 'o.lanname',
    owner: 'lanowner',
    acl: 'lanacl',
    code: `'l'`,
    target: `pg_catalog.format('LANGUAGE %I', o.lanname)`,
    where: 'o.lanpltrusted',
  },
  {
    catalog: 'pg_foreign_data_wrapper',
    kind: `'foreign_data_wrapper'`,
    name: 'o.fdwname',
    owner: 'fdwowner',
    acl: 'fdwacl',
    code: `'F'`,
    target: `pg_catalog.format('FOREIGN DATA WRAPPER %I', o.fdwname)`,
  },
  {
    catalog: 'pg_foreign_server',
    kind: `'foreign_server'`,
    name: 'o.srvname',
    owner: 'srvowner',
    acl: 'srvacl',
    code: `'S'`,
    target: `pg_catalog.format('FOREIGN SERVER %I', o.srvname)`,
  },
];

/** Temporary objects are nobody else's business. */
const COMMAND = `command AS MATERIALIZED (
      SELECT DISTINCT c.classid, c.objid FROM pg_catalog.pg_event_trigger_ddl_commands() c
        WHERE NOT c.in_extension AND c.objid IS NOT NULL AND c.schema_name IS DISTINCT FROM 'pg_temp')`;
/** Sequences move, and get another owner, with the table that owns them; no event names them. */
const OWNED_SEQUENCES = `SELECT d.classid, d.objid FROM command c JOIN pg_catalog.pg_depend d ON d.refclassid = ${CLASS('pg_class')} AND d.refobjid = c.objid
        AND d.classid = ${CLASS('pg_class')} AND d.deptype IN ('a', 'i') JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = 'S'
        WHERE tg_tag IN ('ALTER TABLE', 'ALTER FOREIGN TABLE') AND c.classid = ${CLASS('pg_class')}`;
/** With its schema everything in it gets another name. */
const contents = (
  catalog: string,
  column: string,
): string => `SELECT ${CLASS(catalog)}, o.oid FROM command c JOIN pg_catalog.${catalog} o ON o.${column} = c.objid
        WHERE tg_tag = 'ALTER SCHEMA' AND c.classid = ${CLASS('pg_namespace')}`;
/** A range type comes with functions that make its values, and those of its multirange type. */
const CONSTRUCTORS = `SELECT d.classid, d.objid FROM command c LEFT JOIN pg_catalog.pg_range g ON g.rngtypid = c.objid JOIN pg_catalog.pg_depend d
        ON d.refclassid = ${CLASS('pg_type')} AND d.refobjid IN (c.objid, g.rngmultitypid) AND d.classid = ${CLASS('pg_proc')} AND d.deptype = 'i'
        WHERE tg_tag = 'CREATE TYPE' AND c.classid = ${CLASS('pg_type')}`;

const COLUMNS = `SELECT 'column', w.schema, w.name, a.attname::text, w.owner, coalesce(a.attacl, pg_catalog.acldefault('c', w.owner)), w.target, pg_catalog.format(' (%I)', a.attname), w.oid
        FROM whole w JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE w.kind = 'table' AND EXISTS (SELECT FROM pgsteward.trigger_rule WHERE kind = 'column')`;

/**
 * One index finds the few that can be for an object among thousands, at seven places: whatever the statistics say, there is no other way for the
 * planner to take. What is found at one of them by accident does not match.
 */
const MATCHING = `SELECT r.role, r.implied, r.rank, r.privileges, r.options FROM pgsteward.trigger_rule r
        WHERE r.place = ANY (ARRAY[o.kind || ' ' || o.schema || ' ' || o.name, o.kind || ' ' || o.schema || ' *', o.kind || ' * ' || o.name, o.kind || ' * *',
            '* ' || o.kind || ' ' || o.schema, '* ' || o.kind || ' *', '** ' || o.kind])
          AND r.kind = o.kind AND CASE WHEN r.wide THEN o.schema LIKE r.schema ELSE r.schema IN (o.schema, '*') END
          AND CASE WHEN r.glob OR r.wide THEN o.name LIKE r.name ELSE r.name IN (o.name, '*') END
          AND (r.second IS NULL OR CASE WHEN r.kind = 'column' AND (r.glob OR r.wide) THEN o.second LIKE r.second ELSE o.second = r.second END)`;
/** Where a rule is looked for. */
export const PLACE = `CASE WHEN wide THEN '** ' || kind WHEN glob THEN '* ' || kind || ' ' || schema ELSE kind || ' ' || schema || ' ' || name END`;

/** What is to be done for some kinds of objects, into `statements`, and into `rest` whether that leaves something for the cycle. */
const planned = (more: readonly string[], parts: readonly Part[], columns: boolean): string => `
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
      SELECT b.id, b.role, p.privilege, CASE WHEN b.counts THEN coalesce(p.option, false) END AS wanted, NULL::boolean AS held, NULL::boolean AS by_owner, b.named
      FROM best b LEFT JOIN LATERAL ROWS FROM (pg_catalog.unnest(b.privileges), pg_catalog.unnest(b.options)) AS p(privilege, option) ON true
      UNION ALL SELECT o.id, CASE WHEN x.grantee = 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(x.grantee)::text END, x.privilege_type,
        NULL, x.is_grantable, x.grantor = o.owner, NULL
      FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.owner
    ), difference AS MATERIALIZED (
      SELECT f.*, f.held IS NOT NULL AND (f.wanted IS NULL OR f.held AND NOT f.wanted) AND (f.mode = 'exact' OR f.mode = 'named' AND f.named) AS extra
      -- A lookup for each row: as a join, all else was done again for each role. A copy of the database has rules that were meant for another.
      FROM (SELECT a.id, a.role, a.privilege, pg_catalog.bool_or(a.wanted) AS wanted, pg_catalog.bool_or(a.held) AS held, pg_catalog.bool_and(a.by_owner) AS by_owner,
            pg_catalog.bool_or(pg_catalog.bool_or(a.named)) OVER (PARTITION BY a.id, a.role) AS named,
            (SELECT s.mode FROM pgsteward.trigger_subject s WHERE s.role = a.role
              AND s.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())) AS mode
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

const isNew = (tag: string): boolean => !tag.startsWith('ALTER ');
const tagIs = (tags: readonly string[]): string => `tg_tag IN (${tags.map((tag) => `'${tag}'`).join(', ')})`;

/**
 * It must never make the application's statement fail: one block catches what can be caught, a lock is waited for only as long as the function's
 * own lock_timeout says, and a cancelled or timed-out statement was cancelled by somebody else. Its only input are catalogs and our closed
 * tables; nothing of the application's is called or evaluated, and every name is quoted. The usual commands have a query of their own: each
 * session plans only those that it comes to. One block and no more, as each that writes uses up a transaction number.
 */
export const applyRules = (): string => `
DECLARE
  statements text[];
  statement text;
  by_column boolean;
  rest boolean := false;
  earlier text;
BEGIN
  by_column := EXISTS (SELECT FROM pgsteward.trigger_rule WHERE kind = 'column');
  IF ${tagIs(RELATIONS.filter(isNew))} AND NOT by_column THEN
    ${planned([], [RELATION], false)}
  ELSIF ${tagIs(RELATIONS)} AND NOT by_column THEN
    ${planned([OWNED_SEQUENCES], [RELATION], false)}
  ELSIF ${tagIs(ROUTINES)} THEN
    ${planned([], [ROUTINE], false)}
  ELSE
    ${planned(
      [OWNED_SEQUENCES, CONSTRUCTORS, contents('pg_class', 'relnamespace'), contents('pg_proc', 'pronamespace'), contents('pg_type', 'typnamespace')],
      [RELATION, ROUTINE, ...RARE],
      true,
    )}
    -- A GRANT holds locks until the transaction ends, and the server has not many more than this.
    IF tg_tag = 'ALTER SCHEMA' AND pg_catalog.cardinality(statements) > 1000 THEN
      statements := NULL;
      rest := true;
    END IF;
  END IF;
  IF statements IS NOT NULL THEN
    earlier := pg_catalog.current_setting('${APPLYING}', true);
    PERFORM pg_catalog.set_config('${APPLYING}', 'on', true);
    FOREACH statement IN ARRAY statements LOOP
      EXECUTE statement;
    END LOOP;
    PERFORM pg_catalog.set_config('${APPLYING}', coalesce(earlier, ''), true);
  END IF;
  IF rest THEN
    ${NOTIFY}
  END IF;
EXCEPTION WHEN OTHERS THEN
  BEGIN
    RAISE LOG 'pgsteward: the rules of % were not applied at once: % (%)', tg_tag, SQLERRM, SQLSTATE;
    -- All together were undone with the one that failed: each by itself, so that it stays the only one. A lock is not waited for again.
    FOREACH statement IN ARRAY CASE WHEN SQLSTATE = '55P03' THEN '{}' ELSE coalesce(statements, '{}') END LOOP
      BEGIN
        PERFORM pg_catalog.set_config('${APPLYING}', 'on', true);
        EXECUTE statement;
        PERFORM pg_catalog.set_config('${APPLYING}', coalesce(earlier, ''), true);
      EXCEPTION
        WHEN lock_not_available THEN EXIT;
        WHEN OTHERS THEN RAISE LOG 'pgsteward: left to the next cycle: % (%)', SQLERRM, SQLSTATE;
      END;
    END LOOP;
    ${NOTIFY}
  EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'pgsteward: %: % (%)', tg_tag, SQLERRM, SQLSTATE;
  END;
END`;
