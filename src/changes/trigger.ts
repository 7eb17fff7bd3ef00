// Changes of the event trigger of a database, and of what it follows.
import { digestOf } from '../model/digest.ts';
import type { ObjectKind } from '../model/kinds.ts';
import { installSql, removeSql, syncSql } from '../sql/trigger-sql.ts';
import { type Advised, type Definition, neverDrift } from './definition.ts';
import { inDatabase } from './words.ts';

interface InDatabase {
  readonly database: string;
}

/** A rule as a value, with patterns as a document has them. */
export interface FollowedRule {
  readonly kind: ObjectKind;
  readonly schema: string;
  readonly name: string;
  /** `*` for every kind but columns. */
  readonly column: string;
  readonly role: string;
  readonly privileges: readonly string[];
  /** Of rules of one role the largest that is about an object holds for it. */
  readonly rank: number;
  /** It holds beside whatever else does: nothing replaces it, and it replaces nothing. */
  readonly implied: boolean;
}

interface InstallEventTrigger extends InDatabase {
  readonly kind: 'install_event_trigger';
  readonly admin: string;
  readonly newSchema: boolean;
  /** What it follows from now on; undefined where that stays. */
  readonly rules: string | undefined;
  /** The same as values; none where it stays. */
  readonly following: readonly FollowedRule[];
}

interface SyncTriggerRules extends InDatabase {
  readonly kind: 'sync_trigger_rules';
  readonly rules: string;
  /** The same as values. */
  readonly following: readonly FollowedRule[];
  /** How many rules these are, and of how many roles. */
  readonly count: number;
  readonly roles: number;
}

type RemoveEventTrigger = InDatabase & { readonly kind: 'remove_event_trigger'; readonly part: 'trigger' | 'rules' | 'tables' };

export type TriggerChange = InstallEventTrigger | SyncTriggerRules | RemoveEventTrigger;

const REMOVED: Readonly<Record<RemoveEventTrigger['part'], string>> = {
  trigger: 'the event trigger, and then what it followed,',
  rules: 'what the event trigger followed',
  tables: 'the tables that the event trigger followed',
};

const OF_TRIGGER = {
  subject: () => '',
  object: ({ database }: InDatabase) => `event trigger${inDatabase(database)}`,
  database: ({ database }: InDatabase) => database,
  // Whoever may create event triggers differs between platforms: the server's answer tells.
  needs: () => [],
  isDrift: neverDrift,
  isOfNoUser: true,
} as const;

export const installEventTrigger: Definition<InstallEventTrigger> = {
  // The rules say it.
  counted: ['following'],
  isOwn: true,
  ...OF_TRIGGER,
  key: ({ database }) => [database],
  sentence: ({ database }) => `install the event trigger${inDatabase(database)}`,
  statements: installSql,
  isLong: true,
  rights: ({ database }, ownerOf) => [ownerOf(database)],
  names: (_, lent) => lent,
  instead: 'EVENT_TRIGGERS=off or auto does without',
};

export const syncTriggerRules: Definition<SyncTriggerRules> = {
  counted: ['following'],
  isOwn: true,
  ...OF_TRIGGER,
  key: ({ database, rules }) => [database, digestOf(rules)],
  sentence: ({ database, count, roles }) => `synchronise what the event trigger follows${inDatabase(database)} (${count} rules of ${roles} roles)`,
  statements: syncSql,
  isLong: true,
};

export const removeEventTrigger: Advised<RemoveEventTrigger> = {
  isOwn: true,
  ...OF_TRIGGER,
  key: ({ database, part }) => [database, part],
  sentence: ({ database, part }) => `remove ${REMOVED[part]}${inDatabase(database)}`,
  statements: ({ part }) => removeSql(part),
  isAdvised: true,
};
