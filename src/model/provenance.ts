// Provenance: who wrote a document, as far as the object that it stands in tells.
import { asRecord } from './as-record.ts';

export interface Provenance {
  /** What its pipeline says: `pgsteward.dev/revision`, as a commit. */
  readonly revision?: string | undefined;
  /** The same: `pgsteward.dev/author`. */
  readonly author?: string | undefined;
  /** Who wrote the text last, as the API server has it: the program, and when. */
  readonly writtenBy?: string | undefined;
  readonly writtenAt?: string | undefined;
}

/** Where a document is from that is in force. */
export interface Origin extends Provenance {
  /** `namespace/name` */
  readonly ref: string;
  readonly version: string;
}

/** Characters of each of it that are kept: anybody may write them. */
const LONGEST = 256;

const cut = (text: string): string => text.slice(0, LONGEST).toWellFormed().replaceAll('\0', '');

/**
 * What annotations and `managedFields` say of the one who wrote this key.
 * @param managedFields as they are, whatever that is.
 */
export function provenanceOf(annotations: Readonly<Record<string, unknown>>, managedFields: unknown, key: string): Provenance {
  const said = (name: string): string | undefined => {
    const value = annotations[`pgsteward.dev/${name}`];
    return typeof value === 'string' && value !== '' ? cut(value) : undefined;
  };
  const writer = writerOf(managedFields, key);
  return {
    ...textAt('revision', said('revision')),
    ...textAt('author', said('author')),
    ...textAt('writtenBy', writer?.manager),
    ...textAt('writtenAt', writer?.time),
  };
}

const textAt = (key: keyof Provenance, text: string | undefined): Provenance => (text === undefined || text === '' ? {} : { [key]: text });

interface Writer {
  readonly manager: string;
  readonly time: string;
}

/** Of several who own the key the last. */
function writerOf(managedFields: unknown, key: string): Writer | undefined {
  const writers = (Array.isArray(managedFields) ? (managedFields as readonly unknown[]) : []).flatMap((field): Writer[] => {
    const { manager, time, fieldsV1 } = asRecord(field) ?? {};
    const owned = ['f:data', 'f:binaryData'].some((where) => Object.hasOwn(asRecord(asRecord(fieldsV1)?.[where]) ?? {}, `f:${key}`));
    return owned && typeof manager === 'string' ? [{ manager: cut(manager), time: typeof time === 'string' ? cut(time) : '' }] : [];
  });
  return writers.toSorted((one, other) => (one.time < other.time ? 1 : -1))[0];
}
