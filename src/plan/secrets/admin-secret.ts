// The Secret with our own password: what stands in it, and whether the password is to be rotated.
import type { RotationReason } from '../../changes/change.ts';
import type { PresentSecret } from '../../model/connection-content.ts';
import { readPassword } from '../../model/secret-value.ts';
import { askedFor, type DatedSecret, rotationDue } from '../../model/secret-age.ts';
import { GENERATED_AT, ROTATED_FOR } from '../../model/secret-annotations.ts';

/** The password that is in force next stands beside the old one until a login has proved it. */
export const nextKey = (key: string): string => `${key}-next`;

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

/** Why the password is to be rotated now; undefined where it is not. */
export function reasonToRotate(secret: DatedSecret & Pick<PresentSecret, 'data'>, key: string, every: number, now: number): RotationReason | undefined {
  if (secret.data[nextKey(key)] !== undefined) return 'unfinished';
  if (askedFor(secret) !== undefined) return 'request';
  return (rotationDue(secret, every) ?? Number.POSITIVE_INFINITY) <= now ? 'schedule' : undefined;
}

export interface FinishedRotation {
  /**
   * What somebody had asked for before the new password was made: one that is older may have been seen by whoever the rotation is to keep out.
   */
  readonly answered: string | undefined;
  readonly now: number;
  /** Whether what stands under the next key is somebody else's. */
  readonly keepsNext: boolean;
}

/** What the Secret says when the rotation is done. */
export const finishedRotation = (key: string, password: string, { answered, now, keepsNext }: FinishedRotation) => ({
  data: new Map<string, string | null>([[key, password], ...(keepsNext ? [] : [[nextKey(key), null] as const])]),
  annotations: { [GENERATED_AT]: new Date(now).toISOString(), ...(answered === undefined ? {} : { [ROTATED_FOR]: answered }) },
});
