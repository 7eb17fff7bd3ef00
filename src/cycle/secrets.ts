// Secrets of ours: which are to be made or written, what keeps us from it, and doing it.
import type { Config } from '../config.ts';
import { type Change, keyOf } from '../core/change.ts';
import { type ConnectionFacts, loginIn, notOurs, whyWritten } from '../core/connection-secret.ts';
import { type Document, hasPassword, type UserEntry } from '../core/document/types.ts';
import type { Notice } from '../core/notice.ts';
import { ownerOf, slotNames } from '../core/rotation.ts';
import { PASSWORD_OF } from '../core/secret-annotations.ts';
import { placeOf, type SecretWishes } from '../core/secret-plan.ts';
import { sentenceOf } from '../core/sentence.ts';
import type { ApplyContext, Outcome } from '../postgres/run-batch.ts';
import type { SecretPlace, Source } from '../sources/source.ts';
import type { Credentials } from './credentials.ts';
import { createRotations, type Rotations } from './rotations.ts';
import { createSecretReadings } from './secret-readings.ts';
import { foreseen, writeSecrets } from './write-secrets.ts';

export interface SecretsOptions {
  readonly source: Source;
  readonly config: Config;
  /** `namespace/name` of the ConfigMap. */
  readonly sourceId: string;
  readonly isDeferred: (key: string) => boolean;
}

/** Why a change failed when it was last tried. */
export type LastFailure = Pick<Extract<Outcome, { result: 'failed' }>, 'class' | 'message'>;

export interface Secrets extends Pick<Rotations, 'withTurns' | 'values'> {
  /** Reads the Secrets that are read as a whole: connection Secrets, and those with passwords that rotate. */
  read(document: Document, signal: AbortSignal): Promise<void>;
  /** Somebody else may have written them meanwhile: the next reading is of all of them. */
  doubtAll(): void;
  /** Equal while they are the same. */
  version(): string;
  /** Whether a Secret that is missing will be made for the user. */
  readonly mayGenerate: (user: UserEntry) => boolean;
  /** @param now in milliseconds. */
  wishes(document: Document, credentials: Credentials, now: number): SecretWishes;
  /** Runs a piece of work as if these rotations had been made; nothing of it is written or stays. */
  foreseeing<T>(rotations: readonly Extract<Change, { kind: 'rotate_secret' }>[], document: Document, now: number, work: () => Promise<T>): Promise<T>;
  /** Makes and writes Secrets; an outcome for each. @param now by the clock that `wishes` measures ages with. */
  write(changes: readonly Change[], document: Document, credentials: Credentials, now: number, context: ApplyContext): Promise<Outcome[]>;
  readonly lastFailure: (change: Change) => LastFailure | undefined;
}

