// What is known of Secrets: the one memory that passwords, connection Secrets, rotations and the watch answer from, so that no two of them disagree.
import { placeName, type SecretPlace } from '../model/secret-place.ts';
import { LIMITS } from '../model/limits.ts';
import { onceFor } from '../model/once-for.ts';
import { createKept, type Kept, type Known, knownOf, type Wanted } from './secret-kept.ts';
import { chooseSecrets } from './secret-sweep.ts';
import type { SourceError, SourceFailure } from '../model/source-error.ts';
import type { SecretObject, SecretReader, SecretsWanted, WholeReading, WholeSecrets } from './ports.ts';

export interface SecretMemory extends Omit<SecretReader, 'refresh'>, WholeSecrets {
  /**
   * What is to be read now.
   * @param versions of all Secrets of our namespace, where they are known: only those that differ are read.
   */
  choose(budget: number, versions: ReadonlyMap<string, string> | undefined): readonly SecretPlace[];
  /** What an answer said; undefined: there is none. */
  readonly note: (place: SecretPlace, object: SecretObject | undefined) => void;
  /** Something went wrong with writing it: what we know of it may be old, and is read again before anything else. */
  readonly doubt: (place: SecretPlace) => void;
  fail(place: SecretPlace, error: SourceError): void;
  /** The same for all of our namespace that are wanted. */
  failAll(error: SourceError): void;
  /** The Secrets of our namespace that matter: wanted, read, or written. */
  readonly names: () => Iterable<string>;
  /** Whether this is another version of such a Secret than the one that is known. */
  readonly isNews: (name: string, version: string | undefined) => boolean;
  /** The same for one of any namespace that is wanted; it is then read again before anything else. */
  readonly hear: (place: SecretPlace, version: string | undefined) => boolean;
  /** Names of those that are wanted of a namespace. */
  readonly wantedIn: (namespace: string) => Iterable<string>;
}

/** They say nothing about the Secret: what was known goes on. */
const ABSENT: ReadonlySet<SourceFailure> = new Set(['timeout', 'unavailable', 'throttled']);
/** Names of Secrets that are no longer wanted, of which is remembered what they were, beside as many as are wanted. */
const SEEN = 1000;
const NOT_READ = 'it was not read yet: the API server does not answer, or asked us to slow down';

/**
 * @param ours the namespace of the users' Secrets, which a watch sees.
 * @param room for all that are known as a whole, in characters.
 */
