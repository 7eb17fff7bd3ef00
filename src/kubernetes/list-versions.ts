// The versions of all objects of a kind, page by page, by their metadata alone.
import { SourceError } from '../sources/source.ts';
import type { KubeClient, Target } from './client.ts';
import { asRecord, readObject, versionOf } from './objects.ts';

/** Only metadata is asked for, so no Secret's value ever comes this way. */
const FORM = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/** What a watch begins from. */
export interface Versions {
  readonly resourceVersion: string;
  /** Name → version. */
  readonly versions: ReadonlyMap<string, string>;
}

/** @throws SourceError, also where the pages expired meanwhile. */
export async function listVersions(client: KubeClient, target: Target, selector: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Versions> {
  const versions = new Map<string, string>();
  const what = `${target.resource} in namespace ${target.namespace}`;
  let first: string | undefined;
  let next = '';
  do {
    const query = { ...selector, limit: '500', ...(next === '' ? {} : { continue: next }) };
    const { items, metadata } = await client.send(target, { query, accept: FORM, signal });
    const { resourceVersion, continue: more } = asRecord(metadata) ?? {};
    if (!Array.isArray(items) || typeof resourceVersion !== 'string')
      throw new SourceError('malformed', `the API server's list of ${what} cannot be read`, { retryable: true });
    for (const item of items as unknown[]) {
      const object = readObject(item, `an object among ${what}`);
      versions.set(object.name, versionOf(object));
    }
    first ??= resourceVersion;
    next = typeof more === 'string' ? more : '';
  } while (next !== '');
  return { resourceVersion: first, versions };
}
