// Patience: a row of requests ends when nobody has answered for a while, or when all of it takes too long.

/** So long an API server that works never takes for one answer. */
export const QUIET_MS = 4000;

export interface Patience {
  /** Aborted when it has run out. */
  readonly signal: AbortSignal;
  /** Somebody answered. */
  heard(): void;
  /** Nothing is waited for any more. */
  end(): void;
}

/** @param quiet how long nobody may answer, and `total` how long all of it may take, in milliseconds. */
export function createPatience({ quiet, total }: { readonly quiet: number; readonly total: number }): Patience {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  const last = setTimeout(stop, total);
  let timer = setTimeout(stop, quiet);
  return {
    signal: controller.signal,
    heard: () => {
      clearTimeout(timer);
      timer = setTimeout(stop, quiet);
    },
    end: () => {
      clearTimeout(timer);
      clearTimeout(last);
    },
  };
}
