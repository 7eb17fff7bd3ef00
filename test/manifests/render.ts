// The manifests as kustomize puts them together, with kubectl's own.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { join, relative } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ROOT } from '../support/daemon.ts';

export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [key: string]: unknown;
}

export const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

export const COMPONENTS: readonly string[] = readdirSync(join(ROOT, 'manifests/components')).toSorted();

/** What `kubectl kustomize FOLDER` prints. @throws what it says where it refuses. */
export async function render(folder: string): Promise<readonly Rendered[]> {
  const { stdout } = await promisify(execFile)('kubectl', ['kustomize', folder], { maxBuffer: 16 << 20 });
  return parseAllDocuments(stdout).map((document) => document.toJS() as Rendered);
}

/** The base in a namespace with these components, in this order. */
export async function renderWith(components: readonly string[], namespace = 'postgres'): Promise<readonly Rendered[]> {
  // kustomize reads nothing outside of its root but by a relative path.
  const made = join(ROOT, 'test/manifests/.made');
  mkdirSync(made, { recursive: true });
  const folder = mkdtempSync(join(made, 'k-'));
  try {
    const at = (path: string): string => JSON.stringify(relative(folder, join(ROOT, 'manifests', path)));
    const list = components.map((name) => `  - ${at(`components/${name}`)}\n`).join('');
    const text = `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: ${namespace}\nresources:\n  - ${at('base')}\ncomponents:${list === '' ? ' []\n' : `\n${list}`}`;
    writeFileSync(join(folder, 'kustomization.yaml'), text);
    return await render(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
