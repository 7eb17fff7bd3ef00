// One probe: what the server tells of one user's password, by its salt or by a login.
import { mostIterations } from '../plan/secrets/password-check.ts';
import { nodeCanLogIn } from '../model/saslprep.ts';
import type { ServerAddress } from '../postgres/connection.ts';
import { tryLogin } from '../postgres/login-probe.ts';
import { readSalt } from '../postgres/salt-probe.ts';
import type { ProbeTarget } from './probe-targets.ts';

/** What a probe can tell; also a metric label. */
export const PROBE_OUTCOMES = ['same', 'differs', 'unknown'] as const;
export type ProbeOutcome = (typeof PROBE_OUTCOMES)[number];

export interface Told {
  readonly outcome: ProbeOutcome;
  /** Why nothing can be told. */
  readonly reason?: string;
}

/** @throws when the server cannot be reached. */
export type Probe = (address: ServerAddress, target: ProbeTarget) => Promise<Told>;

export const bySalt: Probe = async (address, { role, database, witness }) => {
  const answer = await readSalt(address, role, database);
  if (answer.kind === 'silent') return { outcome: 'unknown', reason: answer.reason };
  return { outcome: answer.salt === witness.salt && answer.iterations === witness.iterations ? 'same' : 'differs' };
};

export const byLogin: Probe = async (address, target) => {
  const { role, database, credential, witness } = target;
  if (credential === undefined) return bySalt(address, target);
  if (credential.kind !== 'plain') return { outcome: 'unknown', reason: 'the Secret holds a verifier, which logs nobody in' };
  const { password } = credential;
  if (!nodeCanLogIn(password)) return { outcome: 'unknown', reason: 'the password has characters that our client reads otherwise than the server' };
  const answer = await tryLogin(address, { user: role, password, database, mostIterations: mostIterations(witness.iterations) });
  if (answer.kind === 'silent') return { outcome: 'unknown', reason: answer.reason };
  return { outcome: answer.kind === 'accepted' ? 'same' : 'differs' };
};
