// Progress: one line on standard error for each step that takes longer than somebody waits without wondering.
import type { Writable } from 'node:stream';
import { say } from './verb.ts';

const PATIENCE_MS = 2000;

/** Does a piece of work, and says so where it lasts. @param what as in «reading the server». */
export async function withProgress<T>(stderr: Writable, what: string, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => void say(stderr, `pgsteward: ${what} …\n`), PATIENCE_MS);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}
