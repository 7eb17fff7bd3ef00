// A fleet in a folder: servers.yaml, the Secrets of the admins and the documents, as an operator keeps them.
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { ACCELERATORS, type Daemon, startDaemon } from '../support/daemon.ts';
import { scratch } from '../support/scratch.ts';
import { rememberPassword } from '../support/secrets.ts';

export class FleetFolder {
  readonly folder = scratch('fleet');

  /** The file that declares servers; a text is taken as it is. */
  servers(servers: readonly object[] | string): void {
    this.configMap('servers', { 'servers.yaml': typeof servers === 'string' ? servers : stringify({ servers }) });
  }

  document(name: string, users: readonly object[], more: object = {}): void {
    this.configMap(name, { 'users.yaml': stringify({ ...more, users }) });
  }

  secret(name: string, stringData: Readonly<Record<string, string>>): void {
    if (stringData['password'] !== undefined) rememberPassword(stringData['password']);
    this.write(`secret-${name}`, { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'postgres' }, stringData });
  }

  /** As CloudNativePG writes one. */
  admin(
    name: string,
    server: { readonly host: string; readonly port: number; readonly user: string; readonly password: string },
    more: Readonly<Record<string, string>> = {},
  ): void {
    this.secret(name, { username: server.user, password: server.password, host: server.host, port: String(server.port), dbname: '*', ...more });
  }

  configMap(name: string, data: Readonly<Record<string, string>>): void {
    this.write(`configmap-${name}`, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'postgres' }, data });
  }

  gone(file: string): void {
    rmSync(join(this.folder, `${file}.yaml`));
  }

  write(file: string, manifest: object): void {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, `.${file}.tmp`), stringify(manifest));
    renameSync(join(this.folder, `.${file}.tmp`), join(this.folder, `${file}.yaml`));
  }
}

/** An entry with one document, as its name says. */
export const entryOf = (name: string, more: object = {}): object => ({
  name,
  adminSecretRef: { name: `${name}-admin` },
  documents: [{ name: `${name}-users` }],
  ...more,
});

export const startFleet = (folder: FleetFolder, env: Readonly<Record<string, string>> = {}): Promise<Daemon> =>
  startDaemon({
    SOURCE: `dir:${folder.folder}`,
    SERVERS_CONFIGMAP: 'servers',
    STATE_FILE: join(folder.folder, '.state.json'),
    SYNC_INTERVAL: '1',
    MAX_RETRIES: '0',
    HTTP_HOST: '127.0.0.1',
    ...ACCELERATORS,
    ...env,
  });

export interface FleetShown {
  readonly fleet: {
    readonly servers: number;
    readonly invalid: readonly string[];
    readonly problems: readonly { readonly message: string }[];
    readonly source: { readonly failure: string | null };
  };
  readonly servers: Readonly<
    Record<
      string,
      {
        readonly role: string;
        readonly users: number;
        readonly outage: { readonly reason: string; readonly message: string } | null;
        readonly lastCycle: { readonly result: string; readonly end: string } | null;
      }
    >
  >;
}

export const shownBy = async (daemon: Daemon): Promise<FleetShown> => JSON.parse((await daemon.get('/status')).body) as FleetShown;

/** @throws with what there was instead, when it is not so in time. */
export async function until<T>(what: string, read: () => Promise<T>, holds: (found: T) => boolean): Promise<T> {
  for (const end = Date.now() + 150_000; ; await sleep(25)) {
    const found = await read().catch((error: unknown) => String(error) as T);
    if (typeof found !== 'string' && holds(found)) return found;
    if (Date.now() > end) throw new Error(`not in time: ${what}: ${JSON.stringify(found)}`);
  }
}
