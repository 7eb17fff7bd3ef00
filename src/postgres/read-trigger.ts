// Snapshot → TriggerState: whether a database holds the event trigger as this version makes it, and which rules it follows. Only catalogs are read.
import { literal } from '../sql/sql-text.ts';
import { MAY_JOIN, MEMBERS } from '../sql/extension-members.ts';
import { NO_TRIGGER, type TriggerState } from '../model/trigger-state.ts';
import { TRIGGER_NAMES, TRIGGER_SCHEMA } from '../model/trigger-names.ts';
import { expectedTriggers } from '../sql/trigger-sql.ts';
import type { Row } from './query.ts';

/**
 * Whether an owner is our login itself or, for a superuser, another one: nobody else may have put anything where our rights follow it. Another
 * superuser has all of them anyway, and pgsteward may get another login.
 */
const isTrusted = (owner: string): string =>
  `(${owner} = r.oid OR (r.rolsuper AND EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.oid = ${owner} AND o.rolsuper)))`;

/** Whether a schema is ours, and everything in it that could do or be anything. */
const isOurs = (schema: string): string => `(${isTrusted(`${schema}.nspowner`)}
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = ${schema}.oid AND NOT ${isTrusted('c.relowner')})
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = ${schema}.oid AND NOT ${isTrusted('p.proowner')}))`;

const DIGEST = `pg_catalog.md5(pg_catalog.convert_to(p.prosrc, 'UTF8'))`;
const OLD_TABLES = ['trigger_rule', 'trigger_subject'];

const TRIGGERS = `(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(e.evtname, e.evttags, p.proname, p.prosecdef, p.proconfig, ${DIGEST}, e.evtenabled, e.evtevent,
        e.evtowner = r.oid AND p.pronamespace = n.oid))
      FROM pg_catalog.pg_event_trigger e JOIN pg_catalog.pg_proc p ON p.oid = e.evtfoid WHERE e.evtname IN (${TRIGGER_NAMES.map(literal).join(', ')}))`;

/** An expression: whether there is anything by our names; where there is not, the state is NO_TRIGGER, and nothing more is asked. */
export const TRIGGER_TRACE = `(EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = '${TRIGGER_SCHEMA}')
    OR EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname IN (${TRIGGER_NAMES.map(literal).join(', ')}))
    OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname IN (${OLD_TABLES.map(literal).join(', ')})))`;

/** An expression: something of the function that holds the rules, where it is one as we make it. */
const ofRules = (
  what: string,
): string => `(SELECT CASE WHEN p.provolatile = 's' AND NOT p.prosecdef AND p.proconfig IS NULL AND p.prorettype = 'pg_catalog.jsonb'::pg_catalog.regtype AND l.lanname = 'plpgsql'
        THEN ${what} ELSE '' END
      FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
      WHERE p.pronamespace = n.oid AND p.proname = 'rules' AND p.proargtypes = ARRAY['pg_catalog._text'::pg_catalog.regtype]::pg_catalog.oidvector)`;

/**
 * One row: is there a schema, is everything in it ours, which rules are held there, does everything belong to our own login and is a member of
 * the extension where it can be, are there tables of an earlier version, ourselves, the triggers with their functions, and the text of the rules where it is asked for.
 */
export const triggerState = (withText: boolean): string => `SELECT n.oid IS NOT NULL,
    ${isOurs('n')},
    ${ofRules(DIGEST)},
    n.nspowner = r.oid AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid AND p.proowner <> r.oid)
      AND (NOT ${MAY_JOIN} OR NOT EXISTS (SELECT FROM ${MEMBERS} m WHERE m.member IS NULL)),
    EXISTS (SELECT FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace
      WHERE s.nspname = 'pgsteward' AND t.relname IN (${OLD_TABLES.map(literal).join(', ')}) AND t.relkind = 'r' AND ${isOurs('s')}),
    current_user,
    ${TRIGGERS},
    ${withText ? ofRules('p.prosrc') : 'NULL'}
  FROM pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = '${TRIGGER_SCHEMA}' WHERE r.rolname = current_user`;

const isMember = (catalog: string, oid: string): string =>
  `EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass AND d.objid = ${oid} AND d.deptype = 'e')`;

/**
 * The usual case, which takes half as long to ask for: all of it is our own login's and a member, no relation is among it, and of earlier versions there is nothing.
 * One row: whether it is so, the rules, ourselves, the triggers, and the text of the rules where it is asked for.
 */
export const plainTrigger = (withText: boolean): string => `SELECT n.nspowner = r.oid AND ${isMember('pg_namespace', 'n.oid')}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid AND (p.proowner <> r.oid OR NOT ${isMember('pg_proc', 'p.oid')}))
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger e WHERE e.evtname IN (${TRIGGER_NAMES.map(literal).join(', ')}) AND NOT ${isMember('pg_event_trigger', 'e.oid')})
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname IN (${OLD_TABLES.map(literal).join(', ')})),
    ${ofRules(DIGEST)}, current_user, ${TRIGGERS}, ${withText ? ofRules('p.prosrc') : 'NULL'}
  FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_namespace n ON n.nspname = '${TRIGGER_SCHEMA}' WHERE r.rolname = current_user`;

/** @returns undefined where it is another case. */
export function plainTriggerOf(row: Row | undefined): TriggerState | undefined {
  const [isPlain, rules, admin, found, text] = row ?? [];
  return isPlain === true ? triggerStateOf([true, true, rules, true, false, admin, found, text]) : undefined;
}

type Found = readonly [string, readonly string[], string, boolean, readonly string[] | null, string, string, string, boolean];

/** @param row what `triggerState` answered in the session's database. */
export function triggerStateOf(row: Row | undefined): TriggerState {
  if (row === undefined) return NO_TRIGGER;
  const [exists, ours, rules, settled, tables, admin, found, text] = row as readonly [
    boolean,
    boolean | null,
    string | null,
    boolean | null,
    boolean,
    string,
    readonly Found[] | null,
    string | null,
  ];
  return {
    schema: exists ? (ours === true ? 'ours' : 'foreign') : 'missing',
    trigger: triggerOf(found ?? [], admin, settled === true),
    disabled: (found ?? []).flatMap((one) => (isOff(one) ? [one[0]] : [])).toSorted(),
    rules: rules ?? undefined,
    ...(ours === true && text !== null && text !== '' ? { text } : {}),
    tables,
  };
}

const isOff = ([, , , , , , enabled]: Found): boolean => enabled === 'D';

function triggerOf(found: readonly Found[], admin: string, settled: boolean): TriggerState['trigger'] {
  if (found.length === 0) return 'missing';
  if (found.some(isOff)) return 'disabled';
  const actual = new Map(found.map((one) => [one[0], one]));
  const isCurrent = expectedTriggers(admin).every(([name, tags, routine, definer, config, digest]) => {
    const one = actual.get(name);
    if (one === undefined) return false;
    const [, hasTags, hasRoutine, hasDefiner, hasConfig, hasDigest, enabled, event, owned] = one;
    const same =
      JSON.stringify([hasTags.toSorted(), hasRoutine, hasDefiner, hasConfig, hasDigest]) === JSON.stringify([tags, routine, definer, config, digest]);
    return same && enabled === 'O' && event === 'ddl_command_end' && owned;
  });
  return isCurrent && settled ? 'current' : 'outdated';
}
