// Folders for a test: gone with the process or the file of tests that made them, also where the test failed before it cleaned up.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made = new Set<string>();
/** What else has to end with a file of tests, as a daemon of one that failed. */
export const endings = new Set<() => void>();

/** Ends and removes all of it. */
export function removeScratch(): void {
  for (const end of endings) end();
  endings.clear();
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
  made.clear();
}
process.on('exit', removeScratch);

/** A new folder in the temporary one. @param what a word for its name. */
export function scratch(what: string): string {
  const folder = mkdtempSync(join(tmpdir(), `pgsteward-${what}-`));
  made.add(folder);
  return folder;
}
