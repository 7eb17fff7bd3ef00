// Whether somebody gets in with a password.
import pg from 'pg';
import type { Postgres } from './postgres.ts';

/** Also false where the server does not answer within seconds. */
export async function logsIn(server: Postgres, user: string, password: string): Promise<boolean> {
  const client = new pg.Client({ host: server.host, port: server.port, user, password, database: 'postgres', connectionTimeoutMillis: 3000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    void client.end().catch(() => undefined);
  }
}
