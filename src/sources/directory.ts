// SOURCE=dir: a folder of ordinary manifests, for a laptop, the preview of a pull request, and the demo.
import { createHash, hash } from 'node:crypto';
import type { SecretRef } from '../model/entries.ts';
import { provenanceOf } from '../model/provenance.ts';
import { requestsOf } from '../model/requests.ts';
import { decodeBase64 } from '../model/base64.ts';
import { folderFinder } from './directory-documents.ts';
import { MANIFEST_LIMITS, type Manifest } from '../document/manifests.ts';
import { SourceError } from '../model/source-error.ts';
import { type File, type FolderLimits, idOf, type LateFiles, scan } from './manifest-files.ts';
import { type DocumentReading, type OwnSecrets, type Ports, type SecretReader, type SecretReading, secretKey, type SecretsWanted } from './ports.ts';

interface Found {
  readonly file: File;
  readonly manifest: Manifest;
}

/** Files that one message names. */
const TOLD = 3;

/** A folder as it was scanned last. Several documents in it share one. */
export interface Folder {
  readonly path: string;
  readonly files: ReadonlyMap<string, File>;
  /** Looks at it anew; large files of documents that changed are as they were until they are read. @throws SourceError */
  scan(signal: AbortSignal): Promise<ReadonlyMap<string, File>>;
  /** The same with such files read, as far as they are meant. @throws SourceError */
  scanAll(signal: AbortSignal, isMeant?: (file: File) => boolean): Promise<ReadonlyMap<string, File>>;
}

export function createFolder(path: string, limits: FolderLimits = MANIFEST_LIMITS): Folder {
  let files: ReadonlyMap<string, File> = new Map();
  let scanning: Promise<ReadonlyMap<string, File>> | undefined;
  const late = createLateFiles();
  const scanNow = async (signal: AbortSignal): Promise<ReadonlyMap<string, File>> => {
    // One that was given up for its time goes on, and is what the next one waits for: large files are never read twice at once.
    scanning ??= scan(path, files, limits, signal, late).finally(() => (scanning = undefined));
    files = await scanning;
    return files;
  };
  return {
    path,
    get files() {
      return files;
    },
    scan: scanNow,
    scanAll: async (signal, isMeant = () => true) => {
      const found = await scanNow(signal);
      const meant = [...found.values()].filter(isMeant).flatMap((file) => late.reading(file.path) ?? []);
      if (meant.length === 0) return found;
      await Promise.all(meant);
      signal.throwIfAborted();
      return scanNow(signal);
    },
  };
}

interface Late {
  readonly reading: Promise<void>;
  file?: File;
}

/** Each file once at a time; whoever waits for one that could not be read finds it as it was. */
function createLateFiles(): LateFiles & { reading(path: string): Promise<void> | undefined } {
  const known = new Map<string, Late>();
  return {
    take: (path) => {
      const one = known.get(path);
      if (one === undefined) return undefined;
      if (one.file === undefined) return 'pending';
      known.delete(path);
      return one.file;
    },
    begin: (path, reading) => {
      const one: Late = {
        reading: reading.then(
          (file) => void (one.file = file),
          () => void known.delete(path),
        ),
      };
      known.set(path, one);
    },
    reading: (path) => known.get(path)?.reading,
  };
}

export interface DirectorySourceOptions {
  readonly namespace: string;
  readonly configMapName: string;
  /** The key of the ConfigMap. */
  readonly key?: string;
}

/** A source that reads manifests below `path`. Whoever reads the document scans the folder; Secrets are of the same scan. */
export const createDirectorySource = (path: string, options: DirectorySourceOptions, limits: FolderLimits = MANIFEST_LIMITS): Ports =>
  directoryPorts(createFolder(path, limits), options);

