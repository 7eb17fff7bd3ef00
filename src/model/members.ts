// Who is there: the replicas whose announcements were seen to change a short while ago, by our own clock, and ourselves.
import { LEASE_SECONDS } from './lease.ts';

export interface Members {
  /** Everything that is announced now: name → version. */
  listed(versions: ReadonlyMap<string, string>, now: number): void;
  /** One announcement as it is now; without a version it is gone. */
  took(name: string, version: string | undefined, now: number): void;
  /** Who lives, in an order that all agree on; the same array until it changes. We are always among them. */
  live(now: number): readonly string[];
  /** For how long nobody came or went, as far as was asked. */
  settledFor(now: number): number;
  /** Whether we have ever heard who is there. */
  hasHeard(): boolean;
  /** Announcements of others that have not changed for so long that whoever made them is gone for good. */
  forgotten(now: number): ReadonlyMap<string, string>;
}

/** More of them share nothing sensibly, and each of them looks at all of these. */
export const MOST_MEMBERS = 64;
/** Announcements that are kept in memory. */
const MOST_KNOWN = 1000;
const LIVE_MS = 1000 * LEASE_SECONDS;
const FORGOTTEN_MS = 300_000;
/** We hear of our own renewals more often than this: longer ago, and it is we who hear nothing. */
const GAP_MS = 7000;

/** @param self our own name. */
export function createMembers(self: string): Members {
  const known = new Map<string, { version: string; at: number }>();
  let heardAt: number | undefined;
  let last: readonly string[] = [self];
  let changedAt: number | undefined;
  const took = (name: string, version: string | undefined, now: number): void => {
    if (version === undefined) known.delete(name);
    else if (known.get(name)?.version !== version && (known.has(name) || known.size < MOST_KNOWN)) known.set(name, { version, at: now });
  };
  /** Time in which we heard of nobody says nothing of anybody: who it was that stood still or was cut off is not known. */
  const hear = (now: number): void => {
    if (heardAt !== undefined && now - heardAt > GAP_MS) for (const one of known.values()) one.at = now;
    heardAt = now;
  };
  const live = (now: number): readonly string[] => {
    const until = Math.min(now, (heardAt ?? now) + GAP_MS);
    const others = [...known].filter(([name, { at }]) => name !== self && until < at + LIVE_MS).map(([name]) => name);
    const all = [self, ...others.sort().slice(0, MOST_MEMBERS - 1)].sort();
    changedAt ??= now;
    if (all.length !== last.length || all.some((name, index) => name !== last[index])) [last, changedAt] = [all, now];
    return last;
  };
  return {
    listed: (versions, now) => {
      hear(now);
      for (const name of known.keys()) if (!versions.has(name)) known.delete(name);
      for (const [name, version] of versions) took(name, version, now);
    },
    took: (name, version, now) => {
      hear(now);
      took(name, version, now);
    },
    live,
    settledFor: (now) => {
      live(now);
      return now - (changedAt ?? now);
    },
    hasHeard: () => heardAt !== undefined,
    forgotten: (now) => new Map([...known].flatMap(([name, { version, at }]) => (name !== self && now - at > FORGOTTEN_MS ? [[name, version] as const] : []))),
  };
}
