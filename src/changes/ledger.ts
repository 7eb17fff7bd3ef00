// Changes of what we remember: which roles are ours, and the ledger itself. Nothing changes on the server by the former.
import type { Recognised } from '../model/catalog.ts';
import type { Entity } from '../model/cluster.ts';
import { type Definition, driftByEntry, neverDrift, NOT_ON_SERVER, OF_ROLE } from './definition.ts';
import { inDatabase, SHOWN } from './words.ts';

/** Of roles that were recorded on another server: they are found again by their names (plan/moved.ts). */
type RecogniseRoles = Recognised & { readonly kind: 'recognise_roles'; readonly role: '' };
type AdoptRole = { readonly kind: 'adopt_role'; readonly role: string; readonly entity: Entity };
/** From one source of the server to another: who declares it has changed, and nothing of the role. */
type HandOverRole = { readonly kind: 'hand_over_role'; readonly role: string; readonly entity: Entity; readonly from: string; readonly to: string };
type ForgetRole = { readonly kind: 'forget_role'; readonly role: string; readonly entity: Entity; readonly reason: string };
type ForgetPrivileges = { readonly kind: 'forget_privileges'; readonly role: string };

/** Of the ledger in the admin database, which is there from version 1 on. Beside the plan: everything else is remembered in it. */
type PrepareLedger = { readonly kind: 'prepare_ledger'; readonly database: string; readonly newSchema: boolean; readonly from: number; readonly to: number };

/** Of rows of our own, from one number to another: they are too old or, of repairs and of all, too many; or none goes but what the chain over them has too much. Beside the plan as well. */
interface TrimAuditLog {
  readonly kind: 'trim_audit_log';
  readonly rows: number;
  readonly first: string;
  readonly last: string;
  readonly reason: 'age' | 'repairs' | 'size' | 'chain';
}

export type LedgerChange = RecogniseRoles | AdoptRole | HandOverRole | ForgetRole | ForgetPrivileges | PrepareLedger | TrimAuditLog;

/** The server has no part in it, and is as it was. */
const MEMORY = { ...NOT_ON_SERVER, isMemory: true } as const;

const RECOGNISED_BY: Readonly<Record<Recognised['by'], string>> = {
  oids: 'they kept their OIDs, as in an upgrade by pg_upgrade',
  passwords: 'they have the passwords that they had there, or came with those that have',
  word: 'MOVED_FROM says so',
};

const TRIM_REASONS: Readonly<Record<TrimAuditLog['reason'], string>> = {
  age: 'older than AUDIT_RETENTION',
  repairs: 'more than AUDIT_MAX_ROWS: the oldest repairs of what somebody did again and again',
  size: 'more than AUDIT_MAX_ROWS: the oldest of all',
  chain: 'the chain over the others is written anew, as it covers much more than is there',
};

const serverWords = (server: string | null): string => (server === null ? 'a server that is not known' : `the server ${server}`);

export const recogniseRoles: Definition<RecogniseRoles> = {
  ...OF_ROLE,
  ...MEMORY,
  key: ({ from, by }) => [from ?? '', by],
  object: ({ names, from }) => `${names.length} role(s) of ${serverWords(from)}`,
  sentence: ({ names, from, by }) =>
    `recognise ${names.length} role(s) that were recorded on ${serverWords(from)} (${names.slice(0, SHOWN).join(', ')}${names.length > SHOWN ? ', …' : ''}): ${RECOGNISED_BY[by]}`,
  isDrift: neverDrift,
  isOfNoUser: true,
  remembers: ({ names, oids }) => ({ what: 'recognised', names, oids }),
};

export const adoptRole: Definition<AdoptRole> = {
  ...OF_ROLE,
  ...MEMORY,
  sentence: ({ entity, role }) => `adopt existing ${entity}: ${role}`,
  isDrift: neverDrift,
  remembers: ({ entity }) => ({ what: 'ours', entity, origin: 'adopted' }),
};

export const handOverRole: Definition<HandOverRole> = {
  ...OF_ROLE,
  ...MEMORY,
  key: ({ role, from, to }) => [role, from, to],
  object: ({ from, to }) => `from ${from} to ${to}`,
  sentence: ({ entity, role, from, to }) => `hand over ${entity}: ${role} from ${from} to ${to}`,
  isDrift: neverDrift,
  remembers: ({ to }) => ({ what: 'whose', source: to }),
};

/** The role may be gone already. */
export const forgetRole: Definition<ForgetRole> = {
  ...OF_ROLE,
  ...MEMORY,
  roles: () => [],
  sentence: ({ entity, role, reason }) => `stop managing ${entity}: ${role} (${reason})`,
  isDrift: neverDrift,
  remembers: () => ({ what: 'no longer ours' }),
};

export const forgetPrivileges: Definition<ForgetPrivileges> = {
  ...OF_ROLE,
  ...MEMORY,
  sentence: ({ role }) => `stop managing privileges of: ${role} (the document no longer declares any; what it holds stays)`,
  isDrift: neverDrift,
  remembers: () => ({ what: 'no privileges' }),
};

export const prepareLedger: Definition<PrepareLedger> = {
  ...MEMORY,
  subject: () => '',
  key: ({ database }) => [database],
  object: ({ database }) => `schema pgsteward${inDatabase(database)}`,
  sentence: ({ newSchema, from, to, database }) => {
    if (newSchema) return `create schema: pgsteward${inDatabase(database)} (the ledger: which roles are ours, and every change)`;
    return from === 0
      ? `create the tables of the ledger: schema pgsteward${inDatabase(database)}`
      : `bring the ledger up to date: schema pgsteward${inDatabase(database)} (version ${from} to ${to})`;
  },
  isDrift: driftByEntry,
  isOfNoUser: true,
};

export const trimAuditLog: Definition<TrimAuditLog> = {
  ...MEMORY,
  subject: () => '',
  key: ({ reason }) => [reason],
  object: ({ first, last }) => `rows ${first} to ${last} of the audit log`,
  sentence: ({ rows, first, last, reason }) => `delete ${rows} row(s) of the audit log, of ${first} to ${last} (${TRIM_REASONS[reason]})`,
  isDrift: driftByEntry,
  isOfNoUser: true,
};
