// The SQL of the event trigger: the functions that follow the rules, and the statements that install, fill and remove them.
import { createHash } from 'node:crypto';
import { CLOSE_SCHEMA, guardSql } from '../closed-schema.ts';
import { literal } from '../sql-text.ts';
import { applyRules, PLACE } from './apply-rules.ts';
import { APPLYING, NOTIFY, OTHERS, RELATIONS, ROUTINES } from './trigger-names.ts';
import type { TriggerMode, TriggerRule } from './trigger-rules.ts';

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
 * Settings of the session that could change what the functions do. An encoding that cannot say a name would make a message to the client an
 * error: they say nothing to it.
 */
const CONFIG = ['search_path=pg_catalog, pg_temp', 'client_min_messages=error'];

/** The statement that a GRANT inside of the trigger fires is none of these tags, so that it cannot call itself. */
const OBJECTS: EventTrigger = {
  name: 'pgsteward_objects',
  function: 'apply_rules',
  tags: [...RELATIONS, ...ROUTINES, ...OTHERS],
  attributes: 'SECURITY DEFINER',
  config: [
    ...CONFIG,
    // Names of types are compared as the server prints them.
    'quote_all_identifiers=off',
    // Whoever holds a lock on the rules, or on what else the trigger touches, must not hold up an application until its own timeout.
    'lock_timeout=250',
    // A plan for generic parameters is made once a session, not at each of the first five calls. Compiling one to machine code never pays here.
    'plan_cache_mode=force_generic_plan',
    'jit=off',
    // Nor does reading all of a catalog, or of the rules.
    'enable_seqscan=off',
    'enable_bitmapscan=off',
  ],
  body: applyRules,
};

/** Ownership may change by any ALTER; a GRANT's event does not say on what. */
const DRIFT: EventTrigger = {
  name: 'pgsteward_drift',
  function: 'notify_drift',
  tags: [
    'GRANT',
    'REVOKE',
    'ALTER DEFAULT PRIVILEGES',
    'ALTER LARGE OBJECT',
    'DROP OWNED',
    ...[...RELATIONS, ...ROUTINES, ...OTHERS].filter((tag) => tag.startsWith('ALTER ')),
  ],
  attributes: 'SECURITY INVOKER',
  config: CONFIG,
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

/** What the trigger follows, and the columns of it: a table that somebody changed is none. */
const SHAPES = {
  trigger_subject: 'role text, mode text, database oid',
  trigger_rule:
    'key text, role text, kind text, schema text, name text, second text, glob boolean, wide boolean, implied boolean, rank integer[], privileges text[], options boolean[], place text',
};
export const RULE_TABLES: readonly string[] = Object.keys(SHAPES);

/** SQL that is true where the tables are as they should be. */
export const HAS_SHAPE = Object.entries(SHAPES)
  .map(
    ([
      table,
      shape,
    ]) => `EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass('pgsteward.${table}') AND c.relkind = 'r' AND ${literal(shape)} =
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))`,
  )
  .join(' AND ');

/** Everything that the trigger needs; what is there already stays. Names of the catalogs have the collation "C": with another one no index serves them. */
export const installSql = ({ admin, newSchema }: { readonly admin: string; readonly newSchema: boolean }): readonly string[] => [
  ...(!newSchema ? [] : ['CREATE SCHEMA pgsteward', `COMMENT ON SCHEMA pgsteward IS 'The memory of pgsteward'`]),
  'REVOKE ALL ON SCHEMA pgsteward FROM PUBLIC',
  `DO LANGUAGE plpgsql $shape$ BEGIN IF NOT (${HAS_SHAPE}) THEN DROP TABLE IF EXISTS ${RULE_TABLES.map((table) => `pgsteward.${table}`).join(', ')}; END IF; END $shape$`,
  'CREATE TABLE IF NOT EXISTS pgsteward.trigger_subject (role text COLLATE "C" PRIMARY KEY, mode text NOT NULL, database oid NOT NULL)',
  `CREATE TABLE IF NOT EXISTS pgsteward.trigger_rule (key text PRIMARY KEY, role text COLLATE "C" NOT NULL, kind text NOT NULL, schema text NOT NULL, name text NOT NULL,
     second text, glob boolean NOT NULL, wide boolean NOT NULL, implied boolean NOT NULL, rank int[] NOT NULL, privileges text[] NOT NULL, options boolean[] NOT NULL,
     place text COLLATE "C" GENERATED ALWAYS AS (${PLACE}) STORED)`,
  'CREATE INDEX IF NOT EXISTS trigger_rule_place ON pgsteward.trigger_rule (place)',
  `CREATE INDEX IF NOT EXISTS trigger_rule_columns ON pgsteward.trigger_rule (kind) WHERE kind = 'column'`,
  ...guardSql(RULE_TABLES),
  ...TRIGGERS.map((one) => createFunction(one, admin)),
  ...[...TRIGGERS.map((one) => one.function), 'refuse_others'].map((name) => `REVOKE ALL ON FUNCTION pgsteward.${name}() FROM PUBLIC`),
  CLOSE_SCHEMA,
  ...TRIGGERS.flatMap((one) => [
    `DROP EVENT TRIGGER IF EXISTS ${one.name}`,
    `CREATE EVENT TRIGGER ${one.name} ON ddl_command_end WHEN TAG IN (${one.tags.map(literal).join(', ')}) EXECUTE FUNCTION pgsteward.${one.function}()`,
  ]),
];

/** A row of rules, but for what follows from the rest. */
export const RULE_COLUMNS = 'key, role, kind, schema, name, second, glob, wide, implied, rank, privileges, options';

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
          `INSERT INTO pgsteward.trigger_rule (${RULE_COLUMNS}) SELECT ${RULE_COLUMNS} FROM jsonb_to_recordset(${json(rules)})
     AS x(key text, role text, kind text, schema text, name text, second text, glob boolean, wide boolean, implied boolean, rank int[], privileges text[], options boolean[])`,
        ]),
  ];
}

/**
 * The triggers; or all else, and the schema with it where nothing else is in it. The functions do not go together with the triggers: a session that
 * has looked up its triggers already would fail to find them.
 */
export const removeSql = (part: 'trigger' | 'rules'): readonly string[] =>
  part === 'trigger'
    ? TRIGGERS.map((one) => `DROP EVENT TRIGGER IF EXISTS ${one.name}`)
    : [
        'DROP TABLE IF EXISTS pgsteward.trigger_rule, pgsteward.trigger_subject',
        ...TRIGGERS.map((one) => `DROP FUNCTION IF EXISTS pgsteward.${one.function}()`),
        // The ledger's tables may need the function still.
        `DO LANGUAGE plpgsql $remove$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = 'pgsteward'::pg_catalog.regnamespace) THEN
    DROP FUNCTION IF EXISTS pgsteward.refuse_others();
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'pgsteward'::pg_catalog.regnamespace) THEN DROP SCHEMA pgsteward; END IF;
  END IF;
END $remove$`,
      ];
