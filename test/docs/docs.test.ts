// The documents and manifests are true to the code.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { expect, it } from 'vitest';
import { readConfig, SETTINGS } from '../../src/config.ts';
import { NOTICE_KINDS } from '../../src/core/notice.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { ROOT } from '../support/daemon.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const reference = read('docs/reference.md');

it('every setting is in .env.example and in the reference, with its default', () => {
  const example = new Map([...read('.env.example').matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
  const documented = new Map([...reference.matchAll(/^\| `([A-Z_]+)` \|(?: `([^`]*)`)? *\|/gm)].map(([, name = '', value = '']) => [name, value]));
  expect([...example.keys()].toSorted()).toEqual([...SETTINGS].toSorted());
  expect([...documented.keys()].toSorted()).toEqual([...SETTINGS].toSorted());
  const defaults = readConfig({}) as Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  // These have no default in the schema: their absence means something else than any value.
  for (const name of SETTINGS.filter((one) => one !== 'DB_PASS')) {
    const value = defaults[name];
    const text = value === undefined || (Array.isArray(value) && value.length === 0) ? '' : name === 'RETRY_BACKOFF_BASE' ? '2.0' : String(value);
    expect(documented.get(name), name).toBe(text);
    // A local run previews the demo and keeps its state in state/.
    if (!['SOURCE', 'DRY_RUN', 'STATE_FILE'].includes(name)) expect(example.get(name), name).toBe(text);
  }
});

it('every metric and every kind of notice is documented', async () => {
  for (const { name } of await createMetrics().registry.getMetricsAsJSON()) expect(reference).toContain(`\`${name.replace('postgres_controller_', '')}\``);
  for (const kind of NOTICE_KINDS) expect(read('docs/troubleshooting.md')).toContain(`| \`${kind}\` |`);
});

it('links lead somewhere, and commands of the README are scripts', () => {
  for (const file of ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)])
    for (const [, link = ''] of read(file).matchAll(/\]\(([^)#]+)[^)]*\)/g)) expect(existsSync(join(ROOT, dirname(file), link)), `${file}: ${link}`).toBe(true);
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  for (const [, script = ''] of read('README.md').matchAll(/npm run ([\w:]+)/g)) expect(scripts).toHaveProperty([script]);
});

it('the manifests are whole, the Role is minimal, and the pod is restricted', () => {
  const objects = readdirSync(join(ROOT, 'manifests'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) =>
      parseAllDocuments(read(`manifests/${name}`)).map((document) => {
        expect(document.errors, name).toEqual([]);
        const value = document.toJS() as { kind: string; resources?: string[]; rules?: unknown; spec?: { template?: { spec: Record<string, unknown> } } };
        for (const resource of value.kind === 'Kustomization' ? (value.resources ?? []) : [])
          expect(existsSync(join(ROOT, 'manifests', dirname(name), resource)), resource).toBe(true);
        return value;
      }),
    );
  expect(objects.find((object) => object.kind === 'Role')?.rules).toEqual([
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['postgres-users-config'], verbs: ['get'] },
    { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create'] },
  ]);
  const pod = objects.find((object) => object.kind === 'Deployment')?.spec?.template?.spec as {
    securityContext: object;
    containers: { securityContext: object; env: { name: string }[] }[];
  };
  expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } });
  expect(pod.containers[0]?.securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
  for (const { name } of pod.containers[0]?.env ?? []) expect([...SETTINGS, 'NODE_OPTIONS']).toContain(name);
  const alerts = read('manifests/overlays/monitoring/prometheusrule.yaml');
  for (const [metric] of alerts.matchAll(/postgres_controller_\w+/g)) expect(reference).toContain(`\`${metric.replace('postgres_controller_', '')}\``);
});
