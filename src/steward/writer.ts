// Writer: one term as the writer: waiting for the lock, cycles under its fence, and giving it back.
import type { CycleReport } from './report.ts';
import { acquireWriterLock, type WriterLock, type WriterLockOptions } from '../postgres/writer-lock.ts';
import type { Connections } from '../postgres/connection.ts';
import { describeFailure } from '../postgres/failures.ts';
import type { Residents } from '../postgres/residents.ts';
import type { Reconciler } from './reconcile.ts';
import { createStandingBy } from './standing-by.ts';

export interface WriterOptions extends Pick<WriterLockOptions, 'adminDatabase' | 'source' | 'precedence'> {
  readonly connections: Pick<Connections, 'open' | 'drop'>;
  readonly reconciler: Pick<Reconciler, 'outage'>;
  readonly residents: Pick<Residents, 'follow'>;
  readonly metrics: { setWriter(isWriter: boolean): void; standsBy(): void };
  readonly status: { beat(): void; setRole(role: 'writer' | 'standby'): void; standsBy(): void };
  readonly log: { info(message: string): void; warn(message: string): void };
  /** Shows a report wherever one looks. Never throws but for an abort. */
  readonly show: (report: CycleReport, signal: AbortSignal) => Promise<void>;
  /** Seconds between cycles. */
  readonly interval: number;
  /** Runs cycles until the signal aborts, and between two of them ends also where the lock is wanted. */
  readonly cycles: (fence: string, signal: AbortSignal, wanted: AbortSignal) => Promise<void>;
}

/** Until the lock is lost or wanted. @throws when the signal aborts while it waits, and whatever a cycle throws. */
export async function asWriter(options: WriterOptions, signal: AbortSignal): Promise<void> {
  const { connections, residents, metrics, status, log, cycles } = options;
  const { lock, hasWaited } = await becomeWriter(options, signal);
  status.setRole('writer');
  metrics.setWriter(true);
  if (hasWaited) log.info('this instance is the writer now');
  // Another one may be the writer by now. A cycle that waits for a server which is out of reach, or hangs, would say otherwise for a minute, and the
  // outage would not be told.
  const onLost = (): void => {
    status.setRole('standby');
    metrics.setWriter(false);
    connections.drop();
    if (!signal.aborted) log.warn('the writer lock was lost: nothing is written until it is ours again');
  };
  if (lock.lost.aborted) onLost();
  else lock.lost.addEventListener('abort', onLost, { once: true });
  try {
    await cycles(lock.fence, AbortSignal.any([signal, lock.lost]), lock.wanted);
    if (lock.wanted.aborted && !signal.aborted && !lock.lost.aborted) {
      status.setRole('standby');
      log.info(`the writer lock is given back: ${describeFailure(lock.wanted.reason)}`);
    }
  } catch (error) {
    if (!signal.aborted && !lock.lost.aborted) throw error;
  } finally {
    lock.lost.removeEventListener('abort', onLost);
    metrics.setWriter(false);
    residents.follow([]);
    await lock.release();
  }
}

/** Waits for the lock, and says meanwhile what keeps it from us. */
async function becomeWriter(
  { connections, adminDatabase, source, precedence, reconciler, metrics, status, log, show, interval }: WriterOptions,
  signal: AbortSignal,
): Promise<{ readonly lock: WriterLock; readonly hasWaited: boolean }> {
  let waitingFor: string | undefined;
  const standingBy = createStandingBy({
    interval: interval * 1000,
    signal,
    tell: async (error, until) => show(await reconciler.outage(error, until), until),
    standsBy: (message) => {
      status.standsBy();
      metrics.standsBy();
      if (message !== waitingFor) log.info(`waiting to become the writer: ${message}`);
      waitingFor = message;
    },
  });
  const waiting = acquireWriterLock({
    connections,
    adminDatabase,
    source,
    precedence,
    signal,
    onWait: (why) => {
      status.beat();
      status.setRole('standby');
      waitingFor ??= '';
      standingBy.waits(why);
    },
  });
  await waiting.then(standingBy.end, standingBy.end);
  return { lock: await waiting, hasWaited: waitingFor !== undefined };
}
