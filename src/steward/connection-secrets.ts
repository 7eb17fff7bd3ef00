// Connection Secrets: where each is, what it is made from, as whom it lets programs log in, and why one has to be written or cannot be.
import { type ConnectionDefaults, type ConnectionFacts, loginIn, type PresentSecret, whyNotOurs, whyWritten } from '../model/connection-content.ts';
import { type Document, hasPassword, type UserEntry } from '../model/entries.ts';
import type { Notice } from '../changes/notice.ts';
import { PASSWORD_OF } from '../model/secret-annotations.ts';
import { placeName, type SecretPlace, placeOfRef } from '../model/secret-place.ts';
import type { SecretWishes } from '../plan/secrets/secret-plan.ts';
import { declaredUserOf, turnNames } from '../model/turns.ts';
import type { Ports, SecretObject, WholeReading } from '../sources/ports.ts';
import { type Credentials, plainPasswordOf } from './credentials.ts';

export interface ConnectionOptions extends Pick<Ports, 'wholeSecrets'> {
  /** Where passwords are, and connection Secrets that name no other. */
  readonly namespace: string;
  /** What they say where their entries say nothing else. */
  readonly connection: ConnectionDefaults;
  /** `namespace/name` of the ConfigMap. */
  readonly sourceId: string;
}

export interface ConnectionSecrets {
  readonly places: (document: Document) => SecretPlace[];
  /** undefined for a user that has none. */
  readonly factsOf: (user: UserEntry) => ConnectionFacts | undefined;
  /** Whether it could be read. */
  readonly isKnown: (user: UserEntry) => boolean;
  /** As whom the user's lets programs log in, where it is ours. */
  readonly loginOf: (user: UserEntry) => string | undefined;
  wishes(document: Document, credentials: Credentials): Pick<SecretWishes, 'write' | 'told' | 'notices'>;
}

type Wish = SecretWishes['write'][number];

export function createConnectionSecrets({ wholeSecrets, namespace, connection, sourceId }: ConnectionOptions): ConnectionSecrets {
  const placeOf = (user: UserEntry): SecretPlace => placeIn(namespace, user);
  const factsOf = (user: UserEntry): ConnectionFacts | undefined =>
    user.connectionSecret && {
      ...connection,
      database: user.connectionSecret.database ?? user.database ?? connection.database,
      username: user.username,
      declaredUser: declaredUserOf(user),
      formerUser: user.renamedFrom,
      entry: user.connectionSecret,
      source: sourceId,
    };
  const readingOf = (user: UserEntry): WholeReading | undefined => (user.connectionSecret === undefined ? undefined : wholeSecrets?.of(placeOf(user)));

  const loginOf = (user: UserEntry): string | undefined => {
    const present = presentIn(readingOf(user));
    return present === undefined || whyNotOurs(present, { declaredUser: user.username, source: sourceId }) !== undefined
      ? undefined
      : loginIn(present)?.username;
  };

  /** A connection Secret that cannot be read may tell of either. */
  const stillTold = (document: Document): SecretWishes['told'] =>
    new Map(
      connected(document).flatMap((user): [string, { of: string; place: string }][] => {
        const reading = readingOf(user);
        if (user.turn !== undefined || reading === undefined) return [];
        const login = loginOf(user);
        const told = { of: user.username, place: placeName(placeOf(user)) };
        return turnNames(user.username).flatMap((name) => (reading.kind === 'unreadable' || login === name ? [[name, told]] : []));
      }),
    );

  /** What is to be written for a user, or a notice of why it cannot be. */
  const wishFor = (user: UserEntry, taken: ReadonlyMap<string, string>, credentials: Credentials): Wish | Notice | undefined => {
    const facts = factsOf(user);
    if (facts === undefined) return undefined;
    const { username } = user;
    const { namespace: where, name } = placeOf(user);
    const shown = placeName(placeOf(user));
    const reading = readingOf(user);
    const present = presentIn(reading);
    const obstacle = whyUnread(reading) ?? whyRefused(facts, present, taken.get(shown)) ?? whyNoPassword(user, facts, credentials);
    if (obstacle !== undefined)
      return { kind: obstacle.kind, subject: username, position: facts.entry.position, message: `the connection Secret ${shown} ${obstacle.message}` };
    const password = plainPasswordOf(credentials, username);
    if (password === undefined && !credentials.toGenerate.has(username)) return undefined;
    const reason = whyWritten(facts, password, present);
    if (reason === undefined) return undefined;
    const before = present && loginIn(present);
    // Nobody logs in any longer by the name that the user had.
    const isBroken = (before?.username === username && before.password !== password) || (before !== undefined && before.username === user.renamedFrom);
    return { kind: 'write_connection_secret', role: username, namespace: where, secret: name, reason, isBroken };
  };

  return {
    places: (document) => connected(document).map(placeOf),
    factsOf,
    isKnown: (user) => readingOf(user)?.kind === 'read',
    loginOf,
    wishes: (document, credentials) => {
      const users = connected(document);
      const taken = users.length === 0 ? new Map<string, string>() : takenIn(namespace, document);
      const found = users.flatMap((user) => wishFor(user, taken, credentials) ?? []);
      return {
        write: found.filter((one) => one.kind === 'write_connection_secret'),
        told: stillTold(document),
        notices: found.filter((one) => one.kind !== 'write_connection_secret'),
      };
    },
  };
}

