// Snapshot → TriggerState: whether a database holds the event trigger as this version makes it, and the rules that it follows.
import type pg from 'pg';
import { isGuarded } from '../core/closed-schema.ts';
import type { ObjectKind } from '../core/privileges/kinds.ts';
import { literal } from '../core/sql-text.ts';
import type { TriggerState } from '../core/triggers/plan-trigger.ts';
import { type TriggerRule, withKey } from '../core/triggers/trigger-rules.ts';
import { expectedTriggers, HAS_SHAPE, RULE_COLUMNS, RULE_TABLES, TRIGGER_NAMES } from '../core/triggers/trigger-sql.ts';
import { rowsDigest } from './fingerprint.ts';
import { query, type Row } from './query.ts';

/** Whether an owner is ourselves or, for a superuser, another one: nobody else may have put anything where our rights follow it. */
const isTrusted = (owner: string): string =>
  `(${owner} = r.oid OR (r.rolsuper AND EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.oid = ${owner} AND o.rolsuper)))`;

/** One row: is there a schema, is everything in it ours, are the tables there and guarded, and the triggers with their functions. */
export const TRIGGER_STATE = `SELECT n.oid IS NOT NULL,
    ${isTrusted('n.nspowner')} AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND NOT ${isTrusted('c.relowner')})
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid AND NOT ${isTrusted('p.proowner')}),
    ${HAS_SHAPE},
    ${isGuarded(RULE_TABLES)},
    current_user,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(e.evtname, e.evttags, p.proname, p.prosecdef, p.proconfig,
        pg_catalog.md5(pg_catalog.convert_to(p.prosrc, 'UTF8')), e.evtenabled, e.evtevent, ${isTrusted('e.evtowner')}))
      FROM pg_catalog.pg_event_trigger e JOIN pg_catalog.pg_proc p ON p.oid = e.evtfoid WHERE e.evtname IN (${TRIGGER_NAMES.map(literal).join(', ')}))
  FROM pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'pgsteward' WHERE r.rolname = current_user`;

/** Changes with every write to the rules, and when their guards are switched off. */
export const RULES_FINGERPRINT = `SELECT pg_catalog.concat_ws('|', ${[
  ...RULE_TABLES.map((table) => rowsDigest('0::bigint', `pgsteward.${table}`)),
  rowsDigest('oid::bigint', `pg_catalog.pg_trigger WHERE tgrelid IN (${RULE_TABLES.map((table) => `'pgsteward.${table}'::pg_catalog.regclass`).join(', ')})`),
].join(', ')})`;

const RULES = `SELECT ${RULE_COLUMNS} FROM pgsteward.trigger_rule`;
// A row of a copied database is none: the trigger does not follow it either.
const SUBJECTS = `SELECT s.role, CASE WHEN s.database = d.oid THEN s.mode ELSE '' END FROM pgsteward.trigger_subject s
  JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()`;

type Found = readonly [string, readonly string[], string, boolean, readonly string[] | null, string, string, string, boolean];

/** Whether the first row says that there are rules to be read. */
const hasRules = (row: Row | undefined): boolean => row?.[1] === true && row[2] === true;

/**
 * The state of the session's database, and the fingerprint of its rules; empty where there are none.
 * @param row what TRIGGER_STATE answered.
 */
export async function readTrigger(client: pg.ClientBase, row: Row | undefined): Promise<{ readonly state: TriggerState; readonly fingerprint: string }> {
  type Facts = readonly [boolean?, boolean?, boolean?, boolean?, string?, (readonly Found[] | null)?];
  const [exists = false, ours = false, , guarded = false, admin = '', found = null] = (row ?? []) as Facts;
  const tables = hasRules(row);
  const [print = [], rules = [], subjects = []] = tables
    ? (await query(client, `BEGIN READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp; ${RULES_FINGERPRINT}; ${RULES}; ${SUBJECTS}; COMMIT`)).slice(-4)
    : [];
  return {
    state: {
      schema: exists ? (ours ? 'ours' : 'foreign') : 'missing',
      tables,
      trigger: triggerOf(found ?? [], admin, guarded),
      subjects: new Map(subjects as unknown as readonly (readonly [string, string])[]),
      rules: new Map(rules.map(ruleOf)),
    },
    fingerprint: (print[0]?.[0] ?? '') as string,
  };
}

function triggerOf(found: readonly Found[], admin: string, guarded: boolean): TriggerState['trigger'] {
  if (found.length === 0) return 'missing';
  if (found.some(([, , , , , , enabled]) => enabled === 'D')) return 'disabled';
  const actual = new Map(found.map((one) => [one[0], one]));
  const isCurrent = expectedTriggers(admin).every(([name, tags, routine, definer, config, digest]) => {
    const one = actual.get(name);
    if (one === undefined) return false;
    const [, hasTags, hasRoutine, hasDefiner, hasConfig, hasDigest, enabled, event, owned] = one;
    const same =
      JSON.stringify([hasTags.toSorted(), hasRoutine, hasDefiner, hasConfig, hasDigest]) === JSON.stringify([tags, routine, definer, config, digest]);
    return same && enabled === 'O' && event === 'ddl_command_end' && owned;
  });
  return isCurrent && guarded ? 'current' : 'outdated';
}

function ruleOf(row: Row): [string, TriggerRule | null] {
  const [key, role, kind, schema, name, second, glob, wide, implied, rank, privileges, options] = row as readonly [
    string,
    string,
    ObjectKind,
    string,
    string,
    string | null,
    boolean,
    boolean,
    boolean,
    readonly number[],
    readonly string[],
    readonly boolean[],
  ];
  const rule = withKey({ role, kind, schema, name, second, glob, wide, implied, rank, privileges, options });
  return [key, rule.key === key ? rule : null];
}
