// Secrets in the plan: which of those that are wanted are made or written now, and which wait for what their user still lacks.
import { type Change, keyOf, subjectOf } from '../../changes/change.ts';
import { definitionOf, isInKubernetes } from '../../changes/table.ts';
import type { Document } from '../../model/entries.ts';
import { placeName } from '../../model/secret-place.ts';
import { aboutNotice, type Notice } from '../../changes/notice.ts';

type WriteConnection = Extract<Change, { kind: 'write_connection_secret' }>;

/** What Secrets need, as far as the Secrets themselves tell. */
export interface SecretWishes {
  readonly create: readonly Extract<Change, { kind: 'create_secret' }>[];
  readonly rotate: readonly Extract<Change, { kind: 'rotate_secret' }>[];
  /** By user, when its password is due to be replaced, in milliseconds; maybe long ago. */
  readonly rotationDue: ReadonlyMap<string, number>;
  readonly write: readonly WriteConnection[];
  /** Who may have taken turns for a user that logs in alone now, and as whom its connection Secret may still tell programs to log in. */
  readonly told: ReadonlyMap<string, { readonly of: string; readonly place: string }>;
  readonly notices: readonly Notice[];
}

/** Whether there is a password to set after a change. */
const makesPassword = (change: Change): boolean => definitionOf(change).makesPassword === true;

/** Whom something is still to be done for. */
interface OpenWork {
  /** Changes that are not made. */
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
}

/**
 * A function that tells for whom a connection Secret waits while this work is open. A first one, and one that says something else, waits for
 * the user and every role that it is a member of to have all that the document gives them. A password that no longer works is replaced as
 * soon as the new one does: waiting would keep out whoever uses it.
 */
function waitingFor(document: Document, open: OpenWork): (change: WriteConnection) => readonly string[] {
  const troubled = new Set([...open.changes.map(subjectOf), ...open.notices.filter((notice) => aboutNotice(notice).lacks).map(({ subject }) => subject)]);
  const locked = new Set(open.changes.filter((change) => definitionOf(change).forLogin).map(subjectOf));
  const memberOf = new Map([
    ...document.roles.map((role) => [role.name, role.memberOf ?? []] as const),
    ...document.users.map((user) => [user.username, user.roles] as const),
  ]);
  const inTurns = new Set(document.users.flatMap(({ username, turn }) => (turn === undefined ? [] : [username])));
  return (change) => {
    if (change.isBroken || change.reason === 'drift') return locked.has(change.role) ? [change.role] : [];
    // Who takes over has what the one before had, as soon as nothing of its own is missing.
    if (change.reason === 'rotated' && inTurns.has(change.role)) return troubled.has(change.role) ? [change.role] : [];
    // A set grows while it is walked through: what is added is visited as well.
    const names = new Set([change.role]);
    for (const name of names) for (const role of memberOf.get(name) ?? []) names.add(role.name);
    return [...names.intersection(troubled)];
  };
}

/** The part of the wishes that goes into a plan whose other changes are sifted already. */
export function planConnections(
  wishes: SecretWishes,
  document: Document,
  open: OpenWork,
  isPlanned: (role: string) => boolean,
  isDeferred: (key: string) => boolean,
): { readonly changes: readonly Change[]; readonly deferred: readonly Change[]; readonly notices: readonly Notice[] } {
  if (wishes.write.length === 0) return { changes: [], deferred: [], notices: [] };
  const lacking = waitingFor(document, open);
  const positions = new Map(document.users.map((user) => [user.username, user.connectionSecret?.position]));
  const changes: Change[] = [];
  const deferred: Change[] = [];
  const notices: Notice[] = [];
  for (const change of wishes.write) {
    const names = isPlanned(change.role) ? lacking(change) : [change.role];
    if (isDeferred(keyOf(change))) deferred.push(change);
    else if (names.length === 0) changes.push(change);
    else
      notices.push({
        kind: 'pending',
        subject: change.role,
        position: positions.get(change.role),
        message: `the connection Secret ${placeName({ namespace: change.namespace, name: change.secret })} waits until the user has everything that the document gives it; something is still missing for ${names.toSorted().join(', ')}`,
      });
  }
  return { changes, deferred, notices };
}

/**
 * What is done next of these changes: Secrets with passwords, which the others are planned anew with, and then the names of roles; then the
 * server; and connection Secrets when nothing is left to do there.
 * @param stuck changes that do not take effect.
 */
export function nextStep(changes: readonly Change[], stuck: readonly Change[], document: Document): readonly Change[] {
  if (changes.length === 0) return changes;
  const passwords = changes.filter(makesPassword);
  if (passwords.length > 0) return passwords;
  const renames = changes.filter(({ kind }) => kind === 'rename_role');
  if (renames.length > 0) return renames;
  const server = changes.filter((change) => !isInKubernetes(change));
  if (server.length > 0) return server;
  const lacking = waitingFor(document, { changes: stuck, notices: [] });
  return changes.filter((change) => change.kind === 'write_connection_secret' && lacking(change).length === 0);
}
