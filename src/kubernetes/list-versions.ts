// The versions of all objects of a kind, page by page, by their metadata alone.
import type { Patience } from '../async/patience.ts';
import { SourceError } from '../model/source-error.ts';
import type { KubeClient } from './client.ts';
import type { ResourceAttributes } from './resource-attributes.ts';
import { asRecord } from '../model/as-record.ts';
import { readObject, versionOf } from './objects.ts';

/** Only metadata is asked for, so no Secret's value ever comes this way. */
const FORM = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/** What a watch begins from. */
export interface Versions {
  readonly resourceVersion: string;
  /** Name → version. */
  readonly versions: ReadonlyMap<string, string>;
}

/** Objects on a page; fewer where their metadata is so long that a page of them is refused. */
const PAGE = 500;

/**
 * @param most no further page is asked for once there are more than these.
 * @throws SourceError. A list whose pages expire meanwhile is begun again once.
 */
export async function listVersions(
  client: KubeClient,
  target: ResourceAttributes,
  selector: Readonly<Record<string, string>>,
  signal: AbortSignal,
  patience?: Patience,
  most = Number.POSITIVE_INFINITY,
): Promise<Versions> {
  const versions = new Map<string, string>();
  const what = `${target.resource} in namespace ${target.namespace}`;
  let first: string | undefined;
  let next = '';
  let limit = PAGE;
  let isAgain = false;
  do {
    const query = { ...selector, limit: String(limit), ...(next === '' ? {} : { continue: next }) };
    let page: Record<string, unknown>;
    try {
      page = await client.send(target, { query, accept: FORM, signal, patience: patience?.signal });
      patience?.heard();
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      if (error.reason === 'malformed' && limit > 1) limit = Math.ceil(limit / 25);
      else if (error.reason === 'expired' && next !== '' && !isAgain) {
        versions.clear();
        [first, next, isAgain] = [undefined, '', true];
      } else throw error;
      continue;
    }
    // An API server writes a list of no objects as null.
    const { items: some, metadata } = page;
    const items = some === null ? [] : some;
    const { resourceVersion, continue: more } = asRecord(metadata) ?? {};
    if (!Array.isArray(items) || typeof resourceVersion !== 'string')
      throw new SourceError('malformed', `the API server's list of ${what} cannot be read`, { retryable: true });
    for (const item of items as unknown[]) {
      const object = readObject(item, `an object among ${what}`);
      versions.set(object.name, versionOf(object));
    }
    first ??= resourceVersion;
    next = typeof more === 'string' ? more : '';
    if (next === '' || versions.size > most) return { resourceVersion: first, versions };
  } while (!signal.aborted);
  signal.throwIfAborted();
  return { resourceVersion: first ?? '', versions };
}
