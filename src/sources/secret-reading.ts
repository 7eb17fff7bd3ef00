// One key of a Secret, judged as far as Kubernetes is concerned.
import { PASSWORD_OF } from '../core/secret-annotations.ts';
import { bytesAt } from '../kubernetes/objects.ts';
import type { SecretObject, SecretReading } from './source.ts';

/** @param object undefined where there is none. */
export function readingOf(object: Pick<SecretObject, 'data' | 'annotations' | 'version'> | undefined, key: string, namespace: string): SecretReading {
  if (object === undefined) return { kind: 'missing', what: 'secret', detail: `there is no such Secret in namespace ${namespace}` };
  const value = bytesAt(object.data, key);
  if (value === undefined) return { kind: 'missing', what: 'key', detail: `it has no key ${key}` };
  if (value === null) return { kind: 'unreadable', detail: `its key ${key} is not base64` };
  const passwordOf = object.annotations[PASSWORD_OF];
  return { kind: 'value', value, version: object.version, passwordOf: typeof passwordOf === 'string' ? passwordOf : undefined };
}
