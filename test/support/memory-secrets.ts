// A place to write Secrets to, beside a folder of manifests: what is generated and what tells how to connect, without an API server.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecretContent } from '../../src/core/connection-secret.ts';
import { readingOf } from '../../src/sources/secret-reading.ts';
import { type SecretObject, type SecretPlace, type SecretStore, secretKey, type Source, SourceError } from '../../src/sources/source.ts';
import { rememberPassword } from './secrets.ts';

const keyOf = ({ namespace, name }: SecretPlace): string => `${namespace}/${name}`;

export class MemorySecrets implements SecretStore {
  readonly #objects = new Map<string, SecretObject>();
  #version = 0;

  /** The source, with this to write to and to read from first. */
  beside(source: Source, namespace: string): Source {
    return {
      ...source,
      secretStore: this,
      readSecrets: async (refs, signal) => {
        const readings = new Map(await source.readSecrets(refs, signal));
        for (const ref of refs) {
          const object = this.#objects.get(keyOf({ namespace, name: ref.name }));
          if (object !== undefined) readings.set(secretKey(ref), readingOf(object, ref.key, namespace));
        }
        return readings;
      },
    };
  }

  /** The values of a Secret. */
  values(namespace: string, name: string): ReadonlyMap<string, string> {
    const { data = {} } = this.#objects.get(keyOf({ namespace, name })) ?? {};
    return new Map(Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value), 'base64').toString()]));
  }

  /** Writes each key of a Secret into a file of its own, as the kubelet does for a volume. */
  mount(namespace: string, name: string, folder: string): void {
    mkdirSync(folder, { recursive: true });
    for (const [key, value] of this.values(namespace, name)) writeFileSync(join(folder, key), value);
  }

  async create(place: SecretPlace, content: SecretContent): Promise<SecretObject> {
    if (this.#objects.has(keyOf(place))) throw new SourceError('conflict', `there is a Secret ${keyOf(place)}`);
    return this.#put(place, content, 'Opaque');
  }

  async read(place: SecretPlace): Promise<SecretObject | undefined> {
    return this.#objects.get(keyOf(place));
  }

  async apply(place: SecretPlace, content: SecretContent): Promise<SecretObject> {
    return this.#put(place, content, 'servicebinding.io/postgresql');
  }

  async change(): Promise<SecretObject> {
    throw new SourceError('unavailable', 'nothing changes a Secret here');
  }

  #put(place: SecretPlace, { labels, annotations, data }: SecretContent, type: string): SecretObject {
    const password = data.get('password');
    if (password !== undefined) rememberPassword(password);
    const version = String((this.#version += 1));
    const encoded = Object.fromEntries([...data].map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
    const object: SecretObject = { labels, annotations, type, data: encoded, createdAt: new Date().toISOString(), resourceVersion: version, version };
    this.#objects.set(keyOf(place), object);
    return object;
  }
}
