// The real daemon on a folder of manifests: what tests, the demo and the benchmark run.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { freePort, type Postgres } from './postgres.ts';
import { expectNoSecrets, rememberPassword } from './secrets.ts';
import { endings, scratch } from './scratch.ts';

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface Status {
  readonly role: string;
  readonly lastCycle: { readonly result: string; readonly end: string; readonly drift: number; readonly errors: number } | null;
  readonly breakerTripped: boolean;
  readonly users: number;
  readonly problems: readonly { readonly severity: string; readonly message: string }[];
  readonly notices: readonly { readonly kind: string; readonly subject: string; readonly message: string; readonly sql: string | null }[];
}

/** A folder with one ConfigMap and any number of Secrets. */
export class Manifests {
  readonly folder = scratch('manifests');
  readonly #secrets = new Map<string, string>();

  #document = '';
  #annotations: Readonly<Record<string, string>> = {};

  /** Writes the users document; a text is taken as it is. */
  users(users: readonly object[] | string): void {
    this.#document = typeof users === 'string' ? users : stringify({ users });
    this.#writeConfigMap();
  }

  /** The ConfigMap `users` in the namespace of an author, with the label `author` of its name; undefined takes it away. */
  author(namespace: string, document: object | string | undefined): void {
    const file = `author-${namespace}.yaml`;
    if (document === undefined) return rmSync(join(this.folder, file), { force: true });
    const metadata = { name: 'users', namespace, labels: { author: namespace } };
    this.#write(
      file,
      stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'users.yaml': typeof document === 'string' ? document : stringify(document) } }),
    );
  }

  /** A Secret with a password in the namespace of an author. */
  authorSecret(namespace: string, name: string, password: string): void {
    rememberPassword(password);
    const data = { password: Buffer.from(password).toString('base64') };
    this.#write(`secret-${namespace}-${name}.yaml`, stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, data }));
  }

  /** Replaces the ConfigMap's annotations. */
  annotate(annotations: Readonly<Record<string, string>>): void {
    this.#annotations = annotations;
    this.#writeConfigMap();
  }

  #writeConfigMap(): void {
    const metadata = { name: 'postgres-users-config', namespace: 'postgres', annotations: this.#annotations };
    this.#write('configmap.yaml', stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'users.yaml': this.#document } }));
  }

  secret(user: string, password: string | undefined): void {
    if (password === undefined) this.#secrets.delete(user);
    else this.#secrets.set(user, password);
    this.secrets(this.#secrets);
  }

  secrets(passwords: ReadonlyMap<string, string>): void {
    for (const [user, password] of passwords) {
      rememberPassword(password);
      this.#secrets.set(user, password);
    }
    if (this.#secrets.size > 500) return this.#writeList();
    const one = (user: string, password: string): string =>
      `apiVersion: v1\nkind: Secret\nmetadata: {name: ${JSON.stringify(secretName(user))}, namespace: postgres}\ndata: {password: "${Buffer.from(password).toString('base64')}"}\n`;
    this.#write('secrets.yaml', [...this.#secrets].map(([user, password]) => one(user, password)).join('---\n'));
  }

  /** As `kubectl get secrets -o json` prints them. */
  #writeList(): void {
    const items = [...this.#secrets].map(([user, password]) => ({
      kind: 'Secret',
      metadata: { name: secretName(user), namespace: 'postgres' },
      data: { password: Buffer.from(password).toString('base64') },
    }));
    this.#write('secrets.json', JSON.stringify({ kind: 'SecretList', items }));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** As an editor should: the reader never sees half a file. */
  #write(name: string, text: string): void {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, `.${name}.tmp`), text);
    renameSync(join(this.folder, `.${name}.tmp`), join(this.folder, name));
  }
}

const secretName = (user: string): string => `user-${[...user].map((char) => (/[a-z0-9.-]/.test(char) ? char : '-')).join('')}-secret`;

