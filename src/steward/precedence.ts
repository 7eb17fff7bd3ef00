// Precedence at one server's writer lock: the preferred replica tries at once and the others later, and whoever holds what another one should gives it up, but not again and again.
import type { Precedence } from '../postgres/writer-lock.ts';

export interface PrecedenceOptions {
  /** Our own name. */
  readonly self: string;
  /** The live replicas for this server, the preferred one first; we are among them. */
  readonly ranking: () => readonly string[];
  /** For how long nobody came or went. */
  readonly settledFor: () => number;
  /** Whether it is known who else is there. */
  readonly hasHeard: () => boolean;
  /** Milliseconds that only grow. */
  readonly now: () => number;
}

/** A lock that nobody holds is left to each better placed replica for so long, and no longer than this together: the preferred one tries every half second. */
const STEP_MS = 2000;
const LONGEST_MS = 5000;
/** Of one whose holder fell silent it took long enough to see that: most often it is the preferred one, so that the second has little to wait for. */
const SILENT_FIRST_MS = 500;
const SILENT_STEP_MS = 1500;
/** Milliseconds between two tries of those who go first and second. */
const PAUSES = [500, 1000] as const;
/** The further ones take turns: together they look this often, and none less often than that. Of thousands of servers each has a session with a few only. */
const FURTHER_MS = 15_000;
const SELDOM_MS = 60_000;
/** Of a lock that nobody holds we await our turn. */
const AWAITS_MS = [200, 2000] as const;
/** Whoever has just begun does not know the others yet, and leaves them the lock for so long. */
const HEARS_WITHIN_MS = 5000;
/** Nothing is given up before nobody has come or gone for so long, and never sooner after it became ours. */
const SETTLED_MS = 15_000;
/** What was given up and came back within this time is kept twice as long as the last time. */
const CAME_BACK_MS = 300_000;
const LONGEST_KEPT_MS = 600_000;
/** The heir has to be seen at the lock so often in a row. */
const LOOKS = 3;

/** For the life of the process. */
export function createPrecedence({ self, ranking, settledFor, hasHeard, now }: PrecedenceOptions): Precedence {
  const began = now();
  let vacantFrom: number | undefined;
  let isSilent = false;
  let claimedAt = 0;
  let gaveAt = Number.NEGATIVE_INFINITY;
  let kept = SETTLED_MS;
  let looks = 0;
  /** How many others go first. */
  const rank = (): number => {
    const place = ranking().indexOf(self);
    return place === 0 && !hasHeard() && now() - began < HEARS_WITHIN_MS ? 1 : place;
  };
  /** Milliseconds for which a lock that nobody holds is left to others. */
  const patience = (): number => {
    const place = rank();
    const silent = place === 0 ? 0 : SILENT_FIRST_MS + (place - 1) * SILENT_STEP_MS;
    return Math.min(LONGEST_MS, isSilent ? silent : place * STEP_MS);
  };
  return {
    self,
    pause: () =>
      vacantFrom === undefined
        ? (PAUSES[rank()] ?? Math.min(SELDOM_MS, FURTHER_MS * (ranking().length - PAUSES.length)))
        : Math.max(AWAITS_MS[0], Math.min(vacantFrom + patience() - now(), AWAITS_MS[1])),
    held: () => {
      vacantFrom = undefined;
      isSilent = false;
    },
    mayClaim: (silent) => {
      vacantFrom ??= now();
      isSilent ||= silent;
      return now() - vacantFrom >= patience();
    },
    claimed: () => {
      claimedAt = now();
      kept = claimedAt - gaveAt < CAME_BACK_MS ? Math.min(LONGEST_KEPT_MS, 2 * kept) : SETTLED_MS;
      vacantFrom = undefined;
      isSilent = false;
      looks = 0;
    },
    heir: () => {
      const [first] = ranking();
      if (first !== self && settledFor() >= SETTLED_MS && now() - claimedAt >= kept) return first;
      looks = 0;
      return undefined;
    },
    givesUp: (isWaiting) => {
      looks = isWaiting ? looks + 1 : 0;
      if (looks < LOOKS) return false;
      gaveAt = now();
      return true;
    },
  };
}
