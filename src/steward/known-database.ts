// Known database: what is remembered of one from its last reading, and reading it again where that no longer tells how it is.
import type { Catalog } from '../model/catalog.ts';
import type { DatabaseContents } from '../model/contents.ts';
import type { Notice } from '../changes/notice.ts';
import { type Guarded, type GuardedReading, rolesOf } from '../guard/guarded.ts';
import type { DatabaseReading } from '../plan/privileges/privileges-plan.ts';
import { databaseFingerprint, type DatabaseFingerprintFacts } from '../postgres/database-fingerprint.ts';
import { describeFailure } from '../postgres/failures.ts';
import { type ContentsRequest, type DatabaseRead, readDatabase } from '../postgres/read-database.ts';
import type { WithSession } from './database-session.ts';
import { proveReread, type TakenReads } from './reread.ts';

export interface Known {
  /** What a reading depends on beside the database itself. */
  readonly key: string;
  readonly fingerprint: string;
  readonly facts: DatabaseFingerprintFacts;
  /** How many objects its contents tell of. */
  readonly objects: number;
  /** Whether somebody's change there is notified. */
  readonly notifies: boolean;
  /** Kept until the cycle ends, for the passes after the first. */
  readonly contents: DatabaseContents | undefined;
  readonly notices: readonly Notice[] | undefined;
  /** Kept for as long as nothing changes there: memberships may change elsewhere. */
  readonly guarded: Guarded;
  /** The roles that it names, by OID as they were then: others may have their names by now. */
  readonly guardedRoles: ReadonlyMap<string, number | undefined>;
  /** Nothing of it is compared. */
  readonly isGuardedOnly: boolean;
}

/** What one look at a database found; one that failed leaves nothing that is known of it. */
export interface Looked {
  readonly name: string;
  readonly now: Known | undefined;
  readonly reading: DatabaseReading;
}

/** What a reading takes of the room that all share. */
export const heldOf = (one: Known | undefined): number => (one?.contents === undefined ? 0 : one.objects);

export const guardedReading = ({ now, reading }: Looked): GuardedReading =>
  now === undefined ? { kind: 'unreadable', reason: reading.kind === 'unreadable' ? reading.reason : '' } : { kind: 'read', guarded: now.guarded };

export interface Asked {
  readonly name: string;
  readonly key: string;
  readonly before: Known | undefined;
  readonly different: WeakSet<Known>;
  readonly isInFocus: boolean;
  readonly isGuardedOnly: boolean;
  readonly request: Omit<ContentsRequest, 'client' | 'database'>;
  readonly oids: Catalog['oids'];
  readonly taken: TakenReads | undefined;
  readonly proves: boolean;
}

/** What is known, for no key where a role in it is called otherwise by now: a new name is no change in a database. */
export const ofSameRoles = (one: Known | undefined, { oids }: Catalog): Known | undefined =>
  one !== undefined && [...one.guardedRoles].some(([name, oid]) => oid === undefined || oids.get(name) !== oid) ? { ...one, key: '' } : one;

/** Reads one database, unless it is known to be as it was. Never throws. */
export async function readOne(asked: Asked, withSession: WithSession): Promise<Looked> {
  const { name, key, before, different, isInFocus, request, taken } = asked;
  const reread = taken?.(name, request);
  if (reread !== undefined) {
    if (asked.proves) await withSession(name, (client) => proveReread(reread, { ...request, client, database: name }));
    request.room.giveBack(heldOf(before));
    request.room.take(reread.objects);
    return lookedAt(reread, asked);
  }
  if (!isInFocus && before?.key === key && before.notices !== undefined) return { name, now: before, reading: { kind: 'settled', notices: before.notices } };
  try {
    return await withSession(name, async (client) => {
      if (before?.key === key && !different.has(before) && (before.contents !== undefined || before.notices !== undefined)) {
        // What it looks at may be gone by now, as the rules of a trigger: then it is read.
        const now = await databaseFingerprint(client, before.facts).catch(() => '');
        if (now === before.fingerprint)
          return {
            name,
            now: before,
            reading: before.contents === undefined ? { kind: 'settled', notices: before.notices ?? [] } : { kind: 'read', contents: before.contents },
          };
      }
      request.room.giveBack(heldOf(before));
      return lookedAt(await readDatabase({ ...request, client, database: name }), asked);
    });
  } catch (error) {
    return { name, now: undefined, reading: { kind: 'unreadable', reason: describeFailure(error) } };
  }
}

const lookedAt = ({ contents, guarded, objects, fingerprint, facts }: DatabaseRead, { name, key, oids, isGuardedOnly }: Asked): Looked => ({
  name,
  now: {
    key,
    objects,
    fingerprint,
    facts,
    notifies: contents.trigger.trigger === 'current',
    contents,
    notices: undefined,
    guarded,
    guardedRoles: new Map([...rolesOf(guarded)].map((role) => [role, oids.get(role)])),
    isGuardedOnly,
  },
  reading: { kind: 'read', contents },
});
