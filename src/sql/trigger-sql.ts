// The SQL of the event trigger: the functions that hold and follow the rules, and the statements that install, fill and remove them.
import { createHash } from 'node:crypto';
import { closeSchema } from './closed-schema.ts';
import { literal } from './sql-text.ts';
import { applyRules } from './apply-rules.ts';
import { JOIN_EXTENSION, LEAVE_EXTENSION } from './extension-members.ts';
import { APPLYING, DRIFT_TRIGGER, NOTIFY, OBJECTS_TRIGGER, OTHERS, RELATIONS, ROUTINES, TRIGGER_SCHEMA } from '../model/trigger-names.ts';

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

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
  name: OBJECTS_TRIGGER,
  function: 'apply_rules',
  tags: [...RELATIONS, ...ROUTINES, ...OTHERS],
  attributes: 'SECURITY DEFINER',
  config: [
    ...CONFIG,
    // Names of types are compared as the server prints them.
    'quote_all_identifiers=off',
    // Whoever holds a lock on what the trigger touches must not hold up an application until its own timeout.
    'lock_timeout=250',
    // A plan for generic parameters is made once a session, not at each of the first five calls. Compiling one to machine code never pays here.
    'plan_cache_mode=force_generic_plan',
    'jit=off',
    // Nor does reading all of a catalog.
    'enable_seqscan=off',
    'enable_bitmapscan=off',
    // What it grants is no change by hand. Set with the function it costs less than a statement in it.
    `${APPLYING}=on`,
  ],
  body: applyRules,
};

/** Ownership may change by any ALTER; a GRANT's event does not say on what. */
const DRIFT: EventTrigger = {
  name: DRIFT_TRIGGER,
  function: 'notify_drift',
  tags: [
    'GRANT',
    'REVOKE',
    'ALTER DEFAULT PRIVILEGES',
    'ALTER LARGE OBJECT',
    'DROP OWNED',
    // What comes with a foreign server.
    'CREATE USER MAPPING',
    'DROP USER MAPPING',
    ...[...RELATIONS, ...ROUTINES, ...OTHERS].filter((tag) => tag.startsWith('ALTER ')),
  ],
  attributes: 'SECURITY INVOKER',
  config: CONFIG,
  body: notifyDrift,
};

const TRIGGERS: readonly EventTrigger[] = [OBJECTS, DRIFT];

/** What the catalogs say of both triggers when they are as they should be: name, tags, function, security, settings and a digest of the body. */
export const expectedTriggers = (admin: string): readonly (readonly [string, readonly string[], string, boolean, readonly string[], string])[] =>
  TRIGGERS.map((one) => [one.name, one.tags.toSorted(), one.function, one.attributes === 'SECURITY DEFINER', one.config, md5(one.body(admin))]);

/** The body of the function that tells listeners of what somebody else changed. It runs as whoever made the change, and needs no right. */
function notifyDrift(admin: string): string {
  return `
BEGIN
  -- Only our own admin's word counts: nobody else can hide a change by setting the parameter. It is asked first, as a block that catches costs each GRANT of ours.
  IF pg_catalog.current_setting('${APPLYING}', true) = 'on' AND ${literal(admin)} IN (current_user, session_user) THEN
    RETURN;
  END IF;
  BEGIN
    ${NOTIFY}
  EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'pgsteward: %: % (%)', tg_tag, SQLERRM, SQLSTATE;
  END;
END`;
}

/**
 * The body of the function that holds the rules: no table is published, dumped, locked, or written to by whoever may write to all of them. A session
 * reads the document once, and finds in it without copying. No dollar sign of its text is left to end the quotes, within which no setting of a session
 * gives a backslash another meaning.
 */
export const rulesBody = (document: string): string => `${BEFORE_RULES}${document.replaceAll('$', String.raw`\u0024`)}${AFTER_RULES}`;

const BEFORE_RULES = `
BEGIN
  RETURN pg_catalog.jsonb_extract_path($rules$`;
const AFTER_RULES = `$rules$::pg_catalog.jsonb, VARIADIC path);
END`;

/** The document in such a body; undefined where it is none. */
export const rulesOfBody = (body: string): string | undefined =>
  body.startsWith(BEFORE_RULES) && body.endsWith(AFTER_RULES) ? body.slice(BEFORE_RULES.length, -AFTER_RULES.length) : undefined;

/** What the catalogs say of the function that holds this document. */
export const rulesDigest = (document: string): string => md5(rulesBody(document));

const routine = (name: string, args = ''): string => `${TRIGGER_SCHEMA}.${name}(${args})`;
const RULES = routine('rules', 'text[]');
const ROUTINE_NAMES: readonly string[] = [...TRIGGERS.map((one) => routine(one.function)), RULES];

const createRules = (document: string): string =>
  `CREATE OR REPLACE FUNCTION ${routine('rules', 'VARIADIC path text[]')} RETURNS jsonb LANGUAGE plpgsql STABLE AS ${literal(rulesBody(document))}`;

const createFunction = ({ function: name, attributes, config, body }: EventTrigger, admin: string): string =>
  `CREATE OR REPLACE FUNCTION ${routine(name)} RETURNS event_trigger LANGUAGE plpgsql ${attributes} ${config
    .map((setting) => `SET ${setting.replace('=', ' = ')}`)
    .join(' ')} AS ${literal(body(admin))}`;

