// The chart gives what kustomize gives, object by object, for the base and each component; and every value does what it says.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/config.ts';
import { ROOT } from '../support/daemon.ts';
import { scratch } from '../support/scratch.ts';
import { CHART, helm, HELMS, template, type Values } from './helm.ts';
import { COMPONENTS, hasKubectl, render, type Rendered, renderWith } from './render.ts';

/** Where the chart's defaults are others than the base's: it begins with a dry run. */
const AS_BASE = { settings: { DRY_RUN: null } };

/** The switch of each component. */
const SWITCHES: Readonly<Record<string, Values>> = {
  'admin-rotation': { adminRotation: { enabled: true } },
  'bulk-secrets': { bulkSecrets: { enabled: true } },
  'connection-secrets': { connectionSecrets: { enabled: true } },
  dashboard: { dashboard: { enabled: true } },
  'database-ca': { databaseCA: { enabled: true } },
  monitoring: { monitoring: { enabled: true } },
  replicas: { replicas: { enabled: true } },
  servers: { servers: { enabled: true } },
};

/** Labels that say which chart and release something is of. */
const OF_HELM = /^(app\.kubernetes\.io\/(instance|version|managed-by|component)|helm\.sh\/chart)$/;
const OF_ANY = /^(app\.kubernetes\.io|helm\.sh)\//;

/** What counts of an object: no order of lists that have none, and no labels that only say whose it is. Selectors count, but for the release. */
function bare(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => bare(item)).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value)
    .filter(([name]) => !(key === 'labels' ? OF_ANY : OF_HELM).test(name))
    .map(([name, item]) => [name, bare(item, name)] as const)
    .filter(([name, item]) => name !== 'labels' || Object.keys(item as object).length > 0)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(kept);
}

const byName = (objects: readonly Rendered[]): Readonly<Record<string, unknown>> => {
  const named = objects.map((object) => [`${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`, bare(object)] as const);
  expect(new Set(named.map(([name]) => name)).size).toBe(named.length);
  return Object.fromEntries(named);
};

interface Pod {
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly { readonly env: readonly { readonly name: string; readonly value?: string }[] }[] } };
  };
}
const envOf = (objects: readonly Rendered[]): ReadonlyMap<string, string | undefined> => {
  const pod = objects.find(({ kind }) => kind === 'Deployment') as unknown as Pod;
  return new Map(pod.spec.template.spec.containers[0]?.env.map(({ name, value }) => [name, value]));
};

const inNamespace = (objects: readonly Rendered[], namespace: string): Rendered[] =>
  objects.map((object) => ({ ...object, metadata: { ...object.metadata, namespace } }));

