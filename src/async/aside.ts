// Large texts of others are read in a thread of its own: nothing else waits meanwhile, and one that takes too much memory ends that thread alone.
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { type AsideInput, type AsideOutcome, type AsideRequest, type AsideTask, runTask } from './aside-tasks.ts';

/** What is smaller is read at once, within a tenth of a second whatever it says; beyond that the thread has so much memory and time for it. */
export const ASIDE_LIMITS = { fromBytes: 32_768, memoryMiB: 96, ms: 120_000 } as const;

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

/** How the thread is set up; the program is another one in tests alone. */
export interface AsideOptions {
  readonly memoryMiB?: number;
  readonly ms?: number;
  readonly program?: URL;
}

/**
 * Runs a task on so many bytes: here where they are few, and beside the loop where they are many, one task after the other.
 * @throws TooCostly, and whatever the signal says.
 */
export type Aside = <T extends AsideTask>(task: T, bytes: number, input: AsideInput<T>, signal: AbortSignal) => Promise<AsideOutcome<T>>;

/** Where there is no compiler the thread runs the source as well. */
const PROGRAM = new URL(`./aside-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

export function createAside({ memoryMiB = ASIDE_LIMITS.memoryMiB, ms = ASIDE_LIMITS.ms, program = PROGRAM }: AsideOptions = {}): Aside {
  let worker: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;
  let last: Promise<unknown> = Promise.resolve();

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
  const askOnce = async (request: AsideRequest, signal: AbortSignal): Promise<unknown> => {
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
  const ask = async (request: AsideRequest, signal: AbortSignal): Promise<unknown> => {
    const isReused = worker !== undefined;
    try {
      return await askOnce(request, signal);
    } catch (error) {
      // It may have ended by what it had read before.
      if (!isReused || signal.aborted || (error instanceof TooCostly && !error.mayBeLess)) throw error;
      return askOnce(request, signal);
    }
  };
  return async <T extends AsideTask>(task: T, bytes: number, input: AsideInput<T>, signal: AbortSignal): Promise<AsideOutcome<T>> => {
    if (bytes <= ASIDE_LIMITS.fromBytes) return runTask({ task, input }) as AsideOutcome<T>;
    const answer = last.then(() => ask({ task, input }, signal));
    last = answer.catch(() => undefined);
    return (await answer) as AsideOutcome<T>;
  };
}

/** One for the process: what is read in it is bounded together. */
export const aside = createAside();

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
