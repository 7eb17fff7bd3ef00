// The plan of event triggers: which databases have one, and what it takes to make it follow the document. Pure.
import type { Catalog } from '../catalog.ts';
import type { Change } from '../change.ts';
import type { Notice } from '../notice.ts';
import type { Subject } from '../privileges/subject.ts';
import { type TriggerMode, type TriggerRule, triggerRulesOf } from './trigger-rules.ts';

/** EVENT_TRIGGERS: `auto` where the server is known to allow them, `on` everywhere, `off` nowhere. */
export type TriggerPolicy = 'auto' | 'on' | 'off';

/** What a database holds of the event trigger. */
export interface TriggerState {
  /** `foreign`: the schema pgsteward, or something in it, is not ours: what it says would be followed with our rights. */
  readonly schema: 'missing' | 'ours' | 'foreign';
  /** Whether the tables of rules are there. */
  readonly tables: boolean;
  /** `outdated`: not as this version makes it. `disabled`: somebody switched it off by ALTER EVENT TRIGGER. */
  readonly trigger: 'missing' | 'current' | 'outdated' | 'disabled';
  readonly subjects: ReadonlyMap<string, string>;
  /** By the key that is stored; null for a row that is not what its key says. */
  readonly rules: ReadonlyMap<string, TriggerRule | null>;
}

export const NO_TRIGGER: TriggerState = { schema: 'missing', tables: false, trigger: 'missing', subjects: new Map(), rules: new Map() };

export interface TriggerInput {
  readonly database: string;
  readonly state: TriggerState;
  readonly subjects: readonly Subject[];
  readonly policy: TriggerPolicy;
  readonly catalog: Catalog;
  readonly revokes: boolean;
  /** The document is wrong about this database: what the trigger follows stays as it is. */
  readonly isInvalid: boolean;
}

/** The admin of RDS, which may create event triggers without being a superuser. */
const MANAGED_ADMIN = 'rds_superuser';

/** Whether our admin may create event triggers; on a plain server only a superuser may. */
const mayTrigger = ({ server, cluster }: Catalog, policy: TriggerPolicy): boolean =>
  policy === 'on' ||
  (policy === 'auto' && (server.superuser || cluster.memberships.some((row) => row.role === MANAGED_ADMIN && row.member === server.admin && row.inherit)));

/** The changes for one database; never more than one of each kind. */
export function planTrigger(input: TriggerInput): { readonly changes: readonly Change[]; readonly notices: readonly Notice[] } {
  const { database, state, catalog } = input;
  const wanted = triggerRulesOf(input.subjects, database, input.revokes);
  // A template's event trigger would be copied into every new database.
  const isWanted = mayTrigger(catalog, input.policy) && wanted.rules.size > 0 && catalog.databases.get(database)?.isTemplate !== true;
  if (!isWanted) return { changes: removal(state, database), notices: [] };
  if (state.schema === 'foreign')
    return {
      changes: [],
      notices: [
        {
          kind: 'failed',
          subject: '',
          message: `the event trigger is not installed in database ${database}: the schema pgsteward there, or something in it, belongs to somebody else; new objects wait for the next cycle. Drop it, or give it to ${catalog.server.admin}`,
        },
      ],
    };
  const changes: Change[] = [];
  if (state.trigger === 'missing' || state.trigger === 'outdated' || !state.tables)
    changes.push({ kind: 'install_event_trigger', database, admin: catalog.server.admin, newSchema: state.schema === 'missing' });
  if (!input.isInvalid) changes.push(...synchronisation(state, wanted, database));
  const disabled = `the event trigger in database ${database} is disabled, and stays so: new objects wait for the next cycle. ALTER EVENT TRIGGER pgsteward_objects ENABLE puts it to work again`;
  return { changes, notices: state.trigger === 'disabled' ? [{ kind: 'fallback', subject: '', message: disabled }] : [] };
}

/**
 * First the triggers, then in the next pass what they followed: an application's DDL reads the rules until the triggers are gone, and would
 * wait for whoever drops them.
 */
function removal(state: TriggerState, database: string): Change[] {
  if (state.schema !== 'ours') return [];
  if (state.trigger !== 'missing') return [{ kind: 'remove_event_trigger', database, part: 'trigger' }];
  return state.tables ? [{ kind: 'remove_event_trigger', database, part: 'rules' }] : [];
}

function synchronisation(state: TriggerState, wanted: ReturnType<typeof triggerRulesOf>, database: string): Change[] {
  const subjects = [...wanted.subjects].filter(([role, mode]) => state.subjects.get(role) !== mode);
  const gone = [...state.subjects.keys()].filter((role) => !wanted.subjects.has(role));
  const added = [...wanted.rules.values()].filter((rule) => (state.rules.get(rule.key) ?? null) === null);
  const removed = [...state.rules].filter(([key, rule]) => rule === null || !wanted.rules.has(key)).map(([key]) => key);
  if (subjects.length + gone.length + added.length + removed.length === 0) return [];
  const roles: readonly (readonly [string, TriggerMode])[] = subjects;
  return [{ kind: 'sync_trigger_rules', database, roles, goneRoles: gone, rules: added, goneRules: removed }];
}

/** Whether there is anything of ours to remove some day. */
const isThere = ({ schema, tables, trigger }: TriggerState): boolean => schema === 'ours' && (tables || trigger !== 'missing');

/** The databases to remember, before a plan is run: those that hold something, and those that will. */
export function databasesWithTrigger(
  catalog: Catalog,
  readings: ReadonlyMap<string, { readonly kind: string; readonly contents?: { readonly trigger: TriggerState } }>,
  changes: readonly Change[],
): ReadonlySet<string> {
  const names = new Set([...catalog.triggerDatabases].filter((name) => catalog.databases.has(name)));
  for (const [name, { contents }] of readings)
    if (contents !== undefined) {
      if (isThere(contents.trigger)) names.add(name);
      else names.delete(name);
    }
  for (const change of changes) if (change.kind === 'install_event_trigger') names.add(change.database);
  return names;
}

/** Said once, where rules would be served by an event trigger and the server has none for us. */
export function fallbackNotice(catalog: Catalog, policy: TriggerPolicy, subjects: readonly Subject[]): Notice[] {
  if (policy !== 'auto' || mayTrigger(catalog, policy)) return [];
  const concerned = [...catalog.databases.keys()].some((database) => triggerRulesOf(subjects, database, true).rules.size > 0);
  if (!concerned) return [];
  return [
    {
      kind: 'fallback',
      subject: '',
      message: `${catalog.server.admin} may not create event triggers (it is no superuser): what \`*\` gives on new objects comes from default privileges, everything else with the next cycle`,
    },
  ];
}
