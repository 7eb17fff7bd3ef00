// Turns: the two users of a rotation with `two-users` log in for the one of the document by turns, and work as it. Pure.
import type { Catalog } from './catalog.ts';
import type { Document, Turn, UserEntry } from './entries.ts';

/** `web` → `web-1` and `web-2`. */
export const turnNames = (username: string): readonly [string, string] => [`${username}-1`, `${username}-2`];

/** What stands on the server as the comment of each of them. */
export const turnComment = (username: string): string => `logs in for ${username}`;

/** The user of the document that an entry stands for. */
export const declaredUserOf = ({ username, turn }: Pick<UserEntry, 'username' | 'turn'>): string => turn?.of ?? username;

/** What Secrets say of who logs in for a user. */
export interface TurnFacts {
  /** Whose password the user's Secret holds; null where there is no such Secret, undefined where it cannot be told. */
  readonly generated: string | null | undefined;
  /** As whom the connection Secret tells programs to log in. */
  readonly connected: string | undefined;
}

/** Whose turn it is next. */
export function nextInTurn(username: string, current: string | undefined): string {
  const [first, second] = turnNames(username);
  return current === first ? second : first;
}

/** Who is on. A Secret that was deleted is made again for the other one, so that what programs hold still works for a while. */
function whoseTurn(username: string, { generated, connected }: TurnFacts): string {
  const known = new Set([username, ...turnNames(username)]);
  if (generated === null) return nextInTurn(username, connected);
  // A Secret that does not say whose password it holds is from before there were two: it is the user's own.
  if (generated !== undefined) return known.has(generated) ? generated : username;
  return connected !== undefined && known.has(connected) ? connected : nextInTurn(username, undefined);
}

/**
 * The document with the two users of each rotation in it. The user itself stays as the role that both belong to and work as; it has the
 * privileges, and owns what they create. What it had of its own login ends like that of a user whose turn is over.
 */
export function withTurns(document: Document, factsOf: (user: UserEntry) => TurnFacts): Document {
  if (!document.users.some(isInTurns)) return document;
  const users = document.users.flatMap((user): readonly UserEntry[] => {
    if (!isInTurns(user)) return [user];
    const facts = factsOf(user);
    const on = whoseTurn(user.username, facts);
    const turn: Turn = { of: user.username, login: user.login, state: 'off', moved: facts.generated !== undefined && facts.connected === on, isOver: false };
    const as = (username: string, entry: UserEntry): UserEntry =>
      username === on
        ? { ...entry, turn: { ...turn, state: 'on' } }
        : { ...entry, turn, login: false, password: { kind: 'none' }, connectionSecret: undefined };
    const both = turnNames(user.username).map((username) => as(username, turnEntry(user, username)));
    return [as(user.username, user), ...both];
  });
  return { ...document, users };
}

const isInTurns = ({ rotation, turn }: UserEntry): boolean => rotation?.strategy === 'two-users' && turn === undefined;

/** One of the two: a member of the user, with what the server asks of whoever logs in and not of the role that a session works as. */
const turnEntry = (user: UserEntry, username: string): UserEntry => ({
  ...user,
  username,
  roles: [{ name: user.username, position: user.position }],
  assumeRole: user.assumeRole ?? user.username,
  rules: undefined,
  additive: undefined,
  comment: turnComment(user.username),
  // One that was there before keeps no end that an overlap set.
  validUntil: user.validUntil ?? null,
});

/**
 * The same document with what is to hold now of those whose turn is over: once programs are told of the other, they may log in until the
 * overlap ends, which stands on the server as VALID UNTIL so that it ends without us; then they have no login. Until then they stay as
 * they are, but for an end that the document itself sets.
 * @param isChanged whether somebody gave a user another password than ours: nobody may choose the one with which its time runs out, and
 *   programs cannot log in with theirs any more, so that its time is over.
 */
export function endTurns(
  document: Document,
  { cluster, server }: Pick<Catalog, 'cluster' | 'server'>,
  isChanged: (username: string) => boolean = () => false,
): Document {
  if (!document.users.some(({ turn }) => turn !== undefined)) return document;
  const users = document.users.map((user): UserEntry => {
    if (user.turn?.state !== 'off') return user;
    const { turn, rotation, username } = user;
    const actual = cluster.roles.get(username);
    const mayLogin = turn.login && actual?.login === true && !(turn.moved && isChanged(username));
    const ends = [actual?.validUntil ?? null, ...(mayLogin ? [user.validUntil ?? null] : [])];
    if (!turn.moved) return { ...user, login: mayLogin, validUntil: ends.toSorted((a, b) => momentOf(a) - momentOf(b))[0] ?? null };
    const end = Math.min(...ends.map(momentOf), server.now + (rotation?.overlap ?? 0));
    return mayLogin && end > server.now
      ? { ...user, login: true, validUntil: new Date(end).toISOString() }
      : { ...user, turn: { ...turn, isOver: actual?.login !== true }, login: false, validUntil: null };
  });
  return { ...document, users };
}

/** The server also knows an end that lies before all time. */
const momentOf = (validUntil: string | null): number => {
  if (validUntil === null) return Number.POSITIVE_INFINITY;
  const moment = Date.parse(validUntil);
  return Number.isNaN(moment) ? Number.NEGATIVE_INFINITY : moment;
};

/** Those whose turn and overlap are over: a password that they still have is taken away. */
export const usersOutOfTurn = (document: Document): readonly UserEntry[] =>
  document.users.filter(({ turn, login }) => turn?.state === 'off' && turn.moved && !login);
