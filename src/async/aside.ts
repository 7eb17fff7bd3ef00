// Large texts of others are read in threads of their own, in turns of whose they are: nothing else waits meanwhile, and one that takes too much time or memory is refused alone.
import { createAsideThread, TooCostly } from './aside-thread.ts';
import { type AsideInput, type AsideOutcome, type AsideRequest, type AsideTask, runTask } from './aside-tasks.ts';

export { TooCostly } from './aside-thread.ts';

/**
 * What is smaller is read at once, within a tenth of a second whatever it says; beyond that a thread has so much memory and time for it. While that one is
 * busy a second one, with less of both, reads what somebody else has; and what takes more than a turn begins anew when it is its turn again. Who serves nobody
 * else reads at once what takes no more memory than the thread would have.
 */
export const ASIDE_LIMITS = {
  fromBytes: 32_768,
  fromBytesAlone: 131_072,
  memoryMiB: 96,
  ms: 120_000,
  turnMs: 10_000,
  second: { memoryMiB: 32, ms: 1000 },
} as const;

/** How long a turn is, is looked at so often in it. */
const LOOKS = 10;

/** How the threads are set up; the program is another one in tests alone. */
export interface AsideOptions {
  readonly memoryMiB?: number;
  readonly ms?: number;
  readonly turnMs?: number;
  readonly program?: URL;
}

/**
 * Runs a task on so many bytes: here where they are few, and beside the loop where they are many.
 * @param whose those of one are read one after the other, and everybody's in turns.
 * @throws TooCostly, and whatever the signal says.
 */
export type Aside = <T extends AsideTask>(task: T, bytes: number, input: AsideInput<T>, signal: AbortSignal, whose?: string) => Promise<AsideOutcome<T>>;

interface Task {
  readonly request: AsideRequest;
  readonly whose: string;
  readonly signal: AbortSignal;
  /** Milliseconds that it had in turns that were over before it was read. */
  spent: number;
  /** The second thread was too small for it. */
  isLarge: boolean;
  readonly settle: PromiseWithResolvers<unknown>;
}

/** A process that does one thing, and ends: a thread takes it longer to begin than most of what is read. */
export const serveNobodyElse = (): void => void (fromBytes = ASIDE_LIMITS.fromBytesAlone);
let fromBytes: number = ASIDE_LIMITS.fromBytes;

/** Where there is no compiler the threads run the source as well. */
const PROGRAM = new URL(`./aside-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

const TURN_IS_OVER = new Error('somebody else waits for the thread');

export function createAside({
  memoryMiB = ASIDE_LIMITS.memoryMiB,
  ms = ASIDE_LIMITS.ms,
  turnMs = ASIDE_LIMITS.turnMs,
  program = PROGRAM,
}: AsideOptions = {}): Aside {
  const { second } = ASIDE_LIMITS;
  const first = createAsideThread(program, memoryMiB);
  const other = createAsideThread(program, Math.min(memoryMiB, second.memoryMiB));
  const waiting = createWaiting();
  let [firstIsBusy, otherIsBusy] = [false, false];

  const begin = (): void => {
    const task = firstIsBusy ? undefined : waiting.take(() => true);
    if (task !== undefined) void onFirst(task);
    const small = !firstIsBusy || otherIsBusy ? undefined : waiting.take(({ isLarge }) => !isLarge);
    if (small !== undefined) void onOther(small);
  };
  const onFirst = async (task: Task): Promise<void> => {
    firstIsBusy = true;
    await inTurn(task);
    firstIsBusy = false;
    waiting.done(task);
    begin();
  };
  const onOther = async (task: Task): Promise<void> => {
    otherIsBusy = true;
    await ifSmall(task);
    otherIsBusy = false;
    waiting.done(task);
    begin();
  };
  /** Until it is read, or its time or its turn is over. Never throws. */
  const inTurn = async (task: Task): Promise<void> => {
    const began = performance.now();
    const over = new AbortController();
    const look = setInterval(() => {
      if (performance.now() - began >= turnMs && waiting.areOthers(task)) over.abort(TURN_IS_OVER);
    }, turnMs / LOOKS);
    try {
      task.settle.resolve(await first.ask(task.request, Math.max(1, ms - task.spent), AbortSignal.any([task.signal, over.signal])));
    } catch (error) {
      task.spent += performance.now() - began;
      const isOver = task.spent >= ms || (error instanceof TooCostly && !error.mayBeLess);
      if (isOver) task.settle.reject(new TooCostly(`${ms / 1000} s`, false));
      else if (error !== TURN_IS_OVER) task.settle.reject(error);
      else {
        task.isLarge = true;
        waiting.add(task);
      }
    } finally {
      clearInterval(look);
    }
  };
  /** Never throws. */
  const ifSmall = async (task: Task): Promise<void> => {
    try {
      task.settle.resolve(await other.ask(task.request, Math.min(ms, second.ms), task.signal));
    } catch (error) {
      if (!(error instanceof TooCostly)) return task.settle.reject(error);
      task.isLarge = true;
      waiting.add(task);
    }
  };

  return async <T extends AsideTask>(task: T, bytes: number, input: AsideInput<T>, signal: AbortSignal, whose = ''): Promise<AsideOutcome<T>> => {
    if (bytes <= fromBytes) return runTask({ task, input }) as AsideOutcome<T>;
    signal.throwIfAborted();
    const asked: Task = { request: { task, input }, whose, signal, spent: 0, isLarge: false, settle: Promise.withResolvers() };
    waiting.add(asked);
    begin();
    return (await answerTo(asked, waiting)) as AsideOutcome<T>;
  };
}

/** Whoever gives up while it waits leaves its place. */
async function answerTo(asked: Task, waiting: ReturnType<typeof createWaiting>): Promise<unknown> {
  const { signal, settle } = asked;
  const giveUp = (): void => {
    if (waiting.remove(asked)) settle.reject(signal.reason as Error);
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await settle.promise;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** Who waits, by whose it is, and whose turn it is next. */
function createWaiting() {
  /** In the order of turns. */
  const rows = new Map<string, Task[]>();
  const busy = new Set<string>();
  return {
    add: (task: Task): void => {
      rows.set(task.whose, [...(rows.get(task.whose) ?? []), task]);
    },
    /** The next one that fits, of somebody of whom nothing is read now. */
    take: (fits: (task: Task) => boolean): Task | undefined => {
      for (const [whose, row] of rows) {
        const task = busy.has(whose) ? undefined : row.find(fits);
        if (task === undefined) continue;
        busy.add(whose);
        const rest = row.filter((one) => one !== task);
        rows.delete(whose);
        if (rest.length > 0) rows.set(whose, rest);
        return task;
      }
      return undefined;
    },
    done: ({ whose }: Task): void => void busy.delete(whose),
    /** Whether it was there. */
    remove: (task: Task): boolean => {
      const row = rows.get(task.whose) ?? [];
      const rest = row.filter((one) => one !== task);
      if (rest.length > 0) rows.set(task.whose, rest);
      else rows.delete(task.whose);
      return rest.length < row.length;
    },
    areOthers: ({ whose }: Task): boolean => [...rows.keys()].some((one) => one !== whose && !busy.has(one)),
  };
}

/** One for the process: what is read in it is bounded together. */
export const aside = createAside();
