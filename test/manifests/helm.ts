// The chart as Helm puts it together, with each Helm that is there.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments, stringify } from 'yaml';
import { ROOT } from '../support/daemon.ts';
import { REMOVAL } from '../support/scratch.ts';
import type { Rendered } from './render.ts';

export const CHART = join(ROOT, 'manifests/helm');

export type Values = Readonly<Record<string, unknown>>;

/** Major version → binary, of those that are there or were built: `bash test/support/helm.sh 4`. */
export const HELMS: ReadonlyMap<number, string> = new Map(
  [4, 3].flatMap((major) => {
    const { status, stdout } = spawnSync('bash', [join(ROOT, 'test/support/helm.sh'), String(major), '--there'], { encoding: 'utf8' });
    if (status === 0) return [[major, stdout.trim()] as const];
    console.log(`skipped: there is no Helm ${major}; bash test/support/helm.sh ${major} builds it, and HELM${major} names one`);
    return [];
  }),
);

/** Runs Helm with nothing of the user's own. @throws what it says where it refuses. */
export async function helm(binary: string, args: readonly string[], values: Values = {}): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'pgsteward-helm-'));
  try {
    const file = join(home, 'values.yaml');
    writeFileSync(file, stringify(values));
    const env = { ...process.env, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
    const takesValues = ['template', 'lint', 'install', 'upgrade'].includes(args[0] ?? '');
    const { stdout } = await promisify(execFile)(binary, [...args, ...(takesValues ? ['--values', file] : [])], { env, maxBuffer: 16 << 20 });
    return stdout;
  } finally {
    rmSync(home, REMOVAL);
  }
}

/** What `helm template` prints. */
export async function template(binary: string, values: Values, release = 'pgsteward', namespace = 'postgres'): Promise<readonly Rendered[]> {
  const text = await helm(binary, ['template', release, CHART, '--namespace', namespace], values);
  return parseAllDocuments(text).flatMap((document) => (document.contents === null ? [] : [document.toJS() as Rendered]));
}
