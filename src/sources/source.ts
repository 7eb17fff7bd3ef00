// What a source of desired state offers: one document and the Secrets that it names. Everything after it is the same code.
import type { PresentSecret, SecretContent } from '../core/connection-secret.ts';
import type { SecretRef } from '../core/document/types.ts';
import type { Requests } from './annotations.ts';

/** The users document as it was read just now. */
export interface DocumentReading {
  /** Changes whenever the content may have changed: a resourceVersion, or a digest of the files. */
  readonly version: string;
  /** `namespace/name` of the ConfigMap. */
  readonly ref: string;
  /** The file name that problems are reported under. */
  readonly file: string;
  /** The raw value of `users.yaml`; bytes, because a file or `binaryData` may not be UTF-8. */
  readonly content: Uint8Array;
  /** What the ConfigMap's annotations ask for. */
  readonly requests: Requests;
}

/** One Secret's key. `version` changes whenever the value may have changed and never holds anything derived from the value. */
export type SecretReading =
  | {
      readonly kind: 'value';
      readonly value: Uint8Array;
      readonly version: string;
      /** The annotation `pgsteward.dev/password-of`: whose password the Secret says it holds. */
      readonly passwordOf?: string | undefined;
    }
  /** The Secret is not there, or has no such key: `what` is missing. */
  | { readonly kind: 'missing'; readonly what: 'secret' | 'key'; readonly detail: string }
  /** It could not be read this time: `detail` says why, without any content. */
  | { readonly kind: 'unreadable'; readonly detail: string };

/** Key of a reference in the map that readSecrets returns. */
export const secretKey = (ref: SecretRef): string => `${ref.name}/${ref.key}`;

/** Why a source could not be read. `reason` is a metric label, so it is a closed set. */
export type SourceFailure = 'not_found' | 'forbidden' | 'unauthorized' | 'throttled' | 'conflict' | 'expired' | 'timeout' | 'unavailable' | 'malformed';

/** A source that could not be read; the message says what to do and holds no content of any object. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly reason: SourceFailure;
  /** Whether the same request may succeed when it is simply made again. */
  readonly retryable: boolean;
  /** Milliseconds that the server asked us to wait (Retry-After). */
  readonly retryAfterMs: number | undefined;
  /** What the ConfigMap's annotations ask for, where these could be read and the document could not. */
  readonly requests: Requests | undefined;
  constructor(
    reason: SourceFailure,
    message: string,
    options: { retryable?: boolean; retryAfterMs?: number | undefined; cause?: unknown; requests?: Requests } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.requests = options.requests;
  }
}

/** What a failure to write means for a change: a right that is missing stays so until somebody gives it. */
export const classOf = ({ reason }: SourceError): 'cannot' | 'retry' => (reason === 'forbidden' ? 'cannot' : 'retry');

/** Where a Secret is. */
export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
}

/** A whole Secret as it is. */
export interface SecretObject extends PresentSecret {
  readonly resourceVersion: string;
  /** Differs between any two states, also of one that was made anew under its name. */
  readonly version: string;
  /** When it was made, as the API server writes times. */
  readonly createdAt?: string | undefined;
  /** The object that keeps it as it is (`kind name`), where it says that there is one. */
  readonly controller?: string | undefined;
}

/** Writing Secrets. Every method throws SourceError, which holds nothing of what was sent. */
export interface SecretStore {
  /** Makes a Secret that is not there. @throws SourceError (conflict) where there is one of that name. */
  create(place: SecretPlace, content: SecretContent, signal: AbortSignal): Promise<SecretObject>;
  /** undefined where there is none. */
  read(place: SecretPlace, signal: AbortSignal): Promise<SecretObject | undefined>;
  /** Makes these fields ours and leaves the others; with `before` only if the Secret still is that one. @returns what it is then. */
  apply(place: SecretPlace, content: SecretContent, before: SecretObject | undefined, signal: AbortSignal): Promise<SecretObject>;
  /** Changes some keys and annotations and leaves the rest; null takes one away. @throws SourceError (conflict) where somebody changed or replaced the Secret since `before`. */
  change(place: SecretPlace, change: SecretChange, before: SecretObject, signal: AbortSignal): Promise<SecretObject>;
}

/** Values by key; null for what goes. */
export interface SecretChange {
  readonly data: ReadonlyMap<string, string | null>;
  readonly annotations: Readonly<Record<string, string | null>>;
}

export interface Source {
  /** For log and /status, for example `kubernetes ConfigMap postgres/postgres-users-config`. */
  readonly description: string;
  /**
   * Reads the document.
   * @throws SourceError when there is none or it cannot be read; nothing may be concluded from that.
   */
  readDocument(signal: AbortSignal): Promise<DocumentReading>;
  /**
   * Reads the Secrets that the document names. The source decides which of them it asks for again this time (its rule is
   * documented) and answers the rest from memory; a new reference or one that failed last time is always asked for.
   * Never throws for one Secret: that one's reading says what is wrong.
   * @throws SourceError only when the signal aborts the whole read.
   */
  readSecrets(refs: readonly SecretRef[], signal: AbortSignal): Promise<ReadonlyMap<string, SecretReading>>;
  /** undefined where there is nothing to write to. */
  readonly secretStore?: SecretStore;
  /** Tells the document's author what became of it, where the source has a way to; never throws. */
  announce?(announcements: readonly Announcement[], signal: AbortSignal): Promise<void>;
  /** Writes down what holds, where the source has a place for it; only where it differs from what is there. Never throws. */
  publish?(conditions: Conditions, signal: AbortSignal): Promise<void>;
  /**
   * Says soon after something changed that the next cycle would read, until the signal aborts. It never says what: that is read by the cycle.
   * Never throws.
   */
  watch?(observer: WatchObserver, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Why a watch had to begin again; a metric label. `ended` (its time was up) and `silent` are nothing to worry about. */
export type WatchEnd = 'ended' | 'silent' | SourceFailure;

/** Hears of what a source watches: the document, and the Secrets that it names. */
export interface WatchObserver {
  changed(what: 'document' | 'secret'): void;
  connected(what: 'document' | 'secret', isConnected: boolean): void;
  /** A sign of life: a list, or anything at all from a watch. */
  heard(what: 'document' | 'secret'): void;
  /** The message holds no content of any object. */
  restarted(what: 'document' | 'secret', reason: WatchEnd, message: string): void;
  /** A right is missing, and it is not asked for again for a while. */
  refused(what: 'document' | 'secret', message: string): void;
}

/** Whether something is as declared, in the manner of Kubernetes' conditions; the source adds since when. */
export interface Condition {
  readonly ready: boolean;
  /** In CamelCase. */
  readonly reason: string;
  /** Never holds a secret. */
  readonly message: string;
}

/** What holds after a cycle: as a whole, and for every user and role that is declared or managed. */
export interface Conditions {
  readonly overall: Condition;
  /** What was last applied; undefined where this process has not applied anything yet, and whatever was said before stays. */
  readonly applied: { readonly version: string; readonly hash: string } | undefined;
  /** undefined where the cycle could not tell: what was said before stays. */
  readonly entities: { readonly users: ReadonlyMap<string, Condition>; readonly roles: ReadonlyMap<string, Condition> } | undefined;
}

/** One sentence for the author of the document; it never holds a secret. */
export interface Announcement {
  /** In CamelCase, as Kubernetes Events have it. */
  readonly reason: string;
  readonly type: 'Normal' | 'Warning';
  readonly note: string;
}
