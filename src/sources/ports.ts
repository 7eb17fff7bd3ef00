// Ports: what is read and written where the document is, one interface for each use of it. Whoever uses one knows of no other.
import type { Announcement, Conditions } from '../model/announced.ts';
import type { PresentSecret, SecretContent } from '../model/connection-content.ts';
import type { Document, SecretRef } from '../model/entries.ts';
import type { Author } from '../model/fleet.ts';
import type { Origin, Provenance } from '../model/provenance.ts';
import type { Requests } from '../model/requests.ts';
import type { SecretPlace } from '../model/secret-place.ts';
import type { CandidateSecret } from '../plan/secrets/discovered.ts';
import type { SourceFailure } from '../model/source-error.ts';
import type { WatchObserver } from '../model/watched.ts';

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
  /** The document itself, where it was read already: it is of several files, and `content` only tells whether it is another one. */
  readonly document?: Document;
  /** For entries of several documents, `namespace/name@version` of the one that each is from; databases by databaseKey. */
  readonly whys?: ReadonlyMap<string, string>;
  /** Who wrote it, as far as its object tells. */
  readonly provenance?: Provenance;
  /** The same of several documents, by the file names of their entries. */
  readonly origins?: ReadonlyMap<string, Origin>;
}

/** One Secret's key. `version` changes whenever the value may have changed and never holds anything derived from the value. */
export type SecretReading =
  | {
      readonly kind: 'value';
      readonly value: Uint8Array;
      readonly version: string;
      /** The annotation `pgsteward.dev/password-of`: whose password the Secret says it holds. */
      readonly passwordOf?: string | undefined;
      /** The document that the Secret says it was made for, where pgsteward made it. */
      readonly madeFor?: string | undefined;
    }
  /** The Secret is not there, or has no such key: `what` is missing. */
  | { readonly kind: 'missing'; readonly what: 'secret' | 'key'; readonly detail: string }
  /** It could not be read this time: `detail` says why, without any content. */
  | { readonly kind: 'unreadable'; readonly detail: string };

/** Equal for references to the same key of the same Secret. */
export const secretKey = ({ namespace, name, key }: SecretRef): string => `${namespace === undefined ? '' : `${namespace}/`}${name}/${key}`;

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

/** `object` undefined: there is none. */
export type WholeReading =
  | { readonly kind: 'read'; readonly object: SecretObject | undefined }
  | { readonly kind: 'unreadable'; readonly reason: SourceFailure; readonly detail: string };

/** Values by key; null for what goes. */
export interface SecretChange {
  readonly data: ReadonlyMap<string, string | null>;
  readonly annotations: Readonly<Record<string, string | null>>;
}

/** The document. */
export interface DocumentSource {
  /**
   * Reads it.
   * @param patience when it is aborted, a source that has not answered counts as one that does not.
   * @throws SourceError when there is none or it cannot be read; nothing may be concluded from that.
   */
  read(signal: AbortSignal, patience?: AbortSignal): Promise<DocumentReading>;
  /** What was read before counts for nothing: somebody else may have followed something newer in between. */
  forget?(): void;
}

/** A ConfigMap that an author's labels are on. */
export interface FoundDocument {
  /** `namespace/name` */
  readonly ref: string;
  readonly version: string;
  /** The raw value of `users.yaml`, or why there is none. */
  readonly said: { readonly content: Uint8Array } | { readonly failure: string };
  readonly provenance?: Provenance;
}

/** Documents that are found by labels. */
export interface DocumentFinder {
  /** All that are there. @throws SourceError where they cannot be listed: nothing may be concluded from that. */
  find(from: LabelledIn, signal: AbortSignal, patience?: AbortSignal): Promise<readonly FoundDocument[]>;
  /** As a Watcher does, of these and of the Secrets of that namespace that are wanted; undefined where the watcher of the document hears of them. */
  watch?(from: LabelledIn, observer: WatchObserver, signal: AbortSignal): Promise<void>;
}

/** Objects of one namespace that have all of these labels. */
export interface LabelledIn {
  readonly namespace: string;
  readonly matchLabels: Readonly<Record<string, string>>;
}

/** Which Secrets matter. */
export interface SecretsWanted {
  /** The keys that users name. */
  readonly refs: readonly SecretRef[];
  /** Secrets of which everything is wanted. */
  readonly whole: readonly SecretPlace[];
}

