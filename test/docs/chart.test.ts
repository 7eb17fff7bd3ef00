// The chart has a value for each setting, and refuses what pgsteward would not start with; and there is one version everywhere.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parseDocument } from 'yaml';
import { describe, expect, it } from 'vitest';
import { ConfigError, readSettings, SETTINGS } from '../../src/config.ts';
import { ROOT } from '../support/daemon.ts';

type Values = Readonly<Record<string, unknown>>;

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const text = read('manifests/helm/values.yaml');
const values = parseDocument(text).toJS() as { readonly settings: Values; readonly [key: string]: unknown };
const accepts = new Ajv({ allowUnionTypes: true }).compile<Values>(JSON.parse(read('manifests/helm/values.schema.json')) as object);
const { version } = JSON.parse(read('package.json')) as { version: string };

/** What other values, or the chart itself, say; docs/install.md says which. */
const ELSEWHERE = [
  'NAMESPACE',
  'DB_USER',
  'DB_PASS_FILE',
  'DB_PASS',
  'DB_SSL_ROOT_CERT',
  'ADMIN_ROTATION',
  'ADMIN_SECRET',
  'SERVERS_CONFIGMAP',
  'REPLICAS',
  'REPLICA_NAME',
  'GUARDRAILS_FILE',
];

describe('the values of the chart', () => {
  it('have every setting, with its default beside it, and the page says of the others where they are', () => {
    expect(Object.keys(values.settings)).toEqual(SETTINGS.filter((name) => !ELSEWHERE.includes(name)).toSorted(inOrderOf(Object.keys(values.settings))));
    const defaults = readSettings({}) as Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
    const written = new Map([...text.matchAll(/^ {2}([A-Z_]+): \S+(?: # (.*))?$/gm)].map(([, name = '', fallback = '']) => [name, fallback]));
    for (const name of Object.keys(values.settings)) expect(written.get(name), name).toBe(name === 'RETRY_BACKOFF_BASE' ? '2.0' : String(defaults[name] ?? ''));
    const page = read('docs/install.md');
    const table = page.slice(page.indexOf('| setting | value |')).split('\n\n')[0] ?? '';
    expect([...table.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name).toSorted()).toEqual(ELSEWHERE.toSorted());
  });

  it('are what the schema takes, which knows each of them', () => {
    expect([accepts(values), accepts.errors]).toEqual([true, null]);
    const { properties } = JSON.parse(read('manifests/helm/values.schema.json')) as { properties: Readonly<Record<string, { properties?: object }>> };
    expect(Object.keys(properties).filter((name) => name !== 'global')).toEqual(Object.keys(values));
    for (const [name, { properties: within }] of Object.entries(properties))
      if (within !== undefined) expect(Object.keys(within), name).toEqual(Object.keys(values[name] as object));
  });

  it('are judged by the schema as pgsteward judges its environment', () => {
    const NUMBERS = [-1, 0, 0.5, 1, 2, 999, 1000, 9999, 10_000, 65_535, 65_536, 1_000_000, 1_000_001];
    const WORDS = [
      'on',
      'off',
      'auto',
      'get',
      'list',
      'true',
      'x y',
      'drop',
      'verify-ca',
      'allow',
      'salt',
      '5m',
      '2h',
      '30d',
      'forever',
      'unknown',
      '77',
      'text',
    ];
    const OTHERS = [
      'terminate',
      'keep',
      'report',
      'debug',
      'loud',
      'dir:/x',
      'dir:',
      'kubernetes',
      '1000000d',
      '0d',
      '59m',
      '60m',
      '3599s',
      '3600s',
      '23h',
      '24h',
      '1439m',
      '1440m',
      '86399s',
      '86400s',
    ];
    const judged = { taken: 0, refused: 0 };
    for (const name of Object.keys(values.settings))
      for (const value of [...NUMBERS, ...WORDS, ...OTHERS, true, false]) {
        // As templates/_helpers.tpl writes it.
        const written = typeof value === 'boolean' && name !== 'DRY_RUN' ? (value ? 'on' : 'off') : String(value);
        const isTaken = accepts({ settings: { [name]: value } });
        if (!isTaken) judged.refused += 1;
        else judged.taken += 1;
        const wouldStart = starts({ DB_POOL_MAX_CONN: '2000000', [name]: written });
        if (isTaken && !wouldStart) expect.fail(`the schema takes ${name}=${String(value)}, and pgsteward would not start with it`);
        if (!isTaken && wouldStart && !isStricter(name, value)) expect.fail(`the schema refuses ${name}=${String(value)}, and pgsteward would start with it`);
      }
    expect(judged.taken).toBeGreaterThan(300);
    expect(judged.refused).toBeGreaterThan(300);
  });

  it('cannot say what is no value', () => {
    for (const wrong of [{ settings: { DB_HOTS: 'x' } }, { setings: {} }, { image: { digest: 'sha256:1' } }, { replicas: { count: 0 } }, { document: {} }])
      expect(accepts(wrong), JSON.stringify(wrong)).toBe(false);
  });
});

it('one version stands everywhere: that of package.json', () => {
  expect(read('manifests/helm/Chart.yaml')).toContain(`\nversion: ${version}\nappVersion: ${version}\n`);
  expect(read('manifests/overlays/example/kustomization.yaml')).toContain(`newTag: ${version}`);
  const files = [...globSync('manifests/**/*.{yaml,tpl,json}', { cwd: ROOT }), ...globSync('docs/*.md', { cwd: ROOT }), 'README.md'];
  const tags = files.flatMap((file) => [...read(file).matchAll(/\bpgsteward:(\d[\w.-]*)/g)].map(([, tag]) => ({ file, tag })));
  expect(tags.length).toBeGreaterThan(2);
  for (const { file, tag } of tags) expect([file, tag]).toEqual([file, version]);
});

it('a release begins only with a tag that is this version, and every step of it has what it names', () => {
  const script = (tag: string): string => spawnSync('bash', ['.github/release/version.sh', tag], { cwd: ROOT, encoding: 'utf8' }).stderr;
  expect(script('v9.9.9')).toContain(`the tag is v9.9.9, and package.json says ${version}`);
  expect(script(`v${version}`)).toMatch(/^(CHANGELOG\.md has no day for .*\n)?$/);
  const workflow = parseDocument(read('.github/workflows/release.yaml'));
  expect(workflow.errors).toEqual([]);
  const { permissions, jobs } = workflow.toJS() as { permissions: object; jobs: { release: { steps: readonly { id?: string; run?: string }[] } } };
  expect(permissions).toEqual({});
  const { steps } = jobs.release;
  const text = JSON.stringify(steps);
  for (const [, id] of text.matchAll(/steps\.(\w+)\.outputs/g)) expect(steps.map((step) => step.id)).toContain(id);
  for (const { run = '' } of steps) {
    // What somebody else wrote comes as a variable, and is never part of the script.
    expect(run).not.toContain('${{');
    expect(spawnSync('bash', ['-n'], { input: run, encoding: 'utf8' }).stderr).toBe('');
    for (const [, file = ''] of run.matchAll(/(\.github\/[\w./-]+)/g)) expect(existsSync(join(ROOT, file)), file).toBe(true);
  }
  expect(text).toContain('--sbom=true --provenance=mode=max');
});

const inOrderOf =
  (names: readonly string[]) =>
  (one: string, other: string): number =>
    names.indexOf(one) - names.indexOf(other);

function starts(env: Readonly<Record<string, string>>): boolean {
  try {
    readSettings(env);
    return true;
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

/** Where a value of a chart says less than the environment can: a number is a number and text is text, a port is known, a name is one that Kubernetes takes. */
function isStricter(name: string, value: string | number | boolean): boolean {
  const isNumeric = typeof readSettings({})[name as 'DB_PORT'] === 'number' || ['MAX_DELETIONS', 'CONNECTION_PORT'].includes(name);
  return (
    (typeof value === 'string') === isNumeric ||
    typeof value === 'boolean' ||
    (name === 'DRY_RUN' && typeof value !== 'boolean') ||
    (name === 'HTTP_PORT' && value === 0) ||
    (name === 'CONFIGMAP_NAME' && /[^-a-z0-9.]/.test(String(value)))
  );
}