export function createSecretMemory(ours: string, room: number = LIMITS.wholeSecrets): SecretMemory {
  let wanted: ReadonlyMap<string, Wanted> = new Map();
  const known = createKept(room);
  /** Versions of all that was ever read or written in our namespace. */
  const seen = new Map<string, string | undefined>();
  let sweep = 0;

  const note = (place: SecretPlace, object: SecretObject | undefined): void => {
    if (place.namespace === ours) seen.set(place.name, object?.version);
    const key = placeName(place);
    const want = wanted.get(key);
    if (want !== undefined) known.set(key, { ...knownOf(want, object, known.left(key)), lastRead: sweep });
  };
  const doubt = (place: SecretPlace): void => {
    const before = known.all.get(placeName(place));
    if (before !== undefined) known.set(placeName(place), { ...before, failed: true });
  };
  const fail = (place: SecretPlace, { reason, message }: SourceError): void => {
    if (ABSENT.has(reason) && known.all.has(placeName(place))) return doubt(place);
    known.set(placeName(place), { object: undefined, failure: { reason, detail: message }, values: new Map(), size: 0, lastRead: sweep, failed: true });
  };

  const namesIn = (namespace: string): readonly string[] => [...wanted.values()].flatMap(({ place }) => (place.namespace === namespace ? [place.name] : []));
  const differs = (key: string, version: string | undefined): boolean => {
    const entry = known.all.get(key);
    return entry === undefined || entry.failure !== undefined || version !== entry.object?.version;
  };

  return {
    want: (wishes) => {
      sweep += 1;
      const next = wantedIn(wishes, ours);
      if (next !== wanted) known.retain((key) => covers(wanted.get(key), next.get(key)));
      wanted = next;
      trim(seen, 2 * next.size + SEEN, (name) => next.has(placeName({ namespace: ours, name })));
    },
    choose: (budget, versions) => {
      const changed: string[] = [];
      const byName: string[] = [];
      for (const [key, { place }] of wanted) {
        const before = known.all.get(key);
        if (versions === undefined || place.namespace !== ours) byName.push(key);
        else if (!versions.has(place.name)) note(place, undefined);
        else if (before !== undefined && isCurrent(before, versions.get(place.name), known.left()))
          known.set(key, { ...before, lastRead: sweep, failed: false });
        else changed.push(key);
      }
      return [...changed, ...chooseSecrets(byName, known.all, budget)].flatMap((key) => wanted.get(key)?.place ?? []);
    },
    fail,
    failAll: (error) => {
      for (const { place } of wanted.values()) if (place.namespace === ours) fail(place, error);
    },
    valueOf: ({ namespace = ours, name, key }) => {
      const entry = known.all.get(placeName({ namespace, name }));
      return entry?.values.get(key) ?? { kind: 'unreadable', detail: entry?.failure?.detail ?? NOT_READ };
    },
    of: (place): WholeReading => {
      const entry = known.all.get(placeName(place));
      if (entry === undefined) return { kind: 'unreadable', reason: 'unavailable', detail: NOT_READ };
      return entry.failure === undefined ? { kind: 'read', object: entry.object } : { kind: 'unreadable', ...entry.failure };
    },
    supposing: supposingIn(known, note),
    note,
    doubt,
    forgetAll: () => known.retain(() => false),
    version: () => known.version(),
    names: () => new Set([...seen.keys(), ...namesIn(ours)]),
    wantedIn: namesIn,
    isNews: (name, version) => {
      const key = placeName({ namespace: ours, name });
      return wanted.has(key) ? differs(key, version) : seen.has(name) && seen.get(name) !== version;
    },
    hear: (place, version) => {
      const isOther = wanted.has(placeName(place)) && differs(placeName(place), version);
      if (isOther) doubt(place);
      return isOther;
    },
  };
}

const supposingIn =
  (known: Pick<Kept, 'all'>, note: SecretMemory['note']): WholeSecrets['supposing'] =>
  async (objects, work) => {
    const before = objects.map(({ place }) => ({ place, object: known.all.get(placeName(place))?.object }));
    for (const { place, object } of objects) note(place, object);
    try {
      return await work();
    } finally {
      for (const { place, object } of before) note(place, object);
    }
  };

/** Every Secret once, with all that is wanted of it: in most cycles the very same. */
const wantedIn = onceFor(({ refs, whole }: SecretsWanted, ours: string): ReadonlyMap<string, Wanted> => {
  const wanted = new Map<string, Wanted>();
  const add = (place: SecretPlace): Wanted => {
    const want = wanted.get(placeName(place)) ?? { place, keys: new Set<string>(), whole: false };
    wanted.set(placeName(place), want);
    return want;
  };
  for (const { namespace = ours, name, key } of refs) add({ namespace, name }).keys.add(key);
  for (const place of whole) add(place).whole = true;
  return wanted;
});

/** Documents come and go, and with them names; of those that nobody wants any longer, the last ones are enough. */
function trim(seen: Map<string, unknown>, most: number, isWanted: (name: string) => boolean): void {
  for (const name of seen.keys()) {
    if (seen.size <= most) break;
    if (!isWanted(name)) seen.delete(name);
  }
}

/** Whether reading it again would tell nothing new. @param left the room for what it lacked. */
const isCurrent = ({ object, lacks }: Known, version: string | undefined, left: number): boolean =>
  object?.version === version && (lacks === undefined || lacks > left);

/** Whether what was read for the one is enough for the other. */
const covers = (before: Wanted | undefined, next: Wanted | undefined): boolean =>
  before !== undefined && next !== undefined && next.keys.isSubsetOf(before.keys) && (!next.whole || before.whole);