/** The users that have one. */
const connected = (document: Document): UserEntry[] => document.users.filter((user) => user.connectionSecret !== undefined && hasPassword(user));

const placeIn = (namespace: string, { connectionSecret }: UserEntry): SecretPlace => ({
  namespace: connectionSecret?.namespace ?? namespace,
  name: connectionSecret?.name ?? '',
});

const presentIn = (reading: WholeReading | undefined): SecretObject | undefined => (reading?.kind === 'read' ? reading.object : undefined);

/** Whose each Secret is. The document's own check does not know which namespace is ours. */
function takenIn(namespace: string, document: Document): ReadonlyMap<string, string> {
  const taken = new Map<string, string>();
  const take = (place: SecretPlace, username: string): void => void (taken.has(placeName(place)) || taken.set(placeName(place), username));
  for (const user of document.users) if (hasPassword(user)) take(placeOfRef(namespace, user.secret), `the password of ${user.username}`);
  for (const user of connected(document)) take(placeIn(namespace, user), user.username);
  return taken;
}

/** Why a connection Secret cannot be written. */
type Obstacle = Pick<Notice, 'kind' | 'message'>;

function whyUnread(reading: WholeReading | undefined): Obstacle | undefined {
  if (reading === undefined) return { kind: 'cannot', message: 'is not written: that needs SOURCE=kubernetes' };
  if (reading.kind === 'read') return undefined;
  return { kind: reading.reason === 'forbidden' ? 'cannot' : 'failed', message: `cannot be read, and is not written: ${reading.detail}` };
}

/** @param taker what the document uses the Secret for first. */
function whyRefused(facts: ConnectionFacts, present: PresentSecret | undefined, taker: string | undefined): Obstacle | undefined {
  const refusal = taker !== undefined && taker !== facts.username ? `the document uses it for ${taker} too` : present && whyNotOurs(present, facts);
  return refusal === undefined ? undefined : { kind: 'refused', message: `is refused: ${refusal}; delete it, or choose another name` };
}

function whyNoPassword(user: UserEntry, { declaredUser, source }: ConnectionFacts, { usable }: Credentials): Obstacle | undefined {
  const found = usable.get(user.username);
  const name = `the Secret ${user.secret.name}`;
  if (found === undefined) return undefined;
  if (found.madeFor !== undefined && found.madeFor !== source)
    return {
      kind: 'refused',
      message: `is refused: the password in ${name} was made for the document ${found.madeFor}, and is not ours to hand on`,
    };
  if (!mayRepeat(user, found.passwordOf))
    return {
      kind: 'refused',
      message: `is refused: ${name} does not say that it holds the password of ${declaredUser}, and may hold something else; annotate it with ${PASSWORD_OF}=${declaredUser}`,
    };
  return found.credential.kind === 'plain'
    ? undefined
    : { kind: 'cannot', message: `is not written: ${name} holds a verifier, from which no password can be had` };
}

/**
 * Whether the password's Secret lets a connection Secret repeat it. A reference can name any Secret of our namespace, and whoever edits the
 * document may be able to read the connection Secret: so the Secret itself has to say whose password it holds, by its name or an annotation.
 */
const mayRepeat = (user: UserEntry, passwordOf: string | undefined): boolean =>
  user.secretIsDerived || passwordOf === declaredUserOf(user) || passwordOf?.split(',').some((name) => name.trim() === declaredUserOf(user)) === true;
