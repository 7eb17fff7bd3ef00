// Replicas: who else is there, and so which server is whose first.
import { setTimeout as sleep } from 'node:timers/promises';
import { createMembers, type Members } from '../model/members.ts';
import { ranking } from '../model/rendezvous.ts';
import type { Precedence } from '../postgres/writer-lock.ts';
import type { Announcements } from '../sources/ports.ts';
import { createPrecedence } from './precedence.ts';

export interface Replicas {
  /** Announces us and hears of the others until the signal aborts. Never throws. */
  attend(signal: AbortSignal): Promise<void>;
  /** Who goes first at the lock of a server, for as long as we follow it. */
  of(server: string): Precedence;
  /** Who lives, with ourselves. */
  live(): readonly string[];
  /** Whether we are the one of them that does what one of them has to do. */
  isFirst(what: string): boolean;
}

/** Names in one line of the log. */
const SHOWN = 10;
/** What replicas that are gone for good have left is looked for so often. */
const SWEEP_MS = 60_000;

/** @param self our own name. */
export function createReplicas(
  self: string,
  announcements: Announcements,
  log: { info(message: string): void },
  now: () => number = () => performance.now(),
): Replicas {
  const members = createMembers(self);
  const sweep = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await sleep(SWEEP_MS * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
      for (const [name, version] of signal.aborted ? [] : members.forgotten(now())) await announcements.remove(name, version);
    }
  };
  const tell = createTelling(members, log, now);
  return {
    attend: async (signal) => {
      const listener = {
        listed: (versions: ReadonlyMap<string, string>): void => {
          members.listed(versions, now());
          tell();
        },
        took: (name: string, version: string | undefined): void => {
          members.took(name, version, now());
          tell();
        },
      };
      await Promise.all([announcements.attend(listener, signal), sweep(signal)]);
    },
    of: (server) => precedenceAmong(members, self, server, now),
    live: () => members.live(now()),
    isFirst: (what) => ranking(what, members.live(now()))[0] === self,
  };
}

/** Says who is there whenever that changed; our own renewals come by often enough for it. */
function createTelling(members: Members, log: { info(message: string): void }, now: () => number): () => void {
  let told: readonly string[] | undefined;
  return () => {
    const live = members.live(now());
    if (live === told) return;
    told = live;
    log.info(`replicas that live: ${live.slice(0, SHOWN).join(', ')}${live.length > SHOWN ? ` and ${live.length - SHOWN} more` : ''}`);
  };
}

/** The place of one replica at the lock of one server. */
export function precedenceAmong(members: Members, self: string, server: string, now: () => number): Precedence {
  let of: readonly string[] | undefined;
  let ranked: readonly string[] = [];
  return createPrecedence({
    self,
    ranking: () => {
      const live = members.live(now());
      if (live !== of) [of, ranked] = [live, ranking(server, live)];
      return ranked;
    },
    settledFor: () => members.settledFor(now()),
    hasHeard: () => members.hasHeard(),
    now,
  });
}
