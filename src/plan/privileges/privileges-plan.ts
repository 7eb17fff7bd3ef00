// What the plan of privileges is made from, and what it is.
import type { Change } from '../../changes/change.ts';
import type { Pace } from '../../model/in-parts.ts';
import type { Law } from '../law/law.ts';
import type { Notice } from '../../changes/notice.ts';
import type { TriggerPolicy } from '../triggers/plan-trigger.ts';
import type { DatabaseContents } from '../../model/contents.ts';
import type { SubjectsInput } from './subject.ts';

/** What is known of a database in this cycle. */
export type DatabaseReading =
  | { readonly kind: 'read'; readonly contents: DatabaseContents }
  /** Nothing changed since it was last found right; what held then still holds. */
  | { readonly kind: 'settled'; readonly notices: readonly Notice[] }
  | { readonly kind: 'unreadable'; readonly reason: string };

export interface PrivilegesInput extends SubjectsInput {
  readonly law: Law;
  readonly readings: ReadonlyMap<string, DatabaseReading>;
  /** Whether revokes are applied, or only reported. */
  readonly revokes: boolean;
  readonly triggers: TriggerPolicy;
  /** By database, roles whose rules its event trigger does without. */
  readonly unfollowed?: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  readonly pace: Pace;
}

export interface PrivilegesPlan {
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
  /** What holds in each database that was read, for when it is found unchanged. */
  readonly noticesOf: ReadonlyMap<string, readonly Notice[]>;
}
