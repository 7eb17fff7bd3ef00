// Connections: how pgsteward reaches the server, with its TLS modes, deadlines and the admin's password asked for afresh each time.
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { readRegularText, RefusedFile } from '../files/bounded-file.ts';
import { LIMITS } from '../model/limits.ts';
import type { HostPort } from '../model/fleet.ts';
import { MAJORS, Outage } from '../model/outage.ts';
import { type AdminPassword, type ConfiguredPassword, configuredPassword, isLoginRefused, isWrongPassword } from './admin-password.ts';
import { boundAnswers } from './bounded-answers.ts';
import { describeFailure, notOpened } from './failures.ts';
import type { Hosts } from './hosts.ts';
import { atPrimary } from './primary.ts';
import { sessionPins } from './pins.ts';
import { keepSeverities } from './severity.ts';
import { createSessionPool } from './session-pool.ts';
import type { Timeouts } from './transaction.ts';

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
  /** Ends every session at once, also those in the middle of a statement: the server rolls them back. Whoever asks next gets a new one. */
  drop(): void;
  /** The same for good. */
  close(): Promise<void>;
}

/** Where the server is. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: {
    readonly mode: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
    /** A file. */
    readonly rootCert: string | undefined;
    /** The certificates themselves, asked for at each connect; in place of a file. */
    readonly ca?: (() => Promise<string>) | undefined;
  };
}

/** As whom we log in there, and to which database. */
export interface ServerLogin extends ServerAddress {
  readonly user: string;
  readonly adminDatabase: string;
}

export interface ConnectionSettings extends ServerLogin, ConfiguredPassword {
  /** All hosts of the server, where there are several: only a primary among them is worked on. */
  readonly hosts?: Hosts | undefined;
  /** Whether the password itself is only for a server whose certificate was verified, and any other has to know it already (SCRAM, MD5). */
  readonly keepsPassword?: boolean | undefined;
  /** In the admin database: how many stay open when there is nothing to do, and how many there are at most. */
  readonly sessions: { readonly min: number; readonly max: number };
  readonly timeouts: Timeouts;
}

export function createConnections(
  settings: ConnectionSettings,
  onIdleError: (error: Error) => void,
  admin: AdminPassword = configuredPassword(settings),
): Connections {
  const { adminDatabase, sessions, tls } = settings;
  const open = new Set<pg.Client>();

  const loginAt = async (at: HostPort, database: string, password: string, isPlain = false): Promise<pg.Client> => {
    const ssl = isPlain ? false : await tlsOptions(tls).catch((error: unknown) => Promise.reject(notOpened(error) as Error));
    const client = new pg.Client({ ...options(settings, at, database), password, ssl });
    client.on('error', onIdleError);
    boundAnswers(client);
    if (settings.keepsPassword === true && (ssl === false || ssl.rejectUnauthorized !== true)) keepPassword(client);
    const version = toldVersion(client);
    try {
      await client.connect();
      refuseOlder(version());
    } catch (error) {
      await client.end().catch(() => undefined);
      // sslmode prefer: encrypted where the server can, plain where it cannot. Asked anew each time, as libpq does: it may be another server by then.
      if (tls.mode === 'prefer' && !isPlain && String(error).includes('does not support SSL')) return loginAt(at, database, password, true);
      throw notOpened(error);
    }
    keepSeverities(client);
    open.add(client);
    client.on('end', () => open.delete(client));
    return client;
  };

  const login = (database: string, password: string): Promise<pg.Client> =>
    settings.hosts === undefined ? loginAt(settings, database, password) : atPrimary(settings.hosts, (host) => loginAt(host, database, password));

  const connect = async (database: string): Promise<pg.Client> => {
    let refusal: unknown;
    for await (const password of admin.candidates()) {
      try {
        const client = await login(database, password);
        admin.accepted(password);
        return await pinned(client, settings.user);
      } catch (error) {
        if (!isWrongPassword(error)) throw error;
        refusal = error;
      }
    }
    throw refusal;
  };

  const pool = createSessionPool(
    () => connect(adminDatabase),
    (client) => open.has(client),
    sessions.max,
    sessions.min,
  );
  // The sockets are closed at once: waiting for a statement to end could take longer than a shutdown may.
  const drop = (): void => {
    for (const client of open) (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  };
  return {
    withAdmin: (work) => pool.use(work),
    open: connect,
    refusalOf: async (password) => {
      try {
        const client = await login(adminDatabase, password);
        client.end().catch(() => undefined);
        return undefined;
      } catch (error) {
        if (isLoginRefused(error)) return describeFailure(error);
        throw error;
      }
    },
    drop,
    close: async () => {
      pool.close();
      drop();
      await Promise.resolve();
    },
  };
}

/** The session as ours: what is pinned for each transaction holds from the first statement outside of any as well. */
async function pinned(client: pg.Client, user: string): Promise<pg.Client> {
  try {
    await client.query(sessionPins(backendOf(client), user).join(';\n'));
    return client;
  } catch (error) {
    client.end().catch(() => undefined);
    throw notOpened(error);
  }
}

/** Ends the session where the server asks for the password itself. A client that has not connected. */
function keepPassword(client: pg.Client): void {
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter & { stream: { destroy(error: Error): void } } };
  connection.on('authenticationCleartextPassword', () => {
    client.password = '';
    connection.stream.destroy(
      new Outage(
        'login_refused',
        'the server asks for the password itself, which is given only to one whose certificate is verified (`mode: verify-full` under `tls`); a line with scram-sha-256 in its pg_hba.conf needs no such thing',
      ),
    );
  });
}

