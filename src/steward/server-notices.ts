// Notices of the server itself: whom it does not let hear of changes, and whether it is newer than what was tried.
import type { Notice } from '../changes/notice.ts';
import { addressWords, MAJORS } from '../model/outage.ts';
import type { Deafness } from '../postgres/resident.ts';
import type { Residents } from '../postgres/residents.ts';

const DEAFNESS: Readonly<Record<Deafness, (isDeclared: boolean) => string>> = {
  pooler: (isDeclared) => `there is a pooler between us and the server; point ${addressWords(isDeclared)} at the server itself`,
  two_phase_commit: () => 'max_prepared_transactions is not 0, and a transaction that notifies could not be prepared',
};

/** Databases in which nobody tells us of changes, although a session is there to listen. */
export const deafNotices = (residents: Residents, driftInterval: number, isDeclared: boolean): Notice[] =>
  [...Map.groupBy(residents.deaf(), ([, why]) => why)].map(([why, databases]) => ({
    kind: 'fallback',
    subject: '',
    message: `no notification tells of changes by hand in ${databases.map(([name]) => name).join(', ')}: ${DEAFNESS[why](isDeclared)}. They are looked for every ${driftInterval} s (DRIFT_INTERVAL), and with each cycle`,
  }));

/** A server that is newer than what pgsteward was tried with; it goes on. */
export const newerNotices = (major: number | undefined): Notice[] =>
  major === undefined || major <= MAJORS.newest
    ? []
    : [
        {
          kind: 'fallback',
          subject: '',
          message: `the server is PostgreSQL ${major}, and this pgsteward was tried with ${MAJORS.oldest} to ${MAJORS.newest} only: it goes on, and privileges of new kinds are not managed; look for a newer pgsteward`,
        },
      ];
