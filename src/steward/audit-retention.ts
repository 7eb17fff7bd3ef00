// The bounds of the audit log: looked at once an hour, and a part of what is too old or too much goes with each cycle.
import { DAY_MS, durationMs } from '../model/duration.ts';
import type { Notice } from '../changes/notice.ts';
import { surplusRows, trimAuditLog } from '../postgres/audit-trim.ts';
import { classify, describeFailure } from '../postgres/failures.ts';
import { namingLedgerLocks } from '../postgres/ledger-locks.ts';
import type { Beside } from './beside.ts';
import type { Server } from './server.ts';

export interface AuditRetention {
  /** Trims the log where that is due, under the writer's fence; without one it only says what would go. Never throws but for an abort. */
  run(fence: string | undefined, hasLedger: boolean, signal: AbortSignal): Promise<Beside>;
}

const EVERY_MS = 3_600_000;
/** After a failure, as of a lock. */
const AGAIN_MS = 300_000;
const NOTHING: Beside = { planned: [], outcomes: [], notices: [] };

export interface AuditBounds {
  /** `forever` or a duration, as the operator wrote it. */
  readonly retention: string;
  readonly maxRows: number;
}

/** One for the life of the process. */
export function createAuditRetention(
  { retention, maxRows }: AuditBounds,
  { connections, timeouts }: Server,
  now: () => number = () => performance.now(),
): AuditRetention {
  const bounds = { retention: durationMs(retention), maxRows };
  let dueAt = 0;
  /** What a look without a fence has found, until the next. */
  let seen: { readonly fenced: boolean; readonly planned: Beside['planned'] } = { fenced: true, planned: [] };
  let failure: Notice | undefined;
  let early: { readonly notice: Notice; readonly until: number } | undefined;
  const holding = (): readonly Notice[] => [...(failure === undefined ? [] : [failure]), ...(early === undefined || early.until < now() ? [] : [early.notice])];

  const look = async (fence: string | undefined): Promise<Beside> => {
    const surplus = await connections.withAdmin((client) => namingLedgerLocks(client, () => surplusRows(client, bounds)));
    failure = undefined;
    dueAt = now() + EVERY_MS;
    seen = { fenced: fence !== undefined, planned: fence === undefined && surplus !== undefined ? [surplus.change] : [] };
    if (surplus === undefined || fence === undefined) return { ...NOTHING, planned: seen.planned, notices: holding() };
    const { change } = surplus;
    const why = {
      age: `AUDIT_RETENTION=${retention}`,
      repairs: `AUDIT_MAX_ROWS=${maxRows}`,
      size: `AUDIT_MAX_ROWS=${maxRows}`,
      chain: 'the length of the chain',
    }[change.reason];
    await connections.withAdmin((client) => namingLedgerLocks(client, () => trimAuditLog(client, surplus, { ...timeouts, fence, why })));
    if (surplus.isPart) dueAt = 0;
    if (change.reason === 'repairs' || change.reason === 'size') {
      const what = change.reason === 'repairs' ? 'repairs of what somebody did again and again' : 'rows';
      const message = `the audit log has come to ${why}: its oldest ${what} have been deleted before their time (AUDIT_RETENTION=${retention}); find who makes so many changes, or allow for more rows`;
      early = { notice: { kind: 'fallback', subject: '', message }, until: now() + DAY_MS };
    }
    return { planned: [], outcomes: [{ change, result: 'applied' }], notices: holding() };
  };

  return {
    run: async (fence, hasLedger, signal) => {
      if (!hasLedger) return NOTHING;
      if (now() < dueAt && seen.fenced === (fence !== undefined)) return { ...NOTHING, planned: seen.planned, notices: holding() };
      try {
        return await look(fence);
      } catch (error) {
        signal.throwIfAborted();
        dueAt = now() + AGAIN_MS;
        seen = { fenced: fence !== undefined, planned: [] };
        // Whatever keeps us from the server or from writing there is told by the cycles.
        if (['connection', 'readonly', 'fenced'].includes(classify(error))) return NOTHING;
        const message = `the audit log could not be trimmed: ${describeFailure(error)}; it is tried again in ${AGAIN_MS / 60_000} minutes, and grows until then`;
        failure = { kind: 'failed', subject: '', message };
        return { ...NOTHING, notices: holding() };
      }
    },
  };
}
