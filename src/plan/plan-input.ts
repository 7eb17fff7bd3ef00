// What a plan is made from, and what it is: the two values that everything else passes on.
import type { Catalog } from '../model/catalog.ts';
import type { Change, Entity, PasswordReason } from '../changes/change.ts';
import type { Document } from '../model/entries.ts';
import type { Inability } from '../changes/inability.ts';
import type { Broken } from '../guard/broken.ts';
import type { GuardedReading } from '../guard/guarded.ts';
import type { Rail } from '../guard/rails.ts';
import type { Refusal } from '../guard/refuse.ts';
import type { LawOptions } from './law/law.ts';
import type { Notice } from '../changes/notice.ts';
import type { PassedOnBy } from './removal/passed-on.ts';
import type { DatabaseReading, PrivilegesInput } from './privileges/privileges-plan.ts';
import type { Renaming } from './renaming.ts';
import type { RemovalOptions } from './removal/removal-policy.ts';
import type { SecretWishes } from './secrets/secret-plan.ts';
import type { TriggerPolicy } from './triggers/plan-trigger.ts';

export interface Guard {
  readonly rails: readonly Rail[];
  /** By database. */
  readonly guarded: ReadonlyMap<string, GuardedReading>;
  /** What is refused already: renames, and rules of event triggers. Neither is in the plan. */
  readonly refused: readonly Refusal[];
}

export interface PlanInput {
  readonly document: Document;
  /** The one whose users and roles these are some of, where not all of them are planned (narrow.ts). */
  readonly whole?: Document | undefined;
  readonly catalog: Catalog;
  readonly law: LawOptions;
  readonly removal: RemovalOptions;
  /** The one that holds our memory. */
  readonly adminDatabase: string;
  /** The one that users and rules are about which name none. */
  readonly defaultDatabase: string;
  /** What gets another name; the catalog and the readings are as they are then. */
  readonly renaming: Renaming;
  /** Users whose Secret cannot be used, with the reason: their passwords stay as they are. */
  readonly withoutSecret: ReadonlyMap<string, string>;
  /** Users whose stored password is not the one of their Secret. */
  readonly passwords: ReadonlyMap<string, PasswordReason>;
  /** Secrets that are to be made or written. */
  readonly secrets: SecretWishes;
  /** Whether an earlier failure makes a change wait (by its key). */
  readonly isDeferred: (key: string) => boolean;
  /** Whether anything waits at all. */
  readonly anyDeferred: boolean;
  /** What is known of the databases whose contents matter. */
  readonly readings: ReadonlyMap<string, DatabaseReading>;
  /** What those pass on that may be dropped. */
  readonly passedOn: PassedOnBy;
  /** `report`: what would be revoked is said and counted as drift, and stays. */
  readonly revokes: 'apply' | 'report';
  /** What must never be, and what is there of it; undefined where there is no guardrail. */
  readonly guard?: Guard | undefined;
  /** By database, roles whose rules its event trigger does without, as a guardrail refuses them. */
  readonly unfollowed?: PrivilegesInput['unfollowed'];
  /** Where event triggers are installed. */
  readonly triggers: TriggerPolicy;
}

export interface Plan {
  /** In the order of execution. */
  readonly changes: readonly Change[];
  /** Wanted, but our admin may not. */
  readonly blocked: readonly { readonly change: Change; readonly inability: Inability }[];
  /** Wanted, and what a guardrail says must never be. */
  readonly refused: readonly Refusal[];
  /** What breaks a guardrail on the server already. */
  readonly broken: readonly Broken[];
  /** Wanted, but waiting after a failure, or for something that is blocked or waits. */
  readonly deferred: readonly Change[];
  /** Wanted, but held back, as what would be revoked is only reported. */
  readonly held: readonly Change[];
  /** Notices of each database that was read. */
  readonly noticesOf: ReadonlyMap<string, readonly Notice[]>;
  readonly notices: readonly Notice[];
  readonly breakerTripped: boolean;
  /** Users and roles that the document wants and that may be managed. */
  readonly entities: ReadonlyMap<string, Entity>;
  /** Users of our making → the user of the document that each logs in for. */
  readonly turns: ReadonlyMap<string, string>;
  /** By user, when its password is due to be replaced, in milliseconds. */
  readonly rotationDue: ReadonlyMap<string, number>;
  /** When a plan may say something else although nothing changed, by the server's clock in milliseconds; Infinity for never. */
  readonly dueAt: number;
}
