// The SQL of the event trigger: the functions that follow the rules, and the statements that install, fill and remove them.
import { createHash } from 'node:crypto';
import { CLOSE_SCHEMA, guardSql } from '../closed-schema.ts';
import { literal } from '../sql-text.ts';
import type { TriggerMode, TriggerRule } from './trigger-rules.ts';

/** Set to `on` by our own sessions and by the trigger itself: what they change is no drift. */
export const APPLYING = 'pgsteward.applying';
/** Listeners hear on it that there is something to look at; it carries nothing else, as anybody may listen. */
export const CHANNEL = 'pgsteward';

const RELATIONS = ['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'SEQUENCE'];
const OTHERS = ['FUNCTION', 'PROCEDURE', 'AGGREGATE', 'TYPE', 'DOMAIN', 'SCHEMA', 'LANGUAGE', 'FOREIGN DATA WRAPPER', 'SERVER'];
const CREATED = [...RELATIONS, ...OTHERS, 'TABLE AS'].map((what) => `CREATE ${what}`);
const ALTERED = [...RELATIONS, ...OTHERS, 'ROUTINE'].map((what) => `ALTER ${what}`);

interface EventTrigger {
  readonly name: string;
  readonly function: string;
  readonly tags: readonly string[];
  /** What the function is beside its text. */
  readonly attributes: string;
  readonly config: readonly string[];
  readonly body: (admin: string) => string;
}

/**
 * The statement that a GRANT inside of the trigger fires is none of these tags, so that it cannot call itself. `CREATE SCHEMA … CREATE TABLE`
 * and IMPORT FOREIGN SCHEMA are one event with a tag of their own, whatever they create.
 */
const OBJECTS: EventTrigger = {
  name: 'pgsteward_objects',
  function: 'apply_rules',
  tags: [...CREATED, 'SELECT INTO', 'IMPORT FOREIGN SCHEMA', ...ALTERED],
  attributes: 'SECURITY DEFINER',
  // A plan for generic parameters is made once a session, not at each of the first five calls. Compiling one to machine code never pays here.
  config: ['search_path=pg_catalog, pg_temp', 'plan_cache_mode=force_generic_plan', 'jit=off'],
  body: applyRules,
};

/** Ownership may change by any ALTER; a GRANT's event does not say on what. */
const DRIFT: EventTrigger = {
  name: 'pgsteward_drift',
  function: 'notify_drift',
  tags: ['GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES', 'ALTER LARGE OBJECT', 'DROP OWNED', ...ALTERED],
  attributes: 'SECURITY INVOKER',
  config: ['search_path=pg_catalog, pg_temp'],
  body: notifyDrift,
};

const TRIGGERS: readonly EventTrigger[] = [OBJECTS, DRIFT];

/** What the catalogs say of both triggers when they are as they should be: name, tags, function, security, settings and a digest of the body. */
export const expectedTriggers = (admin: string): readonly (readonly [string, readonly string[], string, boolean, readonly string[], string])[] =>
  TRIGGERS.map((one) => [
    one.name,
    one.tags.toSorted(),
    one.function,
    one.attributes === 'SECURITY DEFINER',
    one.config,
    createHash('md5').update(one.body(admin)).digest('hex'),
  ]);

export const TRIGGER_NAMES: readonly string[] = TRIGGERS.map((one) => one.name);

/** A transaction with a notification cannot be prepared for two-phase commit, and one more in a full queue fails: then nobody is told. */
const NOTIFY = `IF pg_catalog.current_setting('max_prepared_transactions') = '0' AND pg_catalog.pg_notification_queue_usage() < 0.5 THEN
      PERFORM pg_catalog.pg_notify('${CHANNEL}', '');
    END IF;`;

const NOT_OF_EXTENSION = `NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = t.classid AND e.objid = t.objid AND e.objsubid = 0
          AND e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.deptype = 'e')`;
const OUR_BUSINESS = `n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'pgsteward')`;
const CLASS = (name: string): string => `'pg_catalog.${name}'::pg_catalog.regclass`;

/** Objects of one catalog among those that the command touched. */
const objects = (
  catalog: string,
  part: {
    kind: string;
    schema?: string;
    name: string;
    second?: string;
    owner: string;
    acl: string;
    code: string;
    target: string;
    from?: string;
    where?: string;
  },
): string =>
  `SELECT t.classid, t.objid, ${part.kind} AS kind, ${part.schema ?? `''::text`} AS schema, ${part.name}::text AS name, ${part.second ?? 'NULL::text'} AS second,
          o.${part.owner} AS owner, coalesce(o.${part.acl}, pg_catalog.acldefault(${part.code}, o.${part.owner})) AS acl, ${part.target} AS target, '' AS part
        FROM touched t JOIN pg_catalog.${catalog} o ON o.oid = t.objid ${part.from ?? ''}
        WHERE t.classid = ${CLASS(catalog)} AND ${NOT_OF_EXTENSION} AND ${part.where ?? 'true'}`;

const inSchema = (column: string): string => `JOIN pg_catalog.pg_namespace n ON n.oid = o.${column}`;

/**
 * The body of the function that runs in the transaction of an application's DDL. It must never make that fail: everything stands in a block
 * that catches what can be caught; a cancelled or timed-out statement was cancelled by somebody else. Its only input are catalogs and our
 * closed tables; nothing of the application's is called or evaluated, and every name is quoted.
 */
function applyRules(): string {
  return `
DECLARE
  statements text[];
  statement text;
  rest boolean := false;
  done boolean := false;
BEGIN
  BEGIN
    PERFORM pg_catalog.set_config('${APPLYING}', 'on', true);
    WITH command AS MATERIALIZED (
      SELECT c.classid, c.objid FROM pg_catalog.pg_event_trigger_ddl_commands() c WHERE NOT c.in_extension AND c.objid IS NOT NULL
    ), touched AS (
      SELECT classid, objid FROM command
      -- Sequences move, and get another owner, with the table that owns them; no event names them.
      UNION SELECT d.classid, d.objid FROM command c JOIN pg_catalog.pg_depend d ON d.refclassid = c.classid AND d.refobjid = c.objid
        AND d.classid = ${CLASS('pg_class')} AND d.deptype IN ('a', 'i') WHERE tg_tag LIKE 'ALTER %TABLE' AND c.classid = ${CLASS('pg_class')}
      -- With its schema everything in it gets another name.
      UNION SELECT ${CLASS('pg_class')}, o.oid FROM command c JOIN pg_catalog.pg_class o ON o.relnamespace = c.objid
        WHERE tg_tag = 'ALTER SCHEMA' AND c.classid = ${CLASS('pg_namespace')}
      UNION SELECT ${CLASS('pg_proc')}, o.oid FROM command c JOIN pg_catalog.pg_proc o ON o.pronamespace = c.objid
        WHERE tg_tag = 'ALTER SCHEMA' AND c.classid = ${CLASS('pg_namespace')}
      UNION SELECT ${CLASS('pg_type')}, o.oid FROM command c JOIN pg_catalog.pg_type o ON o.typnamespace = c.objid
        WHERE tg_tag = 'ALTER SCHEMA' AND c.classid = ${CLASS('pg_namespace')}
    ), whole AS (
      ${[
        objects('pg_class', {
          kind: `CASE WHEN o.relkind = 'S' THEN 'sequence' ELSE 'table' END`,
          schema: 'n.nspname::text',
          name: 'o.relname',
          owner: 'relowner',
          acl: 'relacl',
          code: `CASE WHEN o.relkind = 'S' THEN 's' ELSE 'r' END::"char"`,
          target: `pg_catalog.format('%s %I.%I', CASE WHEN o.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, o.relname)`,
          from: inSchema('relnamespace'),
          where: `o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${OUR_BUSINESS}`,
        }),
        objects('pg_proc', {
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
        }),
        objects('pg_type', {
          kind: `'type'`,
          schema: 'n.nspname::text',
          name: 'o.typname',
          owner: 'typowner',
          acl: 'typacl',
          code: `'T'`,
          target: `pg_catalog.format('TYPE %I.%I', n.nspname, o.typname)`,
          from: `${inSchema('typnamespace')} LEFT JOIN pg_catalog.pg_class k ON k.oid = o.typrelid`,
          where: `o.typtype IN ('b', 'd', 'e', 'r', 'c') AND (k.relkind IS NULL OR k.relkind = 'c') AND NOT (o.typelem <> 0 AND o.typlen = -1) AND ${OUR_BUSINESS}`,
        }),
        objects('pg_namespace', {
          kind: `'schema'`,
          name: 'o.nspname',
          owner: 'nspowner',
          acl: 'nspacl',
          code: `'n'`,
          target: `pg_catalog.format('SCHEMA %I', o.nspname)`,
          where: OUR_BUSINESS.replaceAll('n.nspname', 'o.nspname'),
        }),
        objects('pg_language', {
          kind: `'language'`,
          name: 'o.lanname',
          owner: 'lanowner',
          acl: 'lanacl',
          code: `'l'`,
          target: `pg_catalog.format('LANGUAGE %I', o.lanname)`,
          where: 'o.lanpltrusted',
        }),
        objects('pg_foreign_data_wrapper', {
          kind: `'foreign_data_wrapper'`,
          name: 'o.fdwname',
          owner: 'fdwowner',
          acl: 'fdwacl',
          code: `'F'`,
          target: `pg_catalog.format('FOREIGN DATA WRAPPER %I', o.fdwname)`,
        }),
        objects('pg_foreign_server', {
          kind: `'foreign_server'`,
          name: 'o.srvname',
          owner: 'srvowner',
          acl: 'srvacl',
          code: `'S'`,
          target: `pg_catalog.format('FOREIGN SERVER %I', o.srvname)`,
        }),
      ].join('\n      UNION ALL ')}
    ), object AS MATERIALIZED (
      SELECT * FROM whole
      UNION ALL SELECT w.classid, w.objid, 'column', w.schema, w.name, a.attname::text, w.owner,
          coalesce(a.attacl, pg_catalog.acldefault('c', w.owner)), w.target, pg_catalog.format(' (%I)', a.attname)
        FROM whole w JOIN pg_catalog.pg_attribute a ON a.attrelid = w.objid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE w.kind = 'table' AND (SELECT EXISTS (SELECT FROM pgsteward.trigger_rule WHERE kind = 'column'))
    ), subject AS (
      -- A copy of the database has rules that were meant for another.
      SELECT s.role, s.mode, CASE WHEN s.role = 'public' THEN 0::oid ELSE r.oid END AS oid FROM pgsteward.trigger_subject s
        LEFT JOIN pg_catalog.pg_roles r ON r.rolname = s.role
        WHERE s.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) AND (s.role = 'public' OR r.oid IS NOT NULL)
    ), match AS (
      SELECT o.classid, o.objid, o.part, r.role, r.implied, r.rank, r.privileges, r.options FROM object o JOIN pgsteward.trigger_rule r
        ON r.kind = o.kind AND NOT r.glob AND r.schema IN (o.schema, '*') AND r.name IN (o.name, '*') AND (r.second IS NULL OR r.second = o.second)
      UNION ALL
      SELECT o.classid, o.objid, o.part, r.role, r.implied, r.rank, r.privileges, r.options FROM object o JOIN pgsteward.trigger_rule r
        ON r.kind = o.kind AND r.glob AND o.schema LIKE r.schema AND o.name LIKE r.name
          AND (r.second IS NULL OR CASE WHEN o.kind = 'column' THEN o.second LIKE r.second ELSE o.second = r.second END)
    ), best AS (
      SELECT m.*, m.implied OR m.rank = max(m.rank) FILTER (WHERE NOT m.implied) OVER (PARTITION BY m.classid, m.objid, m.part, m.role) AS counts FROM match m
    ), wish AS (
      SELECT b.classid, b.objid, b.part, s.oid AS grantee, p.privilege, bool_or(p.option) AS option
      FROM best b JOIN subject s USING (role) CROSS JOIN LATERAL ROWS FROM (unnest(b.privileges), unnest(b.options)) AS p(privilege, option)
      WHERE b.counts GROUP BY 1, 2, 3, 4, 5
    ), held AS (
      SELECT o.classid, o.objid, o.part, x.grantee, x.privilege_type AS privilege, bool_or(x.is_grantable) AS option, bool_and(x.grantor = o.owner) AS by_owner
      FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.owner GROUP BY 1, 2, 3, 4, 5
    ), extra AS (
      SELECT h.*, s.role FROM held h JOIN subject s ON s.oid = h.grantee
        LEFT JOIN wish w USING (classid, objid, part, grantee, privilege)
      WHERE (w.privilege IS NULL OR (h.option AND NOT w.option)) AND (s.mode = 'exact' OR (s.mode = 'named' AND EXISTS (
        SELECT FROM match m WHERE NOT m.implied AND m.role = s.role AND (m.classid, m.objid, m.part) = (h.classid, h.objid, h.part))))
    ), revoke AS (
      SELECT e.* FROM extra e WHERE e.by_owner AND NOT e.option
    ), missing AS (
      SELECT w.* FROM wish w JOIN object o USING (classid, objid, part)
        LEFT JOIN held h USING (classid, objid, part, grantee, privilege)
        -- A REVOKE on a table takes the privileges on its columns with it.
        LEFT JOIN revoke t ON w.part <> '' AND t.part = '' AND (t.classid, t.objid, t.grantee, t.privilege) = (w.classid, w.objid, w.grantee, w.privilege)
      WHERE w.grantee <> o.owner AND (h.privilege IS NULL OR t.privilege IS NOT NULL OR (w.option AND NOT h.option))
    ), granted AS (
      SELECT m.classid, m.objid, m.part, m.grantee, m.option, pg_catalog.string_agg(m.privilege || m.part, ', ' ORDER BY m.privilege) AS privileges
      FROM missing m GROUP BY 1, 2, 3, 4, 5
    ), revoked AS (
      SELECT r.classid, r.objid, r.part, r.grantee, NULL::boolean, pg_catalog.string_agg(r.privilege || r.part, ', ' ORDER BY r.privilege) FROM revoke r GROUP BY 1, 2, 3, 4
    ), planned AS (
      SELECT CASE WHEN g.option IS NULL THEN CASE WHEN g.part = '' THEN 3 ELSE 2 END WHEN g.part = '' THEN 1 ELSE 4 END AS step,
        CASE WHEN g.option IS NULL THEN pg_catalog.format('REVOKE %s ON %s FROM %s', g.privileges, o.target, g.grantees)
          ELSE pg_catalog.format('GRANT %s ON %s TO %s%s', g.privileges, o.target, g.grantees, CASE WHEN g.option THEN ' WITH GRANT OPTION' ELSE '' END) END AS statement
      FROM (SELECT a.classid, a.objid, a.part, a.option, a.privileges,
          pg_catalog.string_agg(CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, ', ' ORDER BY a.grantee) AS grantees
        FROM (SELECT * FROM granted UNION ALL SELECT * FROM revoked) a GROUP BY 1, 2, 3, 4, 5) g JOIN object o USING (classid, objid, part)
    )
    SELECT pg_catalog.array_agg(p.statement ORDER BY p.step), EXISTS (SELECT FROM extra e WHERE NOT e.by_owner OR e.option)
      INTO statements, rest FROM planned p;
    FOREACH statement IN ARRAY coalesce(statements, '{}') LOOP
      EXECUTE statement;
    END LOOP;
    PERFORM pg_catalog.set_config('${APPLYING}', '', true);
    done := true;
  EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'pgsteward: the rules of % were not applied at once: % (%)', tg_tag, SQLERRM, SQLSTATE;
  END;
  IF NOT done THEN
    rest := true;
    -- All together were undone with the one that failed: each by itself, so that it stays the only one.
    FOREACH statement IN ARRAY coalesce(statements, '{}') LOOP
      BEGIN
        PERFORM pg_catalog.set_config('${APPLYING}', 'on', true);
        EXECUTE statement;
        PERFORM pg_catalog.set_config('${APPLYING}', '', true);
      EXCEPTION WHEN OTHERS THEN
        RAISE LOG 'pgsteward: left to the next cycle: % (%)', SQLERRM, SQLSTATE;
      END;
    END LOOP;
  END IF;
  IF rest THEN
    ${NOTIFY}
  END IF;
EXCEPTION WHEN OTHERS THEN
  RAISE LOG 'pgsteward: %: % (%)', tg_tag, SQLERRM, SQLSTATE;
END`;
}

/** The body of the function that tells listeners of what somebody else changed. It runs as whoever made the change, and needs no right. */
function notifyDrift(admin: string): string {
  return `
BEGIN
  -- Only our own admin's word counts: nobody else can hide a change by setting the parameter.
  IF pg_catalog.current_setting('${APPLYING}', true) = 'on' AND ${literal(admin)} IN (current_user, session_user) THEN
    RETURN;
  END IF;
  ${NOTIFY}
EXCEPTION WHEN OTHERS THEN
  RAISE LOG 'pgsteward: %: % (%)', tg_tag, SQLERRM, SQLSTATE;
END`;
}

const createFunction = ({ function: name, attributes, config, body }: EventTrigger, admin: string): string =>
  `CREATE OR REPLACE FUNCTION pgsteward.${name}() RETURNS event_trigger LANGUAGE plpgsql ${attributes} ${config
    .map((setting) => `SET ${setting.replace('=', ' = ')}`)
    .join(' ')} AS ${literal(body(admin))}`;

/** What the trigger follows. */
export const RULE_TABLES: readonly string[] = ['trigger_subject', 'trigger_rule'];

/** Everything that the trigger needs; what is there already stays. */
export const installSql = ({ admin, newSchema }: { readonly admin: string; readonly newSchema: boolean }): readonly string[] => [
  ...(!newSchema ? [] : ['CREATE SCHEMA pgsteward', `COMMENT ON SCHEMA pgsteward IS 'The memory of pgsteward'`]),
  'REVOKE ALL ON SCHEMA pgsteward FROM PUBLIC',
  'CREATE TABLE IF NOT EXISTS pgsteward.trigger_subject (role text PRIMARY KEY, mode text NOT NULL, database oid NOT NULL)',
  `CREATE TABLE IF NOT EXISTS pgsteward.trigger_rule (key text PRIMARY KEY, role text NOT NULL, kind text NOT NULL, schema text NOT NULL, name text NOT NULL,
     second text, glob boolean NOT NULL, implied boolean NOT NULL, rank int[] NOT NULL, privileges text[] NOT NULL, options boolean[] NOT NULL)`,
  'CREATE INDEX IF NOT EXISTS trigger_rule_names ON pgsteward.trigger_rule (kind, name, schema) WHERE NOT glob',
  'CREATE INDEX IF NOT EXISTS trigger_rule_globs ON pgsteward.trigger_rule (kind) WHERE glob',
  ...guardSql(RULE_TABLES),
  ...TRIGGERS.map((one) => createFunction(one, admin)),
  ...[...TRIGGERS.map((one) => one.function), 'refuse_others'].map((name) => `REVOKE ALL ON FUNCTION pgsteward.${name}() FROM PUBLIC`),
  CLOSE_SCHEMA,
  ...TRIGGERS.flatMap((one) => [
    `DROP EVENT TRIGGER IF EXISTS ${one.name}`,
    `CREATE EVENT TRIGGER ${one.name} ON ddl_command_end WHEN TAG IN (${one.tags.map(literal).join(', ')}) EXECUTE FUNCTION pgsteward.${one.function}()`,
  ]),
];

/** The rules' tables brought in line. */
export function syncSql(change: {
  readonly roles: readonly (readonly [string, TriggerMode])[];
  readonly goneRoles: readonly string[];
  readonly rules: readonly TriggerRule[];
  readonly goneRules: readonly string[];
}): readonly string[] {
  const { roles, goneRoles, rules, goneRules } = change;
  const json = (rows: readonly object[]): string => literal(JSON.stringify(rows));
  return [
    ...(goneRules.length === 0 ? [] : [`DELETE FROM pgsteward.trigger_rule WHERE key IN (${goneRules.map(literal).join(', ')})`]),
    ...(goneRoles.length === 0 ? [] : [`DELETE FROM pgsteward.trigger_subject WHERE role IN (${goneRoles.map(literal).join(', ')})`]),
    ...(roles.length === 0
      ? []
      : [
          `INSERT INTO pgsteward.trigger_subject (role, mode, database) SELECT x.role, x.mode, d.oid
     FROM jsonb_to_recordset(${json(roles.map(([role, mode]) => ({ role, mode })))}) AS x(role text, mode text)
     JOIN pg_database d ON d.datname = current_database() ON CONFLICT (role) DO UPDATE SET mode = excluded.mode, database = excluded.database`,
        ]),
    ...(rules.length === 0
      ? []
      : [
          `INSERT INTO pgsteward.trigger_rule SELECT x.* FROM jsonb_to_recordset(${json(rules)})
     AS x(key text, role text, kind text, schema text, name text, second text, glob boolean, implied boolean, rank int[], privileges text[], options boolean[])`,
        ]),
  ];
}

/** The triggers and their functions; or the tables, and the schema with them where nothing else is in it. */
export const removeSql = (part: 'trigger' | 'rules'): readonly string[] =>
  part === 'trigger'
    ? TRIGGERS.flatMap((one) => [`DROP EVENT TRIGGER IF EXISTS ${one.name}`, `DROP FUNCTION IF EXISTS pgsteward.${one.function}()`])
    : [
        'DROP TABLE IF EXISTS pgsteward.trigger_rule, pgsteward.trigger_subject',
        // The ledger's tables may need the function still.
        `DO LANGUAGE plpgsql $remove$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = 'pgsteward'::pg_catalog.regnamespace) THEN
    DROP FUNCTION IF EXISTS pgsteward.refuse_others();
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'pgsteward'::pg_catalog.regnamespace) THEN DROP SCHEMA pgsteward; END IF;
  END IF;
END $remove$`,
      ];
