// Watched: what is said of a watch on a source while it goes on.
import type { SourceFailure } from './source-error.ts';

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
