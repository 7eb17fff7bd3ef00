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

/** A session with the primary among several hosts. @throws what keeps us from it; of several reasons that of a password first, as another one may be right. */
async function atPrimary(hosts: Hosts, login: (host: HostPort) => Promise<pg.Client>): Promise<pg.Client> {
  const failures: unknown[] = [];
  for (const host of hosts.inOrder()) {
    try {
      const client = await login(host);
      if (!(await isStandby(client))) {
        hosts.primary(host);
        return client;
      }
      client.end().catch(() => undefined);
      failures.push(new Outage('standby', `${host.host}:${host.port} is a standby, and read-only, and so is every host of this server that answers`));
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures.find(isWrongPassword) ?? failures.find((error) => error instanceof Outage) ?? failures[0];
}

async function isStandby(client: pg.Client): Promise<boolean> {
  try {
    const { rows } = await client.query<[boolean]>({ text: 'SELECT pg_catalog.pg_is_in_recovery()', rowMode: 'array' });
    return rows[0]?.[0] !== false;
  } catch (error) {
    client.end().catch(() => undefined);
    throw notOpened(error);
  }
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
