// The rotation of our own password: whether it is due, and the notices about it. The steps are in admin-steps.ts, when it is tried again in admin-attempts.ts.
import { finishedRotation, nextKey, plainPasswordAt, reasonToRotate } from '../plan/secrets/admin-secret.ts';
import { type Change, sentenceOf } from '../changes/change.ts';
import type { Notice } from '../changes/notice.ts';
import { askedFor, rotationDue } from '../model/secret-age.ts';
import type { Connections, ServerLogin } from '../postgres/connection.ts';
import { classify, describeFailure, type FailureClass } from '../postgres/failures.ts';
import { classOf, SourceError } from '../model/source-error.ts';
import type { SecretObject, SecretStore } from '../sources/ports.ts';
import type { AdminLogin, AdminSecret } from './admin-login.ts';
import type { AdminReport, Beside } from './beside.ts';
import { AdminStepError, type AdminSteps, rotateAdminPassword } from './admin-steps.ts';
import { createAdminAttempts } from './admin-attempts.ts';
import type { RetryOptions } from './retry.ts';
import type { Timeouts } from '../postgres/transaction.ts';

export interface AdminRotationSettings {
  /** `namespace/name` of the document. */
  readonly source: { readonly id: string };
  readonly server: ServerLogin & { readonly timeouts: Timeouts };
  readonly retry: Pick<RetryOptions, 'base'>;
  readonly adminRotation: {
    readonly secret: AdminSecret;
    /** Milliseconds. */
    readonly every: number;
  };
}

