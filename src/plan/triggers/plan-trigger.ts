// The plan of event triggers: which databases have one, and what it takes to make it follow the document. Pure.
import type { Catalog } from '../../model/catalog.ts';
import type { Change } from '../../changes/change.ts';
import type { InParts, Pace } from '../../model/in-parts.ts';
import { LIMITS } from '../../model/limits.ts';
import type { Notice } from '../../changes/notice.ts';
import type { Subject } from '../privileges/subject.ts';
import { heldRulesOf, isHeldAsItIs } from './held-rules.ts';
import { rulesDocument } from './rules-document.ts';
import { TRIGGER_SCHEMA } from '../../model/trigger-names.ts';
import { areRulesIn, triggerRulesOf } from './trigger-rules.ts';
import type { TriggerState } from '../../model/trigger-state.ts';
import { rulesDigest } from '../../sql/trigger-sql.ts';

/** `auto` where the server is known to allow them, `on` everywhere, `off` nowhere. */
export type TriggerPolicy = 'auto' | 'on' | 'off';

export interface TriggerInput {
  readonly database: string;
  readonly state: TriggerState;
  readonly subjects: readonly Subject[];
  readonly policy: TriggerPolicy;
  readonly catalog: Catalog;
  readonly revokes: boolean;
  /** The document is wrong about this database: what the trigger follows stays as it is. */
  readonly isInvalid: boolean;
  /** Roles of which nobody can tell now what they are to have; undefined where that is said of all. Their rules stay as they are. */
  readonly holds: ((role: string) => boolean) | undefined;
  readonly pace: Pace;
}

interface Found {
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
}

/** The admin of RDS, which may create event triggers without being a superuser. */
const MANAGED_ADMIN = 'rds_superuser';

/** Whether our admin may create event triggers; on a plain server only a superuser may. */
const mayTrigger = ({ server, cluster }: Catalog, policy: TriggerPolicy): boolean =>
  policy === 'on' ||
  (policy === 'auto' && (server.superuser || cluster.memberships.some((row) => row.role === MANAGED_ADMIN && row.member === server.admin && row.inherit)));

/** The changes for one database; never more than one of each kind. */
export function* planTrigger(input: TriggerInput): InParts<Found> {
  const { database, state, catalog } = input;
  const wanted = yield* triggerRulesOf(input.subjects, database, input.revokes, input.pace);
  // A template's event trigger would be copied into every new database.
  const isPossible = mayTrigger(catalog, input.policy) && catalog.databases.get(database)?.isTemplate !== true;
  const held = heldRulesOf(state.text, database, input.revokes, input.holds ?? (() => false));
  const isWanted = isPossible && wanted.rules.length + held.rules.length > 0;
  // Where it was not read, nobody knows whether there are rules of theirs.
  if (isPossible && !isWanted && input.holds !== undefined && state.text === undefined) return { changes: [], notices: [] };
  if (!isWanted) return { changes: removal(state, database), notices: [] };
  if (state.schema === 'foreign')
    return notice(
      'failed',
      `the event trigger is not installed in database ${database}: the schema ${TRIGGER_SCHEMA} there, or something in it, belongs to somebody else; new objects wait for the next cycle. Drop it, or give it to ${catalog.server.admin}`,
    );
  const document = yield* rulesDocument(wanted, database, input.pace, held);
  const { bytes } = document;
  if (bytes > LIMITS.triggerRules && !input.isInvalid)
    return notice(
      'fallback',
      `database ${database} has no event trigger: its ${document.rules} rules would take ${bytes} bytes of each session that creates something, and ${LIMITS.triggerRules} is the limit; new objects wait for the next cycle. Fewer rules with globs or '*' in place of names say the same in less`,
      removal(state, database),
    );
  const changes: Change[] = [];
  const isNew = state.rules !== rulesDigest(document.text) && !(held.rules.length > 0 && isHeldAsItIs(state.text, document.text, database));
  // Where the document is wrong about this database, what is followed stays: without rules there is nothing to install.
  const rules = isNew && !input.isInvalid ? document : undefined;
  const isThere = state.trigger === 'current' || state.trigger === 'disabled';
  if (!isThere && (rules !== undefined || state.rules !== undefined))
    changes.push({
      kind: 'install_event_trigger',
      database,
      admin: catalog.server.admin,
      newSchema: state.schema === 'missing',
      rules: rules?.text,
      following: rules?.following ?? [],
    });
  if (isThere && rules !== undefined)
    changes.push({ kind: 'sync_trigger_rules', database, rules: rules.text, following: rules.following, count: rules.rules, roles: rules.roles });
  // An application's DDL reads the tables until the trigger is another, and would wait for whoever drops them.
  if (isThere && state.tables) changes.push({ kind: 'remove_event_trigger', database, part: 'tables' });
  const disabled = `the event trigger in database ${database} is disabled, and stays so: new objects wait for the next cycle. ${state.disabled.map((name) => `ALTER EVENT TRIGGER ${name} ENABLE`).join('; ')} there puts it to work again`;
  return { changes, notices: state.trigger === 'disabled' ? [{ kind: 'fallback', subject: '', message: disabled }] : [] };
}

const notice = (kind: 'failed' | 'fallback', message: string, changes: readonly Change[] = []): Found => ({
  changes,
  notices: [{ kind, subject: '', message }],
});

/** First the triggers, then in the next pass what they followed: an application's DDL needs it until the triggers are gone. */
function removal(state: TriggerState, database: string): Change[] {
  if (state.schema !== 'ours' && !state.tables) return [];
  if (state.trigger !== 'missing') return [{ kind: 'remove_event_trigger', database, part: 'trigger' }];
  const parts: readonly ('rules' | 'tables')[] = [...(state.schema === 'ours' ? (['rules'] as const) : []), ...(state.tables ? (['tables'] as const) : [])];
  return parts.map((part) => ({ kind: 'remove_event_trigger', database, part }));
}

/** Whether there is anything of ours to remove some day. */
const isThere = ({ schema, tables }: TriggerState): boolean => schema === 'ours' || tables;

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
  const concerned = [...catalog.databases.keys()].some((database) => areRulesIn(subjects, database));
  if (!concerned) return [];
  return [
    {
      kind: 'fallback',
      subject: '',
      message: `${catalog.server.admin} may not create event triggers (it is no superuser): what \`*\` gives on new objects comes from default privileges, everything else with the next cycle`,
    },
  ];
}
