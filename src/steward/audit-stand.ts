// The stand of the audit log: the head of its chain after each cycle that wrote, for those who note it down where the database's owner cannot reach it.
import type { Anchor } from '../model/audit-cut.ts';
import type { Notice } from '../changes/notice.ts';
import { DAY_MS } from '../model/duration.ts';
import { headText } from '../model/audit-head.ts';
import { readHead } from '../postgres/read-history.ts';
import type { Revisions } from './revisions.ts';
import type { Server } from './server.ts';

export interface AuditStand {
  readonly head: Anchor;
  /** The revision in force. */
  readonly revision: number | undefined;
}

export interface AuditHead {
  /** Before anything is written in a cycle: somebody else may have written there since the last one. Never throws. */
  begin(fence: string): Promise<void>;
  /** After a cycle that may have written. @returns what was last known where it cannot be read. Never throws. */
  end(fence: string): Promise<AuditStand | undefined>;
  /** What was last known. */
  readonly last: AuditStand | undefined;
  /** What is to be said of it. */
  notices(): readonly Notice[];
}

/** One for the life of the process. */
export function createAuditHead({ connections }: Pick<Server, 'connections'>, revisions: Pick<Revisions, 'current'>): AuditHead {
  let stand: AuditStand | undefined;
  /** The term as the writer in which that was so. */
  let term: string | undefined;
  let strange: { readonly notice: Notice; readonly until: number } | undefined;
  const read = (): Promise<Anchor | undefined> => connections.withAdmin(readHead).catch(() => undefined);
  return {
    begin: async (fence) => {
      if (stand === undefined || term !== fence) return;
      const head = await read();
      if (head === undefined || (head.link === stand.head.link && head.hash === stand.head.hash)) return;
      const message = `the audit log ended with ${headText(stand.head)} when this process last wrote there, and now with ${headText(head)}: somebody else has written to it; pgsteward history --verify --head ${headText(stand.head)} says more`;
      strange = { notice: { kind: 'failed', subject: '', message }, until: performance.now() + DAY_MS };
    },
    end: async (fence) => {
      const head = await read();
      term = fence;
      if (head !== undefined) stand = { head, revision: revisions.current?.id };
      return stand;
    },
    get last() {
      return stand;
    },
    notices: () => (strange === undefined || strange.until < performance.now() ? [] : [strange.notice]),
  };
}
