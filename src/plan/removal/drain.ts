// Drain: what becomes of the sessions of users that may not log in any longer, and how long they may go on.
import { type Catalog, isSameRole, type ManagedRole } from '../../model/catalog.ts';
import type { Change, Entity } from '../../changes/change.ts';
import type { Document, UserEntry } from '../../model/entries.ts';
import { drainTime } from '../../model/duration.ts';
import { formerNames, ownersIn } from '../../model/named.ts';
import { onceFor } from '../../model/once-for.ts';
import type { Whose } from '../../model/sources.ts';
import type { Notice } from '../../changes/notice.ts';

export interface Ending {
  /** Whether no session is left, or those that are left are to be ended now. */
  readonly over: boolean;
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
  /** When sessions that go on are to be ended: milliseconds of the server's clock. */
  readonly dueAt?: number | undefined;
}

export interface EndingFacts {
  readonly role: string;
  /** Since when the user may not log in: milliseconds; null from now on. */
  readonly since: number | null;
  /** How long sessions may go on: of the entry, else of the operator. */
  readonly drain: string;
  /** What stands in a notice before «session(s) go on». */
  readonly why: string;
  /** What follows when they are gone. */
  readonly after: string;
}

/** What is to be done about the open sessions of a user that may not log in. */
export function endingOf({ role, since, drain, why, after }: EndingFacts, catalog: Catalog): Ending {
  const sessions = catalog.sessions.get(role) ?? 0;
  const dueAt = (since ?? catalog.server.now) + (drainTime(drain) ?? 0);
  if (sessions === 0) return { over: true, changes: [], notices: [] };
  if (dueAt <= catalog.server.now) return { over: true, changes: [{ kind: 'end_sessions', role, sessions }], notices: [] };
  const until = Number.isFinite(dueAt) ? `until ${new Date(dueAt).toISOString()}, as the drain is ${drain}` : 'for as long as they like, as the drain is keep';
  return {
    over: false,
    changes: [],
    notices: [{ kind: 'kept', subject: role, message: `${why}: ${sessions} session(s) go on ${until}${after}` }],
    dueAt: Number.isFinite(dueAt) ? dueAt : undefined,
  };
}

/** The end of the validity that the entry declares, in milliseconds; undefined for none. */
const endOf = (user: UserEntry): number | undefined => (typeof user.validUntil === 'string' ? Date.parse(user.validUntil) : undefined);

/** Users of a document that may not log in at a moment: disabled, or declared to be valid until an earlier one. */
const closedUsers = (document: Document, now: number): readonly UserEntry[] =>
  document.users.filter((user) => !user.login || (endOf(user) ?? Number.POSITIVE_INFINITY) <= now);

/** Roles of our making, and no users of the document, that it has as roles: nobody logs in as them, and what is open began when they were users. */
function formerUsers(document: Document, managed: Catalog['managed']): readonly ManagedRole[] {
  return [...rolesAlone(document)].flatMap((name) => {
    const row = managed.get(name);
    return row?.origin === 'created' ? [row] : [];
  });
}

/** What a valid entry has as a role, and none as a user. */
const rolesAlone = onceFor((document: Document): ReadonlySet<string> => {
  const { users, roles, invalid } = document;
  const names = new Set(roles.map((role) => role.name));
  for (const user of users) for (const role of user.roles) names.add(role.name);
  for (const role of roles) for (const entry of role.memberOf ?? []) names.add(entry.name);
  for (const owner of ownersIn(document)) names.add(owner);
  for (const user of users) names.delete(user.username);
  for (const name of invalid) names.delete(name);
  return names;
});

/** Those of whom the sessions are counted at a moment. */
export function closedNames(document: Document, now: number, { managed, oids }: Pick<Catalog, 'managed' | 'oids'>): readonly string[] {
  // One that is to be renamed is there, and recorded, by the name that it had.
  const toRename = new Map([...formerNames(document)].filter(([name]) => !oids.has(name)));
  const recorded = [...toRename].flatMap(([name, former]): [string, ManagedRole][] => {
    const row = managed.get(former);
    return row === undefined || managed.has(name) ? [] : [[name, row]];
  });
  return [
    ...closedUsers(document, now).map(({ username }) => toRename.get(username) ?? username),
    ...formerUsers(document, recorded.length === 0 ? managed : new Map([...managed, ...recorded])).map((role) => role.name),
  ];
}

/** Whose sessions and transactions may be ended where they keep us waiting: users of the document, still the very roles that were recorded. */
export const endableRoles = (catalog: Catalog, whose: Whose): ReadonlySet<string> =>
  new Set(
    [...catalog.managed.values()].flatMap((recorded) => {
      const { name } = recorded;
      const role = catalog.cluster.roles.get(name);
      return whose.has(recorded.source) && isSameRole(recorded, catalog) && role?.superuser === false && !role.replication ? [name] : [];
    }),
  );

/** Users whose sessions are over, and that are dropped now or as soon as it can be. */
export const leavingRoles = (changes: readonly Change[]): ReadonlySet<string> =>
  new Set(changes.flatMap((change) => (change.kind === 'drop_role' && change.entity === 'user' ? [change.role] : [])));

export interface Drained {
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
  /** The next moment, by the server's clock, at which a plan may say something else although nothing changed. */
  readonly dueAt: number | undefined;
}

/**
 * Ends the sessions of declared users that may not log in, and of users that became roles. NOLOGIN and VALID UNTIL only stop new logins: the server asks neither of a
 * session that is there.
 */
export function planDrain(document: Document, catalog: Catalog, entities: ReadonlyMap<string, Entity>, fallback: string): Drained {
  const { now } = catalog.server;
  const endings = closedUsers(document, now).flatMap((user): Ending[] => {
    const role = user.username;
    const actual = catalog.cluster.roles.get(role);
    if (!catalog.sessions.has(role) || entities.get(role) !== 'user' || actual === undefined) return [];
    const disabled = catalog.managed.get(role)?.disabledAt ?? null;
    const expired = endOf(user) ?? Number.POSITIVE_INFINITY;
    const since = expired <= now ? expired : actual.login || disabled === null ? null : Date.parse(disabled);
    const why = expired <= now ? 'its validity is over' : 'the user is disabled';
    return [endingOf({ role, since, drain: user.drain ?? fallback, why, after: '' }, catalog)];
  });
  const former = formerUsers(document, catalog.managed).flatMap((recorded): Ending[] => {
    const { name, disabledAt } = recorded;
    if (entities.get(name) !== 'role' || !isSameRole(recorded, catalog) || !catalog.sessions.has(name)) return [];
    const unknown = catalog.cluster.roles.get(name)?.login === true ? null : 0;
    const since = unknown === 0 && disabledAt !== null ? Date.parse(disabledAt) : unknown;
    return [endingOf({ role: name, since, drain: fallback, why: 'it is a user no longer', after: '' }, catalog)];
  });
  endings.push(...former);
  const ends = document.users.flatMap((user) => endOf(user) ?? []);
  const next = [...ends, ...endings.flatMap((ending) => ending.dueAt ?? [])].filter((moment) => moment > now);
  return {
    changes: endings.flatMap((ending) => ending.changes),
    notices: endings.flatMap((ending) => ending.notices),
    dueAt: next.reduce<number | undefined>((soonest, moment) => (soonest === undefined || moment < soonest ? moment : soonest), undefined),
  };
}
