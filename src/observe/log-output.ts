// Where the log goes: nothing waits for whoever reads it, and what nobody has read yet is bounded.
import type { Writable } from 'node:stream';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../model/limits.ts';

export interface LogOutput {
  /** Takes a line at once. One that would stand behind too much that nobody has read is left out and counted. */
  write(line: string): void;
  /** What is written meanwhile goes out as one at its end, and also where the work fails: a system call for each of thousands of lines costs more than the lines. */
  together<T>(work: () => T): T;
  /** Resolves when all that was written is on its way, and after so many milliseconds at the latest; everything else had its turn in between. Never throws. */
  room(ms: number): Promise<void>;
  /** Called with the number of lines that were left out, once the log is read again. */
  onLeftOut(tell: (lines: number) => void): void;
}

/**
 * @param stream a pipe or a file. One that is written synchronously stands still with its reader, and our probes with it; this one keeps in memory what its reader
 *   does not take yet.
 */
export function createLogOutput(stream: Writable, most: number = LIMITS.logWaiting): LogOutput {
  let leftOut = 0;
  let tell = (_lines: number): void => undefined;
  /** Nobody is there to read any more, and to say that to. */
  let isGone = false;
  let isFailing = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    isGone ||= error.code === 'EPIPE';
  });
  const isRead = (): void => {
    const lines = leftOut;
    leftOut = 0;
    if (!isGone) tell(lines);
  };
  /** A full disk has room again some day; standard output takes lines after an error as before it. */
  const isWritten = (error: Error | null | undefined): void => {
    const wasFailing = isFailing;
    isFailing = error != null;
    if (isFailing) leftOut += 1;
    else if (wasFailing) isRead();
  };
  return {
    write: (line) => {
      if (isGone) return;
      if (stream.writableLength <= most) stream.write(line, isWritten);
      else {
        leftOut += 1;
        if (leftOut === 1) stream.write('', isRead);
      }
    },
    together: (work) => {
      stream.cork();
      try {
        return work();
      } finally {
        stream.uncork();
      }
    },
    room: async (ms) => {
      const until = performance.now() + ms;
      await turn();
      // Again where something was said meanwhile, as of what was left out.
      for (let left = ms; !isGone && stream.writableLength > 0 && left > 0; left = until - performance.now()) {
        const over = new AbortController();
        // Behind all that waits: it is written when that is.
        const written = new Promise<void>((resolve) => void stream.write('', () => resolve()));
        await Promise.race([written, sleep(left, undefined, { signal: over.signal })]).catch(() => undefined);
        over.abort();
        await turn();
      }
    },
    onLeftOut: (teller) => {
      tell = teller;
    },
  };
}
