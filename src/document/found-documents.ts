// Files → the documents that stand in them: users documents themselves, and ConfigMaps of manifests that hold one; and the servers that they belong to.
import { type Apart, byServer, type FoundDraft } from './by-server.ts';
import type { DocumentDraft } from './draft.ts';
import { placeOfLiteral } from './literal-place.ts';
import { type Manifest, type Part, partsOf, readParts } from './manifests.ts';
import { readText, unreadableDraft } from './parse.ts';
import { parseServers } from './servers.ts';
import { decodeBase64 } from '../model/base64.ts';
import type { Document, Position, Problem } from '../model/entries.ts';
import type { Fleet } from '../model/fleet.ts';

/** The key of a ConfigMap that holds a users document. */
const KEY = 'users.yaml';
/** The key of the one that declares servers. */
const SERVERS_KEY = 'servers.yaml';

/** Says which manifests there are, and is none. */
const KUSTOMIZATION = /(?:^|[/\\])kustomization\.ya?ml$/;

/** A file that was read, or why it could not be. */
export interface InputFile {
  readonly path: string;
  readonly read: { readonly bytes: Uint8Array; readonly message?: undefined } | { readonly message: string };
}

export interface FoundDocuments {
  /** All of them as one. Whatever cannot be read is a problem of it. */
  readonly document: Document;
  /** The same, of each server by itself: only documents of one server are held against each other. */
  readonly apart?: readonly Apart[];
  /** How many valid servers are declared; undefined where no file declares any. */
  readonly servers?: number | undefined;
  /** How many documents were found. */
  readonly count: number;
  /** Names under which positions count within a key, as its lines are none of the file → the file. */
  readonly within: ReadonlyMap<string, string>;
}

/** What is collected on the way. */
interface Collection {
  readonly drafts: FoundDraft[];
  readonly fleets: Fleet[];
  count: number;
  readonly within: Map<string, string>;
  /** ConfigMap → its file. */
  readonly seen: Map<string, string>;
}

/**
 * Finds the documents of all files. What cannot be read, or holds nothing, is said as a problem at its place, and then nothing can be used.
 * @param defaultDatabase what blocks without a database are about; undefined where nobody knows.
 */
export function findDocuments(files: readonly InputFile[], defaultDatabase?: string): FoundDocuments {
  const found: Collection = { drafts: [], fleets: [], count: 0, within: new Map(), seen: new Map() };
  for (const { path, read } of files.filter((file) => !KUSTOMIZATION.test(file.path)))
    if (read.message === undefined) readFile(path, read.bytes, found);
    else refuse(found, { file: path, line: 1, column: 1 }, read.message);
  if (found.drafts.length === 0 && found.fleets.length === 0) {
    const message = `${files.length === 1 ? 'this file holds' : 'these files hold'} no users document: neither the list \`users\` nor a ConfigMap with the key ${KEY}`;
    refuse(found, { file: files[0]?.path ?? '', line: 1, column: 1 }, message);
  }
  const servers = found.fleets.flatMap((fleet) => fleet.servers);
  const apart = byServer(found.drafts, found.fleets.length > 0 ? servers : undefined, defaultDatabase);
  const problems = found.fleets.flatMap((fleet) => fleet.problems);
  return {
    document: together(
      apart.map(({ document }) => document),
      problems,
    ),
    apart,
    ...(found.fleets.length === 0 ? {} : { servers: servers.length }),
    count: found.count,
    within: found.within,
  };
}

function together(apart: readonly Document[], problems: readonly Problem[]): Document {
  const [only] = apart;
  if (only !== undefined && apart.length === 1 && problems.length === 0) return only;
  return {
    users: apart.flatMap(({ users }) => users),
    roles: apart.flatMap(({ roles }) => roles),
    databases: apart.flatMap(({ databases }) => databases),
    invalid: new Set(apart.flatMap(({ invalid }) => [...invalid])),
    invalidRenames: new Map(apart.flatMap(({ invalidRenames }) => [...(invalidRenames ?? [])])),
    invalidDatabases: new Set(apart.flatMap(({ invalidDatabases }) => [...invalidDatabases])),
    guardrails: apart.flatMap(({ guardrails = [] }) => guardrails),
    usable: apart.every(({ usable }) => usable),
    problems: [...problems, ...apart.flatMap((document) => document.problems)],
  };
}

