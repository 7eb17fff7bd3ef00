// When a generated password is replaced: by its age, or because somebody asks for it, and what makes it wait. Pure.
import type { RotationReason } from '../../changes/change.ts';
import type { PresentSecret } from '../../model/connection-content.ts';
import type { Document, UserEntry } from '../../model/entries.ts';
import { nextInTurn, declaredUserOf } from '../../model/turns.ts';
import { askedFor, type DatedSecret, rotationDue } from '../../model/secret-age.ts';
import { isMadeFor, LOGIN } from '../../model/secret-annotations.ts';

export interface RotationFacts {
  /** The user that logs in with the password. */
  readonly user: UserEntry;
  readonly document: Document;
  /** The user's Secret with the generated password. */
  readonly secret: PresentSecret & DatedSecret;
  /** `namespace/name` of the ConfigMap. */
  readonly source: string;
  /** In milliseconds, as all moments here. */
  readonly now: number;
}

/** What is to be said and done about one user's password. */
export interface RotationWish {
  /** undefined: nothing now. */
  readonly rotate?: { readonly as: string; readonly reason: RotationReason };
  /** When it is due by its age; maybe long ago. */
  readonly dueAt?: number | undefined;
  readonly refused?: string;
  /** It is due and has to wait for this. */
  readonly waits?: string;
}

export function rotationOf(facts: RotationFacts): RotationWish {
  const { user, secret, now } = facts;
  const { rotation } = user;
  if (rotation === undefined) return {};
  const refusal = notGenerated(facts);
  if (refusal !== undefined) return { refused: refusal };
  const dueAt = rotation.every === undefined ? undefined : (rotationDue(secret, rotation.every) ?? now + rotation.every);
  const reason = reasonOf(facts, dueAt);
  if (reason === undefined) return { dueAt };
  const as = user.turn === undefined ? user.username : nextInTurn(user.turn.of, user.username);
  const waits = obstacle(facts, as);
  return waits === undefined ? { dueAt, rotate: { as, reason } } : { dueAt, waits };
}

function reasonOf({ user, secret, now }: RotationFacts, dueAt: number | undefined): RotationReason | undefined {
  // One that was the only user so far makes way for the two, and the two for one.
  if (user.turn?.of === user.username || (user.turn === undefined && secret.annotations[LOGIN] !== undefined)) return 'strategy';
  if (askedFor(secret) !== undefined) return 'request';
  return dueAt !== undefined && dueAt <= now ? 'schedule' : undefined;
}

/** Neither user may lose a password that programs still have. */
function obstacle({ user, document, now }: RotationFacts, next: string): string | undefined {
  if (user.turn === undefined) return undefined;
  if (!user.turn.moved) return `the connection Secret does not say ${user.username} yet`;
  const other = document.users.find(({ username }) => username === next);
  if (other === undefined || other.turn?.isOver === true) return undefined;
  if (!other.login) return `${next} still has the login of before`;
  const until = typeof other.validUntil === 'string' && Date.parse(other.validUntil) > now ? ` until ${other.validUntil}` : '';
  return `${next} may still log in with the password before${until} (\`overlap\`)`;
}

/** Why the password is not ours to replace. */
function notGenerated({ user, secret, source }: RotationFacts): string | undefined {
  const isOurs = [declaredUserOf(user), ...(user.renamedFrom === undefined ? [] : [user.renamedFrom])].some((name) => isMadeFor(secret, name, source));
  return isOurs ? undefined : 'pgsteward did not make it for this user';
}
