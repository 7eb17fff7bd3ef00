// Changes of passwords on the server. What is executed holds a verifier, what is shown never does.
import { type StoredVerifier, storedVerifier } from '../model/scram.ts';
import { identifier, literal } from '../sql/sql-text.ts';
import { attributesSql, attributeWords, type Opening } from './attributes.ts';
import { type Advised, driftByEntry, OF_ROLE, type SetsVerifier } from './definition.ts';
import { ROTATION_REASONS, type RotationReason } from './secret.ts';

/**
 * Why a password is set: the user has none yet, it may have one that is not known to be ours, its Secret changed, somebody changed it on the server,
 * or it is to log in again.
 */
export type PasswordReason = 'new' | 'replaces' | 'rotated' | 'drift' | 'login';

interface SetPassword {
  readonly kind: 'set_password';
  readonly role: string;
  readonly reason: PasswordReason;
  /** Nobody can log in as the role until then: both come in one statement, so that no other password ever opens it. */
  readonly opens?: Opening;
}

type ClearPassword = { readonly kind: 'clear_password'; readonly role: string };

/** Of the role that we log in as ourselves. It stands beside the plan: no document can ask for it. */
interface RotateAdminPassword {
  readonly kind: 'rotate_admin_password';
  readonly role: string;
  readonly namespace: string;
  readonly secret: string;
  readonly reason: RotationReason;
}

/** Changes whose statements need a verifier, which no change holds. */
export type PasswordSetting = SetPassword | RotateAdminPassword;

export type PasswordChange = PasswordSetting | ClearPassword;

const PASSWORD_REASONS: Readonly<Record<PasswordReason, string>> = {
  new: 'first password',
  replaces: 'in place of any that it has: what logs in with another one no longer does',
  rotated: 'its Secret changed',
  drift: 'changed on the server',
  login: 'it may log in again',
};

const alterPassword = (role: string, opens: Opening, password: string): readonly string[] => [
  `ALTER ROLE ${identifier(role)}${attributesSql(opens)} PASSWORD ${password}`,
];

/** The server would take anything else for a password in plain text, and hash it. */
function verifierLiteral(verifier: StoredVerifier): string {
  if (storedVerifier(verifier) === undefined) throw new RangeError('what was to be set as a verifier is none');
  return literal(verifier);
}

/** Without quotes it is a syntax error on every server. */
const HIDDEN = '********';

export const setPassword: SetsVerifier<SetPassword> = {
  ...OF_ROLE,
  sentence: ({ role, reason, opens }) =>
    opens === undefined
      ? `set password of user: ${role} (${PASSWORD_REASONS[reason]})`
      : `let user log in: ${role} (${attributeWords(opens)}, with the password of its Secret)`,
  statements: ({ role, opens = {}, verifier }) => alterPassword(role, opens, verifierLiteral(verifier)),
  shown: ({ role, opens = {} }) => alterPassword(role, opens, HIDDEN),
  isDrift: ({ reason, opens }) => (opens === undefined ? reason === 'drift' : undefined),
  runs: 'apart',
  endsHolders: 'any',
  forLogin: true,
  counts: 'passwords',
  remembers: () => ({ what: 'password', isSet: true }),
  login: ({ opens }) => (opens?.login === true ? true : undefined),
  loses: ({ reason, opens }) => (reason === 'new' || opens !== undefined ? undefined : 'password'),
};

export const clearPassword: Advised<ClearPassword> = {
  ...OF_ROLE,
  sentence: ({ role }) => `clear password of user: ${role}`,
  statements: ({ role }) => alterPassword(role, {}, 'NULL'),
  isDrift: driftByEntry,
  isAdvised: true,
  endsHolders: 'any',
  counts: 'passwords',
  remembers: () => ({ what: 'password', isSet: false }),
  loses: () => 'password',
};

export const rotateAdminPassword: SetsVerifier<RotateAdminPassword> = {
  ...OF_ROLE,
  object: ({ role, namespace, secret }) => `${role} in secret ${namespace}/${secret}`,
  sentence: ({ role, namespace, secret, reason }) => `rotate our own password: ${role} (in secret ${namespace}/${secret}: ${ROTATION_REASONS[reason]})`,
  statements: ({ role, verifier }) => alterPassword(role, {}, verifierLiteral(verifier)),
  shown: ({ role }) => alterPassword(role, {}, HIDDEN),
  isDrift: driftByEntry,
  isOfNoUser: true,
};
