// A real PostgreSQL server for a test, a demo or a benchmark: started in about a second, gone with the process that started it.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash, randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expectNoSecretsInServerLog } from './secrets.ts';
import { DEFAULT_MAJOR, type Major, nativeFolder, ownCache, unprivileged } from './binaries.ts';
import { ownPassword } from './own-password.ts';
import { endings, REMOVAL } from './scratch.ts';

export interface PostgresOptions {
  readonly major?: Major;
  readonly settings?: Readonly<Record<string, string>>;
  /** A system identifier of its own, as every server but those of the tests has. */
  readonly fresh?: boolean;
  /** A data directory to copy, of a server that was stopped. */
  readonly copyOf?: string;
  /** It begins as a standby; `settings` says of whom. */
  readonly standby?: boolean;
  /** Any free one by default. */
  readonly port?: number;
}

export interface Postgres {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly major: Major;
  readonly user: 'postgres';
  readonly password: string;
  readonly dataDir: string;
  client(database?: string, as?: { readonly user: string; readonly password: string }): Promise<pg.Client>;
  /** Rows of one or several statements (of the last one), as objects. */
  query<T extends pg.QueryResultRow>(sql: string, database?: string): Promise<T[]>;
  /** The server's log since the last mark. */
  log(): string;
  mark(): void;
  /** SIGKILL to the postmaster and all of its children. */
  kill9(): Promise<void>;
  /** Its System V segment, as `ipcs -m` names it. */
  segment(): string | undefined;
  /** Shuts it down as an administrator would; start() takes it up again. */
  shutDown(): Promise<void>;
  start(): Promise<void>;
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** Made once for an account, and known to no other: whoever knows it runs programs as the server. */
const PASSWORD = ownPassword();

/** The major that this run tests: PG_MAJOR, or the installed one. */
const testedMajor = (): Major => Number(process.env['PG_MAJOR'] ?? DEFAULT_MAJOR) as Major;

/** Starts a server of its own, with every statement in its log. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const major = options.major ?? testedMajor();
  const native = nativeFolder(major);
  const account: { readonly uid?: number; readonly gid?: number } = unprivileged() ?? {};
  const base = mkdtempSync(join(tmpdir(), 'pgsteward-test-'));
  const dataDir = join(base, 'data');
  const logFile = join(base, 'server.log');
  const template = options.copyOf ?? templateFor(major, native, options.fresh);
  if (account.uid !== undefined && account.gid !== undefined) chownSync(base, account.uid, account.gid);
  execFileSync('cp', ['-a', '--', template, dataDir]);
  if (options.fresh === true) rmSync(dirname(template), { recursive: true });
  if (options.standby === true) writeFileSync(join(dataDir, 'standby.signal'), '');
  const port = options.port ?? (await freePort());
  const settings = {
    log_statement: 'all',
    // What a server that is killed wrote stays with the system: only a machine that loses its power would need more.
    fsync: 'off',
    // In its own folder, so that one that is killed leaves nothing in /dev/shm.
    dynamic_shared_memory_type: 'mmap',
    unix_socket_directories: base,
    listen_addresses: '127.0.0.1',
    port: String(port),
    max_connections: '60',
    shared_buffers: '32MB',
    ...options.settings,
  };
  const conf = Object.entries(settings)
    .map(([name, value]) => `${name} = '${value}'\n`)
    .join('');
  writeFileSync(join(dataDir, 'postgresql.auto.conf'), conf);
  if (account.uid !== undefined && account.gid !== undefined) chownSync(join(dataDir, 'postgresql.auto.conf'), account.uid, account.gid);
  let child: ChildProcess | undefined;
  let marked = 0;
  const bytes = (): number => (existsSync(logFile) ? statSync(logFile).size : 0);
  /** Of megabytes only what is new is read: some tests ask hundreds of times. */
  const text = (from = 0): string => {
    const buffer = Buffer.alloc(Math.max(0, bytes() - from));
    if (buffer.length === 0) return '';
    const file = openSync(logFile, 'r');
    try {
      return buffer.toString('utf8', 0, readSync(file, buffer, 0, buffer.length, from));
    } finally {
      closeSync(file);
    }
  };

  const killTree = (signal: NodeJS.Signals): void => {
    const pid = postmasterPid(dataDir);
    // Backends are children of the postmaster, each in a group of its own.
    for (const target of pid === undefined ? [] : [...childrenOf(pid), pid])
      try {
        process.kill(target, signal);
      } catch {
        // It is gone already.
      }
  };
  const end = (): void => {
    const segment = sharedSegment(dataDir);
    killTree('SIGKILL');
    child?.kill('SIGKILL');
    // It outlives a server that is killed, and a system has 4,096 of them.
    if (segment !== undefined) spawnSync('ipcrm', ['-m', segment]);
    rmSync(base, REMOVAL);
  };

