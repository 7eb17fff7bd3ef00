// Secrets as a whole, as they are: read anew in each cycle, within the same budget as other Secrets, and remembered.
import { sideBySide } from '../side-by-side.ts';
import { chooseSecrets } from '../sources/secret-sweep.ts';
import { type SecretObject, type SecretPlace, type SecretStore, SourceError, type SourceFailure } from '../sources/source.ts';

/** `object` undefined: there is none. */
export type WholeReading =
  | { readonly kind: 'read'; readonly object: SecretObject | undefined }
  | { readonly kind: 'unreadable'; readonly reason: SourceFailure; readonly detail: string };

export interface SecretReadings {
  /** Reads those whose turn it is, and forgets the others. Throws only for an abort. */
  read(places: readonly SecretPlace[], signal: AbortSignal): Promise<void>;
  of(place: SecretPlace): WholeReading;
  /** What an answer to our own writing said. */
  note(place: SecretPlace, object: SecretObject): void;
  /** Something went wrong with writing it: what we know of it may be old, and is read again before anything else. */
  doubt(place: SecretPlace): void;
  /** What was read before is not to be relied on: all of it is read again. */
  doubtAll(): void;
  /** Equal while all that was read is the same. */
  version(): string;
}

const SIDE_BY_SIDE = 8;
/** Whom the API server answers so, nobody else need ask now. */
const STOPS: ReadonlySet<SourceFailure> = new Set(['timeout', 'unavailable', 'throttled', 'unauthorized']);
const NOT_READ: WholeReading = { kind: 'unreadable', reason: 'unavailable', detail: 'it was not read yet' };

const keyOf = ({ namespace, name }: SecretPlace): string => `${namespace}/${name}`;

/** @param budget how many one cycle reads again. */
export function createSecretReadings(store: SecretStore, budget: number): SecretReadings {
  let known = new Map<string, { readonly reading: WholeReading; readonly lastRead: number; readonly failed: boolean }>();
  let sweep = 0;
  return {
    read: async (places, signal) => {
      sweep += 1;
      const wanted = new Map(places.map((place) => [keyOf(place), place]));
      known = new Map([...known].filter(([key]) => wanted.has(key)));
      let stopped = false;
      await sideBySide(SIDE_BY_SIDE, chooseSecrets([...wanted.keys()], known, budget), async (key) => {
        const place = wanted.get(key);
        if (stopped || place === undefined) return;
        try {
          known.set(key, { reading: { kind: 'read', object: await store.read(place, signal) }, lastRead: sweep, failed: false });
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof SourceError)) throw error;
          stopped ||= STOPS.has(error.reason);
          known.set(key, { reading: { kind: 'unreadable', reason: error.reason, detail: error.message }, lastRead: sweep, failed: true });
        }
      });
    },
    of: (place) => known.get(keyOf(place))?.reading ?? NOT_READ,
    note: (place, object) => void known.set(keyOf(place), { reading: { kind: 'read', object }, lastRead: sweep, failed: false }),
    doubt: (place) => {
      const before = known.get(keyOf(place));
      if (before !== undefined) known.set(keyOf(place), { ...before, failed: true });
    },
    doubtAll: () => void (known = new Map([...known].map(([key, one]) => [key, { ...one, failed: true }]))),
    version: () => [...known].map(([key, { reading }]) => `${key} ${reading.kind === 'read' ? (reading.object?.version ?? '') : reading.detail}`).join('\n'),
  };
}