export interface AdminRotationOptions {
  readonly config: AdminRotationSettings;
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

type Rotate = Extract<Change, { kind: 'rotate_admin_password' }>;

/** What our last rotation wrote beside the password: where that does not stay, every cycle would find a reason for another one. */
interface Written {
  readonly password: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

const NOTHING: Beside = { planned: [], outcomes: [], notices: [] };

/** One for the life of the process. */
export function createAdminRotation({ config, store, connections, login, now = Date.now }: AdminRotationOptions): AdminRotation {
  const { source, server, retry, adminRotation } = config;
  const { key, ...place } = adminRotation.secret;
  const { every } = adminRotation;
  const parts = { server, store, connections, login, place, key, now };
  const shown = `Secret ${place.name} in namespace ${place.namespace}`;
  const whyMisfit = createMisfits(parts);
  const attempts = createAdminAttempts(retry.base, now);
  let dueAt: number | undefined;
  let written: Written | undefined;

  const say = (kind: Notice['kind'], message: string): Notice => ({ kind, subject: server.user, message });
  const told = (kind: Notice['kind'], message: string): Beside => ({ ...NOTHING, notices: [say(kind, message)] });
  const changeFor = (secret: SecretObject): Rotate | undefined => {
    const reason = reasonToRotate(secret, key, every, now());
    return reason && { kind: 'rotate_admin_password', role: server.user, namespace: place.namespace, secret: place.name, reason };
  };

  const noticesOf = async (present: SecretObject, secret: SecretObject): Promise<Notice[]> => {
    const lost = `the ${shown} does not keep the annotations that pgsteward writes: our own password would be rotated after every restart; find what takes them away`;
    const notices = changeFor(present) === undefined ? [] : [say('failed', lost)];
    const reason = await whyMisfit(secret).catch(() => undefined);
    if (reason === undefined) return notices;
    const misfit = `the ${shown}, key ${key}, does not hold our own password (${reason}): after a restart nobody could log in with it; write the right one into it`;
    return [...notices, say('failed', misfit)];
  };

  const rotate = async (secret: SecretObject, change: Rotate, fence: string, ledger: boolean, signal: AbortSignal): Promise<Beside> => {
    const asked = askedFor(secret);
    const why = `${place.namespace}/${place.name}@${secret.resourceVersion}`;
    try {
      const context = { ...server.timeouts, change, fence, ledger, source: source.id, why };
      const after = await rotateAdminPassword(secret, { ...parts, answered: asked, context, signal });
      // What was asked for before a rotation that is only finished now is still to be answered.
      const answered = secret.data[nextKey(key)] === undefined ? asked : undefined;
      written = { password: plainPasswordAt(after, key), annotations: finishedRotation(key, '', { answered, now: now(), keepsNext: false }).annotations };
      const kept = asWritten(after, key, written);
      dueAt = rotationDue(kept, every);
      attempts.succeeded(change, changeFor(kept) === undefined ? dueAt : now());
      return { ...NOTHING, outcomes: [{ change, result: 'applied' }] };
    } catch (error) {
      signal.throwIfAborted();
      const { kind, message } = describe(error);
      const notice = say(noticeFor(kind), `cannot ${sentenceOf(change)}: ${message}; it is tried again later`);
      attempts.failed(change, notice);
      return { ...NOTHING, outcomes: [{ change, result: 'failed', class: kind, message }], notices: [notice] };
    }
  };

  const look = async (fence: string | undefined, ledger: boolean, signal: AbortSignal): Promise<Beside> => {
    const present = await store.read(place, signal);
    if (present === undefined) return told('cannot', `there is no ${shown}, which ADMIN_SECRET names: our own password is not rotated`);
    const secret = asWritten(present, key, written);
    dueAt = rotationDue(secret, every);
    attempts.asked(askedFor(secret));
    const change = changeFor(secret);
    if (change === undefined) {
      attempts.rest(dueAt);
      return { ...NOTHING, notices: await noticesOf(present, secret) };
    }
    if (secret.controller !== undefined)
      return told('refused', `the ${shown} belongs to ${secret.controller}, which would put the old password back: our own password is not rotated`);
    if (fence === undefined) return { ...NOTHING, planned: [change] };
    return attempts.isDeferred(change) ? { ...NOTHING, notices: attempts.failures() } : rotate(secret, change, fence, ledger, signal);
  };

  return {
    run: async (fence, ledger, signal) => {
      attempts.begin();
      try {
        return { ...(await look(fence, ledger, signal)), dueAt };
      } catch (error) {
        signal.throwIfAborted();
        const { kind, message } = describe(error);
        return { ...told(noticeFor(kind), `the ${shown}, which holds our own password, cannot be read: ${message}`), dueAt };
      }
    },
    nextIn: () => attempts.nextIn(),
  };
}

/** The Secret with what we wrote beside the password that it holds. */
const asWritten = (secret: SecretObject, key: string, written: Written | undefined): SecretObject =>
  written === undefined || plainPasswordAt(secret, key) !== written.password
    ? secret
    : { ...secret, annotations: { ...secret.annotations, ...written.annotations } };

/** Whether the Secret holds what logs us in: somebody else may have written to it. A restart would find out too late. */
function createMisfits({ key, connections, login }: Pick<AdminSteps, 'key' | 'connections' | 'login'>): (secret: SecretObject) => Promise<string | undefined> {
  /** The Secret and the password that were last found not to fit, and why. */
  let misfit: { readonly version: string; readonly current: string | undefined; readonly reason: string | undefined } | undefined;
  return async (secret) => {
    const password = plainPasswordAt(secret, key);
    if (password !== undefined && password === login.current) return undefined;
    const { version } = secret;
    if (misfit?.version !== version || misfit.current !== login.current) {
      const reason = password === undefined ? 'there is no password' : await connections.refusalOf(password);
      if (reason === undefined && password !== undefined) login.accepted(password);
      misfit = { version, current: login.current, reason };
    }
    return misfit.reason;
  };
}

const noticeFor = (failure: FailureClass): 'cannot' | 'failed' => (failure === 'cannot' ? 'cannot' : 'failed');

function describe(error: unknown): { readonly kind: FailureClass; readonly message: string } {
  if (error instanceof AdminStepError) return { kind: error.class, message: error.message };
  if (error instanceof SourceError) return { kind: classOf(error), message: error.message };
  return { kind: classify(error), message: describeFailure(error) };
}
