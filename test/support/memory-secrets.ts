// A place to write Secrets to, beside a folder of manifests: what is generated and what tells how to connect, without an API server.
import { placeName, type SecretPlace } from '../../src/model/secret-place.ts';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecretContent } from '../../src/model/connection-content.ts';
import { readingOf } from '../../src/sources/secret-reading.ts';
import { SourceError } from '../../src/model/source-error.ts';
import { type SecretObject, type SecretStore, type Ports } from '../../src/sources/ports.ts';
import { rememberPassword } from './secrets.ts';

export class MemorySecrets implements SecretStore {
  readonly #objects = new Map<string, SecretObject>();
  #version = 0;

  /** The same ports, with this to write to and to read from first. */
  beside(ports: Ports, namespace: string): Ports {
    return {
      ...ports,
      secretStore: this,
      wholeSecrets: {
        of: (place) => ({ kind: 'read', object: this.#objects.get(placeName(place)) }),
        supposing: (_, work) => work(),
      },
      secrets: {
        ...ports.secrets,
        valueOf: (ref) => {
          const object = this.#objects.get(placeName({ namespace, name: ref.name }));
          return object === undefined ? ports.secrets.valueOf(ref) : readingOf(object, ref.key, namespace);
        },
        version: () => [ports.secrets.version(), ...[...this.#objects].map(([key, { version }]) => `${key} ${version}`)].join(),
      },
    };
  }

  /** The values of a Secret. */
  values(namespace: string, name: string): ReadonlyMap<string, string> {
    const { data = {} } = this.#objects.get(placeName({ namespace, name })) ?? {};
    return new Map(Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value), 'base64').toString()]));
  }

  /** Writes each key of a Secret into a file of its own, as the kubelet does for a volume. */
  mount(namespace: string, name: string, folder: string): void {
    mkdirSync(folder, { recursive: true });
    for (const [key, value] of this.values(namespace, name)) writeFileSync(join(folder, key), value);
  }

  /** As somebody deletes it. */
  remove(namespace: string, name: string): void {
    this.#objects.delete(placeName({ namespace, name }));
  }

  async create(place: SecretPlace, content: SecretContent): Promise<SecretObject> {
    if (this.#objects.has(placeName(place))) throw new SourceError('conflict', `there is a Secret ${placeName(place)}`);
    return this.#put(place, content, 'Opaque');
  }

  async read(place: SecretPlace): Promise<SecretObject | undefined> {
    return this.#objects.get(placeName(place));
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
    this.#objects.set(placeName(place), object);
    return object;
  }
}
