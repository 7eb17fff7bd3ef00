// A session in a managed database, for one piece of work: the one that is open there already, or one of its own.
import type pg from 'pg';
import type { Residents } from '../postgres/residents.ts';
import type { Server } from './server.ts';

/** Runs `work` in this database. @throws where no session can be had, or whatever the work throws. */
export type WithSession = <T>(database: string, work: (client: pg.ClientBase) => Promise<T>) => Promise<T>;

export const sessionsIn =
  ({ connections, adminDatabase }: Pick<Server, 'connections' | 'adminDatabase'>, residents: Pick<Residents, 'use' | 'isWanted'>): WithSession =>
  async (database, work) => {
    if (database === adminDatabase) return connections.withAdmin(work);
    const resident = residents.use(database, work);
    if (resident !== undefined) return resident;
    if (residents.isWanted(database)) throw new Error('somebody drops, renames or copies it, and needs it alone; it is read again with the next cycle');
    const client = await connections.open(database);
    try {
      return await work(client);
    } finally {
      // Nobody waits for the goodbye.
      client.end().catch(() => undefined);
    }
  };
