// A store of one Secret in memory, with the API server's preconditions, for tests of what becomes of faults at each request.
import { SourceError } from '../../src/model/source-error.ts';
import type { SecretObject, SecretStore } from '../../src/sources/ports.ts';
import { rememberPassword } from './secrets.ts';

export interface MemoryStore extends SecretStore {
  /** The Secret's values as text; undefined where there is none. */
  readonly values: () => Readonly<Record<string, string>> | undefined;
  readonly annotations: () => Readonly<Record<string, unknown>>;
  /** Changes it as somebody else would. */
  edit(values: Readonly<Record<string, string>> | undefined, annotations?: Readonly<Record<string, string>>): void;
  /** Called with the number of each change before it is made; what it throws is its answer. `lost`: it is made, and the answer is not heard. */
  onChange: (number: number) => Promise<'lost' | undefined> | 'lost' | undefined;
}

export function createMemoryStore(first: Readonly<Record<string, string>>): MemoryStore {
  let values: Record<string, string> | undefined;
  let annotations: Record<string, unknown> = {};
  let version = 0;
  let changes = 0;
  const keep = (next: Record<string, string> | undefined): void => {
    values = next;
    version += 1;
    for (const value of Object.values(next ?? {})) rememberPassword(value);
  };
  keep({ ...first });
  const object = (): SecretObject | undefined =>
    values && {
      labels: {},
      annotations,
      type: 'Opaque',
      data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
      resourceVersion: String(version),
      version: String(version),
      createdAt: new Date().toISOString(),
    };
  const store: MemoryStore = {
    values: () => values,
    annotations: () => annotations,
    edit: (next, more = {}) => {
      annotations = { ...annotations, ...more };
      keep(next && { ...next });
    },
    onChange: () => undefined,
    create: () => Promise.reject(new Error('not asked for')),
    apply: () => Promise.reject(new Error('not asked for')),
    read: () => Promise.resolve(object()),
    change: async (_place, change, before) => {
      changes += 1;
      const fault = await store.onChange(changes);
      if (values === undefined) throw new SourceError('not_found', 'there is no such Secret');
      if (before.resourceVersion !== String(version)) throw new SourceError('conflict', 'somebody else changed it', { retryable: true });
      annotations = { ...annotations, ...change.annotations };
      const merged = { ...values };
      for (const [key, value] of change.data) {
        if (value === null) delete merged[key];
        else merged[key] = value;
      }
      keep(merged);
      if (fault === 'lost') throw new SourceError('timeout', 'the API server did not answer', { retryable: true });
      return object() as SecretObject;
    },
  };
  return store;
}