/** What the server says of its version as it lets us in, as «14.23 (Debian 14.23-1)»; empty where it says nothing. */
function toldVersion(client: pg.Client): () => string {
  let version = '';
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
  connection.on('parameterStatus', ({ parameterName, parameterValue }: { readonly parameterName: string; readonly parameterValue: string }) => {
    if (parameterName === 'server_version') version = parameterValue.slice(0, 100);
  });
  return () => version;
}

/** @throws Outage before anything is asked that an older server does not know: what it says of that tells nobody what is wrong. */
function refuseOlder(version: string): void {
  if (Number.parseInt(version, 10) < MAJORS.oldest)
    throw new Outage('unsupported_version', `the server is PostgreSQL ${version}, and pgsteward needs ${MAJORS.oldest} to ${MAJORS.newest}`);
}

/** The process that we logged in to; a pooler answers with one of its own making. */
export const backendOf = (client: pg.ClientBase): number | null => (client as unknown as { processID: number | null }).processID;

function options({ user, timeouts }: ConnectionSettings, { host, port }: HostPort, database: string): pg.ClientConfig {
  return {
    host,
    port,
    user,
    database,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 3000,
    // A server that hangs never sends its own timeout; ours comes a little later than its.
    query_timeout: timeouts.statementTimeout * 1000 + 10_000,
  };
}

async function readCertificates(path: string): Promise<string> {
  try {
    return await readRegularText(path, LIMITS.certificates);
  } catch (error) {
    throw error instanceof RefusedFile ? new Error(`the file of DB_SSL_ROOT_CERT, ${path}, ${error.message}`) : error;
  }
}

/** What the mode means for a TLS connection; false for none. */
export async function tlsOptions({ mode, rootCert, ca: certificates }: ServerAddress['tls']): Promise<ConnectionOptions | false> {
  if (mode === 'disable') return false;
  const ca = certificates === undefined ? (rootCert === undefined ? undefined : await readCertificates(rootCert)) : await certificates();
  const roots = ca === undefined ? {} : { ca };
  if (mode === 'verify-full') return { ...roots, rejectUnauthorized: true };
  // As libpq does: «require» with a root certificate at hand verifies the chain, but not the host name.
  if (mode === 'verify-ca' || (mode === 'require' && ca !== undefined)) return { ...roots, rejectUnauthorized: true, checkServerIdentity: () => undefined };
  return { rejectUnauthorized: false };
}
