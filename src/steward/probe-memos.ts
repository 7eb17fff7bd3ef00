// What probes told of each user, and when the next one may be.
import type { ProbeOutcome, Told } from './probe.ts';
import type { ProbeTarget } from './probe-targets.ts';

export type ProbeCounts = Readonly<Record<ProbeOutcome, number>>;

interface Memo {
  readonly sweep: number;
  readonly notBefore: number;
  /** Logins that failed in a row. */
  readonly failures: number;
  /** The salt that we had set when the password was found changed. */
  readonly changedFrom: string | undefined;
  readonly unknown: string | undefined;
}

export interface ProbeMemos {
  /** Takes note of a probe. @param pause how long nothing is asked where nothing could be told. */
  note(target: ProbeTarget, told: Told, sweep: number, pause?: number): void;
  /** Whether the user has another password than we set. */
  isChanged(target: ProbeTarget): boolean;
  /** Those whose password was found changed and was set again since; that it was changed is forgotten. */
  takeSetAgain(targets: readonly ProbeTarget[]): readonly ProbeTarget[];
  /** Those that may be looked at now, the ones that nobody has looked at for the longest first. */
  due(targets: readonly ProbeTarget[], now: number): readonly ProbeTarget[];
  /** Why nothing can be told of a user. */
  reasonOf(role: string): string | undefined;
  forgetOthers(keep: (role: string) => boolean): void;
  /** How many probes had which outcome since this was asked last. */
  take(): ProbeCounts;
}

export const MINUTE_MS = 60_000;
/** Where nothing can be told it seldom changes. */
const UNKNOWN_AGAIN_MS = 10 * MINUTE_MS;
const LOGIN_AGAIN_MOST_MS = 60 * MINUTE_MS;
const NEW: Memo = { sweep: 0, notBefore: 0, failures: 0, changedFrom: undefined, unknown: undefined };
const NONE = (): Record<ProbeOutcome, number> => ({ same: 0, differs: 0, unknown: 0 });

/** @param logsIn whether probes log in: who tries a wrong password again and again may lock the user out. */
export function createProbeMemos(logsIn: boolean): ProbeMemos {
  const memos = new Map<string, Memo>();
  let counts = NONE();
  const isChanged = ({ role, witness }: ProbeTarget): boolean => memos.get(role)?.changedFrom === witness.salt;
  return {
    note: ({ role, witness }, { outcome, reason }, sweep, pause = UNKNOWN_AGAIN_MS) => {
      const now = performance.now();
      const before = memos.get(role) ?? NEW;
      counts[outcome] += 1;
      // A look by the salt, while a failed login makes us wait, does not end the wait.
      const settled = outcome === 'same' && before.notBefore <= now;
      const failures = outcome === 'differs' ? before.failures + 1 : settled ? 0 : before.failures;
      const isFailedLogin = logsIn && outcome === 'differs';
      const wait = outcome === 'unknown' ? pause : isFailedLogin ? Math.min(LOGIN_AGAIN_MOST_MS, MINUTE_MS * 2 ** (failures - 1)) : undefined;
      memos.set(role, {
        sweep,
        notBefore: wait === undefined ? before.notBefore : now + wait,
        failures,
        changedFrom: outcome === 'differs' ? witness.salt : outcome === 'same' ? undefined : before.changedFrom,
        unknown: reason,
      });
    },
    isChanged,
    takeSetAgain: (targets) => {
      const again = targets.filter((target) => memos.get(target.role)?.changedFrom !== undefined && !isChanged(target));
      for (const { role } of again) memos.set(role, { ...(memos.get(role) ?? NEW), changedFrom: undefined });
      return again;
    },
    due: (targets, now) => {
      const may = targets.filter((target) => !isChanged(target) && (memos.get(target.role)?.notBefore ?? 0) <= now);
      return may.toSorted((a, b) => (memos.get(a.role)?.sweep ?? 0) - (memos.get(b.role)?.sweep ?? 0));
    },
    reasonOf: (role) => memos.get(role)?.unknown,
    forgetOthers: (keep) => {
      for (const role of memos.keys()) if (!keep(role)) memos.delete(role);
    },
    take: () => {
      const taken = counts;
      counts = NONE();
      return taken;
    },
  };
}
