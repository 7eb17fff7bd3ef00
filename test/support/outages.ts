// Outages made on real servers: each reason why nothing can be done, and what everything should then say.
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { OutageReason } from '../../src/model/outage.ts';
import { nativeFolder } from './binaries.ts';
import { daemonEnv, Manifests, startDaemon } from './daemon.ts';
import { freePort, type Postgres, startPostgres } from './postgres.ts';

export interface OutageCase {
  readonly outage: OutageReason;
  readonly name: string;
  readonly message: RegExp;
  /** Makes it happen on this server. */
  readonly make: (server: Postgres) => Promise<Made>;
  /** Whether it can be made here. */
  readonly possible?: () => boolean;
}
interface Made {
  /** What a daemon has to be started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly undo: () => Promise<void>;
}

const PASSWORD = 'the password of somebody without rights';
const only = async (env: Readonly<Record<string, string>>): Promise<Made> => ({ env, undo: async () => undefined });

/** A server of its own, which ends with the case. */
async function own(start: Promise<Postgres>, prepare: (server: Postgres) => Promise<void> = async () => undefined): Promise<Made> {
  const server = await start;
  await prepare(server);
  return { env: { DB_PORT: String(server.port) }, undo: () => server.stop() };
}

export async function makeStandby(server: Postgres): Promise<void> {
  await server.kill9();
  closeSync(openSync(join(server.dataDir, 'standby.signal'), 'w'));
  await server.start();
}

const has13 = (): boolean => {
  try {
    return nativeFolder(13) !== '';
  } catch {
    return false;
  }
};

export const OUTAGE_CASES: readonly OutageCase[] = [
  {
    outage: 'unreachable',
    name: 'nobody listens there',
    message: /ECONNREFUSED.*look at DB_HOST/,
    make: async () => only({ DB_PORT: String(await freePort()) }),
  },
  {
    outage: 'unreachable',
    name: 'the server accepts, and hangs',
    message: /timeout.*look at DB_HOST/,
    make: async () => {
      const server = await startPostgres();
      server.pause();
      return { env: { DB_PORT: String(server.port) }, undo: () => server.stop() };
    },
  },
  {
    outage: 'unreachable',
    name: 'the server has no TLS, and it is asked for',
    message: /SSL.*DB_SSLMODE/,
    make: () => only({ DB_SSLMODE: 'require' }),
  },
  {
    outage: 'login_refused',
    name: 'the password is wrong',
    message: /password authentication failed for user "postgres" \(28P01\).*DB_PASS/,
    make: () => only({ DB_PASS: 'another one' }),
  },
  {
    outage: 'login_refused',
    name: 'the file of the password is not there',
    message: /the file of DB_PASS_FILE, \/nowhere\/password, cannot be read \(ENOENT\)/,
    make: () => only({ DB_PASS: '', DB_PASS_FILE: '/nowhere/password' }),
  },
  {
    outage: 'login_refused',
    name: 'the role may not log in',
    message: /not permitted to log in \(28000\)/,
    make: async (server) => {
      await server.query(`CREATE ROLE plain NOLOGIN PASSWORD '${PASSWORD}'`);
      return only({ DB_USER: 'plain', DB_PASS: PASSWORD });
    },
  },
  {
    outage: 'no_database',
    name: 'there is no database of that name',
    message: /database "nowhere" does not exist \(3D000\).*DB_NAME/,
    make: () => only({ DB_NAME: 'nowhere' }),
  },
  {
    outage: 'unsupported_version',
    name: 'the server is PostgreSQL 13',
    message: /the server is PostgreSQL 13\..*pgsteward needs 14 to 18/,
    possible: has13,
    make: () => own(startPostgres({ major: 13 })),
  },
  {
    outage: 'standby',
    name: 'the server is a standby',
    message: /the server is a standby.*the primary/,
    make: () => own(startPostgres(), makeStandby),
  },
  {
    outage: 'no_right',
    name: 'our login may not connect to its own database',
    message: /permission denied for database "closed" \(42501\)/,
    make: async (server) => {
      await server.query(`CREATE ROLE plain LOGIN CREATEROLE PASSWORD '${PASSWORD}'`);
      await server.query('CREATE DATABASE closed');
      await server.query('REVOKE CONNECT ON DATABASE closed FROM PUBLIC');
      return only({ DB_NAME: 'closed', DB_USER: 'plain', DB_PASS: PASSWORD });
    },
  },
  {
    outage: 'another_writer',
    name: 'an instance of another document is the writer',
    message: /an instance that follows postgres\/postgres-users-config and not \S+ is the writer \(process \d+ from/,
    make: async (server) => {
      const manifests = new Manifests();
      manifests.users([{ username: 'alice' }]);
      manifests.secret('alice', 'p');
      const other = await startDaemon(daemonEnv(server, manifests.folder));
      await other.ready();
      return {
        env: { NAMESPACE: 'another-team' },
        undo: async () => {
          await other.kill9();
          manifests.remove();
        },
      };
    },
  },
  {
    outage: 'too_large',
    name: 'somebody put very long settings on very many roles',
    message: /more than 24 MiB.*; there is most of 1\d\d roles and databases with settings \(2\d\.\d MiB\), \d+ .*find out who made/,
    make: async (server) => {
      // As ALTER ROLE leaves them, in a moment.
      await server.query(
        `INSERT INTO pg_db_role_setting SELECT 0, 1000000 + i, ARRAY(SELECT 'a.b' || n || '=' || repeat('x', 8192) FROM generate_series(1, 28) n) FROM generate_series(1, 120) i`,
      );
      return { env: {}, undo: async () => void (await server.query('DELETE FROM pg_db_role_setting WHERE setrole > 1000000')) };
    },
  },
];
