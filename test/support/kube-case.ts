// A namespace with the shipped Role, a PostgreSQL server and the daemon, for each test of a file that runs on a real API server.
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { stringify } from 'yaml';
import { type Daemon, daemonEnv, startDaemon } from './daemon.ts';
import { type ControlPlane, startControlPlane } from './kube-apiserver.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { expectNoSecretsInLedger } from './ledger-secrets.ts';
import { expectNoSecrets, rememberPassword } from './secrets.ts';
import { resetServer } from './steward.ts';

export const NAME = 'postgres-users-config';

export interface KubeEvent {
  readonly metadata: { readonly name: string };
  readonly reason: string;
  readonly note: string;
  readonly type: string;
  readonly regarding: { readonly name: string };
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}
export interface StatusObject {
  readonly resourceVersion: string;
  readonly data: Readonly<Record<string, string>>;
}

interface SecretItem {
  readonly metadata: { readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
}
/** Keys of our Secrets whose values nobody else may see. */
const IS_SECRET = /^(?:password|pw|PGPASSWORD|DATABASE_URL|(?:.*-)?uri)$/;

/** One control plane and one server for all tests of a file; a namespace for each. */
export class KubeCase {
  kube!: ControlPlane;
  server!: Postgres;
  daemon!: Daemon;
  namespace = '';
  #count = 0;
  readonly #secrets = new Set<string>();

  constructor() {
    beforeAll(async () => {
      [this.kube, this.server] = await Promise.all([startControlPlane(), startPostgres()]);
    });
    afterAll(async () => {
      await this.kube.stop();
      await this.server.stop();
    });
    beforeEach(async () => {
      this.#count += 1;
      this.namespace = `case-${this.#count}`;
      await this.kube.namespace(this.namespace);
    });
    afterEach(async () => {
      await this.#lookForSecrets();
      await resetServer(this.server);
    });
  }

  /** Everything that pgsteward said or wrote in this case, also about passwords that it made itself. It ends the daemon. */
  async #lookForSecrets(): Promise<void> {
    const all = (await this.kube.api('GET', '/api/v1/secrets')).json['items'] as readonly SecretItem[];
    const ours = all.filter(({ metadata }) => metadata.namespace.startsWith(this.namespace));
    for (const { metadata, data } of ours)
      if (metadata.labels?.['app.kubernetes.io/managed-by'] === 'pgsteward')
        for (const [key, value] of Object.entries(data ?? {})) if (IS_SECRET.test(key)) rememberPassword(Buffer.from(value, 'base64').toString());
    try {
      if (this.daemon.process.exitCode === null && this.daemon.process.signalCode === null)
        for (const path of ['/metrics', '/status']) await this.daemon.get(path);
    } finally {
      // One that lives on would be the writer in the tests that follow.
      await this.daemon.kill9();
    }
    const said = await Promise.all([this.kube.api('GET', this.#events()), this.kube.api('GET', this.path('configmaps'))]);
    expectNoSecrets(JSON.stringify(said), 'Events and ConfigMaps');
    // Annotations, and who manages which field: the API server keeps no value there, and a client that did would call it `last-applied`.
    const metadata = JSON.stringify(ours.map((secret) => secret.metadata));
    expectNoSecrets(metadata, 'the metadata of a Secret');
    expect(metadata).not.toContain('last-applied');
    const ledger = await this.server
      .query<{ row: string }>('SELECT a::text AS row FROM pgsteward.audit_log a UNION ALL SELECT m::text FROM pgsteward.managed_role m')
      .catch(() => []);
    expectNoSecrets(ledger.map(({ row }) => row).join('\n'), 'the ledger');
    await expectNoSecretsInLedger(this.server);
    if (existsSync(this.#stateFile())) expectNoSecrets(readFileSync(this.#stateFile(), 'utf8'), 'the state file');
  }

  readonly #stateFile = (): string => `/tmp/pgsteward-kube-${process.pid}-${this.#count}.json`;

  path(kind: 'configmaps' | 'secrets', name = ''): string {
    return `/api/v1/namespaces/${this.namespace}/${kind}${name === '' ? '' : `/${name}`}`;
  }

  readonly #events = (): string => `/apis/events.k8s.io/v1/namespaces/${this.namespace}/events`;

  /** Writes the ConfigMap; a text is taken as it is. */
  async users(users: readonly object[] | string): Promise<void> {
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: NAME },
      data: { 'users.yaml': typeof users === 'string' ? users : stringify({ users }) },
    };
    const created = await this.kube.api('POST', this.path('configmaps'), body);
    if (created.status === 409) expect((await this.kube.api('PATCH', this.path('configmaps', NAME), body)).status).toBe(200);
  }

  async annotate(annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const { status } = await this.kube.api('PATCH', this.path('configmaps', NAME), { metadata: { annotations } });
    expect(status).toBe(200);
  }

  async secret(user: string, password: string): Promise<void> {
    rememberPassword(password);
    const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: `user-${user}-secret` }, data: { password: Buffer.from(password).toString('base64') } };
    const path = this.path('secrets', body.metadata.name);
    const { status } = this.#secrets.has(path) ? await this.kube.api('PATCH', path, body) : await this.kube.api('POST', this.path('secrets'), body);
    expect(status).toBeLessThan(300);
    this.#secrets.add(path);
  }

  /** Starts the daemon; nothing but a watch or a signal makes it look again within the hour. */
  async run(env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.daemon = await startDaemon(
      daemonEnv(this.server, '/tmp', {
        SOURCE: 'kubernetes',
        KUBECONFIG: this.kube.kubeconfig(),
        NAMESPACE: this.namespace,
        STATE_FILE: this.#stateFile(),
        ...env,
      }),
    );
  }

  canLogin(user: string, password: string): Promise<boolean> {
    return this.server.client('postgres', { user, password }).then(
      (client) => client.end().then(() => true),
      () => false,
    );
  }

  async exists(role: string): Promise<boolean> {
    return (await this.server.query(`SELECT 1 FROM pg_roles WHERE rolname = '${role}'`)).length > 0;
  }

  async until(check: () => Promise<boolean> | boolean, every = 50): Promise<void> {
    for (const end = Date.now() + 150_000; !(await check()); await sleep(every))
      if (Date.now() > end) throw new Error(`not within 150 s: ${this.daemon.output().slice(-2000)}`);
  }

  /** Runs cycles until it holds. */
  cycleUntil(check: () => Promise<boolean>): Promise<void> {
    return this.until(async () => {
      await this.daemon.cycle();
      return check();
    }, 200);
  }

  async events(): Promise<readonly KubeEvent[]> {
    return (await this.kube.api('GET', this.#events())).json['items'] as readonly KubeEvent[];
  }

  async status(): Promise<StatusObject | undefined> {
    const { status, json } = await this.kube.api('GET', this.path('configmaps', `${NAME}-status`));
    if (status !== 200) return undefined;
    return { resourceVersion: (json['metadata'] as { resourceVersion: string }).resourceVersion, data: json['data'] as StatusObject['data'] };
  }

  /** The value of a metric, by its name without the prefix and with its labels as they are shown; 0 where it is absent. */
  async metric(name: string): Promise<number> {
    const { body } = await this.daemon.get('/metrics');
    const line = body.split('\n').find((text) => text.startsWith(`postgres_controller_${name} `));
    return Number(line?.split(' ').at(-1) ?? 0);
  }
}
