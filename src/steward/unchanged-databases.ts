// Unchanged databases: whether those that are known are as they were read, asked of as few of them as can tell.
import type pg from 'pg';
import { anySideBySide } from '../async/side-by-side.ts';
import { databaseFingerprint } from '../postgres/database-fingerprint.ts';
import { momentOf } from '../postgres/moment.ts';
import type { Residents } from '../postgres/residents.ts';
import type { WithSession } from './database-session.ts';
import type { Known } from './known-database.ts';
import type { Server } from './server.ts';

export interface UnchangedDatabases {
  /** Whether these are as they were when they were read. @param isAll nothing else is known. */
  areSame(asked: ReadonlyMap<string, Known>, isAll: boolean): Promise<boolean>;
  /** Those of which nobody hears, and that are others by now. */
  driftedUnheard(known: ReadonlyMap<string, Known>): Promise<readonly string[]>;
  /** What is known is other than before. */
  forget(): void;
  /** What was found changed since it was read: it is read, and not asked again whether it is as it was. */
  readonly different: WeakSet<Known>;
}

/** @param proves for tests: what needs not be asked is asked all the same. */
export function createUnchanged(
  { connections, sessions, adminDatabase }: Server,
  residents: Residents,
  withSession: WithSession,
  proves: boolean,
): UnchangedDatabases {
  /** A moment at which all that is known was as it is known; undefined where none is known. */
  let quietSince: string | undefined;
  const different = new WeakSet<Known>();

  const moment = (): Promise<string | undefined> => connections.withAdmin(momentOf).catch(() => undefined);
  /** It is the server's: where only one database is asked, its session is there, and a second one in the admin database may not be. */
  const momentFor = (asked: ReadonlyMap<string, Known>): Promise<string | undefined> => {
    const [only] = asked.keys();
    return asked.size === 1 && only !== undefined ? withSession(only, momentOf).catch(() => undefined) : moment();
  };

  const differs = async (client: pg.ClientBase, one: Known): Promise<boolean> => {
    const isDifferent = (await databaseFingerprint(client, one.facts)) !== one.fingerprint;
    if (isDifferent) different.add(one);
    return isDifferent;
  };

  /** One that cannot be asked counts as changed: it is read. */
  const changed = (name: string, one: Known): Promise<boolean> => withSession(name, (client) => differs(client, one)).catch(() => true);

  /** @throws where something changed at this moment. */
  const proveQuiet = async (asked: ReadonlyMap<string, Known>, at: string): Promise<void> => {
    const isWrong = await anySideBySide(sessions, asked, ([name, one]) => withSession(name, (client) => differs(client, one)).catch(() => false));
    if (isWrong && (await moment()) === at) throw new Error('something changed in a database, and no transaction ended');
  };

  return {
    different,
    forget: () => {
      quietSince = undefined;
    },
    areSame: async (asked, isAll) => {
      if (asked.size === 0) return true;
      const began = await momentFor(asked);
      if (began !== undefined && began === quietSince) {
        if (proves) await proveQuiet(asked, began);
        return true;
      }
      const isSame = !(await anySideBySide(sessions, asked, ([name, one]) => changed(name, one)));
      if (isSame && isAll) quietSince = began;
      return isSame;
    },
    driftedUnheard: async (known) => {
      const drifted: string[] = [];
      const unheard = [...known].filter(([name, one]) => !(one.notifies && residents.hears(name)));
      if (unheard.length > 1 && quietSince !== undefined && (await moment()) === quietSince) return drifted;
      for (const [name, one] of unheard) {
        const asked = name === adminDatabase ? changed(name, one) : residents.use(name, (client) => differs(client, one));
        // One that cannot answer is left to the interval.
        if (await asked?.catch(() => false)) drifted.push(name);
      }
      return drifted;
    },
  };
}
