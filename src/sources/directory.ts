// SOURCE=dir: a folder of ordinary manifests, for a laptop, the preview of a pull request, and the demo.
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { SecretRef } from '../core/document/types.ts';
import { requestsOf } from './annotations.ts';
import { decodeBase64, type Manifest, type Parsed, readJsonManifests, readManifests } from './manifests.ts';
import { type DocumentReading, type SecretReading, secretKey, type Source, SourceError } from './source.ts';

interface File {
  readonly path: string;
  /** Changes whenever the file does; never made from its content. */
  readonly stamp: string;
  readonly manifests: readonly Manifest[];
  readonly parsed: Parsed;
  readonly error: string | undefined;
  /** Names of Secrets and the ConfigMap that the file held when it could last be read. */
  readonly lastNames: ReadonlySet<string>;
}

const NOTHING: Parsed = new Map();

const idOf = (manifest: Manifest): string => `${manifest.kind}/${manifest.name}`;

/** A source that reads manifests below `path`. Each readDocument scans the folder; readSecrets answers from the same scan. */
export function createDirectorySource(path: string, options: { readonly namespace: string; readonly configMapName: string }): Source {
  let files: ReadonlyMap<string, File> = new Map();
  /** The last answer: for the same files and references it is the same. */
  let answered:
    | { readonly files: ReadonlyMap<string, File>; readonly refs: readonly SecretRef[]; readonly readings: ReadonlyMap<string, SecretReading> }
    | undefined;
  const ours = (manifest: Manifest): boolean => manifest.namespace === undefined || manifest.namespace === options.namespace;
  const find = (id: string): { file: File; manifest: Manifest }[] =>
    [...files.values()].flatMap((file) => file.manifests.filter((manifest) => ours(manifest) && idOf(manifest) === id).map((manifest) => ({ file, manifest })));
  const ref = `${options.namespace}/${options.configMapName}`;

  const readDocument = async (): Promise<DocumentReading> => {
    files = await scan(path, files);
    const id = `ConfigMap/${options.configMapName}`;
    const found = find(id);
    const broken = [...files.values()].filter((file) => file.error !== undefined && (file.lastNames.size === 0 || file.lastNames.has(id)));
    const [first, second] = found;
    if (second !== undefined) throw new SourceError('malformed', `the ConfigMap ${ref} is in ${found.map(({ file }) => file.path).join(' and in ')}; keep one`);
    if (first === undefined) {
      const detail = broken.map((file) => `${file.path}: ${file.error}`).join('; ');
      if (detail !== '') throw new SourceError('malformed', `the ConfigMap ${ref} cannot be read: ${detail}`);
      throw new SourceError('not_found', `there is no ConfigMap ${ref} in ${path}; CONFIGMAP_NAME and NAMESPACE say which one is read`);
    }
    const requests = requestsOf(first.manifest.annotations);
    const text = first.manifest.data.get('users.yaml');
    const binary = first.manifest.binaryData.get('users.yaml');
    const content = text === undefined ? (binary === undefined ? undefined : decodeBase64(binary)) : Buffer.from(text);
    if (content === undefined) throw new SourceError('not_found', `the ConfigMap ${ref} in ${first.file.path} has no key users.yaml`, { requests });
    const digest = createHash('sha256').update(content);
    // What is asked for by hand is part of the version, as in a cluster: it leads to a full look.
    if (requests.paused || requests.reconcileAt !== undefined) digest.update(JSON.stringify(requests));
    return { version: digest.digest('hex').slice(0, 16), ref, file: 'users.yaml', content, requests };
  };

  const readSecret = (secret: SecretRef, index: ReadonlyMap<string, { file: File; manifest: Manifest }[]>): SecretReading => {
    const id = `Secret/${secret.name}`;
    const found = index.get(id) ?? [];
    const [first, second] = found;
    if (second !== undefined) return { kind: 'unreadable', detail: `it is in ${found.map(({ file }) => file.path).join(' and in ')}` };
    if (first === undefined) {
      const broken = [...files.values()].find((file) => file.error !== undefined && (file.lastNames.size === 0 || file.lastNames.has(id)));
      return broken === undefined
        ? { kind: 'missing', what: 'secret', detail: 'there is no such Secret' }
        : { kind: 'unreadable', detail: `${broken.path}: ${broken.error}` };
    }
    const version = `${first.file.path}@${first.file.stamp}`;
    const text = first.manifest.stringData.get(secret.key);
    if (text !== undefined) return { kind: 'value', value: Buffer.from(text), version };
    const encoded = first.manifest.data.get(secret.key);
    if (encoded === undefined) return { kind: 'missing', what: 'key', detail: `it has no key ${secret.key}` };
    const value = decodeBase64(encoded);
    return value === undefined ? { kind: 'unreadable', detail: `its key ${secret.key} is not base64` } : { kind: 'value', value, version };
  };

  return {
    description: `directory ${path}, ConfigMap ${ref}`,
    readDocument,
    readSecrets: async (refs) => {
      if (answered?.files === files && answered.refs === refs) return answered.readings;
      const index = new Map<string, { file: File; manifest: Manifest }[]>();
      for (const file of files.values())
        for (const manifest of file.manifests)
          if (manifest.kind === 'Secret' && ours(manifest)) index.set(idOf(manifest), [...(index.get(idOf(manifest)) ?? []), { file, manifest }]);
      const readings = new Map(refs.map((secret) => [secretKey(secret), readSecret(secret, index)]));
      answered = { files, refs, readings };
      return readings;
    },
    close: async () => undefined,
  };
}

