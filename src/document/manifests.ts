// Manifest files → objects: ordinary Kubernetes YAML, several documents a file, parsed one at a time so that memory stays small.
import { hash } from 'node:crypto';
import { type Document, isNode, isScalar, parseDocument, visit } from 'yaml';
import { splitList } from './json-list.ts';
import { tooManyTokens } from './load-yaml.ts';
import { asRecord } from '../model/as-record.ts';
import { LIMITS } from '../model/limits.ts';

export interface Manifest {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly labels: Readonly<Record<string, unknown>>;
  readonly data: ReadonlyMap<string, string>;
  readonly stringData: ReadonlyMap<string, string>;
  readonly binaryData: ReadonlyMap<string, string>;
}

/** What a folder of manifests may hold: a document of YAML takes a hundred times its size while it is read, and what all of them say is kept. */
export const MANIFEST_LIMITS = { files: 10_000, bytes: 33_554_432, fileBytes: 16_777_216, documentBytes: 2_097_152, aliases: 100, jsonMarks: 500_000 } as const;

class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/** One document of a file: of a file in JSON all of it, or of a List there an item. */
export interface Part {
  readonly text: string;
  readonly line: number;
  readonly isJson: boolean;
  readonly isItem: boolean;
}

/** The documents of a file that say something, each by a digest of its text, so that only those are parsed again that changed. */
export function partsOf(text: string, isJson: boolean): ReadonlyMap<string, Part> {
  const parts = new Map<string, Part>();
  let line = 1;
  const add = (part: Part, index: number): void => {
    // The same document twice is two manifests, and for the reader to refuse.
    const digest = hash('sha256', part.text, 'base64url');
    parts.set(parts.has(digest) ? `${digest} ${index}` : digest, part);
  };
  const items = isJson ? itemsOf(text) : undefined;
  if (items !== undefined) for (const [index, item] of items.entries()) add({ text: item, line, isJson, isItem: true }, index);
  else
    for (const [index, part] of (isJson ? [text] : text.split(/^---(?=\s|$)/m)).entries()) {
      const { lines, isEmpty } = lookAt(part);
      if (!isEmpty) add({ text: part, line, isJson, isItem: false }, index);
      line += lines;
    }
  return parts;
}

/** What a List has beside its items, in characters; as much as is parsed at once whatever it says. */
const LARGEST_FRAME = 8192;

/** The items of a List in JSON; undefined of everything else. */
function itemsOf(text: string): readonly string[] | undefined {
  const split = splitList(text, MANIFEST_LIMITS.jsonMarks);
  if (split === undefined || split.frame.length > LARGEST_FRAME) return undefined;
  try {
    return isList(toManifest(JSON.parse(split.frame), 1)) ? split.items : undefined;
  } catch {
    // What is wrong with it is said of all of it.
    return undefined;
  }
}

/** How many lines end in a text, and whether they are all empty or comments. */
function lookAt(text: string): { readonly lines: number; readonly isEmpty: boolean } {
  let [lines, isEmpty] = [0, true];
  for (let start = 0; start <= text.length;) {
    const end = text.indexOf('\n', start);
    if (isEmpty) {
      const said = text.slice(start, end === -1 ? text.length : end).trimStart();
      isEmpty = said === '' || said.startsWith('#');
    }
    if (end === -1) break;
    lines += 1;
    start = end + 1;
  }
  return { lines, isEmpty };
}

/** The manifests of each of these documents, or what is wrong with the first that is none: the message has its line and no content. */
export type ReadParts = { readonly manifests: readonly (readonly Manifest[])[]; readonly error?: undefined } | { readonly error: string };

export function readParts(parts: readonly Part[]): ReadParts {
  try {
    return { manifests: parts.map((part) => (part.isJson ? readJson(part) : readYaml(part))) };
  } catch (error) {
    if (error instanceof ManifestError) return { error: error.message };
    throw error;
  }
}

function readJson({ text, line, isItem }: Part): readonly Manifest[] {
  if (hasTooManyMarks(text))
    throw new ManifestError(`has more than ${MANIFEST_LIMITS.jsonMarks} brackets, braces, colons and commas; write it in several files`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ManifestError('not valid JSON');
  }
  return isItem ? [toManifest(value, line)] : manifestsOf(value, line);
}

/** Nothing that is parsed takes less than one of these: a megabyte of empty lists would take forty. */
export function hasTooManyMarks(text: string): boolean {
  let [count, isText] = [0, false];
  for (let at = 0; at < text.length && count <= MANIFEST_LIMITS.jsonMarks; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) isText = !isText;
    else if (!isText && MARKS.has(code)) count += 1;
  }
  return count > MANIFEST_LIMITS.jsonMarks;
}

const [BACKSLASH, QUOTE] = [0x5c, 0x22];
const MARKS: ReadonlySet<number> = new Set([...'[{,:'].map((mark) => mark.charCodeAt(0)));

function readYaml({ text, line }: Part): readonly Manifest[] {
  if (text.length > MANIFEST_LIMITS.documentBytes)
    throw new ManifestError(
      `line ${line}: the document has ${text.length} characters; at most ${MANIFEST_LIMITS.documentBytes} are read in YAML, write it in JSON`,
    );
  if (tooManyTokens(text) !== undefined)
    throw new ManifestError(
      `line ${line}: the document has more than ${LIMITS.documentTokens} words, brackets, spaces and line ends; write it in JSON, or in several documents`,
    );
  // Whether a key stands twice is looked for below: the parser compares each with all others.
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', uniqueKeys: false });
  const error = document.errors[0];
  const wrong = error === undefined ? faultIn(document) : { offset: error.pos[0], what: error.code };
  if (wrong !== undefined) throw new ManifestError(`line ${line + text.slice(0, wrong.offset).split('\n').length - 1}: not valid YAML (${wrong.what})`);
  const value: unknown = document.toJS({ maxAliasCount: MANIFEST_LIMITS.aliases + 1 });
  return value === null ? [] : manifestsOf(value, line);
}

/** A key that stands twice, or more aliases than a manifest can need: each is looked for from the beginning of the document. */
function faultIn(document: Document): { readonly offset: number; readonly what: string } | undefined {
  let wrong: { readonly offset: number; readonly what: string } | undefined;
  let aliases = 0;
  const fault = (node: unknown, what: string): symbol => {
    wrong = { offset: isNode(node) ? (node.range?.[0] ?? 0) : 0, what };
    return visit.BREAK;
  };
  visit(document, {
    Alias: (_key, alias) => ((aliases += 1) > MANIFEST_LIMITS.aliases ? fault(alias, 'TOO_MANY_ALIASES') : undefined),
    Map: (_key, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const value = isScalar(key) ? key.value : key;
        if (seen.has(value)) return fault(key, 'DUPLICATE_KEY');
        seen.add(value);
      }
      return undefined;
    },
  });
  return wrong;
}

function manifestsOf(value: unknown, line: number): Manifest[] {
  const manifest = toManifest(value, line);
  const items: unknown = (value as Record<string, unknown>)['items'];
  return isList(manifest) && Array.isArray(items) ? items.map((item) => toManifest(item, line)) : [manifest];
}

const isList = ({ kind }: Manifest): boolean => kind.endsWith('List');

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
    labels: asRecord(metadata?.['labels']) ?? {},
    data: relevant ? strings('data') : none,
    stringData: relevant ? strings('stringData') : none,
    binaryData: relevant ? strings('binaryData') : none,
  };
}
