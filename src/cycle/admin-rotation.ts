// The rotation of our own password: whether it is due, the notices about it, and when it is tried again. The steps are in admin-steps.ts.
import type { Config } from '../config.ts';
import { nextKey, plainPasswordAt, reasonToRotate, rotated } from '../core/admin-secret.ts';
import { type Change, keyOf } from '../core/change.ts';
import { durationMs } from '../core/duration.ts';
import type { Notice } from '../core/notice.ts';
import { sentenceOf } from '../core/sentence.ts';
import { askedFor, rotationDue } from '../core/secret-age.ts';
import type { Connections } from '../postgres/connection.ts';
import { classify, describeFailure, type FailureClass } from '../postgres/failures.ts';
import { type SecretObject, type SecretStore, classOf, SourceError } from '../sources/source.ts';
import { type AdminLogin, adminPlace } from './admin-login.ts';
import type { AdminReport } from './admin-report.ts';
import { AdminStepError, rotateAdminPassword } from './admin-steps.ts';
import { createBackoff } from './backoff.ts';

export interface AdminRotationOptions {
  readonly config: Config;
  readonly store: SecretStore;
  readonly connections: Connections;
  readonly login: AdminLogin;
  readonly now?: () => number;
}

export interface AdminRotation {
  /**
   * Rotates the password where that is due, under the writer's fence; without one nothing is written, and it is only said. Never throws but for an abort.
   * @param ledger whether there is one to write to.
   */
  run(fence: string | undefined, ledger: boolean, signal: AbortSignal): Promise<AdminReport>;
  /** Milliseconds until there is something to do again; undefined where nothing is known. */
  nextIn(): number | undefined;
}

