// A term as the writer for one piece of work: whoever asks by hand does not wait for long.
import type { Config } from '../config.ts';
import type { Connections } from '../postgres/connection.ts';
import { whyNot } from '../postgres/outage-of.ts';
import { acquireWriterLock, type Waiting } from '../postgres/writer-lock.ts';
import { type Program, UsageError } from './verb.ts';

const LOST = 'the writer lock was lost: another instance may be the writer by now, and what was under way is rolled back';

/** So long another writer may take to end. */
const PATIENCE_MS = 5000;

/**
 * Does the work under the writer's fence.
 * @param work is given a signal that is aborted when the lock is lost, or somebody ends us.
 * @throws UsageError where somebody else is the writer, or the server is out of reach.
 */
export async function asTheWriter<T>(
  { server, source }: Pick<Config, 'server' | 'source'>,
  connections: Connections,
  self: Pick<Program, 'once'>,
  work: (fence: string, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) self.once(name, () => stop.abort(new UsageError(`${name}: what was under way is rolled back`)));
  const began = performance.now();
  const endedAs = (error: unknown): unknown => (stop.signal.aborted ? stop.signal.reason : error);
  const lock = await acquireWriterLock({
    connections,
    adminDatabase: server.adminDatabase,
    source: source.id,
    signal: stop.signal,
    onWait: (why) => {
      if (performance.now() - began > PATIENCE_MS || !mayPass(why)) stop.abort(new UsageError(wordsOf(why)));
    },
  }).catch((error: unknown) => Promise.reject(endedAs(error) as Error));
  try {
    return await work(lock.fence, AbortSignal.any([stop.signal, lock.lost]));
  } catch (error) {
    if (lock.lost.aborted && !stop.signal.aborted) throw new UsageError(LOST);
    throw endedAs(error);
  } finally {
    await lock.release();
  }
}

/** Whether it is only another writer, that may be about to end. */
const mayPass = (why: Waiting): boolean => why.kind === 'standby' || whyNot(why.error).outage === 'another_writer';

const wordsOf = (why: Waiting): string =>
  why.kind === 'standby' ? `${why.message}, and there is one at a time: end it first, or let it do what is declared` : whyNot(why.error).message;
