// Manifest files → objects: ordinary Kubernetes YAML, several documents a file, parsed one at a time so that memory stays small.
import { parseDocument } from 'yaml';

export interface Manifest {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly data: ReadonlyMap<string, string>;
  readonly stringData: ReadonlyMap<string, string>;
  readonly binaryData: ReadonlyMap<string, string>;
}

/** A file that cannot be read as manifests; the message has the line and no content. */
class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/** The manifests of a file by the text of each document in it, so that only documents which changed are parsed again. */
export type Parsed = ReadonlyMap<string, readonly Manifest[]>;

/**
 * The manifests of a YAML file.
 * @param before what the file held when it was last read.
 * @throws ManifestError with the line of the first thing that is no manifest.
 */
export function readManifests(text: string, before: Parsed): Parsed {
  const parsed = new Map<string, readonly Manifest[]>();
  let line = 1;
  for (const [index, part] of text.split(/^---(?=\s|$)/m).entries()) {
    if (!/^\s*(#.*\s*)*$/.test(part)) {
      // The same document twice is two manifests, and for the reader to refuse.
      const key = parsed.has(part) ? `${part}\0${index}` : part;
      parsed.set(key, before.get(key) ?? readOne(part, line));
    }
    line += part.split('\n').length - 1;
  }
  return parsed;
}

/** As readManifests, for a JSON file. */
export function readJsonManifests(text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ManifestError('not valid JSON');
  }
  return new Map([['', manifestsOf(value, 1)]]);
}

function readOne(text: string, line: number): Manifest[] {
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'error' });
  const error = document.errors[0];
  if (error !== undefined) throw new ManifestError(`line ${line + text.slice(0, error.pos[0]).split('\n').length - 1}: not valid YAML (${error.code})`);
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  return value === null ? [] : manifestsOf(value, line);
}

function manifestsOf(value: unknown, line: number): Manifest[] {
  const manifest = toManifest(value, line);
  const items: unknown = (value as Record<string, unknown>)['items'];
  return manifest.kind.endsWith('List') && Array.isArray(items) ? items.map((item) => toManifest(item, line)) : [manifest];
}

function toManifest(value: unknown, line: number): Manifest {
  const object = asRecord(value);
  const metadata = asRecord(object?.['metadata']);
  const kind = object?.['kind'];
  const name = metadata?.['name'];
  if (object === undefined || typeof kind !== 'string' || (typeof name !== 'string' && !kind.endsWith('List')))
    throw new ManifestError(`line ${line}: not a Kubernetes manifest with kind and metadata.name`);
  const strings = (key: string): ReadonlyMap<string, string> => {
    const entries = object[key] === undefined || object[key] === null ? {} : asRecord(object[key]);
    if (entries === undefined || Object.values(entries).some((item) => typeof item !== 'string'))
      throw new ManifestError(`line ${line}: ${key} of ${kind} ${String(name)} must map keys to text`);
    return new Map(Object.entries(entries) as [string, string][]);
  };
  const namespace = metadata?.['namespace'];
  const relevant = kind === 'ConfigMap' || kind === 'Secret';
  const none: ReadonlyMap<string, string> = new Map();
  return {
    kind,
    name: typeof name === 'string' ? name : '',
    namespace: typeof namespace === 'string' ? namespace : undefined,
    annotations: asRecord(metadata?.['annotations']) ?? {},
    data: relevant ? strings('data') : none,
    stringData: relevant ? strings('stringData') : none,
    binaryData: relevant ? strings('binaryData') : none,
  };
}

const asRecord = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;

/** Base64 as Kubernetes takes it; undefined where it is none. */
export function decodeBase64(text: string): Buffer | undefined {
  const clean = text.replace(/\s/g, '');
  const decoded = Buffer.from(clean, 'base64');
  return decoded.toString('base64') === clean ? decoded : undefined;
}