/** One for the life of the process. */
export function createAdminRotation({ config, store, connections, login, now = Date.now }: AdminRotationOptions): AdminRotation {
  const { place, key } = adminPlace(config);
  const role = config.DB_USER;
  const shown = `Secret ${place.name} in namespace ${place.namespace}`;
  const every = durationMs(config.ADMIN_ROTATION_EVERY) ?? Number.POSITIVE_INFINITY;
  const backoff = createBackoff(config.RETRY_BACKOFF_BASE, () => performance.now());
  /** Of the last attempt, while nothing has changed about it. */
  let failure: Notice | undefined;
  let lastAsked: string | undefined;
  let dueAt: number | undefined;
  /** The moment to look again at, which is never in the past while we may not write. */
  let wakeAt: number | undefined;
  /** The Secret and the password that were last found not to fit, and why. */
  let misfit: { readonly version: string; readonly current: string | undefined; readonly reason: string | undefined } | undefined;

  /** What our last rotation wrote beside the password: where that does not stay, every cycle would find a reason for another one. */
  let written: { readonly password: string | undefined; readonly annotations: Readonly<Record<string, string>> } | undefined;

  const say = (kind: Notice['kind'], message: string): Notice => ({ kind, subject: role, message });

  /** Whether the Secret holds what logs us in: somebody else may have written to it. A restart would find out too late. */
  const misfitNotice = async (secret: SecretObject): Promise<Notice[]> => {
    const password = plainPasswordAt(secret, key);
    if (password !== undefined && password === login.current) return [];
    const { version } = secret;
    if (misfit?.version !== version || misfit.current !== login.current) {
      const reason = password === undefined ? 'there is no password' : await connections.refusalOf(password);
      if (reason === undefined && password !== undefined) login.accepted(password);
      misfit = { version, current: login.current, reason };
    }
    if (misfit.reason === undefined) return [];
    const message = `the ${shown}, key ${key}, does not hold our own password (${misfit.reason}): after a restart nobody could log in with it; write the right one into it`;
    return [say('failed', message)];
  };

  const changeFor = (secret: SecretObject): Extract<Change, { kind: 'rotate_admin_password' }> | undefined => {
    const reason = reasonToRotate(secret, key, every, now());
    return reason && { kind: 'rotate_admin_password', role, namespace: place.namespace, secret: place.name, reason };
  };

  /** The Secret with what we wrote beside the password that it holds. */
  const asWritten = (secret: SecretObject): SecretObject =>
    written === undefined || plainPasswordAt(secret, key) !== written.password
      ? secret
      : { ...secret, annotations: { ...secret.annotations, ...written.annotations } };

  const look = async (fence: string | undefined, ledger: boolean, signal: AbortSignal): Promise<Omit<AdminReport, 'dueAt'>> => {
    const nothing = { planned: [], outcomes: [], notices: [] };
    const present = await store.read(place, signal);
    if (present === undefined)
      return { ...nothing, notices: [say('cannot', `there is no ${shown}, which ADMIN_SECRET names: our own password is not rotated`)] };
    const secret = asWritten(present);
    dueAt = rotationDue(secret, every);
    const asked = askedFor(secret);
    if (asked !== lastAsked) backoff.clear();
    lastAsked = asked;
    const change = changeFor(secret);
    if (change === undefined) {
      failure = undefined;
      wakeAt = dueAt;
      const lost = `the ${shown} does not keep the annotations that pgsteward writes: our own password would be rotated after every restart; find what takes them away`;
      const isLost = changeFor(present) !== undefined;
      return { ...nothing, notices: [...(isLost ? [say('failed', lost)] : []), ...(await misfitNotice(secret).catch(() => []))] };
    }
    if (secret.controller !== undefined)
      return {
        ...nothing,
        notices: [say('refused', `the ${shown} belongs to ${secret.controller}, which would put the old password back: our own password is not rotated`)],
      };
    if (fence === undefined) return { ...nothing, planned: [change] };
    if (backoff.isDeferred(keyOf(change))) return { ...nothing, notices: failure === undefined ? [] : [failure] };
    try {
      const after = await rotateAdminPassword(secret, {
        config,
        store,
        connections,
        login,
        place,
        key,
        answered: asked,
        context: {
          statementTimeout: config.DB_STATEMENT_TIMEOUT,
          lockTimeout: config.DB_LOCK_TIMEOUT,
          change,
          fence,
          ledger,
          source: `${config.NAMESPACE}/${config.CONFIGMAP_NAME}`,
          why: `${place.namespace}/${place.name}@${secret.resourceVersion}`,
        },
        now,
        signal,
      });
      backoff.succeed(change);
      failure = undefined;
      // What was asked for before a rotation that is only finished now is still to be answered.
      const answered = secret.data[nextKey(key)] === undefined ? asked : undefined;
      written = { password: plainPasswordAt(after, key), annotations: rotated(key, '', { answered, now: now(), keepsNext: false }).annotations };
      const kept = asWritten(after);
      dueAt = rotationDue(kept, every);
      wakeAt = changeFor(kept) === undefined ? dueAt : now();
      return { ...nothing, outcomes: [{ change, result: 'applied' }] };
    } catch (error) {
      signal.throwIfAborted();
      const { kind, message } = describe(error);
      backoff.fail(keyOf(change));
      failure = say(kind === 'cannot' ? 'cannot' : 'failed', `cannot ${sentenceOf(change)}: ${message}; it is tried again later`);
      return { ...nothing, outcomes: [{ change, result: 'failed', class: kind, message }], notices: [failure] };
    }
  };

  const describe = (error: unknown): { readonly kind: FailureClass; readonly message: string } => {
    if (error instanceof AdminStepError) return { kind: error.class, message: error.message };
    if (error instanceof SourceError) return { kind: classOf(error), message: error.message };
    return { kind: classify(error), message: describeFailure(error) };
  };

  return {
    run: async (fence, ledger, signal) => {
      wakeAt = undefined;
      try {
        return { ...(await look(fence, ledger, signal)), dueAt };
      } catch (error) {
        signal.throwIfAborted();
        const { kind, message } = describe(error);
        const notice = say(kind === 'cannot' ? 'cannot' : 'failed', `the ${shown}, which holds our own password, cannot be read: ${message}`);
        return { planned: [], outcomes: [], notices: [notice], dueAt };
      }
    },
    nextIn: () => {
      const wake = wakeAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, wakeAt - now());
      // Said once: where cycles fail before they get here, they are not repeated at once for it.
      if (wake === 0) wakeAt = undefined;
      const next = Math.min(backoff.nextIn() ?? Number.POSITIVE_INFINITY, wake);
      return Number.isFinite(next) ? next : undefined;
    },
  };
}