export interface Daemon {
  readonly process: ChildProcess;
  readonly port: number;
  readonly output: () => string;
  readonly lines: () => LogLine[];
  status(): Promise<Status>;
  get(path: string): Promise<{ readonly code: number; readonly body: string }>;
  /** Starts a cycle with SIGHUP and waits until one that began later has ended. */
  cycle(): Promise<Status>;
  /** Waits until a cycle has ended at all. */
  ready(): Promise<Status>;
  /** Sends SIGTERM; the exit code. */
  stop(): Promise<number | null>;
  kill9(): Promise<void>;
}

export const ROOT = resolve(import.meta.dirname, '../..');

/** ACCELERATORS=off: without event triggers, sessions that listen, small looks and watches, so that only the interval is left. */
export const ACCELERATORS: Readonly<Record<string, string>> =
  process.env['ACCELERATORS'] === 'off' ? { EVENT_TRIGGERS: 'off', MAX_LISTENERS: '0', DRIFT_INTERVAL: '0', WATCH: 'off' } : {};

/** The environment of a daemon on this server and folder. */
export const daemonEnv = (server: Postgres, folder: string, more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  SOURCE: `dir:${folder}`,
  DB_HOST: server.host,
  DB_PORT: String(server.port),
  DB_USER: server.user,
  DB_PASS: server.password,
  STATE_FILE: join(folder, '.state.json'),
  SYNC_INTERVAL: '3600',
  MAX_RETRIES: '2',
  RETRY_BACKOFF_BASE: '1.5',
  HTTP_HOST: '127.0.0.1',
  ...ACCELERATORS,
  ...more,
});

/** Starts the daemon; it is killed with this process. */
export async function startDaemon(env: Readonly<Record<string, string>>, command: readonly string[] = [join(ROOT, 'src/main.ts')]): Promise<Daemon> {
  const port = Number(env['HTTP_PORT'] ?? (await freePort()));
  const child = spawn(process.execPath, command, {
    env: { PATH: process.env['PATH'] ?? '', HTTP_PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<number | null>((done) => child.once('exit', done));
  const killOnExit = (): void => void child.kill('SIGKILL');
  endings.add(killOnExit);
  void exited.then(() => endings.delete(killOnExit));

  const get = async (path: string): Promise<{ code: number; body: string }> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5000) });
    const body = await response.text();
    expectNoSecrets(body, path);
    return { code: response.status, body };
  };
  const status = async (): Promise<Status> => JSON.parse((await get('/status')).body) as Status;
  const waitFor = async (accept: (status: Status) => boolean): Promise<Status> => {
    const deadline = Date.now() + 200_000;
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`the daemon ended (${child.signalCode ?? child.exitCode}): ${output.slice(-3000)}`);
      const now = await status().catch(() => undefined);
      if (now !== undefined && accept(now)) return now;
      if (Date.now() > deadline) throw new Error(`the daemon did not get there: ${JSON.stringify(now)} ${output.slice(-3000)}`);
      await sleep(15);
    }
  };
  return {
    process: child,
    port,
    output: () => output,
    lines: () =>
      output.split('\n').flatMap((line): LogLine[] => {
        try {
          return line === '' ? [] : [JSON.parse(line) as LogLine];
        } catch {
          return [];
        }
      }),
    status,
    get,
    ready: () => waitFor((now) => now.lastCycle !== null),
    cycle: async () => {
      const before = (await waitFor((now) => now.lastCycle !== null)).lastCycle?.end;
      await sleep(2);
      child.kill('SIGHUP');
      return waitFor((now) => now.lastCycle?.end !== before);
    },
    stop: async () => {
      child.kill('SIGTERM');
      const code = await exited;
      expectNoSecrets(output, "the daemon's output");
      return code;
    },
    kill9: async () => {
      child.kill('SIGKILL');
      await exited;
      expectNoSecrets(output, "the daemon's output");
    },
  };
}
