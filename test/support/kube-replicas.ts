// Several replicas of the daemon on one API server, each with a name of its own.
import { expect } from 'vitest';
import { type Daemon, daemonEnv, startDaemon } from './daemon.ts';
import type { KubeCase } from './kube-case.ts';

interface LeaseList {
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

export class KubeReplicas {
  readonly running = new Map<string, Daemon>();
  readonly #at: KubeCase;
  readonly #env: Readonly<Record<string, string>>;
  #names = 0;

  constructor(at: KubeCase, env: Readonly<Record<string, string>> = {}) {
    this.#at = at;
    this.#env = env;
  }

  /** One that is there already. */
  get(name: string): Daemon {
    const daemon = this.running.get(name);
    if (daemon === undefined) throw new Error(`there is no replica ${name}`);
    return daemon;
  }

  nextName(): string {
    return `replica-${(this.#names += 1)}`;
  }

  async start(name = this.nextName()): Promise<string> {
    const daemon = await startDaemon(
      daemonEnv(this.#at.server, '/tmp', {
        SOURCE: 'kubernetes',
        KUBECONFIG: this.#at.kube.kubeconfig(),
        NAMESPACE: this.#at.namespace,
        STATE_FILE: `/tmp/pgsteward-replica-${process.pid}-${name}.json`,
        REPLICAS: 'on',
        REPLICA_NAME: name,
        ...this.#env,
      }),
    );
    this.running.set(name, daemon);
    // What a case looks at when it ends.
    this.#at.daemon = daemon;
    return name;
  }

  /** It is gone, however it is at present. */
  async end(name: string): Promise<void> {
    const daemon = this.get(name);
    this.running.delete(name);
    await endOf(daemon);
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.running.values()].map(endOf));
    this.running.clear();
  }

  /** Until all of them see each other. */
  async together(): Promise<void> {
    await this.#at.until(async () => (await Promise.all([...this.running.values()].map(sees))).every((count) => count === this.running.size), 100);
  }

  /** Replicas that have a Lease. */
  async leases(): Promise<readonly string[]> {
    return (await this.#list()).map((name) => name.replace(/\.[0-9a-f]{8}$/, ''));
  }

  /** Its Lease is deleted, as if its time were up. */
  async forget(name: string): Promise<void> {
    for (const lease of await this.#list())
      if (lease.startsWith(`${name}.`)) expect((await this.#at.kube.api('DELETE', `${this.#path()}/${lease}`)).status).toBe(200);
  }

  async #list(): Promise<readonly string[]> {
    const { items } = (await this.#at.kube.api('GET', this.#path())).json as unknown as LeaseList;
    return items.map(({ metadata }) => metadata.name);
  }

  readonly #path = (): string => `/apis/coordination.k8s.io/v1/namespaces/${this.#at.namespace}/leases`;
}

async function endOf(daemon: Daemon): Promise<void> {
  daemon.process.kill('SIGCONT');
  if (daemon.process.exitCode === null && daemon.process.signalCode === null) await daemon.kill9();
}

/** How many replicas one sees. */
async function sees(daemon: Daemon): Promise<number> {
  const { body } = await daemon.get('/metrics').catch(() => ({ body: '' }));
  return Number(/^postgres_controller_replicas_live(?:\{[^}]*\})? (\d+)$/m.exec(body)?.[1]);
}
