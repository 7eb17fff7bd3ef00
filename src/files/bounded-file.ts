// Files of others: whatever stands at a path by the time that it is opened, it is neither waited for nor read beyond a limit. What is asked is asked of what is open.
import { type BigIntStats, constants, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';

/** Why an open file is not read: a sentence without its subject, which is the file. */
export class RefusedFile extends Error {}

/** A pipe that nobody writes to is not waited for, and a terminal does not become ours. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

const CHUNK = 65_536;

/** Until a pipe is asked again. */
const PAUSE_MS = 10;

const tooLarge = (most: number): RefusedFile => new RefusedFile(`has more than ${most} bytes, which is all that is read`);

export interface BoundedFile {
  readonly bytes: Buffer;
  /** What the file was as it was opened: one that is written meanwhile has another time by the next look. */
  readonly stamp: string;
}

/** What changes whenever a file does. */
export const stampOf = ({ mtimeNs, size, ino }: Pick<BigIntStats, 'mtimeNs' | 'size' | 'ino'>): string => `${mtimeNs}-${size}-${ino}`;

/**
 * Reads a regular file, and no other.
 * @param most so many bytes at most, also of one that grows while it is read.
 * @throws RefusedFile, or the file system's error.
 */
export async function readRegular(path: string, most: number): Promise<BoundedFile> {
  const file = await open(path, FLAGS);
  try {
    const facts = await file.stat({ bigint: true });
    if (!facts.isFile()) throw new RefusedFile(facts.isDirectory() ? 'is a folder' : 'is no regular file');
    if (facts.size > most) throw tooLarge(most);
    return { bytes: await readHandle(file, most), stamp: stampOf(facts) };
  } finally {
    await file.close();
  }
}

/** Text of such a file. @throws as `readRegular`. */
export const readRegularText = async (path: string, most: number): Promise<string> => (await readRegular(path, most)).bytes.toString('utf8');

/** The same, or what comes out of a pipe until its other end is closed; one that nobody writes to is not waited for. @throws as `readRegular`. */
export async function readRegularOrPipe(path: string, most: number): Promise<Buffer> {
  const file = await open(path, FLAGS);
  try {
    const facts = await file.stat();
    if (facts.isFile()) return await readHandle(file, most);
    if (facts.isDirectory()) throw new RefusedFile('is a folder; name the files in it');
    if (!facts.isFIFO()) throw new RefusedFile('is a device; name a file, a pipe or - for standard input');
    const bytes = await readHandle(file, most);
    if (bytes.length === 0) throw new RefusedFile('is a pipe that nobody writes to');
    return bytes;
  } finally {
    await file.close().catch(() => undefined);
  }
}

/** Reads what comes, up to a limit. @throws RefusedFile, or the stream's error. */
export async function readStream(stream: Readable, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > most) throw tooLarge(most);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

async function readHandle(file: FileHandle, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const read = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, null).catch(unlessEmpty);
    if (read === undefined) {
      await setTimeout(PAUSE_MS);
      continue;
    }
    if (read.bytesRead === 0) return Buffer.concat(chunks);
    size += read.bytesRead;
    if (size > most) throw tooLarge(most);
    chunks.push(read.buffer.subarray(0, read.bytesRead));
  }
}

/** A pipe whose other end is open, and has written nothing yet. */
function unlessEmpty(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
}

/** Reads a file that is open, without giving others their turn. @throws as `readRegular`. */
export function readOpen(descriptor: number, most: number): Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const buffer = Buffer.allocUnsafe(CHUNK);
    const bytesRead = readSync(descriptor, buffer, 0, CHUNK, null);
    if (bytesRead === 0) return Buffer.concat(chunks);
    size += bytesRead;
    if (size > most) throw tooLarge(most);
    chunks.push(buffer.subarray(0, bytesRead));
  }
}
