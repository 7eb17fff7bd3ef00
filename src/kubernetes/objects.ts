// What we need of a ConfigMap or a Secret, checked before it is used.
import { asRecord } from '../model/as-record.ts';
import { SourceError } from '../model/source-error.ts';

export interface KubeObject {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly annotations: Readonly<Record<string, unknown>>;
  /** Who wrote which of its fields, as it came. */
  readonly managedFields: unknown;
  readonly data: Readonly<Record<string, unknown>>;
  readonly binaryData: Readonly<Record<string, unknown>>;
}

/** @throws SourceError (malformed) where metadata or data are not what every API server sends. */
export function readObject(value: unknown, what: string): KubeObject {
  const object = asRecord(value);
  const metadata = asRecord(object?.['metadata']);
  const { name, uid, resourceVersion } = metadata ?? {};
  const data = object?.['data'] === undefined || object['data'] === null ? {} : asRecord(object['data']);
  const binaryData = object?.['binaryData'] === undefined || object['binaryData'] === null ? {} : asRecord(object['binaryData']);
  if (typeof name !== 'string' || typeof uid !== 'string' || typeof resourceVersion !== 'string' || data === undefined || binaryData === undefined)
    throw new SourceError('malformed', `the API server's answer for ${what} has no usable metadata or data`, { retryable: true });
  return { name, uid, resourceVersion, annotations: asRecord(metadata?.['annotations']) ?? {}, managedFields: metadata?.['managedFields'], data, binaryData };
}

/** Differs between any two states of an object, also of one that was made anew under its name. */
export const versionOf = ({ uid, resourceVersion }: Pick<KubeObject, 'uid' | 'resourceVersion'>): string => `${uid}/${resourceVersion}`;
