// Glances: whether anybody has written since the server was as a cycle left it, at next to no cost, so that it can be asked each second.
import type { Connections } from '../postgres/connection.ts';
import type { FingerprintFacts } from '../postgres/fingerprint.ts';
import { glanceOf, sessionsOf } from '../postgres/moment.ts';

/** Sessions take five times as long to count as it takes to see whether anybody wrote. */
const COUNTED_EACH_MS = 4500;

/** What a glance showed, and how many sessions there were that matter. */
export interface Glance {
  readonly glance: string;
  readonly sessions: string;
}

/** A state of the server, as a cycle left it. */
interface Left {
  readonly facts: FingerprintFacts;
}

export interface Glances<T extends Left> {
  /** A pass is about to read. */
  beginPass(readsAll: boolean): Promise<void>;
  /** Counts the sessions that matter, now that nothing is left to do. */
  count(facts: FingerprintFacts | undefined): Promise<void>;
  /** The cycle has ended, and the server is as it left it if nobody wrote since the pass began. */
  settled(left: T): void;
  /** Whether it may no longer be so. */
  mayHaveDrifted(left: T): Promise<boolean>;
  /** Before somebody looks; undefined where it cannot be told. */
  take(facts: FingerprintFacts): Promise<Glance | undefined>;
  /** What was seen by a look that found everything as it was left; undefined where it did not. */
  looked(left: T, glance: Glance | undefined): void;
}

export function createGlances<T extends Left>(connections: Connections): Glances<T> {
  /** What a glance showed when the server was still as that cycle left it. */
  let quiet: (Glance & { readonly left: T; readonly countedAt: number }) | undefined;
  /** What a glance showed before the last pass began to read, if it read everything. */
  let allFrom: string | undefined;
  /** How many sessions mattered when nothing was left to do. */
  let counted: string | undefined;

  /** Both undefined where it cannot be told. */
  const glance = (): Promise<string | undefined> => connections.withAdmin(glanceOf).catch(() => undefined);
  const sessions = ({ counted: of }: FingerprintFacts): Promise<string | undefined> =>
    of.length === 0 ? Promise.resolve('') : connections.withAdmin((client) => sessionsOf(client, of)).catch(() => undefined);

  return {
    beginPass: async (readsAll) => {
      allFrom = readsAll ? await glance() : undefined;
    },
    count: async (facts) => {
      counted = facts === undefined ? undefined : await sessions(facts);
    },
    settled: (left) => {
      if (quiet?.left !== left && allFrom !== undefined && counted !== undefined)
        quiet = { left, glance: allFrom, sessions: counted, countedAt: Number.NEGATIVE_INFINITY };
    },
    mayHaveDrifted: async (left) => {
      const before = quiet;
      if (before?.left !== left || before.glance !== (await glance())) return true;
      const at = performance.now();
      if (at < before.countedAt + COUNTED_EACH_MS) return false;
      if (quiet === before) quiet = { ...before, countedAt: at };
      return before.sessions !== (await sessions(left.facts));
    },
    take: async (facts) => {
      const [seen, open] = [await glance(), await sessions(facts)];
      return seen === undefined || open === undefined ? undefined : { glance: seen, sessions: open };
    },
    looked: (left, seen) => {
      quiet = seen && { ...seen, left, countedAt: performance.now() };
    },
  };
}
