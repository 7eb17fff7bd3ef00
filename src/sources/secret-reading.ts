// One key of a Secret, judged as far as Kubernetes is concerned.
import { bytesAt } from '../model/base64.ts';
import { LIMITS } from '../model/limits.ts';
import { PASSWORD_OF, SOURCE } from '../model/secret-annotations.ts';
import type { SecretObject, SecretReading } from './ports.ts';

/** @param object undefined where there is none. */
export function readingOf(object: Pick<SecretObject, 'data' | 'annotations' | 'version'> | undefined, key: string, namespace: string): SecretReading {
  if (object === undefined) return { kind: 'missing', what: 'secret', detail: `there is no such Secret in namespace ${namespace}` };
  const value = bytesAt(object.data, key);
  if (value === undefined) return { kind: 'missing', what: 'key', detail: `it has no key ${key}` };
  if (value === null) return { kind: 'unreadable', detail: `its key ${key} is not base64` };
  if (value.length > LIMITS.secretValue)
    return { kind: 'unreadable', detail: `its key ${key} has ${value.length} bytes; at most ${LIMITS.secretValue} are read` };
  const textAt = (name: string): string | undefined => shortText(object.annotations[name]);
  return { kind: 'value', value, version: object.version, passwordOf: textAt(PASSWORD_OF), madeFor: textAt(SOURCE) };
}

/** The text of an annotation; one that is longer than any of ours is none. */
export const shortText = (value: unknown): string | undefined => (typeof value === 'string' && value.length <= LIMITS.secretValue ? value : undefined);
