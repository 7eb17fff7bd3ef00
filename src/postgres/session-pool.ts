// The pool of sessions in the admin database: so many at most, of which few stay open once there is nothing to do.
import type pg from 'pg';

export interface SessionPool {
  /** Runs `work` with a session, which is thrown away when it fails. */
  use<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
  close(): void;
}

/** So long a session waits for the next one who needs it: a login costs more than most of what is asked. */
const LINGER_MS = 1000;

interface Idle {
  readonly client: pg.Client;
  readonly since: number;
}

/** At most `max` sessions, of which `min` stay open while idle. pg's own pool cannot open a session in steps (sslmode prefer). */
export function createSessionPool(connect: () => Promise<pg.Client>, isOpen: (client: pg.Client) => boolean, max: number, min: number): SessionPool {
  const kept = Math.max(min, 1);
  /** The one that was used last comes last, and is the next to be used. */
  const idle: Idle[] = [];
  const waiting: (() => void)[] = [];
  let busy = 0;
  let closed = false;
  let trimming: NodeJS.Timeout | undefined;
  const lastOpen = (): pg.Client | undefined => {
    let client = idle.pop()?.client;
    while (client !== undefined && !isOpen(client)) client = idle.pop()?.client;
    return client;
  };
  const trim = (): void => {
    trimming = undefined;
    while (idle.length > kept) {
      const left = (idle[0]?.since ?? 0) + LINGER_MS - performance.now();
      if (left > 0) {
        trimming = setTimeout(trim, left).unref();
        return;
      }
      idle
        .shift()
        ?.client.end()
        .catch(() => undefined);
    }
  };
  const release = (client: pg.Client | undefined): void => {
    busy -= 1;
    if (client !== undefined) {
      if (closed) client.end().catch(() => undefined);
      else idle.push({ client, since: performance.now() });
      if (idle.length > kept && trimming === undefined) trimming = setTimeout(trim, LINGER_MS).unref();
    }
    waiting.shift()?.();
  };
  return {
    async use(work) {
      while (busy >= max) await new Promise<void>((resolve) => waiting.push(resolve));
      busy += 1;
      let client: pg.Client | undefined;
      try {
        client = lastOpen() ?? (await connect());
        const result = await work(client);
        release(isOpen(client) ? client : undefined);
        return result;
      } catch (error) {
        client?.end().catch(() => undefined);
        release(undefined);
        throw error;
      }
    },
    close: () => {
      closed = true;
      clearTimeout(trimming);
    },
  };
}
