// Servers and authors of a test on a real API server: what an operator and teams would apply with kubectl.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { type Daemon, daemonEnv, ROOT, startDaemon } from './daemon.ts';
import type { KubeCase } from './kube-case.ts';
import type { Postgres } from './postgres.ts';
import { rememberPassword } from './secrets.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces';

export class KubeFleet {
  readonly #at: KubeCase;
  constructor(at: KubeCase) {
    this.#at = at;
  }

  /** Makes it, or changes what is named; in the namespace of the operator unless another one is said. */
  async put(kind: 'configmaps' | 'secrets', name: string, body: object, namespace = this.#at.namespace): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/${kind}`;
    const object = { apiVersion: 'v1', kind: kind === 'secrets' ? 'Secret' : 'ConfigMap', metadata: { name }, ...body };
    const { status } = await this.#at.kube.api('POST', path, object);
    if (status === 409) expect((await this.#at.kube.api('PATCH', `${path}/${name}`, object)).status).toBe(200);
    else expect(status).toBeLessThan(300);
  }

  async gone(kind: 'configmaps' | 'secrets', name: string, namespace = this.#at.namespace): Promise<void> {
    expect((await this.#at.kube.api('DELETE', `/api/v1/namespaces/${namespace}/${kind}/${name}`)).status).toBe(200);
  }

  secret(name: string, stringData: Readonly<Record<string, string>>, labels: object = {}, namespace?: string): Promise<void> {
    rememberPassword(stringData['password'] ?? '');
    return this.put('secrets', name, { metadata: { name, labels }, stringData }, namespace);
  }

  admin(name: string, server: Postgres): Promise<void> {
    return this.secret(name, { username: server.user, password: server.password, host: server.host, port: String(server.port), dbname: '*' });
  }

  users(name: string, list: readonly object[]): Promise<void> {
    return this.put('configmaps', name, { data: { 'users.yaml': stringify({ users: list }) } });
  }

  servers(list: readonly object[]): Promise<void> {
    return this.put('configmaps', 'pgsteward-servers', { data: { 'servers.yaml': stringify({ servers: list }) } });
  }

  async run(env: Readonly<Record<string, string>> = {}): Promise<Daemon> {
    const at = this.#at;
    at.daemon = await startDaemon(
      daemonEnv(at.server, '/tmp', {
        SOURCE: 'kubernetes',
        KUBECONFIG: at.kube.kubeconfig(),
        NAMESPACE: at.namespace,
        SERVERS_CONFIGMAP: 'pgsteward-servers',
        STATE_FILE: `/tmp/pgsteward-${at.namespace}-${process.pid}.json`,
        WATCH: 'on',
        ...env,
      }),
    );
    return at.daemon;
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + 90_000; !(await holds().catch(() => false)); await sleep(50))
      if (Date.now() > end) throw new Error(`not in time: ${what}: ${(await this.#at.daemon.get('/status')).body} ${this.#at.daemon.output().slice(-2000)}`);
  }
}

/** A team's namespace. */
export class KubeTeam {
  readonly namespace: string;
  readonly #at: KubeCase;
  readonly #fleet: KubeFleet;

  constructor(at: KubeCase, name: string) {
    this.#at = at;
    this.#fleet = new KubeFleet(at);
    // Secrets of namespaces that begin so are looked through after each test.
    this.namespace = `${at.namespace}-${name}`;
  }

  /** The namespace, without any right for us. */
  async begin(): Promise<void> {
    const { status } = await this.#at.kube.api('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.namespace } });
    expect(status).toBe(201);
  }

  /** What is left of it is nothing: there is nobody in a test's control plane who would empty it. */
  async end(): Promise<void> {
    const { kube } = this.#at;
    for (const kind of ['configmaps', 'secrets']) await kube.api('DELETE', `/api/v1/namespaces/${this.namespace}/${kind}`);
    for (const kind of ['rolebindings', 'roles']) await kube.api('DELETE', `${RBAC}/${this.namespace}/${kind}`);
    await kube.api('DELETE', `/api/v1/namespaces/${this.namespace}`);
    const path = `/api/v1/namespaces/${this.namespace}`;
    const { json } = await kube.api('GET', path);
    if (json['kind'] === 'Namespace') await kube.api('PUT', `${path}/finalize`, { ...json, spec: { finalizers: [] } });
    expect((await kube.api('GET', path)).status).toBe(404);
  }

  /** What `kubectl apply -k manifests/author` makes there, for the account of the tests. @param change of the Role's rules. */
  async allow(change: (rules: readonly Rule[]) => readonly Rule[] = (rules) => rules): Promise<void> {
    const [role, binding] = parseAllDocuments(readFileSync(join(ROOT, 'manifests/author/role.yaml'), 'utf8')).map(
      (document) => document.toJS() as { readonly metadata: { readonly name: string }; readonly rules: readonly Rule[] },
    );
    if (role === undefined || binding === undefined) throw new Error('role.yaml has no Role and RoleBinding');
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'pgsteward-controller' }];
    await this.#apply('roles', { ...role, rules: change(role.rules) });
    await this.#apply('rolebindings', { ...binding, subjects });
  }

  async #apply(kind: 'roles' | 'rolebindings', object: { readonly metadata: { readonly name: string }; readonly [field: string]: unknown }): Promise<void> {
    const path = `${RBAC}/${this.namespace}/${kind}`;
    const { status } = await this.#at.kube.api('POST', path, object);
    if (status === 409) expect((await this.#at.kube.api('PUT', `${path}/${object.metadata.name}`, object)).status).toBe(200);
    else expect(status).toBe(201);
  }

  async forbid(): Promise<void> {
    expect((await this.#at.kube.api('DELETE', `${RBAC}/${this.namespace}/rolebindings/pgsteward-author`)).status).toBe(200);
  }

  /** A ConfigMap of it; null takes a label away. */
  document(name: string, document: object | string, labels: Readonly<Record<string, string | null>> = { server: 'one' }): Promise<void> {
    const data = { 'users.yaml': typeof document === 'string' ? document : stringify(document) };
    return this.#fleet.put('configmaps', name, { metadata: { name, labels }, data }, this.namespace);
  }

  gone(kind: 'configmaps' | 'secrets', name: string): Promise<void> {
    return this.#fleet.gone(kind, name, this.namespace);
  }

  secret(name: string, password: string): Promise<void> {
    return this.#fleet.secret(name, { password }, {}, this.namespace);
  }
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}
