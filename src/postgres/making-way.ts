// Making way: whoever drops, renames or copies a database needs it for himself. The server waits five seconds for others to leave, and we do.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connections } from './connection.ts';
import { pinnedRows } from './query.ts';

/**
 * Databases on which somebody has, or waits for, the lock of DROP DATABASE, of ALTER DATABASE … RENAME or SET TABLESPACE, or of CREATE DATABASE …
 * TEMPLATE; a login takes another mode. It is held while the server waits for other sessions to end.
 */
const WANTED = `SELECT d.datname FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.objid
  WHERE l.locktype = 'object' AND l.database = 0 AND l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND l.mode IN ('AccessExclusiveLock', 'ShareLock')`;

/** Often enough for two looks within the server's five seconds; and seldom, where a look takes long because there are very many locks. */
const LOOK_MS = { least: 1000, most: 2000, share: 50 };

/**
 * Looks about once a second, until the signal aborts, for databases that somebody wants for himself. Never throws.
 * @param onWanted takes their names, after every look.
 */
export async function watchForOwners(
  connections: Pick<Connections, 'withAdmin'>,
  onWanted: (databases: ReadonlySet<string>) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const began = performance.now();
    try {
      const rows = await connections.withAdmin((client) => pinnedRows(client, WANTED));
      if (!signal.aborted) onWanted(new Set(rows.map(([name]) => String(name))));
    } catch {
      // Whoever needs the server hears of it; an owner meets us then as anybody else.
    }
    const pause = Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, (performance.now() - began) * LOOK_MS.share));
    await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}
