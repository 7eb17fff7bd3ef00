// The stand of the audit log: the head of its chain after each cycle that wrote, for those who note it down where the database's owner cannot reach it.
import type { Anchor } from '../model/audit-cut.ts';
import type { Notice } from '../changes/notice.ts';
import { DAY_MS } from '../model/duration.ts';
import { headText, readHeadText } from '../model/audit-head.ts';
import { type ChainEnds, readEnds, readHead } from '../postgres/read-history.ts';
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

/** What was told before this process began, as text; undefined where nothing was. */
export type ToldBefore = () => Promise<string | undefined>;

/**
 * One for the life of the process. A head that was told and is not of the chain stays told: a newer one in its place would prove whatever is there now.
 */
export function createAuditHead({ connections }: Pick<Server, 'connections'>, revisions: Pick<Revisions, 'current'>, toldBefore: ToldBefore): AuditHead {
  let stand: AuditStand | undefined;
  /** The term as the writer in which the log ended so; undefined where it is not known whether we have written since. */
  let term: string | undefined;
  /** The last that was told, once that is known. */
  let told: { readonly head: Anchor | undefined } | undefined;
  let isLost = false;
  let strange: { readonly notice: Notice; readonly until: number } | undefined;
  const say = (kind: Notice['kind'], message: string): void => {
    strange = { notice: { kind, subject: '', message }, until: performance.now() + DAY_MS };
  };
  const shown = (): AuditStand | undefined => (isLost || told === undefined ? undefined : stand);
  return {
    begin: async (fence) => {
      const isSure = term === fence;
      term = undefined;
      told ??= await toldBefore().then(
        (text) => ({ head: readHeadText(text ?? '') }),
        () => undefined,
      );
      const before = stand?.head ?? told?.head;
      const now = before === undefined ? undefined : await connections.withAdmin((client) => readEnds(client, before.link)).catch(() => undefined);
      if (before === undefined || now === undefined) return;
      if (isGone(before, now)) {
        isLost = true;
        say('fallback', lostWords(before));
      } else if (isSure && now.head?.link !== before.link) say('failed', strangeWords(before, now.head));
    },
    end: async (fence) => {
      const head = await connections.withAdmin(readHead).catch(() => undefined);
      if (head !== undefined) [stand, term] = [{ head, revision: revisions.current?.id }, fence];
      return shown();
    },
    get last() {
      return shown();
    },
    notices: () => (strange === undefined || strange.until < performance.now() ? [] : [strange.notice]),
  };
}

/** Whether the chain once had that link, and has it no more: what is older than its beginning went with its time. */
const isGone = ({ link, hash }: Anchor, { first, there }: ChainEnds): boolean => (there === undefined ? first === undefined || link >= first : there !== hash);

const strangeWords = (before: Anchor, now: Anchor | undefined): string =>
  `the audit log ended with ${headText(before)} when this process last wrote there, and now with ${now === undefined ? 'nothing' : headText(now)}: somebody else has written to it; pgsteward history --verify --head ${headText(before)} says more`;

const lostWords = (before: Anchor): string =>
  `the audit log once ended with ${headText(before)}, and has that link no more: it was put back to an earlier state, as by a restore or a standby that lagged behind, or made anew. No newer head is told in its place; pgsteward history --verify --head ${headText(before)} says more, and docs/history.md how to go on`;
