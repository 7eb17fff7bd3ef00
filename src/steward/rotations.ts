// Rotations: what the Secrets of users with `rotation` say, whose turn it is by them, and which passwords are to be replaced now.
import type { Change } from '../changes/change.ts';
import { type Document, hasPassword, type SecretRef, type UserEntry } from '../model/entries.ts';
import type { Notice } from '../changes/notice.ts';
import { declaredUserOf, withTurns } from '../model/turns.ts';
import { rotationOf } from '../plan/secrets/rotation-plan.ts';
import { LOGIN } from '../model/secret-annotations.ts';
import type { SecretWishes } from '../plan/secrets/secret-plan.ts';
import { type SecretPlace, placeOfRef } from '../model/secret-place.ts';
import { secretKey, type SecretReader, type SecretReading, type WholeSecrets } from '../sources/ports.ts';
import type { ConnectionSecrets } from './connection-secrets.ts';

export interface RotationsOptions {
  readonly secrets: Pick<SecretReader, 'valueOf'>;
  /** undefined where there is nothing to write to. */
  readonly wholeSecrets: WholeSecrets | undefined;
  /** Where passwords are. */
  readonly namespace: string;
  /** `namespace/name` of the ConfigMap. */
  readonly source: string;
  readonly connections: Pick<ConnectionSecrets, 'isKnown' | 'loginOf'>;
}

export interface Rotations {
  /** The Secrets that are read as a whole for it. */
  places(document: Document): SecretPlace[];
  /** The document with those who take turns. */
  withTurns(document: Document): Document;
  /** What is known of each Secret that users name; of those that rotate nothing that their annotations do not stand behind. */
  valuesFor(document: Document): (ref: SecretRef) => SecretReading;
  /** @param now in milliseconds. */
  wishes(document: Document, now: number): Pick<SecretWishes, 'rotate' | 'rotationDue' | 'notices'>;
}

const isRotated = (user: UserEntry): boolean => user.rotation !== undefined && hasPassword(user);

export function createRotations({ secrets, wholeSecrets, namespace, source, connections }: RotationsOptions): Rotations {
  const placeOf = (user: UserEntry): SecretPlace => placeOfRef(namespace, user.secret);
  const rotatedUsers = (document: Document): UserEntry[] => document.users.filter(isRotated);

  return {
    places: (document) => (wholeSecrets === undefined ? [] : rotatedUsers(document).map(placeOf)),
    withTurns: (document) =>
      withTurns(document, (user) => {
        const reading = wholeSecrets?.of(placeOf(user));
        if (reading?.kind !== 'read') return { generated: undefined, connected: connections.loginOf(user) };
        const login = reading.object?.annotations[LOGIN];
        return { generated: reading.object === undefined ? null : typeof login === 'string' ? login : '', connected: connections.loginOf(user) };
      }),
    valuesFor: (document) => {
      const rotated = rotatedUsers(document);
      if (rotated.length === 0) return (ref) => secrets.valueOf(ref);
      const users = new Map(rotated.map((user) => [secretKey(user.secret), user]));
      const unreadable = (detail: string): SecretReading => ({ kind: 'unreadable', detail });
      return (ref) => {
        const value = secrets.valueOf(ref);
        const user = users.get(secretKey(ref));
        if (user === undefined || wholeSecrets === undefined) return value;
        const reading = wholeSecrets.of(placeOf(user));
        if (reading.kind === 'unreadable') return unreadable(reading.detail);
        // A new password for the one that programs are told of would keep them out.
        const isUntold = reading.object === undefined && user.turn !== undefined && !connections.isKnown(user);
        return isUntold ? unreadable('it is missing, and whose turn it is cannot be told without the connection Secret') : value;
      };
    },
    wishes: (document, now) => {
      const rotate: Extract<Change, { kind: 'rotate_secret' }>[] = [];
      const rotationDue = new Map<string, number>();
      const notices: Notice[] = [];
      for (const user of rotatedUsers(document)) {
        const { username, secret, password, rotation } = user;
        const say = (kind: Notice['kind'], message: string): void =>
          void notices.push({
            kind,
            subject: username,
            position: rotation?.position,
            message: `the password in the Secret ${secret.name} is not rotated: ${message}`,
          });
        if (wholeSecrets === undefined) say('cannot', 'that needs SOURCE=kubernetes');
        const reading = wholeSecrets?.of(placeOf(user));
        if (reading?.kind !== 'read' || reading.object === undefined || password?.kind !== 'generate') continue;
        const wish = rotationOf({ user, document, secret: reading.object, source, now });
        if (wish.refused !== undefined) say('refused', `${wish.refused}; delete it, and pgsteward makes one`);
        if (wish.dueAt !== undefined) rotationDue.set(declaredUserOf(user), wish.dueAt);
        if (wish.waits !== undefined) say('pending', wish.waits);
        if (wish.rotate !== undefined)
          rotate.push({ kind: 'rotate_secret', role: wish.rotate.as, secret: secret.name, key: secret.key, spec: password, reason: wish.rotate.reason });
      }
      return { rotate, rotationDue, notices };
    },
  };
}
