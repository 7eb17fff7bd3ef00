// Chunks → lines: what a watch sends, however the network cuts it.
import { SourceError } from '../sources/source.ts';

/** Longer than any object can be: what has no end by then is no watch. */
const LONGEST = 4 * 1024 * 1024;

/**
 * The lines of a stream of UTF-8, without empty ones; what stands after the last newline is no line.
 * @param onChunk called for each chunk as it comes.
 * @throws SourceError (malformed) for a line without end.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, onChunk: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    onChunk();
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    if (rest.length > LONGEST) throw new SourceError('malformed', 'the API server sends a line without end', { retryable: true });
    for (const line of parts) if (line !== '') yield line;
  }
}
