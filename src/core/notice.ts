// A notice: something that holds although it is not a change. /status, the log, metrics and Events read these.
import type { Position } from './document/types.ts';

/** The closed set of what can hold; also a metric label. */
export const NOTICE_KINDS = [
  'invalid',
  'refused',
  'secret',
  'pending',
  'kept',
  'held',
  'unmanaged',
  'fallback',
  'breaker',
  'cannot',
  'failed',
  'not_converging',
] as const;

export type NoticeKind = (typeof NOTICE_KINDS)[number];

export interface Notice {
  readonly kind: NoticeKind;
  /** The user or role that it is about; empty for the document as a whole. */
  readonly subject: string;
  /** What is so, what stays in force, and what to do. Never holds a password. */
  readonly message: string;
  /** For `cannot`: what an administrator would have to run. */
  readonly sql?: string | undefined;
  readonly position?: Position | undefined;
}