/** The same in a folder that others look at too. */
export function directoryPorts(folder: Folder, options: DirectorySourceOptions): Ports {
  const { path } = folder;
  const { key = 'users.yaml' } = options;
  const ref = `${options.namespace}/${options.configMapName}`;
  const readDocument = async (signal: AbortSignal): Promise<DocumentReading> => {
    const id = `ConfigMap/${options.configMapName}`;
    const isIt = (manifest: Manifest): boolean => idOf(manifest) === id;
    const itsOwn = await folder.scanAll(signal, ({ manifests }) => manifests.some(isIt));
    // One that is not there may be in what was not read yet.
    const files = findIn(itsOwn, options.namespace, isIt).length > 0 ? itsOwn : await folder.scanAll(signal);
    const found = findIn(files, options.namespace, isIt);
    const [first, second] = found;
    if (second !== undefined) throw new SourceError('malformed', `the ConfigMap ${ref} is in ${pathsOf(found)}; keep one`);
    if (first !== undefined) return documentIn(first, ref, key);
    const broken = [...files.values()].filter((file) => file.error !== undefined && (file.lastNames.size === 0 || file.lastNames.has(id)));
    const detail = broken.slice(0, TOLD).map((file) => `${file.path}: ${file.error}`);
    if (detail.length > 0) throw new SourceError('malformed', `the ConfigMap ${ref} cannot be read: ${detail.join('; ')}`);
    throw new SourceError('not_found', `there is no ConfigMap ${ref} in ${path}; CONFIGMAP_NAME and NAMESPACE say which one is read`);
  };

  return {
    description: `directory ${path}, ConfigMap ${ref}`,
    documents: { read: readDocument },
    finder: folderFinder((signal) => folder.scanAll(signal)),
    secrets: secretsIn(() => folder.files, options.namespace),
    ownSecrets: ownSecretsIn(folder, options.namespace),
    close: async () => undefined,
  };
}

/**
 * The Secrets of a folder as they are now, for a document that is elsewhere.
 * @throws SourceError where the folder cannot be read.
 */
export async function readDirectorySecrets(path: string, namespace: string, signal: AbortSignal): Promise<SecretReader> {
  const files = await scan(path, new Map(), MANIFEST_LIMITS, signal);
  return secretsIn(() => files, namespace);
}

/** Manifests of our namespace, or of none. */
const findIn = (files: ReadonlyMap<string, File>, namespace: string, fits: (manifest: Manifest) => boolean): Found[] =>
  [...files.values()].flatMap((file) =>
    file.manifests
      .filter((manifest) => (manifest.namespace === undefined || manifest.namespace === namespace) && fits(manifest))
      .map((manifest) => ({ file, manifest })),
  );

function secretsIn(filesNow: () => ReadonlyMap<string, File>, namespace: string): SecretReader {
  /** For the same files and references they are the same. */
  let known: { readonly files: ReadonlyMap<string, File>; readonly wanted: SecretsWanted } | undefined;
  let readings: ReadonlyMap<string, SecretReading> = new Map();
  let version = '';
  return {
    want: (wanted) => {
      const files = filesNow();
      if (known?.files === files && known.wanted === wanted) return;
      const secretsOf = (where: string): Found[] => findIn(files, where, ({ kind }) => kind === 'Secret');
      const index = Map.groupBy(secretsOf(namespace), ({ manifest }) => idOf(manifest));
      const others = [...new Set(wanted.refs.flatMap((ref) => ref.namespace ?? []))].filter((one) => one !== namespace);
      // What says no namespace is in ours.
      const indexes = new Map(
        others.map((one) => [
          one,
          Map.groupBy(
            secretsOf(one).filter(({ manifest }) => manifest.namespace === one),
            ({ manifest }) => idOf(manifest),
          ),
        ]),
      );
      const brokenOf = brokenIn([...files.values()]);
      known = { files, wanted };
      readings = new Map(wanted.refs.map((secret) => [secretKey(secret), readSecret(secret, indexes.get(secret.namespace ?? namespace) ?? index, brokenOf)]));
      version = hash('sha256', [...readings].map(([key, reading]) => `${key} ${reading.kind === 'value' ? reading.version : reading.detail}`).join('\n'));
    },
    refresh: async () => undefined,
    valueOf: (secret) => readings.get(secretKey(secret)) ?? { kind: 'unreadable', detail: 'it was not read' },
    version: () => version,
    forgetAll: () => undefined,
  };
}