describe.skipIf(!hasKubectl).each([...HELMS])('the chart with Helm %i', (_, binary) => {
  it('is the base, and with each switch the base with that component', async () => {
    expect(Object.keys(SWITCHES)).toEqual(COMPONENTS);
    expect(byName(await template(binary, AS_BASE))).toEqual(byName(await renderWith([])));
    for (const [name, values] of Object.entries(SWITCHES))
      expect(byName(await template(binary, { ...AS_BASE, ...values })), name).toEqual(byName(await renderWith([name])));
  });

  it('is with all switches what all components make, in whatever namespace', async () => {
    const all = Object.assign({}, AS_BASE, ...Object.values(SWITCHES)) as Values;
    expect(byName(await template(binary, all, 'pgsteward', 'elsewhere'))).toEqual(byName(await renderWith(COMPONENTS, 'elsewhere')));
  });

  it('gives the rights in the namespaces of teams that manifests/author and manifests/other-namespace give', async () => {
    const base = Object.keys(byName(await template(binary, {})));
    const added = async (values: Values): Promise<object> =>
      Object.fromEntries(Object.entries(byName(await template(binary, values))).filter(([name]) => !base.includes(name)));
    expect(await added({ authors: { namespaces: ['team-shop', 'team-billing'] } })).toEqual({
      ...byName(inNamespace(await render('manifests/author'), 'team-shop')),
      ...byName(inNamespace(await render('manifests/author'), 'team-billing')),
    });
    expect(await added({ connectionSecrets: { namespaces: ['team-shop'] } })).toEqual(
      byName(inNamespace(await render('manifests/other-namespace'), 'team-shop')),
    );
  });

  it('is the example to copy, with the same image, document and ports', async () => {
    const values = {
      image: { repository: 'registry.example.com/pgsteward' },
      networkPolicy: { ports: { postgres: [5432, 6432], apiServer: [443, 6443, 8443, 16443] } },
      document: readFileSync(join(ROOT, 'manifests/overlays/example/users.yaml'), 'utf8'),
    };
    expect(byName(await template(binary, values))).toEqual(byName(await render('manifests/overlays/example')));
  });

  it('hands on every setting as the environment has it: large numbers whole, 0 and false as such, lists with commas', async () => {
    const settings = {
      AUDIT_MAX_ROWS: 1_000_000,
      MAX_OBJECTS: 20_000_000,
      RETRY_BACKOFF_BASE: 2.5,
      MAX_DELETIONS: 0,
      DRY_RUN: false,
      WATCH: false,
      STATUS_CONFIGMAP: 'off',
      PASSWORD_PROBE: 'off',
      EVENT_TRIGGERS: true,
      PROTECTED_ROLES: ['a', 'ö "b"', 'c: {}'],
      DB_HOST: "a'b\n{{ .Values }} $(X)",
      DB_PORT: 6432,
      SYNC_INTERVAL: '',
    };
    const objects = await template(binary, { settings });
    const env = envOf(objects);
    expect(Object.fromEntries([...env].filter(([name]) => name in settings))).toEqual({
      AUDIT_MAX_ROWS: '1000000',
      MAX_OBJECTS: '20000000',
      RETRY_BACKOFF_BASE: '2.5',
      MAX_DELETIONS: '0',
      DRY_RUN: 'false',
      WATCH: 'off',
      STATUS_CONFIGMAP: 'off',
      PASSWORD_PROBE: 'off',
      EVENT_TRIGGERS: 'on',
      PROTECTED_ROLES: 'a,ö "b",c: {}',
      DB_HOST: "a'b\n{{ .Values }} $(X)",
      DB_PORT: '6432',
    });
    for (const name of env.keys()) expect(SETTINGS).toContain(name);
    expect(JSON.stringify(objects.find(({ kind }) => kind === 'NetworkPolicy'))).toContain('"port":6432');
    // Without a status nothing has to be written.
    expect(JSON.stringify(objects.find(({ kind }) => kind === 'Role'))).not.toContain('-status');
  });

  it('names what Prometheus selects by, where the runbooks are, and leaves out the alerts that are not wanted', async () => {
    const labels = { release: 'kube-prometheus-stack' };
    const alerts = { runbooks: 'https://docs.example.com/', without: ['PgstewardDrift'], labels: { team: 'db' } };
    const monitored = async (settings: Values): Promise<readonly Rendered[]> =>
      await template(binary, { settings, monitoring: { enabled: true, namespace: 'prometheus', labels, interval: '15s', alerts } });
    const objects = await monitored({ DRY_RUN: false });
    const found = (kind: string): Rendered => objects.find((object) => object.kind === kind) as Rendered;
    for (const kind of ['PodMonitor', 'PrometheusRule']) expect(found(kind).metadata).toMatchObject({ labels });
    const rules = JSON.stringify(found('PrometheusRule'));
    expect(rules).toContain('https://docs.example.com/docs/alerts.md#pgstewarddown');
    expect(rules).toContain('{{ $labels.reason }}');
    expect(rules).toContain('"labels":{"severity":"warning","team":"db"}');
    expect(rules).not.toContain('PgstewardDrift');
    expect(rules).toContain('PgstewardNoWriter');
    expect(JSON.stringify(found('NetworkPolicy'))).toContain('"kubernetes.io/metadata.name":"prometheus"');
    // In a dry run nobody is the writer.
    expect(JSON.stringify(await monitored({ DRY_RUN: true }))).not.toContain('PgstewardNoWriter');
  });

  it('mounts guardrails, an image by its digest, and two releases in one namespace beside each other', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const one = await template(binary, { guardrails: 'guardrails: []\n', image: { digest } }, 'blue');
    expect(envOf(one).get('GUARDRAILS_FILE')).toBe('/etc/pgsteward/guardrails/guardrails.yaml');
    expect(JSON.stringify(one)).toContain(`"image":"pgsteward:0.1.0@${digest}"`);
    expect(one.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'blue-pgsteward-guardrails')).toMatchObject({
      data: { 'guardrails.yaml': 'guardrails: []\n' },
    });
    const other = Object.keys(byName(await template(binary, {}, 'green')));
    expect(Object.keys(byName(one)).filter((name) => other.includes(name))).toEqual([]);
  });

  it('refuses values that it does not know, or that pgsteward would not start with', async () => {
    for (const [values, message] of [
      [{ setings: {} }, /setings/],
      [{ settings: { DB_HOTS: 'x' } }, /DB_HOTS/],
      [{ settings: { DB_PORT: 'many' } }, /DB_PORT/],
      [{ settings: { MOVED_FROM: 7_312_345_678_901 } }, /MOVED_FROM/],
      [{ image: { digest: 'sha256:abc' } }, /digest/],
      [{ authors: { namespaces: ['A b'] } }, /namespaces/],
    ] as const)
      await expect(template(binary, values), JSON.stringify(values)).rejects.toThrow(message);
  });

  it('is packaged by a release with the image that it made, by its digest', async () => {
    const digest = `sha256:${'b'.repeat(64)}`;
    const script = ['.github/release/chart.sh', 'registry.example.com:5000/team/pgsteward', digest, scratch('chart')];
    const made = execFileSync('bash', script, { cwd: ROOT, encoding: 'utf8', env: { ...process.env, HELM: binary } }).trim();
    const objects = await helm(binary, ['template', 'pgsteward', made]);
    expect(objects).toContain(`image: registry.example.com:5000/team/pgsteward:0.1.0@${digest}`);
  });

  it('passes its own linter without a warning, bare and with everything', async () => {
    const all = Object.assign({}, ...Object.values(SWITCHES)) as Values;
    for (const values of [{}, { ...all, authors: { namespaces: ['team'] }, document: 'users: []\n', guardrails: 'guardrails: []\n' }])
      expect(await helm(binary, ['lint', CHART, '--strict'], values)).toContain('0 chart(s) failed');
  });
});
