// The chart on a real API server: installed as it is, changed to everything, changed back, and taken away.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ControlPlane, startControlPlane } from '../support/kube-apiserver.ts';
import { ROOT } from '../support/daemon.ts';
import { scratch } from '../support/scratch.ts';
import { CHART, helm, HELMS, type Values } from './helm.ts';
import { PROMETHEUS_KINDS, prometheusCrd } from './crds.ts';

const EVERYTHING: Values = {
  settings: { DRY_RUN: false, DB_PORT: 6432, AUDIT_MAX_ROWS: 2_000_000 },
  document: 'users: [{username: alice}]\n',
  guardrails: 'guardrails: []\n',
  adminRotation: { enabled: true },
  bulkSecrets: { enabled: true },
  connectionSecrets: { enabled: true, namespaces: ['team-shop'] },
  dashboard: { enabled: true },
  databaseCA: { enabled: true },
  monitoring: { enabled: true, labels: { release: 'kube-prometheus-stack' } },
  replicas: { enabled: true },
  servers: { enabled: true, document: 'servers: []\n' },
  authors: { namespaces: ['team-shop'] },
};

let kube: ControlPlane;

/** Helm as cluster admin. */
const run = (binary: string, namespace: string, args: readonly string[], values: Values = {}): Promise<string> =>
  helm(
    binary,
    [...args, '--namespace', namespace, '--kube-apiserver', `https://127.0.0.1:${kube.port}`, '--kube-token', 'admin-token', '--kube-insecure-skip-tls-verify'],
    values,
  );

interface Kept {
  readonly metadata: { readonly generation: number };
  readonly spec: { readonly replicas: number };
}
const deployment = async (namespace: string): Promise<Kept> =>
  (await kube.api('GET', `/apis/apps/v1/namespaces/${namespace}/deployments/pgsteward`)).json as unknown as Kept;
/** How many there are of what the chart makes. */
const count = async (namespace: string, kinds: readonly string[]): Promise<readonly number[]> => {
  const lists = await Promise.all(kinds.map((kind) => kube.api('GET', `/${kind.replace('*', `namespaces/${namespace}`)}`)));
  return lists.map(({ json }) => (json['items'] as readonly object[]).length);
};
const KINDS = [
  'apis/apps/v1/*/deployments',
  'api/v1/*/services',
  'api/v1/*/serviceaccounts',
  'api/v1/*/configmaps',
  'apis/rbac.authorization.k8s.io/v1/*/roles',
  'apis/rbac.authorization.k8s.io/v1/*/rolebindings',
  'apis/networking.k8s.io/v1/*/networkpolicies',
  'apis/policy/v1/*/poddisruptionbudgets',
  'apis/monitoring.coreos.com/v1/*/podmonitors',
  'apis/monitoring.coreos.com/v1/*/prometheusrules',
];
const BARE = [1, 1, 1, 0, 1, 1, 1, 0, 0, 0];
/** With the document, servers.yaml, guardrails and the dashboard. */
const ALL = [1, 1, 1, 4, 1, 1, 1, 1, 1, 1];

describe.skipIf(HELMS.size === 0)('the API server and the chart', () => {
  beforeAll(async () => {
    kube = await startControlPlane();
    for (const kind of PROMETHEUS_KINDS)
      expect((await kube.api('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', prometheusCrd(kind))).status).toBe(201);
    // A kind is there a moment after it was declared.
    for (const kind of KINDS.filter((name) => name.includes('monitoring')))
      await vi.waitFor(async () => expect((await kube.api('GET', `/${kind.replace('*', 'namespaces/default')}`)).status).toBe(200), { timeout: 60_000 });
    for (const name of ['with-4', 'with-3', 'from-3-to-4', 'team-shop', 'postgres'])
      await kube.api('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  });
  afterAll(() => kube.stop());

  it.each([...HELMS])('takes it from Helm %i: bare, with everything, again without a change, back, and away', async (major, binary) => {
    const namespace = `with-${major}`;
    const notes = await run(binary, namespace, ['install', 'pgsteward', CHART]);
    for (const said of ['1. Give it a login', `kubectl -n ${namespace} create secret generic`, '2. Give it a document', '3. Read what it would do'])
      expect(notes).toContain(said);
    expect(await count(namespace, KINDS)).toEqual(BARE);

    const changed = await run(binary, namespace, ['upgrade', 'pgsteward', CHART], EVERYTHING);
    expect(changed).toContain('3. See what became of it');
    expect(await count(namespace, KINDS)).toEqual(ALL);
    expect(await count('team-shop', ['apis/rbac.authorization.k8s.io/v1/*/roles'])).toEqual([2]);
    const { spec, metadata } = await deployment(namespace);
    expect(spec.replicas).toBe(2);

    await run(binary, namespace, ['upgrade', 'pgsteward', CHART], EVERYTHING);
    expect((await deployment(namespace)).metadata.generation).toBe(metadata.generation);

    await run(binary, namespace, ['rollback', 'pgsteward', '1']);
    expect(await count(namespace, KINDS)).toEqual(BARE);
    expect((await deployment(namespace)).spec.replicas).toBe(1);

    await run(binary, namespace, ['uninstall', 'pgsteward']);
    expect(await count(namespace, KINDS)).toEqual(BARE.map(() => 0));
    expect(await count('team-shop', ['apis/rbac.authorization.k8s.io/v1/*/roles'])).toEqual([0]);
  });

  it.each([...HELMS])('takes what the page says, with Helm %i, and it begins with a dry run', async (_, binary) => {
    const page = readFileSync(join(ROOT, 'docs/install.md'), 'utf8');
    const [, values = ''] = /```yaml\n( *# values\.yaml\n.*?)```/s.exec(page) ?? [];
    const written = join(scratch('values'), 'values.yaml');
    writeFileSync(written, values);
    const commands = [...page.matchAll(/^ +helm ((?:install|upgrade) .*)$/gm)].map(([, line = '']) => line.trim().replace(' values.yaml', ` ${written}`));
    expect(commands.map((line) => line.split(' ')[0])).toEqual(['install', 'upgrade']);
    const dry = async (): Promise<boolean> => JSON.stringify(await deployment('postgres')).includes('{"name":"DRY_RUN","value":"true"}');
    const [install = '', upgrade = ''] = commands;
    await run(binary, 'postgres', install.split(' '));
    expect(await dry()).toBe(true);
    expect(JSON.stringify(await deployment('postgres'))).toContain('registry.example.com/pgsteward:');
    await run(binary, 'postgres', upgrade.split(' '));
    expect(await dry()).toBe(false);
    expect(JSON.stringify(await deployment('postgres'))).toContain('orders-rw.db.svc.cluster.local');
    await run(binary, 'postgres', ['uninstall', 'pgsteward']);
  });

  it.skipIf(HELMS.size < 2)('lets Helm 4 go on with what Helm 3 installed', async () => {
    const [three = '', four = ''] = [HELMS.get(3), HELMS.get(4)];
    await run(three, 'from-3-to-4', ['install', 'pgsteward', CHART]);
    await run(four, 'from-3-to-4', ['upgrade', 'pgsteward', CHART], EVERYTHING);
    expect(await count('from-3-to-4', KINDS)).toEqual(ALL);
    await run(four, 'from-3-to-4', ['uninstall', 'pgsteward']);
    expect(await count('from-3-to-4', KINDS)).toEqual(BARE.map(() => 0));
  });
});