/** @throws SourceError where the ConfigMap holds no document. */
function documentIn({ file, manifest }: Found, ref: string, key: string): DocumentReading {
  const requests = requestsOf(manifest.annotations);
  const text = manifest.data.get(key);
  const binary = manifest.binaryData.get(key);
  const content = text === undefined ? (binary === undefined ? undefined : decodeBase64(binary)) : Buffer.from(text);
  if (content === undefined) throw new SourceError('not_found', `the ConfigMap ${ref} in ${file.path} has no key ${key}`, { requests });
  const digest = createHash('sha256').update(content);
  // What is asked for by hand is part of the version, as in a cluster: it leads to a full look.
  if (requests.paused || requests.reconcileAt !== undefined) digest.update(JSON.stringify(requests));
  return { version: digest.digest('hex').slice(0, 16), ref, file: key, content, requests, provenance: provenanceOf(manifest.annotations, undefined, key) };
}

/** Of a folder as it is at this moment. */
const ownSecretsIn = (folder: Folder, namespace: string): OwnSecrets => ({
  read: async (name, signal) => {
    const id = `Secret/${name}`;
    const files = await folder.scan(signal);
    const found = findIn(files, namespace, (manifest) => idOf(manifest) === id);
    const [first, second] = found;
    if (second !== undefined) throw new SourceError('malformed', `it is in ${pathsOf(found)}`);
    if (first === undefined) {
      const broken = brokenIn([...files.values()])(id);
      if (broken !== undefined) throw new SourceError('malformed', `${broken.path}: ${broken.error}`);
      return undefined;
    }
    return valuesIn(first.manifest);
  },
  logins: async (signal) =>
    findIn(await folder.scanAll(signal), namespace, ({ kind }) => kind === 'Secret').map(({ manifest }) => ({
      name: manifest.name,
      labels: manifest.labels,
      values: valuesIn(manifest),
    })),
});

/** What is no base64 is none. */
const valuesIn = ({ data, stringData }: Manifest): ReadonlyMap<string, Uint8Array> =>
  new Map([
    ...[...data].flatMap(([key, text]): [string, Uint8Array][] => {
      const value = decodeBase64(text);
      return value === undefined ? [] : [[key, value]];
    }),
    ...[...stringData].map(([key, text]): [string, Uint8Array] => [key, Buffer.from(text)]),
  ]);

/** What a manifest says under a key is the same for as long as it is: of a file with thousands of Secrets one was changed. */
const readOf = new WeakMap<Manifest, Map<string, SecretReading>>();

function readSecret(secret: SecretRef, index: ReadonlyMap<string, readonly Found[]>, brokenOf: (id: string) => File | undefined): SecretReading {
  const id = `Secret/${secret.name}`;
  const found = index.get(id) ?? [];
  const [first, second] = found;
  if (second !== undefined) return { kind: 'unreadable', detail: `it is in ${pathsOf(found)}` };
  if (first === undefined) {
    const broken = brokenOf(id);
    return broken === undefined
      ? { kind: 'missing', what: 'secret', detail: 'there is no such Secret' }
      : { kind: 'unreadable', detail: `${broken.path}: ${broken.error}` };
  }
  const known = readOf.get(first.manifest) ?? new Map<string, SecretReading>();
  const reading = known.get(secret.key) ?? readKey(first, secret.key);
  readOf.set(first.manifest, known.set(secret.key, reading));
  return reading;
}

function readKey({ file, manifest }: Found, key: string): SecretReading {
  const version = `${file.path}@${file.stamp}`;
  const text = manifest.stringData.get(key);
  if (text !== undefined) return { kind: 'value', value: Buffer.from(text), version };
  const encoded = manifest.data.get(key);
  if (encoded === undefined) return { kind: 'missing', what: 'key', detail: `it has no key ${key}` };
  const value = decodeBase64(encoded);
  return value === undefined ? { kind: 'unreadable', detail: `its key ${key} is not base64` } : { kind: 'value', value, version };
}

/** Where something is that should be in one place, for people. */
function pathsOf(found: readonly Found[]): string {
  const more = found.length > TOLD ? ` and in ${found.length - TOLD} more` : '';
  return `${found
    .slice(0, TOLD)
    .map(({ file }) => file.path)
    .join(' and in ')}${more}`;
}

/** Which file that cannot be read may hold an object: one that held it last, or one of which nobody knows what it held. */
function brokenIn(files: readonly File[]): (id: string) => File | undefined {
  const broken = files.filter((file) => file.error !== undefined);
  const unknown = broken.find((file) => file.lastNames.size === 0);
  const byId = new Map(broken.toReversed().flatMap((file) => [...file.lastNames].map((id): [string, File] => [id, file])));
  return (id) => byId.get(id) ?? unknown;
}
