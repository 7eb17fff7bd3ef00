// An error → the outage that it means, in one sentence: what is wrong, what stays in force, and what to do.
import { Outage, type OutageKind, type OutageReason, OUTAGES } from '../model/outage.ts';
import { isLoginRefused } from './admin-password.ts';
import { classify, describeFailure, type FailureClass, isAtOpening } from './failures.ts';

/** Why nothing could be done; it holds no secret. */
export interface WhyNot {
  readonly outage: OutageReason;
  /** As failures are counted. */
  readonly reason: FailureClass;
  readonly message: string;
}

const CLASS_OF: Readonly<Partial<Record<OutageReason, FailureClass>>> = {
  login_refused: 'connection',
  standby: 'readonly',
  unsupported_version: 'refused',
  another_writer: 'cannot',
  too_large: 'refused',
};

/** What an error means for everything that is to be done on the server. @param isDeclared whether servers.yaml declares it, and not the environment. */
export function whyNot(error: unknown, isDeclared = false): WhyNot {
  const outage = reasonOf(error);
  const reason = (error instanceof Outage ? CLASS_OF[outage] : undefined) ?? classify(error);
  const kind: OutageKind = OUTAGES[outage];
  const cure = (isDeclared ? kind.cureOfDeclared : undefined) ?? kind.cure;
  return { outage, reason, message: `${describeFailure(error)}; nothing is changed meanwhile; ${cure}` };
}

function reasonOf(error: unknown): OutageReason {
  if (error instanceof Outage) return error.reason;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === '25006') return 'standby';
  if (code === '42501') return 'no_right';
  // In the middle of our work these are about something else than our own session.
  if (isAtOpening(error) && isLoginRefused(error)) return 'login_refused';
  if (isAtOpening(error) && code === '3D000') return 'no_database';
  return classify(error) === 'connection' ? 'unreachable' : 'failed';
}