/** Reads again only the files that changed; one that cannot be read keeps the names that it last held. */
async function scan(root: string, before: ReadonlyMap<string, File>): Promise<ReadonlyMap<string, File>> {
  let entries;
  try {
    entries = await readdir(root, { recursive: true, withFileTypes: true });
  } catch (error) {
    throw new SourceError('not_found', `the folder ${root} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  }
  const files = new Map<string, File>();
  for (const entry of entries) {
    const full = join(entry.parentPath, entry.name);
    const path = relative(root, full);
    if (!/\.(ya?ml|json)$/.test(entry.name) || path.split('/').some((part) => part.startsWith('.')) || /^kustomization\.ya?ml$/.test(entry.name)) continue;
    try {
      const facts = await stat(full, { bigint: true });
      if (!facts.isFile()) continue;
      const stamp = `${facts.mtimeNs}-${facts.size}-${facts.ino}`;
      const known = before.get(path);
      files.set(path, known?.stamp === stamp ? known : await readOne(full, path, stamp, known));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'ENOENT')
        files.set(path, {
          path,
          stamp: '',
          manifests: [],
          parsed: NOTHING,
          error: `cannot be read (${code ?? 'unknown error'})`,
          lastNames: before.get(path)?.lastNames ?? new Set(),
        });
    }
  }
  const isSame = files.size === before.size && [...files].every(([path, file]) => before.get(path) === file);
  return isSame ? before : files;
}

async function readOne(full: string, path: string, stamp: string, known: File | undefined): Promise<File> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(full));
    const parsed = path.endsWith('.json') ? readJsonManifests(text) : readManifests(text, known?.parsed ?? NOTHING);
    const manifests = [...parsed.values()].flat();
    return {
      path,
      stamp,
      parsed,
      manifests: manifests.filter(({ kind }) => kind === 'ConfigMap' || kind === 'Secret'),
      error: undefined,
      lastNames: new Set(manifests.map(idOf)),
    };
  } catch (error) {
    const message = error instanceof Error && error.name === 'ManifestError' ? error.message : 'is not UTF-8 or cannot be read';
    return { path, stamp, manifests: [], parsed: NOTHING, error: message, lastNames: known?.lastNames ?? new Set() };
  }
}
