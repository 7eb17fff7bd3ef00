// Probes: passwords that somebody changed on a server whose pg_authid our admin cannot read, found a few users at a time.
import type { Config } from '../config.ts';
import type { Catalog } from '../core/catalog.ts';
import type { PasswordReason } from '../core/change.ts';
import type { Document } from '../core/document/types.ts';
import type { Notice } from '../core/notice.ts';
import { nodeCanLogIn } from '../core/saslprep.ts';
import type { Connections } from '../postgres/connection.ts';
import { describeFailure } from '../postgres/failures.ts';
import { tryLogin } from '../postgres/login-probe.ts';
import { query } from '../postgres/query.ts';
import { readSalt } from '../postgres/salt-probe.ts';
import { sideBySide } from '../side-by-side.ts';
import type { Credentials } from './credentials.ts';
import { type Target, targetsIn } from './probe-targets.ts';

/** What a probe can tell; also a metric label. */
export const PROBE_OUTCOMES = ['same', 'differs', 'unknown'] as const;
type ProbeOutcome = (typeof PROBE_OUTCOMES)[number];
export type ProbeCounts = Readonly<Record<ProbeOutcome, number>>;

export interface Probes {
  /** Takes the users to look at from a snapshot; those whose password we set again because of a probe are looked at anew, at once. */
  follow(document: Document, credentials: Credentials, catalog: Catalog, stale: ReadonlyMap<string, PasswordReason>): Promise<void>;
  /** Looks at those that nobody has looked at for the longest, at most once in half an interval. @returns whether a password was changed. */
  sweep(): Promise<boolean>;
  /** `stale` with those whose password a probe found changed. */
  withChanged(stale: ReadonlyMap<string, PasswordReason>): ReadonlyMap<string, PasswordReason>;
  /** What cannot be told, and why. */
  notices(): readonly Notice[];
  /** How many probes had which outcome since this was asked last. */
  take(): ProbeCounts;
}

/** What is remembered of a user between sweeps. */
interface Memo {
  readonly sweep: number;
  readonly notBefore: number;
  /** Logins that failed in a row. */
  readonly failures: number;
  /** The salt that we had set when the password was found changed. */
  readonly changedFrom: string | undefined;
  readonly unknown: string | undefined;
}

/** At most so many in a sweep, so many of them at a time: each costs the server a process, and a slot until it is gone. */
const LIMITS = { salt: { budget: 200, atATime: 4 }, login: { budget: 20, atATime: 2 } } as const;
/** A sweep takes no new user after this. */
const SWEEP_MS = 5000;
const MINUTE_MS = 60_000;
/** Where nothing can be told it seldom changes. */
const UNKNOWN_AGAIN_MS = 10 * MINUTE_MS;
const LOGIN_AGAIN_MOST_MS = 60 * MINUTE_MS;
const NEW: Memo = { sweep: 0, notBefore: 0, failures: 0, changedFrom: undefined, unknown: undefined };

