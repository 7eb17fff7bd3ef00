// A file that is written because somebody named it.
import { lstat } from 'node:fs/promises';
import { oneLine } from '../document/show.ts';
import { UsageError } from './verb.ts';

/** What stands there is replaced: that must be a file, and no link or device. @param instead what to do. @throws UsageError */
export async function refuseOddFile(file: string, instead: string): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  if (found !== undefined && !found.isFile()) throw new UsageError(`${oneLine(file)} is no regular file; ${instead}`);
}

/** Why it cannot be written, for people. */
export function whyNotWritten(error: unknown): string {
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'there is no such folder' : code === 'EACCES' ? 'permission denied' : code;
}
