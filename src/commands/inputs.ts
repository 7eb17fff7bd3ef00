// Files that are named on the command line, and standard input: bytes, no more than may be taken, or why there are none.
import type { Readable } from 'node:stream';
import type { InputFile } from '../document/found-documents.ts';
import { MANIFEST_LIMITS } from '../document/manifests.ts';
import { readRegularOrPipe, readStream, RefusedFile } from '../files/bounded-file.ts';

/** What standard input is called. */
const STDIN = '-';

/** Reads all files, one after the other. */
export async function readInputs(paths: readonly string[], stdin: Readable): Promise<readonly InputFile[]> {
  const files: InputFile[] = [];
  let left: number = MANIFEST_LIMITS.bytes;
  for (const path of paths) {
    const read = await readInput(path, stdin, Math.min(left, MANIFEST_LIMITS.fileBytes));
    if (read.message === undefined) left -= read.bytes.length;
    files.push({ path, read });
  }
  return files;
}

/** Reads a file, a pipe or standard input. Of one that is too large no more is read than shows it. */
export async function readInput(path: string, stdin: Readable, most: number): Promise<InputFile['read']> {
  try {
    return { bytes: await (path === STDIN ? readStream(stdin, most) : readRegularOrPipe(path, most)) };
  } catch (error) {
    return { message: `cannot be read: ${error instanceof RefusedFile ? `it ${error.message}` : reasonOf((error as NodeJS.ErrnoException).code)}` };
  }
}

const REASONS: ReadonlyMap<string | undefined, string> = new Map([
  ['ENOENT', 'there is no such file'],
  ['EACCES', 'permission denied'],
  ['EAGAIN', 'nothing stands there'],
]);

/** Why a file cannot be read, for people. */
export const reasonOf = (code: string | undefined): string => REASONS.get(code) ?? code ?? 'unknown error';
