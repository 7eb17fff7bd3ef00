// The steps of a rotation of our own password. After each of them the Secret holds a password that works: under its key, or under the next one.
import type { SecretPlace } from '../model/secret-place.ts';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { finishedRotation, nextKey, plainPasswordAt } from '../plan/secrets/admin-secret.ts';
import { DEFAULT_ALPHABET, DEFAULT_LENGTH, generatePassword } from '../model/generate.ts';
import type { Connections, ServerLogin } from '../postgres/connection.ts';
import { describeFailure, type FailureClass } from '../postgres/failures.ts';
import { type AdminPasswordContext, adminVerifiers, setAdminVerifier } from '../postgres/set-admin-password.ts';
import { classOf, SourceError } from '../model/source-error.ts';
import type { SecretObject, SecretStore } from '../sources/ports.ts';
import type { AdminLogin } from './admin-login.ts';

/** Why a rotation ended early; whatever it had done on the server is set back, or stands in the Secret under the next key. */
export class AdminStepError extends Error {
  override readonly name = 'AdminStepError';
  readonly class: FailureClass;
  constructor(failure: FailureClass, message: string) {
    super(message);
    this.class = failure;
  }
}

export interface AdminSteps {
  readonly server: ServerLogin;
  readonly store: SecretStore;
  readonly connections: Connections;
  readonly login: AdminLogin;
  readonly place: SecretPlace;
  readonly key: string;
  /** What somebody had asked for when the rotation began. */
  readonly answered: string | undefined;
  readonly context: AdminPasswordContext;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** What is asked of the server or of the API server once more before it counts as failed. */
const ATTEMPTS = 4;
const PAUSE_MS = 300;
/** From the new verifier on the steps are finished also while we are being stopped: other users of the Secret wait for it. */
const DEADLINE_MS = 30_000;
/** Answers after which the Secret is surely as it was. */
const UNCHANGED: ReadonlySet<SourceError['reason']> = new Set(['forbidden', 'unauthorized', 'not_found', 'conflict', 'throttled']);

/**
 * Rotates the password, or goes on where an earlier rotation ended.
 * @returns the Secret as it is then.
 * @throws AdminStepError, SourceError, or what the server answers.
 */
export async function rotateAdminPassword(secret: SecretObject, steps: AdminSteps): Promise<SecretObject> {
  const { store, connections, login, place, key, answered, signal } = steps;
  const old = plainPasswordAt(secret, key);
  const prepared = plainPasswordAt(secret, nextKey(key));
  if (prepared === undefined && secret.data[nextKey(key)] !== undefined)
    throw new AdminStepError('cannot', `what the Secret holds under ${nextKey(key)} is no password; take that key out of it`);
  // Nobody is told apart by a password that is never asked for: then a login proves neither the old one nor the new one.
  if ((await connections.refusalOf(randomBytes(18).toString('base64url'))) === undefined)
    throw new AdminStepError('cannot', 'the server lets us in with any password (trust, a certificate, or a pooler), so that no login would prove the new one');
  const refusal = old === undefined ? 'there is none' : await connections.refusalOf(old);
  if (refusal !== undefined && prepared !== undefined && (await connections.refusalOf(prepared)) === undefined) {
    login.accepted(prepared);
    return replace(secret, { old, password: prepared, answered: undefined }, steps);
  }
  if (old === undefined || refusal !== undefined)
    throw new AdminStepError(
      'cannot',
      `the server refuses a login with what the Secret holds under ${key} (${refusal}); where that is not our own password, write the right one into it`,
    );

  const password = prepared ?? generatePassword({ kind: 'generate', length: DEFAULT_LENGTH, alphabet: DEFAULT_ALPHABET });
  // Also where it stands there: whoever may not write any more must not find out when the server has the new password.
  const present = await store.change(place, { data: new Map([[nextKey(key), password]]), annotations: {} }, secret, signal);
  signal.throwIfAborted();
  // One session for all that follows: setting the old password back needs no login.
  return connections.withAdmin((client) => change(client, present, { old, password, answered: prepared === undefined ? answered : undefined }, steps));
}

interface Passwords {
  readonly old: string | undefined;
  readonly password: string;
  readonly answered: string | undefined;
}

async function change(client: pg.ClientBase, secret: SecretObject, passwords: Passwords & { readonly old: string }, steps: AdminSteps): Promise<SecretObject> {
  const { connections, login, context } = steps;
  const verifiers = await adminVerifiers(client, steps.server, { before: passwords.old, after: passwords.password });
  await setAdminVerifier(client, verifiers.after, context);
  const setBack = async (message: string, failure: FailureClass): Promise<never> => {
    await setAdminVerifier(client, verifiers.before, context, message);
    login.accepted(passwords.old);
    await forgetNext(steps, passwords.password);
    throw new AdminStepError(failure, `${message}; the old password is in force again`);
  };
  const refusal = await patiently(() => connections.refusalOf(passwords.password)).catch((error: unknown) => describeFailure(error));
  if (refusal !== undefined)
    return setBack(
      `a login with the new password fails (${refusal}); a pooler or a directory between us and the server that keeps passwords itself has to learn the new one by itself`,
      'refused',
    );
  login.accepted(passwords.password);
  try {
    return await replace(secret, passwords, steps);
  } catch (error) {
    if (error instanceof SourceError && UNCHANGED.has(error.reason)) return setBack(error.message, classOf(error));
    throw error;
  }
}

/**
 * The Secret says the new password. It is written until it stands there: what works has to be found after a crash.
 * @throws SourceError where the Secret is surely as it was, or nobody knows; AdminStepError where somebody else set a password that works, and
 *   for whatever is answered once an answer was lost: that request may have been carried out, or still be.
 */
async function replace(secret: SecretObject, { old, password, answered }: Passwords, steps: AdminSteps): Promise<SecretObject> {
  const { store, connections, place, key, now } = steps;
  let before = secret;
  let isLost = false;
  const last = (error: SourceError): Error =>
    isLost && UNCHANGED.has(error.reason)
      ? new AdminStepError(classOf(error), `${error.message}; an answer before it was lost, so nobody knows what the Secret holds`)
      : error;
  for (let attempt = 1; ; attempt += 1) {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    try {
      return await store.change(
        place,
        finishedRotation(key, password, { answered, now: now(), keepsNext: nextIn(before, key, password) === 'theirs' }),
        before,
        deadline,
      );
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      if (!error.retryable || attempt === ATTEMPTS) throw last(error);
      if (!UNCHANGED.has(error.reason)) isLost = true;
    }
    await sleep(PAUSE_MS * attempt);
    const present = await store.read(place, deadline).catch((error: unknown) => {
      throw error instanceof SourceError ? last(error) : error;
    });
    if (present === undefined) throw last(new SourceError('not_found', `the Secret ${place.name} in namespace ${place.namespace} is gone`));
    before = present;
    const found = plainPasswordAt(present, key);
    // An answer of ours that was lost, or another instance that went on where we were.
    if (found === password && nextIn(present, key, password) !== 'ours') return present;
    if (found !== undefined && found !== old && found !== password && (await connections.refusalOf(found)) === undefined)
      throw new AdminStepError('retry', 'somebody else set another password meanwhile, which works');
  }
}

/** Whose password stands under the next key: with one of somebody else's a rotation may be under way, which needs it. */
function nextIn(secret: SecretObject, key: string, password: string): 'ours' | 'theirs' | 'none' {
  if (secret.data[nextKey(key)] === undefined) return 'none';
  const next = plainPasswordAt(secret, nextKey(key));
  return next === undefined || next === password ? 'ours' : 'theirs';
}

/** What could not be used is not tried again. Where this fails, the next attempt begins with the same password, which opens nothing until then. */
async function forgetNext({ store, place, key }: AdminSteps, password: string): Promise<void> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  try {
    const present = await store.read(place, deadline);
    if (present === undefined || nextIn(present, key, password) !== 'ours') return;
    await store.change(place, { data: new Map([[nextKey(key), null]]), annotations: {} }, present, deadline);
  } catch {
    // It is told with what made us set the password back.
  }
}

/** A server that cannot be asked at this moment says nothing about the password. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await sleep(PAUSE_MS * attempt);
    }
  }
}
