// Folders for a test: gone with the process or the file of tests that made them, also where the test failed before it cleaned up.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whoever is ended may still be writing there for a moment. */
export const REMOVAL = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 } as const;

const made = new Set<string>();
/** What else has to end with a file of tests, as a daemon of one that failed. */
export const endings = new Set<() => void>();

/** Ends and removes all of it. What cannot be ended or removed keeps nothing else from it, and is told at the end. */
export function removeScratch(): void {
  const all = [...endings, ...[...made].map((folder) => () => rmSync(folder, REMOVAL))];
  endings.clear();
  made.clear();
  const failures = all.flatMap((end) => {
    try {
      end();
      return [];
    } catch (error) {
      return [error];
    }
  });
  if (failures.length > 0) throw new AggregateError(failures, 'not everything of this file of tests could be removed');
}
process.on('exit', removeScratch);

/** A new folder in the temporary one. @param what a word for its name. */
export function scratch(what: string): string {
  const folder = mkdtempSync(join(tmpdir(), `pgsteward-${what}-`));
  made.add(folder);
  return folder;
}
