// The files of a folder of manifests, of which only those are read again that changed.
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { aside, ASIDE_LIMITS, TooCostly } from '../async/aside.ts';
import { type Manifest, partsOf } from '../document/manifests.ts';
import { type BoundedFile, readRegular, RefusedFile, stampOf } from '../files/bounded-file.ts';
import { SourceError } from '../model/source-error.ts';

export interface File {
  readonly path: string;
  /** Changes whenever the file does; never made from its content. */
  readonly stamp: string;
  readonly manifests: readonly Manifest[];
  /** By what `partsOf` calls each document of the file. */
  readonly parsed: ReadonlyMap<string, readonly Manifest[]>;
  readonly error: string | undefined;
  /** Names of Secrets and the ConfigMap that the file held when it could last be read. */
  readonly lastNames: ReadonlySet<string>;
}

/** Those of MANIFEST_LIMITS, of which a test may set some lower. */
export type FolderLimits = Readonly<Record<'files' | 'bytes' | 'fileBytes', number>>;

const NOTHING: File['parsed'] = new Map();
const KEPT = 'nothing of it is read until there is less, and what it held last stays in force';

/** What an object is called in its namespace. */
export const idOf = (manifest: Manifest): string => `${manifest.kind}/${manifest.name}`;

/** Large files of documents that are read while everybody else goes on with what they held last. */
export interface LateFiles {
  /** What was read of the file since it was last asked, which may have changed again; `pending` while it is read. */
  take(path: string): File | 'pending' | undefined;
  begin(path: string, reading: Promise<File>): void;
}

/**
 * Reads again only the files that changed; one that cannot be read keeps the names that it last held.
 * @param late undefined where all of them are waited for.
 */
export async function scan(
  root: string,
  before: ReadonlyMap<string, File>,
  limits: FolderLimits,
  signal: AbortSignal,
  late?: LateFiles,
): Promise<ReadonlyMap<string, File>> {
  let entries;
  try {
    entries = await readdir(root, { recursive: true, withFileTypes: true });
  } catch (error) {
    throw new SourceError('not_found', `the folder ${root} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  }
  const found = (await Promise.all(sizesOf(root, entries))).filter((file) => file !== undefined);
  if (found.length > limits.files) throw new SourceError('malformed', `the folder ${root} has more than ${limits.files} manifests; ${KEPT}`);
  const bytes = found.reduce((sum, { size }) => sum + (size > limits.fileBytes ? 0 : size), 0);
  if (bytes > limits.bytes)
    throw new SourceError('malformed', `the manifests in the folder ${root} have ${bytes} bytes together, and at most ${limits.bytes} are read; ${KEPT}`);
  const files = new Map<string, File>();
  // What was larger by the time that it was read is less for the others.
  let room = limits.bytes - bytes;
  for (const { full, path, stamp, size, error } of found) {
    const taken = late?.take(path);
    const known = taken === undefined || taken === 'pending' ? before.get(path) : taken;
    if (error !== undefined) files.set(path, unread(path, error, known));
    else if (size > limits.fileBytes) files.set(path, unread(path, `has ${size} bytes; at most ${limits.fileBytes} are read`, known));
    else if (known !== undefined && (known.stamp === stamp || taken === 'pending')) files.set(path, known);
    else {
      const read = await readRegular(full, Math.min(limits.fileBytes, size + room)).catch(reasonOf);
      if (typeof read !== 'string') room -= Math.max(0, read.bytes.length - size);
      if (typeof read === 'string') files.set(path, unread(path, read, known));
      else if (late !== undefined && known !== undefined && mayBeLate(read, known)) {
        late.begin(path, parse(read, path, known, signal));
        files.set(path, known);
      } else files.set(path, await parse(read, path, known, signal));
    }
  }
  const isSame = files.size === before.size && [...files].every(([path, file]) => before.get(path) === file);
  return isSame ? before : files;
}

/** Nobody else's documents wait for a large one; Secrets and what nobody knows are waited for. */
const mayBeLate = ({ bytes }: BoundedFile, { manifests, error }: File): boolean =>
  bytes.length > ASIDE_LIMITS.fromBytes && error === undefined && manifests.length > 0 && manifests.every(({ kind }) => kind === 'ConfigMap');

interface Listed {
  readonly full: string;
  readonly path: string;
  readonly stamp: string;
  readonly size: number;
  readonly error: string | undefined;
}

const sizesOf = (root: string, entries: readonly Dirent[]): Promise<Listed | undefined>[] =>
  entries.map(async (entry) => {
    const full = join(entry.parentPath, entry.name);
    const path = relative(root, full);
    if (!/\.(ya?ml|json)$/.test(entry.name) || path.split('/').some((part) => part.startsWith('.')) || /^kustomization\.ya?ml$/.test(entry.name))
      return undefined;
    try {
      const facts = await stat(full, { bigint: true });
      return facts.isFile() ? { full, path, stamp: stampOf(facts), size: Number(facts.size), error: undefined } : undefined;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      return code === 'ENOENT' ? undefined : { full, path, stamp: '', size: 0, error: `cannot be read (${code ?? 'unknown error'})` };
    }
  });

/** Why a file cannot be read by the time that it is opened, which may be another one than was listed. */
const reasonOf = (error: unknown): string =>
  error instanceof RefusedFile ? error.message : `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`;

/** So many characters of JSON take no more time and memory than one of YAML, whatever they say. */
const JSON_FOR_ONE = 8;

async function parse({ bytes, stamp }: BoundedFile, path: string, known: File | undefined, signal: AbortSignal): Promise<File> {
  const broken = (error: string): File => ({ ...unread(path, error, known), stamp });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return broken('is not UTF-8');
  }
  const parts = partsOf(text, path.endsWith('.json'));
  const fresh = [...parts].filter(([key]) => known?.parsed.has(key) !== true);
  const length = fresh.reduce((sum, [, { text, isJson }]) => sum + (isJson ? text.length / JSON_FOR_ONE : text.length), 0);
  try {
    const read = await aside('manifests', length, [fresh.map(([, part]) => part)], signal, `file ${path}`);
    if (read.error !== undefined) return broken(read.error);
    const found = new Map(fresh.map(([key], index) => [key, read.manifests[index] ?? []]));
    const parsed = new Map([...parts.keys()].map((key) => [key, found.get(key) ?? known?.parsed.get(key) ?? []]));
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
    if (error instanceof TooCostly) return broken(error.message);
    throw error;
  }
}

const unread = (path: string, error: string, known: File | undefined): File => ({
  path,
  stamp: '',
  manifests: [],
  parsed: NOTHING,
  error,
  lastNames: known?.lastNames ?? new Set(),
});
