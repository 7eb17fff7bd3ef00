// Chunks → events of a watch, however the network cuts them.
import { SourceError } from '../model/source-error.ts';
import type { ResourceAttributes } from './resource-attributes.ts';
import { asRecord } from '../model/as-record.ts';
import { readObject, versionOf } from './objects.ts';

/** One line of a watch. */
export interface WatchEvent {
  /** Where to go on from. */
  readonly resourceVersion: string;
  /** The object as it is now, without a version where it is gone; undefined for a bookmark. */
  readonly object: { readonly name: string; readonly version: string | undefined } | undefined;
}

/** Longer than any object can be: what has no end by then is no watch. */
const LONGEST = 4 * 1024 * 1024;

/**
 * The events of a stream; what stands after the last newline is none.
 * @param onChunk called for each chunk as it comes.
 * @throws SourceError (expired) where the version that was asked for is too old, (malformed) for what is no event.
 */
export async function* eventsOf(chunks: AsyncIterable<Uint8Array>, target: ResourceAttributes, onChunk: () => void): AsyncGenerator<WatchEvent> {
  const what = `${target.resource} in namespace ${target.namespace}`;
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    onChunk();
    const text = decoder.decode(chunk, { stream: true });
    // Joined only where a line ends: what comes in small pieces would be copied with each of them.
    const lines = text.includes('\n') ? (rest + text).split('\n') : [rest + text];
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST) throw malformed(what);
    for (const line of lines) if (line !== '') yield eventOf(line, what);
  }
}

function eventOf(line: string, what: string): WatchEvent {
  let event: Record<string, unknown> | undefined;
  try {
    event = asRecord(JSON.parse(line));
  } catch {
    // Told below, without the text.
  }
  const object = asRecord(event?.['object']);
  const type = event?.['type'];
  if (object === undefined || typeof type !== 'string') throw malformed(what);
  if (type === 'ERROR') {
    const code = typeof object['code'] === 'number' ? object['code'] : 0;
    throw new SourceError(code === 410 ? 'expired' : 'unavailable', `the API server ended the watch of ${what} (${code})`, { retryable: true });
  }
  const resourceVersion = asRecord(object['metadata'])?.['resourceVersion'];
  if (typeof resourceVersion !== 'string') throw malformed(what);
  if (type === 'BOOKMARK') return { resourceVersion, object: undefined };
  const changed = readObject(object, `an object among ${what}`);
  return { resourceVersion, object: { name: changed.name, version: type === 'DELETED' ? undefined : versionOf(changed) } };
}

const malformed = (what: string): SourceError => new SourceError('malformed', `the API server's watch of ${what} cannot be read`, { retryable: true });