const refuse = (found: Collection, position: Position, message: string): void => void found.drafts.push({ read: () => unreadableDraft(position, message) });

function readFile(path: string, bytes: Uint8Array, found: Collection): void {
  const text = new TextDecoder().decode(bytes);
  if (!holdsManifests(text)) {
    if (holdsServers(text)) return void found.fleets.push(parseServers(bytes, path));
    found.count += 1;
    found.drafts.push({ read: () => readText(bytes, path) });
    return;
  }
  const parts = [...partsOf(text, path.endsWith('.json') || /^\s*\{\s*"/.test(text)).values()];
  const read = readParts(parts);
  if (read.error !== undefined) {
    const [, line, message] = /^line (\d+): (.*)$/s.exec(read.error) ?? [];
    refuse(found, { file: path, line: Number(line ?? 1), column: 1 }, message ?? read.error);
    return;
  }
  for (const [index, part] of parts.entries())
    for (const manifest of read.manifests[index] ?? []) if (manifest.kind === 'ConfigMap') readConfigMap(path, part, manifest, found);
}

/** Whether a text is manifests and no users document: at its beginning, or where lines are not indented, it says what kind of object it is. */
function holdsManifests(text: string): boolean {
  if (/^\s*\{/.test(text)) return /^\s*\{\s*"?(?:apiVersion|kind)"?\s*:|"apiVersion"\s*:/.test(text);
  return /^["']?(?:apiVersion|kind)["']?\s*:/m.test(text) && !/^["']?users["']?\s*:/m.test(text);
}

const holdsServers = (text: string): boolean => /^["']?servers["']?\s*:/m.test(text) && !/^["']?users["']?\s*:/m.test(text);

function readConfigMap(path: string, part: Part, manifest: Manifest, found: Collection): void {
  readServersKey(path, part, manifest, found);
  const text = manifest.data.get(KEY);
  const binary = manifest.binaryData.get(KEY);
  if (text === undefined && binary === undefined) return;
  const id = `${manifest.namespace ?? ''}/${manifest.name}`;
  const before = found.seen.get(id);
  const content = text === undefined ? decodeBase64(binary ?? '') : Buffer.from(text);
  const start = { file: path, line: part.line, column: 1 };
  found.seen.set(id, path);
  found.count += 1;
  if (before !== undefined) refuse(found, start, `the ConfigMap ${manifest.name} is in ${before === path ? 'this file twice' : `${before} as well`}; keep one`);
  else if (content === undefined) refuse(found, start, `the key ${KEY} of the ConfigMap ${manifest.name} is not base64`);
  else found.drafts.push({ read: () => readKey(path, part, manifest, content, found), configMap: manifest });
}

function readServersKey(path: string, part: Part, manifest: Manifest, found: Collection): void {
  const text = manifest.data.get(SERVERS_KEY);
  if (text === undefined) return;
  const { file, placed } = placeOf(path, part, manifest, SERVERS_KEY, found);
  found.fleets.push(parseServers(Buffer.from(text), file, placed));
}

const readKey = (path: string, part: Part, manifest: Manifest, content: Uint8Array, found: Collection): DocumentDraft => {
  const { file, placed } = placeOf(path, part, manifest, KEY, found);
  return readText(content, file, placed);
};

/** Positions are those in the file where the key's lines are lines of the file, and else count in the key. */
function placeOf(path: string, part: Part, manifest: Manifest, key: string, found: Collection): { file: string; placed?: (position: Position) => Position } {
  const text = manifest.data.get(key);
  const place = text === undefined || part.isJson ? undefined : placeOfLiteral(part.text, text);
  if (place === undefined) {
    const file = `${path}#${manifest.name}/${key}`;
    found.within.set(file, path);
    return { file };
  }
  const before = part.line - 1 + place.linesBefore;
  return { file: path, placed: ({ line, column }) => ({ file: path, line: before + line, column: place.indent + column }) };
}
