// Connections: how pgsteward reaches the server, with its TLS modes, deadlines and the admin's password asked for afresh each time.
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { Config } from '../config.ts';
import { type AdminPassword, configuredPassword, isLoginRefused, isWrongPassword } from './admin-password.ts';
import { describeFailure } from './failures.ts';

const APPLICATION_NAME = 'pgsteward';

/** A result of a query, with rows as arrays. */
export type Rows = readonly (readonly unknown[])[];

/** Opens sessions; `admin` sessions come from a pool, those in other databases are made for one use. */
export interface Connections {
  /** Runs `work` with a session in the admin database; the session is thrown away when it fails. */
  withAdmin<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
  /** A session of its own in a database; the caller ends it. */
  open(database: string): Promise<pg.Client>;
  /**
   * Logs in to the admin database with this password, and ends the session at once.
   * @returns why the server refuses it; undefined where it lets us in.
   * @throws when the server cannot be asked.
   */
  refusalOf(password: string): Promise<string | undefined>;
  /** Ends every session at once, also those in the middle of a statement: the server rolls them back. */
  close(): Promise<void>;
}

/** The settings that say how the server is reached. */
export type ConnectionConfig = Pick<
  Config,
  | 'DB_HOST'
  | 'DB_PORT'
  | 'DB_NAME'
  | 'DB_USER'
  | 'DB_PASS'
  | 'DB_PASS_FILE'
  | 'DB_SSLMODE'
  | 'DB_SSL_ROOT_CERT'
  | 'DB_POOL_MIN_CONN'
  | 'DB_POOL_MAX_CONN'
  | 'DB_STATEMENT_TIMEOUT'
>;

export function createConnections(
  config: ConnectionConfig,
  onIdleError: (error: Error) => void,
  admin: AdminPassword = configuredPassword(config),
): Connections {
  const open = new Set<pg.Client>();
  let plainOnly = false;

  const login = async (database: string, password: string): Promise<pg.Client> => {
    const ssl = plainOnly ? false : await tlsOptions(config);
    const client = new pg.Client({ ...options(config, database), password, ssl });
    client.on('error', onIdleError);
    try {
      await client.connect();
    } catch (error) {
      await client.end().catch(() => undefined);
      // sslmode prefer: encrypted where the server can, plain where it cannot.
      if (config.DB_SSLMODE === 'prefer' && !plainOnly && String(error).includes('does not support SSL')) {
        plainOnly = true;
        return login(database, password);
      }
      throw error;
    }
    open.add(client);
    client.on('end', () => open.delete(client));
    return client;
  };

  const connect = async (database: string): Promise<pg.Client> => {
    let refusal: unknown;
    for await (const password of admin.candidates()) {
      try {
        const client = await login(database, password);
        admin.accepted(password);
        return client;
      } catch (error) {
        if (!isWrongPassword(error)) throw error;
        refusal = error;
      }
    }
    throw refusal;
  };

  const pool = createPool(
    () => connect(config.DB_NAME),
    (client) => open.has(client),
    config.DB_POOL_MAX_CONN,
    config.DB_POOL_MIN_CONN,
  );
  return {
    withAdmin: (work) => pool.use(work),
    open: connect,
    refusalOf: async (password) => {
      try {
        const client = await login(config.DB_NAME, password);
        client.end().catch(() => undefined);
        return undefined;
      } catch (error) {
        if (isLoginRefused(error)) return describeFailure(error);
        throw error;
      }
    },
    close: async () => {
      pool.close();
      // The sockets are closed at once: waiting for a statement to end could take longer than a shutdown may.
      for (const client of open) (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
      await Promise.resolve();
    },
  };
}

interface Pool {
  use<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
  close(): void;
}

/** A pool of at most `max` sessions, of which `min` stay open while idle. pg's own pool cannot open a session in steps (sslmode prefer). */
function createPool(connect: () => Promise<pg.Client>, isOpen: (client: pg.Client) => boolean, max: number, min: number): Pool {
  const idle: pg.Client[] = [];
  const waiting: (() => void)[] = [];
  let busy = 0;
  let closed = false;
  const lastOpen = (): pg.Client | undefined => {
    let client = idle.pop();
    while (client !== undefined && !isOpen(client)) client = idle.pop();
    return client;
  };
  const release = (client: pg.Client | undefined): void => {
    busy -= 1;
    if (client !== undefined) {
      if (closed || idle.length >= Math.max(min, 1)) client.end().catch(() => undefined);
      else idle.push(client);
    }
    waiting.shift()?.();
  };
  return {
    async use(work) {
      while (busy >= max) await new Promise<void>((resolve) => waiting.push(resolve));
      busy += 1;
      let client: pg.Client | undefined;
      try {
        client = lastOpen() ?? (await connect());
        const result = await work(client);
        release(isOpen(client) ? client : undefined);
        return result;
      } catch (error) {
        client?.end().catch(() => undefined);
        release(undefined);
        throw error;
      }
    },
    close: () => {
      closed = true;
    },
  };
}

function options(config: ConnectionConfig, database: string): pg.ClientConfig {
  return {
    host: config.DB_HOST,
    port: config.DB_PORT,
    user: config.DB_USER,
    database,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    // A server that hangs never sends its own timeout; ours comes a little later than its.
    query_timeout: config.DB_STATEMENT_TIMEOUT * 1000 + 10_000,
  };
}

/** What DB_SSLMODE means for a TLS connection; false for none. */
export async function tlsOptions(config: ConnectionConfig): Promise<ConnectionOptions | false> {
  const mode = config.DB_SSLMODE;
  if (mode === 'disable') return false;
  const ca = config.DB_SSL_ROOT_CERT === undefined ? undefined : await readFile(config.DB_SSL_ROOT_CERT, 'utf8');
  const roots = ca === undefined ? {} : { ca };
  if (mode === 'verify-full') return { ...roots, rejectUnauthorized: true };
  // As libpq does: «require» with a root certificate at hand verifies the chain, but not the host name.
  if (mode === 'verify-ca' || (mode === 'require' && ca !== undefined)) return { ...roots, rejectUnauthorized: true, checkServerIdentity: () => undefined };
  return { rejectUnauthorized: false };
}