  const start = async (): Promise<void> => {
    rmSync(join(dataDir, 'postmaster.pid'), { force: true });
    const log = openSync(logFile, 'a');
    // The shell ends the server when our end of its standard input closes, however this process dies.
    const script = `"$0" -D "$1" </dev/null & server=$!; (cat >/dev/null; kill -INT $server 2>/dev/null; sleep 3; kill -9 $server 2>/dev/null; [ -e "$2" ] || rm -rf "$3") & wait $server`;
    child = spawn('/bin/sh', ['-c', script.replace('(cat', '(exec 1>&- 2>&-; cat <&3'), join(native, 'bin/postgres'), dataDir, join(base, 'keep'), base], {
      ...account,
      cwd: base,
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', log, log, 'pipe'],
      detached: true,
    });
    child.unref();
    closeSync(log);
    for (let attempt = 0; ; attempt += 1) {
      try {
        const client = await connect(port, 'postgres');
        await client.end();
        return;
      } catch (error) {
        if (attempt > 300 || child.exitCode !== null) throw new Error(`PostgreSQL ${major} did not start: ${text().slice(-2000)}`, { cause: error });
        await sleep(50);
      }
    }
  };
  await start();
  endings.add(end);

  return {
    host: '127.0.0.1',
    port,
    major,
    user: 'postgres',
    password: PASSWORD,
    dataDir,
    start,
    client: (database = 'postgres', as) => connect(port, database, as),
    query: async <T extends pg.QueryResultRow>(sql: string, database = 'postgres') => {
      const client = await connect(port, database);
      try {
        const result = (await client.query<T>(sql)) as pg.QueryResult<T> | pg.QueryResult<T>[];
        return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
      } finally {
        await client.end();
      }
    },
    log: () => text(marked),
    mark: () => {
      marked = bytes();
    },
    kill9: async () => {
      const pid = postmasterPid(dataDir);
      killTree('SIGKILL');
      while (pid !== undefined && isAlive(pid)) await sleep(10);
    },
    segment: () => sharedSegment(dataDir),
    pause: () => killTree('SIGSTOP'),
    resume: () => killTree('SIGCONT'),
    shutDown: async () => {
      const pid = postmasterPid(dataDir);
      if (pid !== undefined) process.kill(pid, 'SIGINT');
      while (pid !== undefined && isAlive(pid)) await sleep(10);
    },
    stop: async () => {
      const log = text();
      endings.delete(end);
      end();
      await sleep(0);
      expectNoSecretsInServerLog(log);
    },
  };
}

async function connect(port: number, database: string, as: { user: string; password: string } = { user: 'postgres', password: PASSWORD }): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port, database, ...as, connectionTimeoutMillis: 5000, application_name: 'test' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** An initialised data directory per major and account, made once and copied for each server. */
function templateFor(major: Major, native: string, isFresh = false): string {
  const account = unprivileged();
  const stamp = statSync(join(native, 'bin/initdb')).mtimeMs.toFixed(0);
  const made = createHash('sha256').update(PASSWORD).digest('hex').slice(0, 8);
  const target = join(ownCache(), `initdb-${major}-${account?.uid ?? process.getuid?.() ?? 0}-${stamp}-${made}`);
  if (!isFresh && existsSync(target)) return target;
  const partial = mkdtempSync(`${target}.`);
  const passwordFile = join(partial, 'password');
  writeFileSync(passwordFile, PASSWORD);
  if (account !== undefined) for (const path of [partial, passwordFile]) chownSync(path, account.uid, account.gid);
  execFileSync(
    join(native, 'bin/initdb'),
    [
      '-D',
      join(partial, 'data'),
      '-U',
      'postgres',
      '--auth-host=scram-sha-256',
      '--auth-local=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '-E',
      'UTF8',
      '--locale=C',
      ...(major < 14 ? [] : ['--no-instructions']),
    ],
    { ...account, cwd: partial, stdio: 'pipe', env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } },
  );
  if (isFresh) return join(partial, 'data');
  try {
    renameSync(join(partial, 'data'), target);
  } catch (error) {
    if (!existsSync(target)) throw error;
  }
  rmSync(partial, { recursive: true, force: true });
  return target;
}

const postmasterPid = (dataDir: string): number | undefined => {
  const file = join(dataDir, 'postmaster.pid');
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : Number.NaN;
  return pid > 0 && isAlive(pid) ? pid : undefined;
};

/** The System V segment by which a running server holds its folder: the last number of the seventh line. */
const sharedSegment = (dataDir: string): string | undefined => {
  const file = join(dataDir, 'postmaster.pid');
  return existsSync(file) ? /[0-9]+$/.exec(readFileSync(file, 'utf8').split('\n')[6]?.trim() ?? '')?.[0] : undefined;
};

const childrenOf = (pid: number): number[] => {
  try {
    return execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
      .split('\n')
      .map(Number)
      .filter((child) => child > 0);
  } catch {
    return [];
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/**
 * A port that nobody listens on. Not one that the system would give: those it also gives to whoever connects to somewhere, and one could be
 * taken before it is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    if (await isFree(port)) return port;
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