/** One for the life of the process. */
export function createSecrets({ source, config, sourceId, isDeferred }: SecretsOptions): Secrets {
  const store = source.secretStore;
  const readings = store === undefined ? undefined : createSecretReadings(store, config.SECRET_READS_PER_CYCLE);
  const failures = new Map<string, LastFailure>();

  const connected = (document: Document): UserEntry[] => document.users.filter((user) => user.connectionSecret !== undefined && hasPassword(user));
  const place = ({ connectionSecret }: UserEntry): SecretPlace => ({
    namespace: connectionSecret?.namespace ?? config.NAMESPACE,
    name: connectionSecret?.name ?? '',
  });
  const rotations = createRotations({ readings, namespace: config.NAMESPACE, source: sourceId, connectionPlace: place });
  const factsOf = (user: UserEntry): ConnectionFacts | undefined =>
    user.connectionSecret === undefined
      ? undefined
      : {
          host: config.CONNECTION_HOST ?? config.DB_HOST,
          port: config.CONNECTION_PORT ?? config.DB_PORT,
          sslmode: config.CONNECTION_SSLMODE ?? config.DB_SSLMODE,
          database: user.connectionSecret.database ?? user.database ?? config.DB_NAME,
          username: user.username,
          owner: ownerOf(user),
          entry: user.connectionSecret,
          source: sourceId,
        };

  /** What is to be written for a user, or a notice of why it cannot be. */
  const connectionWish = (
    user: UserEntry,
    credentials: Credentials,
    taken: ReadonlyMap<string, string>,
  ): SecretWishes['write'][number] | Notice | undefined => {
    const facts = factsOf(user);
    if (facts === undefined) return undefined;
    const { namespace, name } = place(user);
    const say = (kind: Notice['kind'], message: string): Notice => ({
      kind,
      subject: user.username,
      position: facts.entry.position,
      message: `the connection Secret ${placeOf({ namespace, secret: name })} ${message}`,
    });
    const reading = readings?.of({ namespace, name });
    if (reading === undefined) return say('cannot', 'is not written: that needs SOURCE=kubernetes');
    if (reading.kind === 'unreadable')
      return say(reading.reason === 'forbidden' ? 'cannot' : 'failed', `cannot be read, and is not written: ${reading.detail}`);
    const present = reading.object;
    const other = taken.get(placeOf({ namespace, secret: name }));
    const refusal = other !== undefined && other !== user.username ? `the document uses it for ${other} too` : present && notOurs(present, facts);
    if (refusal !== undefined) return say('refused', `is refused: ${refusal}; delete it, or choose another name`);
    const usable = credentials.usable.get(user.username);
    const credential = usable?.credential;
    if (usable !== undefined && !mayRepeat(user, usable.passwordOf))
      return say(
        'refused',
        `is refused: the Secret ${user.secret.name} does not say that it holds the password of ${facts.owner}, and may hold something else; annotate it with ${PASSWORD_OF}=${facts.owner}`,
      );
    if (credential?.kind === 'verifier')
      return say('cannot', `is not written: the Secret ${user.secret.name} holds a verifier, from which no password can be had`);
    if (credential === undefined && !credentials.toGenerate.has(user.username)) return undefined;
    const reason = whyWritten(facts, credential?.password, present);
    if (reason === undefined) return undefined;
    const before = present === undefined ? undefined : loginIn(present);
    const isBroken = before?.username === user.username && before.password !== credential?.password;
    return { kind: 'write_connection_secret', role: user.username, namespace, secret: name, reason, isBroken };
  };

  return {
    ...rotations,
    read: async (document, signal) => readings?.read([...connected(document).map(place), ...rotations.places(document)], signal),
    doubtAll: () => readings?.doubtAll(),
    version: () => readings?.version() ?? '',
    mayGenerate: (user) => {
      const change = creationOf(user);
      return store !== undefined && change !== undefined && !isDeferred(keyOf(change));
    },
    wishes: (document, credentials, now) => {
      const create = document.users.flatMap((user) => (credentials.toGenerate.has(user.username) ? (creationOf(user) ?? []) : []));
      const taken = takenPlaces(document);
      const found = connected(document).flatMap((user) => connectionWish(user, credentials, taken) ?? []);
      const rotated = rotations.wishes(document, now);
      return {
        create,
        ...rotated,
        write: found.filter((one) => one.kind === 'write_connection_secret'),
        told: stillTold(document),
        notices: [
          ...rotated.notices,
          ...found.filter((one) => one.kind !== 'write_connection_secret'),
          ...document.users.flatMap((user) => (credentials.notGenerated.has(user.username) ? notGenerated(user) : [])),
        ],
      };
    },
    foreseeing: async (changes, document, now, work) => {
      const inTurns = new Set(document.users.flatMap(({ username, turn }) => (turn === undefined ? [] : [username])));
      const known = changes.flatMap((change) => {
        const where = { namespace: config.NAMESPACE, name: change.secret };
        const reading = readings?.of(where);
        return reading?.kind === 'read' && reading.object !== undefined ? [{ change, where, object: reading.object }] : [];
      });
      for (const { change, where, object } of known) readings?.note(where, foreseen(change, object, inTurns.has(change.role), now));
      try {
        return await work();
      } finally {
        for (const { where, object } of known) readings?.note(where, object);
      }
    },
    write: async (changes, document, credentials, now, context) => {
      if (store === undefined || readings === undefined) return [];
      const users = new Map(document.users.map((user) => [user.username, user]));
      const outcomes = await writeSecrets(changes, context, {
        store,
        namespace: config.NAMESPACE,
        sourceId,
        userOf: (role) => users.get(role),
        factsOf,
        now,
        passwordOf: (role) => {
          const credential = credentials.usable.get(role)?.credential;
          return credential?.kind === 'plain' ? credential.password : undefined;
        },
        readings,
      });
      for (const outcome of outcomes) {
        if (outcome.result === 'failed') failures.set(keyOf(outcome.change), outcome);
        else failures.delete(keyOf(outcome.change));
      }
      return outcomes;
    },
    lastFailure: (change) => failures.get(keyOf(change)),
  };

  /** A connection Secret that cannot be read may tell of either. */
  function stillTold(document: Document): SecretWishes['told'] {
    return new Map(
      connected(document).flatMap((user): [string, { of: string; place: string }][] => {
        const reading = readings?.of(place(user));
        if (user.turn !== undefined || reading === undefined) return [];
        const login = rotations.connectedAs(user);
        const told = { of: user.username, place: placeOf({ namespace: place(user).namespace, secret: place(user).name }) };
        return slotNames(user.username).flatMap((name) => (reading.kind === 'unreadable' || login === name ? [[name, told]] : []));
      }),
    );
  }

  /** Whose each Secret is. The document's own check does not know which namespace is ours. */
  function takenPlaces(document: Document): ReadonlyMap<string, string> {
    const taken = new Map<string, string>();
    const take = (key: string, username: string): void => void (taken.has(key) || taken.set(key, username));
    const users = connected(document);
    if (users.length === 0) return taken;
    for (const user of document.users)
      if (hasPassword(user)) take(placeOf({ namespace: config.NAMESPACE, secret: user.secret.name }), `the password of ${user.username}`);
    for (const user of users) take(placeOf({ namespace: place(user).namespace, secret: place(user).name }), user.username);
    return taken;
  }

  function notGenerated(user: UserEntry): Notice[] {
    const change = creationOf(user);
    if (change === undefined) return [];
    const failure = failures.get(keyOf(change));
    const reason = store === undefined ? 'that needs SOURCE=kubernetes' : `${failure?.message ?? 'it failed'}; it is tried again later`;
    const kind = store === undefined || failure?.class === 'cannot' ? 'cannot' : 'failed';
    return [{ kind, subject: user.username, position: user.position, message: `cannot ${sentenceOf(change)}: ${reason}` }];
  }
}

/**
 * Whether the password's Secret lets a connection Secret repeat it. A reference can name any Secret of our namespace, and whoever edits the
 * document may be able to read the connection Secret: so the Secret itself has to say whose password it holds, by its name or an annotation.
 */
const mayRepeat = (user: UserEntry, passwordOf: string | undefined): boolean =>
  user.secretIsDerived || passwordOf === ownerOf(user) || passwordOf?.split(',').some((name) => name.trim() === ownerOf(user)) === true;

const creationOf = (user: UserEntry): Extract<Change, { kind: 'create_secret' }> | undefined =>
  user.password?.kind === 'generate'
    ? { kind: 'create_secret', role: user.username, secret: user.secret.name, key: user.secret.key, spec: user.password }
    : undefined;
