// Changes of Secrets: those with a generated password, and those that tell programs how to log in.
import type { ConnectionReason } from '../model/connection-content.ts';
import type { PasswordSpec } from '../model/entries.ts';
import { type InKubernetes, neverDrift, NOT_ON_SERVER, OF_ROLE } from './definition.ts';

/**
 * Why a password is replaced: it is old enough, somebody asked for it, another user is to log in from now on, or a rotation was begun and not
 * finished.
 */
export type RotationReason = 'schedule' | 'request' | 'strategy' | 'unfinished';

interface PasswordSecret {
  /** As whom the password logs in. */
  readonly role: string;
  readonly secret: string;
  readonly key: string;
  readonly spec: Extract<PasswordSpec, { kind: 'generate' }>;
}

/** `takes`: the Secret that holds the user's password under the name that it had. */
type CreateSecret = PasswordSecret & { readonly kind: 'create_secret'; readonly takes?: string | undefined };
type RotateSecret = PasswordSecret & { readonly kind: 'rotate_secret'; readonly reason: RotationReason };

interface WriteConnectionSecret {
  readonly kind: 'write_connection_secret';
  readonly role: string;
  readonly namespace: string;
  readonly secret: string;
  readonly reason: ConnectionReason;
  /** The one that is there holds a password that no longer works. */
  readonly isBroken: boolean;
}

export type SecretChange = CreateSecret | RotateSecret | WriteConnectionSecret;

export const ROTATION_REASONS: Readonly<Record<RotationReason, string>> = {
  schedule: 'the old one is old enough',
  request: 'somebody asked for it',
  strategy: 'two users log in by turns from now on',
  unfinished: 'what was begun is finished',
};

const CONNECTION_REASONS: Readonly<Record<ConnectionReason, string>> = {
  new: 'there is none',
  changed: 'what it is made from changed',
  rotated: 'the password changed',
  drift: 'changed by hand',
};

const PASSWORD_SECRET = {
  ...OF_ROLE,
  statements: () => [],
  key: ({ role, secret }: PasswordSecret) => [role, secret],
  object: ({ secret }: PasswordSecret) => `secret ${secret}`,
  isDrift: neverDrift,
  inKubernetes: true,
  makesPassword: true,
  forLogin: true,
} as const;

export const createSecret: InKubernetes<CreateSecret> = {
  ...PASSWORD_SECRET,
  ...NOT_ON_SERVER,
  roles: () => [],
  sentence: ({ secret, role, takes }) =>
    `create secret: ${secret} (${takes === undefined ? 'a generated password' : `the password of the secret ${takes}`} for ${role})`,
};

/** It needs the right to set the password that comes with it. */
export const rotateSecret: InKubernetes<RotateSecret> = {
  ...PASSWORD_SECRET,
  loses: () => 'password',
  sentence: ({ secret, role, reason }) => `rotate secret: ${secret} (a new password for ${role}: ${ROTATION_REASONS[reason]})`,
};

export const writeConnectionSecret: InKubernetes<WriteConnectionSecret> = {
  ...OF_ROLE,
  ...NOT_ON_SERVER,
  key: ({ role, namespace, secret }) => [role, namespace, secret],
  object: ({ namespace, secret }) => `secret ${namespace}/${secret}`,
  sentence: ({ namespace, secret, role, reason }) => `write connection secret: ${namespace}/${secret} (for ${role}: ${CONNECTION_REASONS[reason]})`,
  isDrift: ({ reason }) => reason === 'drift',
  inKubernetes: true,
};
