// One thread beside the loop: it answers one request after the other, and one that takes too much memory or time ends that thread alone.
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { AsideRequest } from './aside-tasks.ts';

/** A thread that has nothing to do gives its memory back. */
const IDLE_MS = 1000;
const YOUNG_MIB = 8;

/** The thread came to the end of its memory or time, and with it this one task. The message goes on from what was read. */
export class TooCostly extends Error {
  override readonly name = 'TooCostly';
  readonly mayBeLess: boolean;

  /** @param mayBeLess another thread may have more left: what was read before counts in memory, and not in time. */
  constructor(most: string, mayBeLess: boolean) {
    super(`takes more than ${most} to be read; make it smaller`);
    this.mayBeLess = mayBeLess;
  }
}

export interface AsideThread {
  /** One at a time. @throws TooCostly, and whatever the signal says. */
  ask(request: AsideRequest, ms: number, signal: AbortSignal): Promise<unknown>;
}

/** A thread that is started when something is asked of it. */
export function createAsideThread(program: URL, memoryMiB: number): AsideThread {
  let worker: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;

  const stop = (): void => {
    void worker?.terminate();
    worker = undefined;
  };
  const started = (): Worker => {
    const fresh = start(program, memoryMiB);
    // One that has ended answers nothing and tells nobody: it is not asked again.
    fresh.once('exit', () => {
      if (worker === fresh) worker = undefined;
    });
    return fresh;
  };
  const askOnce = async (request: AsideRequest, ms: number, signal: AbortSignal): Promise<unknown> => {
    signal.throwIfAborted();
    clearTimeout(idle);
    worker ??= started();
    const asked = worker;
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(new TooCostly(`${ms / 1000} s`, false)), ms);
    const either = { signal: AbortSignal.any([signal, over.signal]) };
    try {
      asked.ref();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      asked.postMessage(request);
      const [answer] = (await Promise.race([once(asked, 'message', either), once(asked, 'exit', either).then(gone)])) as [unknown];
      asked.unref();
      idle = setTimeout(stop, IDLE_MS).unref();
      return answer;
    } catch (error) {
      stop();
      signal.throwIfAborted();
      over.signal.throwIfAborted();
      throw error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? new TooCostly(`${memoryMiB} MiB of memory`, true) : error;
    } finally {
      clearTimeout(timer);
      over.abort();
    }
  };
  return {
    ask: async (request, ms, signal) => {
      const isReused = worker !== undefined;
      try {
        return await askOnce(request, ms, signal);
      } catch (error) {
        // It may have ended by what it had read before.
        if (!isReused || signal.aborted || (error instanceof TooCostly && !error.mayBeLess)) throw error;
        return askOnce(request, ms, signal);
      }
    },
  };
}

function start(program: URL, memoryMiB: number): Worker {
  // Where the process was started with these they would hold for the thread in place of its own limits; the heap that is there has its bounds already.
  setFlagsFromString('--max-old-space-size=0');
  setFlagsFromString('--max-semi-space-size=0');
  const resourceLimits = { maxOldGenerationSizeMb: memoryMiB, maxYoungGenerationSizeMb: YOUNG_MIB };
  // Our environment holds a password, and options that are meant for the process.
  return new Worker(program, { env: {}, execArgv: [], resourceLimits }).on('error', () => undefined);
}

const gone = (): never => {
  throw new Error('the thread that reads large texts has ended');
};
