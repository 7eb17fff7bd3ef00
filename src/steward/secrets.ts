// Secrets of ours: which are to be made or written, what keeps us from it, and doing it.
import { type Change, keyOf, sentenceOf } from '../changes/change.ts';
import type { KubernetesChange } from '../changes/table.ts';
import { derivedSecretName } from '../document/names.ts';
import { type Document, hasPassword, type UserEntry } from '../model/entries.ts';
import type { Notice } from '../changes/notice.ts';
import { isMadeFor } from '../model/secret-annotations.ts';
import { type SecretPlace, placeOfRef } from '../model/secret-place.ts';
import type { SecretWishes } from '../plan/secrets/secret-plan.ts';
import type { ApplyContext, Outcome } from '../postgres/run.ts';
import type { Ports } from '../sources/ports.ts';
import type { Waiting } from './backoff.ts';
import { type ConnectionOptions, createConnectionSecrets } from './connection-secrets.ts';
import { type Credentials, plainPasswordOf, readCredentials } from './credentials.ts';
import { createRotations, type Rotations } from './rotations.ts';
import { foreseen, writeSecrets } from './write-secrets.ts';

export type SecretsOptions = ConnectionOptions & Pick<Ports, 'secrets' | 'secretStore'>;

/** Why a change failed when it was last tried. */
export type LastFailure = Pick<Extract<Outcome, { result: 'failed' }>, 'class' | 'message'>;

export interface Secrets extends Pick<Rotations, 'withTurns'> {
  /** The Secrets that are read as a whole: connection Secrets, and those with passwords that rotate. */
  readonly places: (document: Document) => SecretPlace[];
  /** What the Secrets give the users of the document, as they are known at this moment. @param waiting what waits at the moment of the plan that asks. */
  credentials(document: Document, waiting: Pick<Waiting, 'isDeferred'>): Credentials;
  /** @param now in milliseconds. */
  wishes(document: Document, credentials: Credentials, now: number): SecretWishes;
  /** Runs a piece of work as if these rotations had been made; nothing of it is written or stays. */
  foreseeing<T>(rotations: readonly Extract<Change, { kind: 'rotate_secret' }>[], document: Document, now: number, work: () => Promise<T>): Promise<T>;
  /** Makes and writes Secrets; an outcome for each. @param now by the clock that `wishes` measures ages with. */
  write(changes: readonly KubernetesChange[], document: Document, credentials: Credentials, now: number, context: ApplyContext): Promise<Outcome[]>;
  readonly lastFailure: (change: Change) => LastFailure | undefined;
}

/** One for the life of the process. */
export function createSecrets({ secrets, secretStore: store, ...options }: SecretsOptions): Secrets {
  const { wholeSecrets, namespace, sourceId } = options;
  const failures = new Map<string, LastFailure>();
  const connections = createConnectionSecrets(options);
  const rotations = createRotations({ secrets, wholeSecrets, namespace, source: sourceId, connections });

  /** Whether a Secret that is missing will be made for the user. */
  const mayGenerate = (user: UserEntry, { isDeferred }: Pick<Waiting, 'isDeferred'>): boolean => {
    const change = creationOf(user);
    return store !== undefined && change !== undefined && !isDeferred(keyOf(change));
  };

  return {
    ...rotations,
    places: (document) => (wholeSecrets === undefined ? [] : [...connections.places(document), ...rotations.places(document), ...formerPlaces(document)]),
    credentials: (document, waiting) => readCredentials(document, rotations.valuesFor(document), (user) => mayGenerate(user, waiting)),
    wishes: (document, credentials, now) => {
      const create = document.users.flatMap((user) => (credentials.toGenerate.has(user.username) ? (creationOf(user, takenFrom(user)) ?? []) : []));
      const connecting = connections.wishes(document, credentials);
      const rotating = rotations.wishes(document, now);
      const unmade = document.users.flatMap((user) => (credentials.notGenerated.has(user.username) ? notGenerated(user) : []));
      return { create, ...rotating, ...connecting, notices: [...rotating.notices, ...connecting.notices, ...unmade] };
    },
    foreseeing: async (changes, document, now, work) => {
      const users = new Map(document.users.map((user) => [user.username, user]));
      const inTurns = new Set(document.users.flatMap(({ username, turn }) => (turn === undefined ? [] : [username])));
      const objects = changes.flatMap((change) => {
        const where = placeOfRef(namespace, { ...users.get(change.role)?.secret, name: change.secret });
        const reading = wholeSecrets?.of(where);
        if (reading?.kind !== 'read' || reading.object === undefined) return [];
        return [{ place: where, object: foreseen(change, reading.object, inTurns.has(change.role), now) }];
      });
      return wholeSecrets === undefined ? work() : wholeSecrets.supposing(objects, work);
    },
    write: async (changes, document, credentials, now, context) => {
      if (store === undefined || wholeSecrets === undefined) return [];
      const users = new Map(document.users.map((user) => [user.username, user]));
      const outcomes = await writeSecrets(changes, context, {
        store,
        namespace,
        sourceId,
        userOf: (role) => users.get(role),
        factsOf: connections.factsOf,
        now,
        passwordOf: (role) => plainPasswordOf(credentials, role),
        wholeSecrets,
      });
      for (const outcome of outcomes) {
        if (outcome.result === 'failed') failures.set(keyOf(outcome.change), outcome);
        else failures.delete(keyOf(outcome.change));
      }
      return outcomes;
    },
    lastFailure: (change) => failures.get(keyOf(change)),
  };

  function formerPlaces({ users }: Document): SecretPlace[] {
    return users.flatMap((user) => {
      const name = formerSecretOf(user);
      return name === undefined ? [] : [placeOfRef(namespace, { ...user.secret, name })];
    });
  }

  /** The Secret under the user's former name, where it is one that we made for it. */
  function takenFrom(user: UserEntry): string | undefined {
    const name = formerSecretOf(user);
    const reading = name === undefined ? undefined : wholeSecrets?.of(placeOfRef(namespace, { ...user.secret, name }));
    const isOurs = reading?.kind === 'read' && reading.object !== undefined && isMadeFor(reading.object, user.renamedFrom ?? '', sourceId);
    return isOurs ? name : undefined;
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

/** The Secret that a generated password had by the naming rule. */
function formerSecretOf(user: UserEntry): string | undefined {
  const { renamedFrom, secret, secretIsDerived, password } = user;
  if (renamedFrom === undefined || !secretIsDerived || password?.kind !== 'generate' || !hasPassword(user)) return undefined;
  const name = derivedSecretName(renamedFrom);
  return name === secret.name ? undefined : name;
}

const creationOf = (user: UserEntry, takes?: string): Extract<Change, { kind: 'create_secret' }> | undefined =>
  user.password?.kind === 'generate'
    ? { kind: 'create_secret', role: user.username, secret: user.secret.name, key: user.secret.key, spec: user.password, takes }
    : undefined;
