// The documents and manifests are true to the code.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { describe, expect, it } from 'vitest';
import { readSettings, SETTINGS } from '../../src/config.ts';
import { CONNECTION_KEYS } from '../../src/model/connection-keys.ts';
import { parseDocument } from '../../src/document/parse.ts';
import type { UserEntry } from '../../src/model/entries.ts';
import { NOTICE_KINDS, NOTICES } from '../../src/changes/notice.ts';
import { OUTAGES } from '../../src/model/outage.ts';
import { CYCLE_RESULTS } from '../../src/steward/report.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { createStatus } from '../../src/observe/status.ts';
import { ROOT } from '../support/daemon.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
/** The pages in which things are looked up. */
const reference = ['reference', 'verbs', 'who-may-what', 'document', 'shown'].map((page) => read(`docs/${page}.md`)).join('\n');
const filesBelow = (folder: string, end: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(end));
/** The table of a page that begins with this heading cell. */
const tableOf = (page: string, heading: string): string => page.slice(page.indexOf(`| ${heading} |`)).split('\n\n')[0] ?? '';
const DOCUMENTS = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];

describe('the reference', () => {
  it('has every setting with its default, and so has .env.example', () => {
    const example = new Map([...read('.env.example').matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
    const documented = new Map([...reference.matchAll(/^\| `([A-Z_]+)` \|(?: `([^`]*)`)? *\|/gm)].map(([, name = '', value = '']) => [name, value]));
    expect([...example.keys()].toSorted()).toEqual([...SETTINGS].toSorted());
    expect([...documented.keys()].toSorted()).toEqual([...SETTINGS].toSorted());
    // Where neither DB_PASS nor DB_PASS_FILE is set, the connection takes this one; the schema cannot have it.
    const defaults = new Map<string, string | number | boolean | readonly string[] | undefined>([...Object.entries(readSettings({})), ['DB_PASS', 'postgres']]);
    for (const name of SETTINGS) {
      const text = name === 'RETRY_BACKOFF_BASE' ? '2.0' : String(defaults.get(name) ?? '');
      expect(documented.get(name), name).toBe(text);
      // A local run previews the demo and keeps its state in state/.
      if (!['SOURCE', 'DRY_RUN', 'STATE_FILE'].includes(name)) expect(example.get(name), name).toBe(text);
    }
    expect(example.get('STATE_FILE')).toMatch(/^\.\/state\//);
  });

  it('has every key of an entry, and none that the reader does not know', () => {
    // The compiler asks for a line here whenever an entry can say more.
    const keys: Record<Exclude<keyof UserEntry, 'position' | 'secretIsDerived' | 'rules' | 'additive' | 'turn' | 'source' | 'said'>, string> = {
      username: 'username',
      renamedFrom: 'renamedFrom',
      database: 'database',
      databases: 'databases',
      roles: 'roles',
      secret: 'passwordSecretRef',
      login: 'login',
      password: 'password',
      connectionSecret: 'connectionSecret',
      rotation: 'rotation',
      connectionLimit: 'connectionLimit',
      validUntil: 'validUntil',
      settings: 'settings',
      databaseSettings: 'databaseSettings',
      comment: 'comment',
      deletionPolicy: 'deletionPolicy',
      drain: 'drain',
      assumeRole: 'assumeRole',
    };
    const keysOf = (heading: string): string[] =>
      [...tableOf(reference, heading).matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm)].flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '));
    const documented = keysOf('key of an entry');
    expect(documented.toSorted()).toEqual([...Object.values(keys), 'privileges', 'grants', 'permissions', 'grantsMode', 'movedTo'].toSorted());
    for (const [heading, section] of [
      ['key of a role', 'roles'],
      ['key of a database', 'databases'],
    ] as const)
      for (const key of keysOf(heading)) {
        const { problems } = parseDocument(
          Buffer.from(`${section}: [{name: a, ${key === 'name' ? 'comment' : key}: null}]\nusers: [{username: b}]`),
          'users.yaml',
        );
        expect(problems.filter(({ message }) => message.startsWith('unknown key') && key !== 'name')).toEqual([]);
      }
    const isUnknown = (key: string): boolean =>
      parseDocument(Buffer.from(`users: [{username: alice, ${key}: null}]`), 'users.yaml').problems.some(({ message }) => message.startsWith('unknown key'));
    expect(documented.filter((key) => key !== 'username' && isUnknown(key))).toEqual([]);
    expect(isUnknown('rols')).toBe(true);
  });

  it('has every metric, result of a cycle, kind of notice and field of /status', async () => {
    for (const { name } of await createMetrics().registry.getMetricsAsJSON()) expect(reference).toContain(`\`${name.replace('postgres_controller_', '')}\``);
    for (const result of CYCLE_RESULTS) expect(reference).toContain(`| \`${result}\` |`);
    for (const kind of NOTICE_KINDS) {
      expect(reference).toContain(`\`${kind}\``);
      const row = read('docs/troubleshooting.md')
        .split('\n')
        .find((line) => line.startsWith(`| \`${kind}\` |`));
      expect(row?.endsWith(`| ${NOTICES[kind].cure} |`), kind).toBe(true);
    }
    const outages = tableOf(read('docs/troubleshooting.md'), 'reason');
    for (const [outage, { condition }] of Object.entries(OUTAGES)) {
      expect(reference).toContain(`\`${condition}\``);
      expect(
        outages.split('\n').some((row) => row.includes(`\`outage{reason="${outage}"}\``) && row.includes(`\`${condition}\` | 503`)),
        outage,
      ).toBe(true);
    }
    const table = tableOf(reference, 'field of `/status`');
    for (const field of Object.keys(createStatus({ source: '', dryRun: false, patience: 1 }).toJson())) expect(table).toContain(`\`${field}\``);
  });

  it('has every key of a connection Secret, and the examples around it are what the code knows', () => {
    const keys = [...tableOf(reference, 'key of a connection Secret').matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([\w-]+)`/g)].map(([, key = '']) => key),
    );
    expect(keys.filter((key) => key !== 'template').toSorted()).toEqual([...CONNECTION_KEYS].toSorted());
    const [, document = ''] = /```yaml\n(users:.*?)```/s.exec(read('docs/credentials.md')) ?? [];
    const { users, problems } = parseDocument(Buffer.from(document), 'users.yaml');
    expect([users.length, problems]).toEqual([2, []]);
    const used = [...read('docs/examples.md').matchAll(/secretKeyRef: \{name: shop-db, key: ([\w-]+)\}/g)].map(([, key]) => key);
    expect(used).toEqual(['uri', 'jdbc-uri']);
    expect(CONNECTION_KEYS).toEqual(expect.arrayContaining(used));
  });

  it('has every column of the ledger', () => {
    const schema = read('src/postgres/ledger-schema.ts');
    for (const name of ['managed_role', 'audit_log']) {
      const body = schema.slice(schema.indexOf(`CREATE TABLE pgsteward.${name} (`)).split(');\n')[0] ?? '';
      const columns = [...body.matchAll(/^ {5}(\w+) (?:text|oid|int|bigint|timestamptz)\b/gm)].map(([, column = '']) => column);
      expect(columns.length).toBeGreaterThan(5);
      for (const column of columns) expect(tableOf(reference, `\`pgsteward.${name}\``), name).toContain(`\`${column}\``);
    }
  });
});

describe('the documents', () => {
  it('have no dead link, and name only scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    for (const file of DOCUMENTS) {
      for (const [, link = ''] of read(file).matchAll(/\]\(([^)#]+)[^)]*\)/g))
        expect(existsSync(join(ROOT, dirname(file), link)), `${file}: ${link}`).toBe(true);
      // Also those that npm knows without `run`, and the suites that the README lists by their names alone.
      for (const [, run, bare, suite] of read(file).matchAll(/npm run ([\w:]+)|npm (start|test)\b|`(test:[\w:]+)`/g))
        expect(scripts, file).toHaveProperty([run ?? bare ?? suite ?? '']);
    }
  });

  it('name only files and folders that exist', () => {
    const sources = new Set(filesBelow('src', '.ts').map((name) => basename(name)));
    for (const [, name = ''] of read('docs/architecture.md').matchAll(/`((?:[\w-]+\/)*[\w-]+\.ts)`/g))
      expect(name.includes('/') ? existsSync(join(ROOT, name)) : sources.has(name), name).toBe(true);
    for (const file of DOCUMENTS)
      for (const [, path = ''] of read(file).matchAll(/`((?:manifests|src|test)\/[\w./-]*)`/g))
        expect(existsSync(join(ROOT, path)), `${file}: ${path}`).toBe(true);
  });
});

interface Container {
  readonly securityContext: object;
  readonly env: readonly { readonly name: string }[];
}
interface Manifest {
  readonly kind: string;
  readonly resources?: readonly string[];
  readonly rules?: readonly { readonly resources: readonly string[] }[];
  readonly patches?: readonly { readonly target: { readonly kind: string }; readonly patch: string }[];
  readonly automountServiceAccountToken?: boolean;
  readonly spec?: { readonly template?: { readonly spec: Record<string, unknown> } };
}

describe('the manifests', () => {
  // The chart's templates are no YAML before Helm has put them together.
  const files = filesBelow('manifests', '.yaml').filter((name) => !name.startsWith('helm/templates/'));
  const objects = files.flatMap((name) =>
    parseAllDocuments(read(`manifests/${name}`)).map((document) => ({ name, errors: document.errors, value: document.toJS() as Manifest })),
  );
  const ofKind = (kind: string): Manifest[] => objects.filter(({ value }) => value.kind === kind).map(({ value }) => value);

  it('are YAML, and what they are put together from exists', () => {
    for (const { name, errors, value } of objects) {
      expect(errors, name).toEqual([]);
      if (value.kind !== 'Kustomization' && value.kind !== 'Component') continue;
      for (const resource of value.resources ?? []) expect(existsSync(join(ROOT, 'manifests', dirname(name), resource)), resource).toBe(true);
    }
    const base = objects.find(({ name }) => name === 'base/kustomization.yaml')?.value.resources ?? [];
    const inBase = files.filter((name) => name.startsWith('base/')).map((name) => basename(name));
    expect([...base, 'kustomization.yaml'].toSorted()).toEqual(inBase.toSorted());
  });

  it('give no rights but these, and of the components one adds only list and watch on Secrets, one create and patch, one patch of one Secret, one the ConfigMaps of servers, and one Leases', () => {
    const elsewhere = objects.filter(({ name, value }) => value.kind === 'Role' && !name.startsWith('base/'));
    expect(elsewhere.toSorted((one, other) => (one.name < other.name ? -1 : 1)).map(({ name, value }) => [name, value.rules])).toEqual([
      [
        'author/role.yaml',
        [
          { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] },
          { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
          { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
          { apiGroups: [''], resources: ['configmaps'], resourceNames: ['pgsteward-status'], verbs: ['patch'] },
          { apiGroups: [''], resources: ['configmaps'], verbs: ['create'] },
        ],
      ],
      [
        'other-namespace/role.yaml',
        [
          { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'patch'] },
          { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
        ],
      ],
    ]);
    expect([...ofKind('ClusterRole'), ...ofKind('ClusterRoleBinding')]).toEqual([]);
    const rules = objects.filter(({ name, value }) => value.kind === 'Role' && name.startsWith('base/')).map(({ value }) => value.rules);
    expect(rules).toEqual([
      [
        { apiGroups: [''], resources: ['configmaps'], resourceNames: ['postgres-users-config'], verbs: ['get', 'list', 'watch'] },
        { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
        { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
        { apiGroups: [''], resources: ['configmaps'], resourceNames: ['postgres-users-config-status'], verbs: ['get', 'patch'] },
        { apiGroups: [''], resources: ['configmaps'], verbs: ['create'] },
      ],
    ]);
    const all = ofKind('Component').flatMap((value) => value.patches ?? []);
    const patches = all.filter(({ target }) => target.kind === 'Role');
    const operations = patches.flatMap(({ patch }) => parseAllDocuments(patch).flatMap((document) => document.toJS() as object[]));
    expect(operations).toEqual(
      expect.arrayContaining([
        { op: 'add', path: '/rules/-', value: { apiGroups: [''], resources: ['secrets'], verbs: ['list', 'watch'] } },
        { op: 'add', path: '/rules/-', value: { apiGroups: [''], resources: ['secrets'], verbs: ['create', 'patch'] } },
        { op: 'add', path: '/rules/-', value: { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'patch'] } },
        { op: 'add', path: '/rules/-', value: { apiGroups: [''], resources: ['secrets'], resourceNames: ['postgres-admin-credentials'], verbs: ['patch'] } },
        {
          op: 'add',
          path: '/rules/-',
          value: { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
        },
      ]),
    );
    expect(operations).toHaveLength(5);
    // What is changed of the Deployment are settings that exist, volumes, and how many pods there are and where.
    const pods = all
      .filter(({ target }) => target.kind === 'Deployment')
      .flatMap(({ patch }) => parseAllDocuments(patch).map((document) => (document.toJS() as Manifest).spec?.template?.spec ?? {}));
    for (const { containers, volumes: _, topologySpreadConstraints: __, ...others } of pods) {
      expect(others).toEqual({});
      for (const { name, env, volumeMounts: ___, ...rest } of containers as readonly (Container & {
        readonly name: string;
        readonly volumeMounts?: unknown;
      })[]) {
        expect([name, rest]).toEqual(['pgsteward', {}]);
        for (const variable of env) expect(SETTINGS).toContain(variable.name);
      }
    }
  });

  it('run a pod that the restricted policy admits, as the user of the image', () => {
    const deployments = objects.filter(({ name, value }) => value.kind === 'Deployment' && name.startsWith('base/')).map(({ value }) => value);
    expect(deployments).toHaveLength(1);
    expect(ofKind('ServiceAccount')[0]?.automountServiceAccountToken).toBe(false);
    const pod = deployments[0]?.spec?.template?.spec ?? {};
    expect(Object.keys(pod).filter((key) => key.startsWith('host'))).toEqual([]);
    expect(pod['securityContext']).toMatchObject({ runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } });
    expect(read('Dockerfile')).toMatch(/^USER 10001:10001$/m);
    const containers = pod['containers'] as readonly Container[];
    expect(containers).toHaveLength(1);
    for (const { securityContext, env } of containers) {
      expect(securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
      for (const { name } of env) expect(SETTINGS).toContain(name);
    }
    const allowed = new Set(['name', 'configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret']);
    for (const volume of pod['volumes'] as readonly object[]) expect(Object.keys(volume).filter((key) => !allowed.has(key))).toEqual([]);
  });
});
