// The Secret with our own password: what stands in it, and whether the password is to be rotated.
import type { PresentSecret } from './connection-secret.ts';
import { readPassword } from './password.ts';

/** Why our own password is rotated: a rotation was begun and not finished, somebody asked for it, or it is old enough. */
export type RotationReason = 'unfinished' | 'asked' | 'age';

/** The password that is in force next stands beside the old one until a login has proved it. */
export const nextKey = (key: string): string => `${key}-next`;

/** Any new value asks for a rotation. */
const ROTATE_AT = 'pgsteward.dev/rotate-at';
/** The value of ROTATE_AT that was answered. */
const ROTATED_FOR = 'pgsteward.dev/rotated-for';
const GENERATED_AT = 'pgsteward.dev/generated-at';

/** `name` or `name/key`; undefined for anything else. */
export function parseAdminSecret(text: string): { readonly name: string; readonly key: string } | undefined {
  const [, name, key] = /^([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)(?:\/([-._a-zA-Z0-9]{1,248}))?$/.exec(text) ?? [];
  return name === undefined ? undefined : { name, key: key ?? 'password' };
}

/** A Secret's password; undefined where there is none, or nothing that one can log in with. */
export function plainPasswordAt({ data }: Pick<PresentSecret, 'data'>, key: string): string | undefined {
  const value = data[key];
  const read = typeof value === 'string' ? readPassword(Buffer.from(value, 'base64')) : undefined;
  return read?.kind === 'plain' ? read.password : undefined;
}

type DatedSecret = Pick<PresentSecret, 'data' | 'annotations'> & { readonly createdAt?: string | undefined };

/** When the password is old enough, in milliseconds since the epoch. Its age counts from when we made it, else from when the Secret was made. */
export function rotationDue({ annotations, createdAt }: Omit<DatedSecret, 'data'>, every: number): number | undefined {
  const times = [annotations[GENERATED_AT], createdAt].map((time) => (typeof time === 'string' ? Date.parse(time) : Number.NaN));
  const since = times.find((time) => !Number.isNaN(time));
  return since === undefined ? undefined : since + every;
}

/** What somebody asks for that was not answered yet. */
export function askedFor({ annotations }: Pick<DatedSecret, 'annotations'>): string | undefined {
  const asked = annotations[ROTATE_AT];
  return typeof asked === 'string' && asked !== '' && asked !== annotations[ROTATED_FOR] ? asked : undefined;
}

/** Why the password is to be rotated now; undefined where it is not. */
export function reasonToRotate(secret: DatedSecret, key: string, every: number, now: number): RotationReason | undefined {
  if (secret.data[nextKey(key)] !== undefined) return 'unfinished';
  if (askedFor(secret) !== undefined) return 'asked';
  return (rotationDue(secret, every) ?? Number.POSITIVE_INFINITY) <= now ? 'age' : undefined;
}

/**
 * What the Secret says when the rotation is done.
 * @param answered what somebody had asked for before the new password was made: one that is older may have been seen by whoever the
 *   rotation is to keep out.
 */
export const rotated = (key: string, password: string, answered: string | undefined, now: number) => ({
  data: new Map<string, string | null>([
    [key, password],
    [nextKey(key), null],
  ]),
  annotations: { [GENERATED_AT]: new Date(now).toISOString(), ...(answered === undefined ? {} : { [ROTATED_FOR]: answered }) },
});
