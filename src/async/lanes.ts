// Lanes: so many of something begin at a time, in the order in which they asked. What takes long makes room for the next one, so that nobody waits for what only waits itself.

export interface Lanes {
  /** Runs the work when it is its turn. @throws what it throws, and the signal's reason while it waits. */
  readonly inTurn: <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;
}

/** @param patience milliseconds after which something no longer counts. */
export function createLanes(most: number, patience: number): Lanes {
  let busy = 0;
  const waiting = new Set<() => void>();
  const leave = (): void => {
    const [next] = waiting;
    if (next === undefined) busy -= 1;
    else {
      waiting.delete(next);
      next();
    }
  };
  const enter = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    if (busy < most) {
      busy += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        waiting.delete(begin);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      waiting.add(begin);
    });
  };
  return {
    inTurn: async (work, signal) => {
      await enter(signal);
      let hasLeft = false;
      const leaveOnce = (): void => {
        if (!hasLeft) leave();
        hasLeft = true;
      };
      const timer = setTimeout(leaveOnce, patience);
      try {
        return await work();
      } finally {
        clearTimeout(timer);
        leaveOnce();
      }
    },
  };
}
