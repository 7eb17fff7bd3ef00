// Rotations: what the Secrets of users with `rotation` say, whose turn it is by them, and which passwords are to be replaced now.
import type { Change } from '../core/change.ts';
import { loginIn, notOurs } from '../core/connection-secret.ts';
import { type Document, hasPassword, type UserEntry } from '../core/document/types.ts';
import type { Notice } from '../core/notice.ts';
import { ownerOf, withTurns } from '../core/rotation.ts';
import { rotationOf } from '../core/rotation-plan.ts';
import { LOGIN } from '../core/secret-annotations.ts';
import type { SecretWishes } from '../core/secret-plan.ts';
import { readingOf } from '../sources/secret-reading.ts';
import { secretKey, type SecretPlace, type SecretReading } from '../sources/source.ts';
import type { SecretReadings } from './secret-readings.ts';

export interface RotationsOptions {
  /** undefined where there is nothing to write to. */
  readonly readings: SecretReadings | undefined;
  /** Where passwords are. */
  readonly namespace: string;
  /** `namespace/name` of the ConfigMap. */
  readonly source: string;
  readonly connectionPlace: (user: UserEntry) => SecretPlace;
}

export interface Rotations {
  /** The Secrets that are read as a whole for it. */
  places(document: Document): SecretPlace[];
  /** The document with those who take turns. */
  withTurns(document: Document): Document;
  /** As whom the user's connection Secret lets programs log in, where it is ours. */
  connectedAs(user: UserEntry): string | undefined;
  /** The values in those Secrets as they are known here, which may be newer than elsewhere. */
  values(document: Document): ReadonlyMap<string, SecretReading>;
  /** @param now in milliseconds. */
  wishes(document: Document, now: number): Pick<SecretWishes, 'rotate' | 'rotationDue' | 'notices'>;
}

const isRotated = (user: UserEntry): boolean => user.rotation !== undefined && hasPassword(user);

export function createRotations({ readings, namespace, source, connectionPlace }: RotationsOptions): Rotations {
  const placeOf = (user: UserEntry): SecretPlace => ({ namespace, name: user.secret.name });
  const rotated = (document: Document): UserEntry[] => document.users.filter(isRotated);

  const connectedAs = (user: UserEntry): string | undefined => {
    const reading = user.connectionSecret === undefined ? undefined : readings?.of(connectionPlace(user));
    const present = reading?.kind === 'read' ? reading.object : undefined;
    return present === undefined || notOurs(present, { owner: user.username, source }) !== undefined ? undefined : loginIn(present)?.username;
  };

  return {
    connectedAs,
    places: (document) => (readings === undefined ? [] : rotated(document).map(placeOf)),
    withTurns: (document) =>
      withTurns(document, (user) => {
        const reading = readings?.of(placeOf(user));
        if (reading?.kind !== 'read') return { generated: undefined, connected: connectedAs(user) };
        const login = reading.object?.annotations[LOGIN];
        return { generated: reading.object === undefined ? null : typeof login === 'string' ? login : '', connected: connectedAs(user) };
      }),
    values: (document) =>
      new Map(
        rotated(document).flatMap((user): [string, SecretReading][] => {
          const reading = readings?.of(placeOf(user));
          if (reading === undefined) return [];
          const unreadable = (detail: string): SecretReading => ({ kind: 'unreadable', detail });
          const value = reading.kind === 'read' ? readingOf(reading.object, user.secret.key, namespace) : unreadable(reading.detail);
          // A new password for the one that programs are told of would keep them out.
          const isUntold =
            value.kind === 'missing' && value.what === 'secret' && user.turn !== undefined && readings?.of(connectionPlace(user)).kind !== 'read';
          return [[secretKey(user.secret), isUntold ? unreadable('it is missing, and whose turn it is cannot be told without the connection Secret') : value]];
        }),
      ),
    wishes: (document, now) => {
      const rotate: Extract<Change, { kind: 'rotate_secret' }>[] = [];
      const rotationDue = new Map<string, number>();
      const notices: Notice[] = [];
      for (const user of rotated(document)) {
        const { username, secret, password, rotation } = user;
        const say = (kind: Notice['kind'], message: string): void =>
          void notices.push({
            kind,
            subject: username,
            position: rotation?.position,
            message: `the password in the Secret ${secret.name} is not rotated: ${message}`,
          });
        if (readings === undefined) say('cannot', 'that needs SOURCE=kubernetes');
        const reading = readings?.of(placeOf(user));
        if (reading?.kind !== 'read' || reading.object === undefined || password?.kind !== 'generate') continue;
        const wish = rotationOf({ user, document, secret: reading.object, source, now });
        if (wish.refused !== undefined) say('refused', `${wish.refused}; delete it, and pgsteward makes one`);
        if (wish.dueAt !== undefined) rotationDue.set(ownerOf(user), wish.dueAt);
        if (wish.waits !== undefined) say('pending', wish.waits);
        if (wish.rotate !== undefined)
          rotate.push({ kind: 'rotate_secret', role: wish.rotate.as, secret: secret.name, key: secret.key, spec: password, reason: wish.rotate.reason });
      }
      return { rotate, rotationDue, notices };
    },
  };
}