/** The Secrets that the document names, and the one memory of what they hold: whoever asks is answered from it. */
export interface SecretReader {
  /** From now on these are known, and no others. Reads nothing. */
  want(wanted: SecretsWanted): void;
  /**
   * Reads Secrets that are wanted. Which of them are asked for again this time is the source's to decide (its rule is documented); a new one
   * and one that failed last time always are. Never throws for one Secret: that one's reading says what is wrong.
   * @throws SourceError only when the signal aborts the whole read.
   */
  refresh(signal: AbortSignal): Promise<void>;
  /** What is known of one that is wanted. */
  valueOf(ref: SecretRef): SecretReading;
  /** Equal while all that is known is the same. */
  version(): string;
  /** What was read before counts for nothing: until it is read again, nobody knows what the Secrets hold. */
  forgetAll(): void;
}

/** The same memory, for those that are wanted as a whole. */
export interface WholeSecrets {
  of(place: SecretPlace): WholeReading;
  /** Runs a piece of work as if these Secrets were so. Nothing of that stays. */
  supposing<T>(objects: readonly { readonly place: SecretPlace; readonly object: SecretObject }[], work: () => Promise<T>): Promise<T>;
}

/** Writing Secrets; what the answers say is known at once. Every method throws SourceError, which holds nothing of what was sent. */
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

/** Secrets of our own namespace that hold what we ourselves need: a login, certificates. */
export interface OwnSecrets {
  /** All values of a Secret as it is now; undefined where there is none. @throws SourceError, which holds no value. */
  read(name: string, signal: AbortSignal): Promise<ReadonlyMap<string, Uint8Array> | undefined>;
  /** Secrets that look like the login of a server, for people who declare servers. @throws SourceError */
  logins(signal: AbortSignal): Promise<readonly CandidateSecret[]>;
}

/** Tells the document's author what became of it. */
export interface Announcer {
  /** Never throws. */
  announce(announcements: readonly Announcement[], signal: AbortSignal): Promise<void>;
}

/** Writes down what holds. */
export interface StatusPublisher {
  /** Writes only where it differs from what is there. Never throws. @returns why what stands there may be old. */
  publish(conditions: Conditions, signal: AbortSignal): Promise<string | undefined>;
  /** What stands there now, by key. @throws SourceError */
  published?(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
}

/** What an author is told where its ConfigMaps are. */
export type AuthorPorts = Required<Pick<Ports, 'announcer' | 'statusPublisher'>>;

/** Hears of changes. */
export interface Watcher {
  /**
   * Says soon after something changed that the next cycle would read, until the signal aborts. It never says what: that is read by the cycle.
   * Never throws.
   */
  watch(observer: WatchObserver, signal: AbortSignal): Promise<void>;
}

/** Hears how the replicas announce themselves. */
export interface ReplicaListener {
  /** All announcements that there are now: name of the replica → version. */
  listed(versions: ReadonlyMap<string, string>): void;
  /** One as it is now; without a version it is gone. */
  took(replica: string, version: string | undefined): void;
}

/** Where replicas say that they are there. */
export interface Announcements {
  /** Announces this replica until the signal aborts, and tells of the others; then takes its announcement back. Never throws. */
  attend(listener: ReplicaListener, signal: AbortSignal): Promise<void>;
  /** Takes away what a replica that is gone for good has left, if it still is that version. Never throws. */
  remove(replica: string, version: string): Promise<void>;
}

/** All that a place of documents offers. What is undefined it has no way to. */
export interface Ports {
  /** For log and /status, for example `kubernetes ConfigMap postgres/postgres-users-config`. */
  readonly description: string;
  readonly documents: DocumentSource;
  readonly finder?: DocumentFinder;
  readonly secrets: SecretReader;
  readonly wholeSecrets?: WholeSecrets;
  readonly secretStore?: SecretStore;
  readonly ownSecrets: OwnSecrets;
  readonly announcer?: Announcer;
  readonly statusPublisher?: StatusPublisher;
  readonly watcher?: Watcher;
  /** The same for one of several authors; nothing is said to those whose ConfigMaps could not be listed. */
  readonly forAuthor?: (server: string, author: Author) => AuthorPorts;
  close(): Promise<void>;
}
