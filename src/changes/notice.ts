// A notice: something that holds although it is not a change, and the table of its kinds. /status, the log, metrics, conditions and Events read these.
import type { Advice } from './advice.ts';
import type { Position } from '../model/entries.ts';

interface Kind {
  /** Its name in conditions and Events, in CamelCase. */
  readonly reason: string;
  /** Something that is declared does not hold until somebody does something: an error in the log, and whom it is about is not ready. */
  readonly holdsBack: boolean;
  /** How it counts as an error, with which no cycle is complete: by itself, or as the failure of the change that was tried. */
  readonly error?: 'itself' | 'its change';
  /** Somebody has less than the document gives: a connection Secret waits for it. */
  readonly lacks: boolean;
  /** It can hold without any look at the server being needed: everything that it depends on is in the fingerprint or the inputs. */
  readonly quiet: boolean;
  /** The type of its Event; it has none where the author of the document is told otherwise, or need not be. */
  readonly event?: 'Normal' | 'Warning';
  /** What to do, as docs/troubleshooting.md says it. */
  readonly cure: string;
}

/** In the order in which Events are written; of those of one subject that hold something back, and then of the others, the first makes its condition. */
export const NOTICES = {
  invalid: { reason: 'Invalid', holdsBack: true, error: 'itself', lacks: true, quiet: true, cure: 'mend the entry' },
  refused: {
    reason: 'Refused',
    holdsBack: true,
    lacks: true,
    quiet: true,
    event: 'Warning',
    cure: 'leave it, or allow it by name in `ALLOWED_ROLES`, `ALLOWED_SETTINGS` or `ALLOWED_EXTENSIONS`; for a Secret, what the message says',
  },
  guardrail_refused: {
    reason: 'GuardrailRefused',
    holdsBack: true,
    lacks: true,
    quiet: true,
    event: 'Warning',
    cure: 'change the document so that the way which is named is not there; or, if it is meant, the [guardrail](guardrails.md)',
  },
  guardrail_broken: {
    reason: 'GuardrailBroken',
    holdsBack: false,
    lacks: false,
    quiet: true,
    event: 'Warning',
    cure: 'take away a link of the way that is named, or name the role in `except` of the [guardrail](guardrails.md)',
  },
  pending: {
    reason: 'Pending',
    holdsBack: false,
    lacks: true,
    quiet: true,
    event: 'Normal',
    cure: 'nothing: it takes effect with the cycle after it appears',
  },
  secret: {
    reason: 'SecretNotUsable',
    holdsBack: true,
    error: 'itself',
    lacks: true,
    quiet: true,
    event: 'Warning',
    cure: 'create or mend the Secret it names',
  },
  held: { reason: 'Held', holdsBack: false, lacks: false, quiet: true, cure: 'read it; set `REVOKES=apply` when all of it may go' },
  kept: {
    reason: 'Kept',
    holdsBack: false,
    lacks: false,
    quiet: false,
    cure: 'mend the document, or empty the role; `drain` says how sessions end; what an heir holds is [handed on](document.md#removal) by you',
  },
  fallback: { reason: 'Fallback', holdsBack: false, lacks: false, quiet: true, cure: 'nothing, or what the message says' },
  unmanaged: { reason: 'Unmanaged', holdsBack: false, lacks: false, quiet: true, cure: 'nothing, or revoke them by hand' },
  breaker: {
    reason: 'BreakerTripped',
    holdsBack: true,
    error: 'itself',
    lacks: false,
    quiet: false,
    event: 'Warning',
    cure: 'if it is meant, raise `MAX_DELETIONS` for one cycle',
  },
  cannot: {
    reason: 'Cannot',
    holdsBack: true,
    error: 'its change',
    lacks: true,
    quiet: true,
    event: 'Warning',
    cure: 'paste the SQL in `sql` into psql as a superuser, in the database that `sqlDatabase` names (null: in any); or give it the verb that the message names, see [Security](security.md#kubernetes). Without SQL the message says what helps',
  },
  failed: { reason: 'Failed', holdsBack: true, error: 'its change', lacks: true, quiet: false, event: 'Warning', cure: 'read the reason' },
  not_converging: {
    reason: 'NotConverging',
    holdsBack: true,
    error: 'itself',
    lacks: true,
    quiet: false,
    cure: 'somebody else manages the same role; find out who',
  },
} as const satisfies Readonly<Record<string, Kind>>;

export type NoticeKind = keyof typeof NOTICES;

/** The closed set of what can hold; also a metric label. */
export const NOTICE_KINDS = Object.keys(NOTICES) as readonly NoticeKind[];

export interface Notice {
  readonly kind: NoticeKind;
  /** The user or role that it is about; empty for the document as a whole. */
  readonly subject: string;
  /** The source of the author whose it is, where the subject alone does not tell. */
  readonly source?: string | undefined;
  /** What is so, what stays in force, and what to do. Never holds a password. */
  readonly message: string;
  /** What somebody who may can run. */
  readonly advice?: Advice | undefined;
  readonly position?: Position | undefined;
}

/** What the kind of a notice is. */
export const aboutNotice = ({ kind }: Pick<Notice, 'kind'>): Kind => NOTICES[kind];

/** Whether no cycle is complete with it. */
export const isError = (notice: Notice): boolean => aboutNotice(notice).error !== undefined;

/** The lower, the sooner it makes the condition of its subject. */
export const precedence = (notice: Notice): number => NOTICE_KINDS.indexOf(notice.kind) + (aboutNotice(notice).holdsBack ? 0 : NOTICE_KINDS.length);

/** With whom it is about before it. */
export const noticeLine = ({ subject, message }: Notice): string => (subject === '' ? message : `${subject}: ${message}`);
