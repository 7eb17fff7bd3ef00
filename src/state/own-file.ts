// A file of our own: read only where nobody else can have written it, and written so that nobody else's file or link is followed.
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { readOpen, RefusedFile } from '../files/bounded-file.ts';

/** More is not read: 10,000 roles take 5 MB. */
const LARGEST = 64 * 1024 * 1024;

export type OwnFile =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable' | 'refused'; readonly reason: string };

/**
 * Reads a file that is ours alone: a regular one with one name, of our account or root's, which others cannot write to. What a folder lets
 * others do is to take the file away, and nothing is lost by that; they cannot put one there that is ours. A group may write where it is one
 * of our own: with `fsGroup`, Kubernetes gives every file of a volume to the pod's group, and lets that write.
 */
export function readOwnFile(path: string): OwnFile {
  let descriptor: number;
  try {
    // A link is not followed, and a pipe is not waited for.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT') return { kind: 'missing' };
    return code === 'ELOOP' ? { kind: 'refused', reason: 'is a symbolic link' } : { kind: 'unreadable', reason: `cannot be read (${code})` };
  }
  try {
    // Of what is open, and not of what may be there by now.
    const reason = strangeness(descriptor);
    return reason === undefined ? { kind: 'text', text: readOpen(descriptor, LARGEST).toString('utf8') } : { kind: 'refused', reason };
  } catch (error) {
    if (error instanceof RefusedFile) return { kind: 'refused', reason: error.message };
    return { kind: 'unreadable', reason: `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})` };
  } finally {
    closeSync(descriptor);
  }
}

/** Why somebody else may have written an open file; undefined where nobody can have. */
function strangeness(descriptor: number): string | undefined {
  const stat = fstatSync(descriptor);
  const { uid, gid, mode, nlink, size } = stat;
  if (!stat.isFile()) return 'is no regular file';
  if (size > LARGEST) return `is larger than ${LARGEST / 1024 / 1024} MiB`;
  const own = process.geteuid?.();
  // Where the system has no accounts of this kind, its own rights decide.
  if (own === undefined) return undefined;
  if (uid !== own && uid !== 0) return `belongs to another account (uid ${uid}; ours is ${own})`;
  if ((mode & 0o002) !== 0) return 'can be written by everybody';
  if ((mode & 0o020) !== 0 && gid !== process.getegid?.() && process.getgroups?.().includes(gid) !== true)
    return `can be written by another group (gid ${gid})`;
  return nlink === 1 ? undefined : 'has a second name (a hard link)';
}

/**
 * Writes a file at once or not at all: beside it under a name that nobody knows, synced, then renamed over it. Only our account may read it.
 * @throws the file system's error, for example on a read-only one.
 */
export async function writeOwnFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  // Exclusively: whatever stands there already, a link included, is not opened.
  const file = await open(temporary, 'wx', 0o600);
  try {
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // On a full volume, what is left behind each time would keep it full.
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}
