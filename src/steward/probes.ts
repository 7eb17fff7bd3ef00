// Probes: passwords that somebody changed on a server whose pg_authid our admin cannot read, found a few users at a time.
import type { Catalog } from '../model/catalog.ts';
import { addressWords } from '../model/outage.ts';
import type { PasswordReason } from '../changes/change.ts';
import type { Document } from '../model/entries.ts';
import type { Notice } from '../changes/notice.ts';
import { backendOf, type ServerAddress } from '../postgres/connection.ts';
import { describeFailure } from '../postgres/failures.ts';
import { query } from '../postgres/query.ts';
import { sideBySide } from '../async/side-by-side.ts';
import type { Credentials } from './credentials.ts';
import { byLogin, bySalt, type Probe } from './probe.ts';
import { createProbeMemos, MINUTE_MS, type ProbeCounts, type ProbeMemos } from './probe-memos.ts';
import { type ProbeTarget, targetsIn } from './probe-targets.ts';
import type { Server } from './server.ts';

export interface Probes {
  /** A cycle begins. @param isWhole whether it looks at everything: only then it may sweep. */
  begin(isWhole: boolean): void;
  /** Takes the users to look at from a snapshot; those whose password we set again because of a probe are looked at anew, at once. */
  follow(document: Document, credentials: Credentials, catalog: Catalog, stale: ReadonlyMap<string, PasswordReason>): Promise<void>;
  /** Looks at those that nobody has looked at for the longest, at most once in half an interval, and once in a cycle. @returns whether a password was changed. */
  sweep(): Promise<boolean>;
  /** `stale` with those whose password a probe found changed. */
  withChanged(stale: ReadonlyMap<string, PasswordReason>): ReadonlyMap<string, PasswordReason>;
  /** Whether a probe found that the user has another password than we set. */
  isChanged(role: string): boolean;
  /** What cannot be told, and why. */
  notices(): readonly Notice[];
  /** How many probes had which outcome since this was asked last. */
  take(): ProbeCounts;
}

/** At most so many in a sweep, so many of them at a time: each costs the server a process, and a slot until it is gone. */
const LIMITS = { salt: { budget: 200, atATime: 4 }, login: { budget: 20, atATime: 2 } } as const;
/** A sweep takes no new user after this. */
const SWEEP_MS = 5000;
export interface ProbeSettings {
  readonly mode: 'off' | 'salt' | 'login';
  /** Seconds between cycles. */
  readonly interval: number;
  readonly address: ServerAddress;
  /** Whether servers.yaml declares the server. */
  readonly isDeclared?: boolean | undefined;
}

export function createProbes({ mode, interval, address, isDeclared = false }: ProbeSettings, { source, connections, policy }: Server): Probes {
  const { defaultDatabase } = policy;
  const memos = createProbeMemos(mode === 'login');
  let targets: readonly ProbeTarget[] = [];
  let sweeps = 0;
  /** performance.now() from which on a sweep may begin. */
  let nextSweep = 0;
  let pooled = false;
  /** No user is tried twice in a cycle. */
  let maySweep = false;

  const look = async (chosen: readonly ProbeTarget[], probe: Probe, atATime: number): Promise<void> => {
    const end = performance.now() + SWEEP_MS;
    let unreachable = false;
    await sideBySide(atATime, chosen, async (target) => {
      // A server that does not answer has other worries.
      if (unreachable || performance.now() > end || target.until <= performance.now()) return;
      try {
        memos.note(target, await probe(address, target), sweeps);
      } catch (error) {
        unreachable = true;
        nextSweep = performance.now() + MINUTE_MS;
        memos.note(target, { outcome: 'unknown', reason: describeFailure(error) }, sweeps, MINUTE_MS);
      }
    });
  };

  return {
    begin: (isWhole) => {
      maySweep = isWhole;
    },
    follow: async (document, credentials, catalog, stale) => {
      const isBlind = mode !== 'off' && !catalog.server.readsVerifiers;
      targets = isBlind ? targetsIn({ document, credentials, catalog, stale, source, defaultDatabase, logsIn: mode === 'login' }) : [];
      const names = new Set(targets.map(({ role }) => role));
      memos.forgetOthers((role) => names.has(role) || stale.has(role));
      // Whatever the mode, no login: a new password is known by its salt.
      if (!pooled) await look(memos.takeSetAgain(targets), bySalt, LIMITS.salt.atATime);
    },
    sweep: async () => {
      const may = maySweep;
      maySweep = false;
      const now = performance.now();
      if (!may || mode === 'off' || targets.length === 0 || now < nextSweep) return false;
      nextSweep = now + interval * 500;
      sweeps += 1;
      const answer = await isPooled(connections).catch(() => undefined);
      // A server that cannot be reached is told by the cycle itself.
      if (answer === undefined) return false;
      pooled = answer;
      if (pooled) return false;
      const { budget, atATime } = LIMITS[mode];
      await look(memos.due(targets, now).slice(0, budget), mode === 'salt' ? bySalt : byLogin, atATime);
      return targets.some((target) => memos.isChanged(target));
    },
    withChanged: (stale) => {
      const changed = pooled ? [] : targets.filter((target) => target.credential !== undefined && memos.isChanged(target));
      return changed.length === 0 ? stale : new Map([...changed.map(({ role }): [string, PasswordReason] => [role, 'drift']), ...stale]);
    },
    isChanged: (role) => !pooled && targets.some((target) => target.role === role && memos.isChanged(target)),
    notices: () => (targets.length === 0 ? [] : pooled ? [pooledNotice(mode, isDeclared)] : unknownNotices(mode, targets, memos)),
    take: () => memos.take(),
  };
}

/** A pooler answers with salts and processes of its own making. */
const isPooled = (connections: Server['connections']): Promise<boolean> =>
  connections.withAdmin(async (client) => {
    const pid = (await query(client, 'SELECT pg_catalog.pg_backend_pid()'))[0]?.[0]?.[0];
    return backendOf(client) !== pid;
  });

const BLIND = 'passwords that are changed by hand are not seen';

const pooledNotice = (mode: string, isDeclared: boolean): Notice => ({
  kind: 'fallback',
  subject: '',
  message: `PASSWORD_PROBE=${mode} is not used, as there is a pooler between us and the server, which answers for itself: ${BLIND}; point ${addressWords(isDeclared)} at the server itself`,
});

function unknownNotices(mode: string, targets: readonly ProbeTarget[], memos: ProbeMemos): Notice[] {
  const unknown = targets.flatMap(({ role }): [string, string][] => {
    const reason = memos.reasonOf(role);
    return reason === undefined ? [] : [[reason, role]];
  });
  return [...Map.groupBy(unknown, ([reason]) => reason)].map(([reason, rows]): Notice => {
    const names = rows.slice(0, 3).map(([, role]) => role);
    const message = `PASSWORD_PROBE=${mode} tells nothing of ${rows.length} user(s) (${names.join(', ')}${rows.length > 3 ? ', …' : ''}): ${reason}; their ${BLIND}`;
    return { kind: 'fallback', subject: '', message };
  });
}