export function createProbes(config: Config, connections: Pick<Connections, 'withAdmin'>): Probes {
  const mode = config.PASSWORD_PROBE;
  const memos = new Map<string, Memo>();
  let targets: readonly Target[] = [];
  let counts: Record<ProbeOutcome, number> = { same: 0, differs: 0, unknown: 0 };
  let sweeps = 0;
  /** performance.now() from which on a sweep may begin. */
  let nextSweep = 0;
  let pooled = false;

  const isChanged = ({ role, witness }: Target): boolean => memos.get(role)?.changedFrom === witness.salt;

  const note = ({ role, witness }: Target, outcome: ProbeOutcome, reason?: string, pause = UNKNOWN_AGAIN_MS): void => {
    const now = performance.now();
    const before = memos.get(role) ?? NEW;
    counts[outcome] += 1;
    // A look by the salt, while a failed login makes us wait, does not end the wait.
    const settled = outcome === 'same' && before.notBefore <= now;
    const failures = outcome === 'differs' ? before.failures + 1 : settled ? 0 : before.failures;
    // Who tries a wrong password again and again may lock the user out.
    const isFailedLogin = mode === 'login' && outcome === 'differs';
    const wait = outcome === 'unknown' ? pause : isFailedLogin ? Math.min(LOGIN_AGAIN_MOST_MS, MINUTE_MS * 2 ** (failures - 1)) : undefined;
    memos.set(role, {
      sweep: sweeps,
      notBefore: wait === undefined ? before.notBefore : now + wait,
      failures,
      changedFrom: outcome === 'differs' ? witness.salt : outcome === 'same' ? undefined : before.changedFrom,
      unknown: reason,
    });
  };

  const bySalt = async (target: Target): Promise<void> => {
    const answer = await readSalt(config, target.role, target.database);
    if (answer.kind === 'silent') note(target, 'unknown', answer.reason);
    else note(target, answer.salt === target.witness.salt && answer.iterations === target.witness.iterations ? 'same' : 'differs');
  };

  const byLogin = async (target: Target): Promise<void> => {
    if (target.credential.kind !== 'plain') return note(target, 'unknown', 'the Secret holds a verifier, which logs nobody in');
    if (!nodeCanLogIn(target.credential.password))
      return note(target, 'unknown', 'the password has characters that our client reads otherwise than the server');
    const answer = await tryLogin(config, { user: target.role, password: target.credential.password, database: target.database });
    if (answer.kind === 'silent') note(target, 'unknown', answer.reason);
    else note(target, answer.kind === 'accepted' ? 'same' : 'differs');
  };

  const look = async (chosen: readonly Target[], probe: (target: Target) => Promise<void>, atATime: number): Promise<void> => {
    const end = performance.now() + SWEEP_MS;
    let unreachable = false;
    await sideBySide(atATime, chosen, async (target) => {
      // A server that does not answer has other worries.
      if (unreachable || performance.now() > end || target.until <= performance.now()) return;
      await probe(target).catch((error: unknown) => {
        unreachable = true;
        nextSweep = performance.now() + MINUTE_MS;
        note(target, 'unknown', describeFailure(error), MINUTE_MS);
      });
    });
  };

  /** A pooler answers with salts and processes of its own making. */
  const isPooled = (): Promise<boolean> =>
    connections.withAdmin(async (client) => {
      const pid = (await query(client, 'SELECT pg_catalog.pg_backend_pid()'))[0]?.[0]?.[0];
      return (client as unknown as { processID: number | null }).processID !== pid;
    });

  return {
    follow: async (document, credentials, catalog, stale) => {
      targets = mode === 'off' || catalog.server.readsVerifiers ? [] : targetsIn({ document, credentials, catalog, stale, config });
      const names = new Set(targets.map(({ role }) => role));
      for (const role of memos.keys()) if (!names.has(role) && !stale.has(role)) memos.delete(role);
      const setAgain = targets.filter((target) => memos.get(target.role)?.changedFrom !== undefined && !isChanged(target));
      if (pooled || setAgain.length === 0) return;
      for (const { role } of setAgain) memos.set(role, { ...(memos.get(role) ?? NEW), changedFrom: undefined });
      // Whatever the mode, no login: a new password is known by its salt.
      await look(setAgain, bySalt, LIMITS.salt.atATime);
    },
    sweep: async () => {
      const now = performance.now();
      if (mode === 'off' || targets.length === 0 || now < nextSweep) return false;
      nextSweep = now + config.SYNC_INTERVAL * 500;
      sweeps += 1;
      const answer = await isPooled().catch(() => undefined);
      // A server that cannot be reached is told by the cycle itself.
      if (answer === undefined) return false;
      pooled = answer;
      if (pooled) return false;
      const due = targets.filter((target) => !isChanged(target) && (memos.get(target.role)?.notBefore ?? 0) <= now);
      const oldest = due.toSorted((a, b) => (memos.get(a.role)?.sweep ?? 0) - (memos.get(b.role)?.sweep ?? 0));
      await look(oldest.slice(0, LIMITS[mode].budget), mode === 'salt' ? bySalt : byLogin, LIMITS[mode].atATime);
      return targets.some(isChanged);
    },
    withChanged: (stale) => {
      const changed = pooled ? [] : targets.filter(isChanged);
      return changed.length === 0 ? stale : new Map([...changed.map(({ role }): [string, PasswordReason] => [role, 'drift']), ...stale]);
    },
    notices: () => {
      if (targets.length === 0) return [];
      const blind = 'passwords that are changed by hand are not seen';
      if (pooled)
        return [
          {
            kind: 'fallback',
            subject: '',
            message: `PASSWORD_PROBE=${mode} is not used, as there is a pooler between us and the server, which answers for itself: ${blind}; point DB_HOST at the server itself`,
          },
        ];
      const unknown = targets.flatMap(({ role }): [string, string][] => {
        const reason = memos.get(role)?.unknown;
        return reason === undefined ? [] : [[reason, role]];
      });
      return [...Map.groupBy(unknown, ([reason]) => reason)].map(([reason, rows]): Notice => {
        const names = rows.slice(0, 3).map(([, role]) => role);
        const message = `PASSWORD_PROBE=${mode} tells nothing of ${rows.length} user(s) (${names.join(', ')}${rows.length > 3 ? ', …' : ''}): ${reason}; their ${blind}`;
        return { kind: 'fallback', subject: '', message };
      });
    },
    take: () => {
      const taken = counts;
      counts = { same: 0, differs: 0, unknown: 0 };
      return taken;
    },
  };
}