/** Nobody but its owner may use a new schema, and so nothing in it: a right that is taken nevertheless would be one more thing for a dump to say. */
const close = closeSchema(TRIGGER_SCHEMA);

const DROP_TRIGGERS: readonly string[] = TRIGGERS.map((one) => `DROP EVENT TRIGGER IF EXISTS ${one.name}`);

/** In a schema that this transaction made nothing is anybody else's, but triggers of our names may be left from before. They are looked for only there, and seldom found. */
const beforeNew = `DO LANGUAGE plpgsql $before$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname IN (${TRIGGERS.map(({ name }) => literal(name)).join(', ')})) THEN
    EXECUTE ${literal(LEAVE_EXTENSION('trigger'))};
    ${DROP_TRIGGERS.join('; ')};
  END IF;
END $before$`;

/** The usual case, for which nothing has to be looked up: nobody was given anything by default, or by an event trigger of somebody else, and we are a superuser. */
const afterNew = `DO LANGUAGE plpgsql $after$
DECLARE here CONSTANT oid := '${TRIGGER_SCHEMA}'::pg_catalog.regnamespace;
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AND EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'plpgsql')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE oid = here AND nspacl IS NOT NULL)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = here AND proacl IS NOT NULL)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = here)
  THEN
    ${[`SCHEMA ${TRIGGER_SCHEMA}`, ...ROUTINE_NAMES.map((name) => `FUNCTION ${name}`), ...TRIGGERS.map(({ name }) => `EVENT TRIGGER ${name}`)].map((member) => `ALTER EXTENSION plpgsql ADD ${member}`).join(';\n    ')};
  ELSE
    EXECUTE ${literal(close)};
    EXECUTE ${literal(JOIN_EXTENSION)};
  END IF;
END $after$`;

const CREATE_TRIGGERS: readonly string[] = TRIGGERS.map(
  (one) => `CREATE EVENT TRIGGER ${one.name} ON ddl_command_end WHEN TAG IN (${one.tags.map(literal).join(', ')}) EXECUTE FUNCTION ${routine(one.function)}`,
);

/** Ours are as they are tried, and the server would compile each for nothing. */
const unchecked = (statements: readonly string[]): readonly string[] => [
  'SET LOCAL check_function_bodies = off',
  ...statements,
  'SET LOCAL check_function_bodies = on',
];

/**
 * Everything that the trigger needs; what is there already stays.
 * @param change without rules where those that are there stay.
 */
export const installSql = (change: { readonly admin: string; readonly newSchema: boolean; readonly rules: string | undefined }): readonly string[] => {
  const functions = unchecked([
    ...(change.rules === undefined ? [] : [createRules(change.rules)]),
    ...TRIGGERS.map((one) => createFunction(one, change.admin)),
  ]);
  if (change.newSchema)
    return [
      `CREATE SCHEMA ${TRIGGER_SCHEMA}`,
      `COMMENT ON SCHEMA ${TRIGGER_SCHEMA} IS 'What the event triggers of pgsteward follow'`,
      ...functions,
      beforeNew,
      ...CREATE_TRIGGERS,
      afterNew,
    ];
  return [
    ...functions,
    // Where another superuser made them.
    `ALTER SCHEMA ${TRIGGER_SCHEMA} OWNER TO CURRENT_USER`,
    ...ROUTINE_NAMES.map((name) => `ALTER FUNCTION ${name} OWNER TO CURRENT_USER`),
    close,
    LEAVE_EXTENSION('trigger'),
    ...TRIGGERS.flatMap((_, index) => [DROP_TRIGGERS[index] ?? '', CREATE_TRIGGERS[index] ?? '']),
    JOIN_EXTENSION,
  ];
};

/** Other rules for the trigger to follow: at once, and for all of them together. */
export const syncSql = (change: { readonly rules: string }): readonly string[] => [createRules(change.rules)];

/**
 * The triggers; what they followed, and the schema; or what earlier versions kept. The functions do not go together with the triggers: a session that
 * has looked up its triggers already would fail to find them. Nothing is dropped by CASCADE: from a member of an extension it leads to the extension.
 */
export const removeSql = (part: 'trigger' | 'rules' | 'tables'): readonly string[] => {
  if (part === 'trigger') return [LEAVE_EXTENSION('trigger'), ...DROP_TRIGGERS];
  if (part === 'rules')
    return [LEAVE_EXTENSION('all'), ...ROUTINE_NAMES.map((name) => `DROP FUNCTION IF EXISTS ${name}`), `DROP SCHEMA IF EXISTS ${TRIGGER_SCHEMA}`];
  return [
    'DROP TABLE IF EXISTS pgsteward.trigger_rule, pgsteward.trigger_subject',
    'DROP FUNCTION IF EXISTS pgsteward.apply_rules(), pgsteward.notify_drift()',
    // The ledger's tables may need the function still.
    `DO LANGUAGE plpgsql $remove$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = 'pgsteward'::pg_catalog.regnamespace) THEN
    DROP FUNCTION IF EXISTS pgsteward.refuse_others();
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'pgsteward'::pg_catalog.regnamespace) THEN DROP SCHEMA pgsteward; END IF;
  END IF;
END $remove$`,
  ];
};
