// A real control plane for a test: etcd and kube-apiserver with RBAC on, gone with the process that started it.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { parseAllDocuments, parseDocument } from 'yaml';
import { ROOT } from './daemon.ts';
import { freePort } from './postgres.ts';

export interface ControlPlane {
  readonly port: number;
  /** A request as cluster admin; the answer's JSON. */
  api(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: object,
  ): Promise<{ readonly status: number; readonly json: Record<string, unknown> }>;
  /** A namespace of its own with the shipped Role, bound to the controller's account. */
  namespace(name: string): Promise<void>;
  /** Patches the namespace's Role as a component of the manifests does. */
  component(namespace: string, name: 'admin-rotation' | 'bulk-secrets' | 'connection-secrets' | 'replicas' | 'servers'): Promise<void>;
  /** Writes a kubeconfig for the controller's account. */
  kubeconfig(): string;
  /** Gives the controller's account another token with the next start; the old one is refused from then on. */
  rotateToken(): void;
  /** Forgets the past of everything stored: a watch that goes on from there is told that it expired. */
  compact(): Promise<void>;
  pause(): void;
  resume(): void;
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const ADMIN = 'admin-token';

export async function startControlPlane(): Promise<ControlPlane> {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets === undefined) throw new Error('KUBEBUILDER_ASSETS is not set; run: npm run test:kubernetes');
  const base = mkdtempSync(join(tmpdir(), 'pgsteward-kube-'));
  const [port, etcdPort, peerPort] = await Promise.all([freePort(), freePort(), freePort()]);
  writeFileSync(join(base, 'sa.key'), generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'pem' }));
  let rotations = 0;
  const controllerToken = (): string => `controller-token-${rotations}`;
  const writeTokens = (): void => writeFileSync(join(base, 'tokens.csv'), `${ADMIN},admin,1,"system:masters"\n${controllerToken()},pgsteward-controller,2\n`);
  writeTokens();
  const children = new Map<string, ChildProcess>();
  const launch = (command: string, args: readonly string[]): void => {
    const log = openSync(join(base, `${command}.log`), 'a');
    // The shell ends its child when our end of the pipe closes, however this process dies.
    const script = '"$@" & child=$!; (exec 1>&- 2>&-; cat <&3 >/dev/null; kill -9 $child) & wait $child';
    children.set(
      command,
      spawn('/bin/sh', ['-c', script, 'sh', join(assets, command), ...args], { cwd: base, stdio: ['ignore', log, log, 'pipe'], detached: true }),
    );
    closeSync(log);
  };
  const signal = (command: string, name: NodeJS.Signals): void => {
    const pid = children.get(command)?.pid;
    // The whole group, but a stop must spare the shell's watcher: it is only asleep then.
    if (pid !== undefined)
      try {
        process.kill(-pid, name);
      } catch {
        // It is gone already.
      }
  };
  launch('etcd', [
    '--data-dir',
    join(base, 'etcd'),
    '--listen-client-urls',
    `http://127.0.0.1:${etcdPort}`,
    '--advertise-client-urls',
    `http://127.0.0.1:${etcdPort}`,
    '--listen-peer-urls',
    `http://127.0.0.1:${peerPort}`,
    '--unsafe-no-fsync',
  ]);
  let agent = new Agent({ connect: { rejectUnauthorized: false } });
  const api: ControlPlane['api'] = async (method, path, body) => {
    const response = await request(`https://127.0.0.1:${port}${path}`, {
      method,
      dispatcher: agent,
      headers: {
        authorization: `Bearer ${ADMIN}`,
        'content-type': method === 'PATCH' ? `application/${Array.isArray(body) ? 'json' : 'merge'}-patch+json` : 'application/json',
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.body.text();
    let json: Record<string, unknown> = {};
    try {
      json = JSON.parse(text) as Record<string, unknown>;
    } catch {
      // /readyz answers with a word.
    }
    return { status: response.statusCode, json };
  };
  const start = async (): Promise<void> => {
    agent = new Agent({ connect: { rejectUnauthorized: false } });
    launch('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${etcdPort}`,
      `--cert-dir=${join(base, 'certs')}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${join(base, 'sa.key')}`,
      `--service-account-signing-key-file=${join(base, 'sa.key')}`,
      `--token-auth-file=${join(base, 'tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--disable-admission-plugins=ServiceAccount',
      '--endpoint-reconciler-type=none',
      '--service-cluster-ip-range=10.0.0.0/24',
    ]);
    for (const deadline = Date.now() + 60_000; ; await sleep(200)) {
      const ready = await api('GET', '/readyz').catch(() => ({ status: 0 }));
      if (ready.status === 200) return;
      if (Date.now() > deadline) throw new Error(`kube-apiserver did not start: ${readFileSync(join(base, 'kube-apiserver.log'), 'utf8').slice(-3000)}`);
    }
  };
  const end = (): void => {
    for (const command of children.keys()) signal(command, 'SIGKILL');
    rmSync(base, { recursive: true, force: true, maxRetries: 5 });
  };
  process.on('exit', end);
  await start();
  return {
    port,
    api,
    start,
    namespace: async (name) => {
      await api('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      const [role, binding] = parseAllDocuments(readFileSync(join(ROOT, 'manifests/base/role.yaml'), 'utf8')).map(
        (document) => document.toJS() as Record<string, unknown>,
      );
      if (role === undefined || binding === undefined) throw new Error('role.yaml has no Role and RoleBinding');
      // The tests' account comes from a token file, so it is a User here instead of the ServiceAccount.
      const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'pgsteward-controller' }];
      await api('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${name}/roles`, role);
      await api('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${name}/rolebindings`, { ...binding, subjects });
    },
    component: async (namespace, name) => {
      const { patches } = parseDocument(readFileSync(join(ROOT, `manifests/components/${name}/kustomization.yaml`), 'utf8')).toJS() as {
        patches: readonly { readonly target: { readonly kind: string; readonly name: string }; readonly patch: string }[];
      };
      for (const { target, patch } of patches.filter(({ target }) => target.kind === 'Role')) {
        const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/${target.kind.toLowerCase()}s/${target.name}`;
        const { status } = await api('PATCH', path, parseDocument(patch).toJS() as object);
        if (status !== 200) throw new Error(`the component ${name} does not fit: ${status}`);
      }
    },
    rotateToken: () => {
      rotations += 1;
      writeTokens();
    },
    compact: async () => {
      const etcd = async (path: string, body: object): Promise<Record<string, unknown>> => {
        const response = await request(`http://127.0.0.1:${etcdPort}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
        return (await response.body.json()) as Record<string, unknown>;
      };
      const { header } = (await etcd('range', { key: Buffer.from('/none').toString('base64') })) as { header: { revision: string } };
      await etcd('compaction', { revision: header.revision, physical: true });
    },
    kubeconfig: () => {
      const file = join(base, 'kubeconfig');
      const ca = readFileSync(join(base, 'certs/apiserver.crt')).toString('base64');
      writeFileSync(
        file,
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Config',
          'current-context': 'c',
          clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': ca } }],
          users: [{ name: 'u', user: { token: controllerToken() } }],
          contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
        }),
        { mode: 0o600 },
      );
      return file;
    },
    pause: () => signal('kube-apiserver', 'SIGSTOP'),
    resume: () => signal('kube-apiserver', 'SIGCONT'),
    kill: async () => {
      signal('kube-apiserver', 'SIGKILL');
      await sleep(100);
    },
    stop: async () => {
      await agent.destroy();
      end();
    },
  };
}
