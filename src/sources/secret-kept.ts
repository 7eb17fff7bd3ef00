// What is kept of each Secret that was read: single keys, or all of it where there is room.
import { hash } from 'node:crypto';
import { LIMITS } from '../model/limits.ts';
import { PASSWORD_OF, SOURCE } from '../model/secret-annotations.ts';
import type { SecretPlace } from '../model/secret-place.ts';
import type { SourceFailure } from '../model/source-error.ts';
import type { SecretObject, SecretReading } from './ports.ts';
import { readingOf, shortText } from './secret-reading.ts';
import type { Sweepable } from './secret-sweep.ts';

/** What is remembered of one Secret. */
export interface Known extends Sweepable {
  readonly object: SecretObject | undefined;
  readonly failure: { readonly reason: SourceFailure; readonly detail: string } | undefined;
  /** The keys that were asked for. */
  readonly values: ReadonlyMap<string, SecretReading>;
  /** What it takes of the room for Secrets that are known as a whole. */
  readonly size: number;
  /** What it would take, where there was no room for it. */
  readonly lacks?: number | undefined;
}

export interface Wanted {
  readonly place: SecretPlace;
  readonly keys: Set<string>;
  whole: boolean;
}

export interface Kept {
  /** By the names of their places. */
  readonly all: ReadonlyMap<string, Known>;
  /** What this one may take: what the others leave. */
  left(key?: string): number;
  set(key: string, one: Known): void;
  /** Forgets all others. */
  retain(isKept: (key: string) => boolean): void;
  /** Equal while all that is known is of the same versions. */
  version(): string;
}

/** @param room for all that are known as a whole, in characters. */
export function createKept(room: number): Kept {
  let all = new Map<string, Known>();
  let used = 0;
  /** Asked for several times in a cycle, and in most of them nothing was read. */
  let version: string | undefined;
  const sizeAt = (key: string | undefined): number => (key === undefined ? 0 : (all.get(key)?.size ?? 0));
  return {
    get all() {
      return all;
    },
    left: (key) => room - used + sizeAt(key),
    set: (key, one) => {
      used += one.size - sizeAt(key);
      if (lineOf(key, one) !== lineOf(key, all.get(key))) version = undefined;
      all.set(key, one);
    },
    retain: (isKept) => {
      version = undefined;
      all = new Map([...all].filter(([key]) => isKept(key)));
      used = [...all.values()].reduce((sum, { size }) => sum + size, 0);
    },
    version: () => (version ??= hash('sha256', [...all].map(([key, one]) => lineOf(key, one)).join('\n'))),
  };
}

const lineOf = (key: string, one: Known | undefined): string => (one === undefined ? '' : `${key} ${one.failure?.detail ?? ''} ${one.object?.version ?? ''}`);

/** What is kept of an answer. @param room what the other Secrets leave. */
export function knownOf({ place, keys, whole }: Wanted, object: SecretObject | undefined, room: number): Omit<Known, 'lastRead'> {
  const values = new Map([...keys].map((key) => [key, readingOf(object, key, place.namespace)]));
  const size = object === undefined || !whole ? 0 : sizeOf(object);
  const problem = tooLarge(size, room);
  return {
    object: object && whole && problem === undefined ? object : object && withoutValues(object),
    failure: problem === undefined ? undefined : { reason: 'malformed', detail: problem },
    values,
    size: problem === undefined ? size : 0,
    lacks: problem === undefined || size > LIMITS.wholeSecret ? undefined : size,
    failed: [...values.values()].some(({ kind }) => kind !== 'value'),
  };
}

/** Why a Secret is not kept as a whole; `room` is what the others leave. */
function tooLarge(size: number, room: number): string | undefined {
  if (size > LIMITS.wholeSecret) return `it holds more than ${LIMITS.wholeSecret / 1024} KiB`;
  return size > room
    ? `with the other Secrets that are read as a whole it holds more than is kept of them; let templates say less, or fewer of them`
    : undefined;
}

/** In characters. */
const sizeOf = ({ data, annotations, labels }: SecretObject): number => JSON.stringify([data, annotations, labels]).length;

/** What is left of a Secret of which only single keys are wanted. */
const withoutValues = (object: SecretObject): SecretObject => ({
  ...object,
  labels: {},
  annotations: Object.fromEntries([PASSWORD_OF, SOURCE].map((name) => [name, shortText(object.annotations[name])])),
  data: {},
});
