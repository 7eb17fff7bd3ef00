// Large documents in pieces: the tree of a whole 1 MiB document takes hundreds of megabytes, those of its entries one after another nothing.

export interface Chunk {
  /** A document of its own, with its entries under `users`. */
  readonly text: string;
  /** What to add to a line of the piece to get the line of the whole. */
  readonly lineOffset: number;
}

/** Entries that are parsed together. */
const ENTRIES = 200;
/** Below this a document is parsed whole. */
const LARGE = 65_536;
/** Anchors, aliases, tags, several documents and tabs tie a document together; it is then parsed whole. */
const TIED = /[&*!\t%]|^(?:---|\.\.\.)/m;

/**
 * The pieces of a large and plain document: `users:` with block entries, after nothing but comments and a timestamp.
 * @returns undefined where it is not of that form, and the whole has to be parsed at once.
 */
export function splitDocument(text: string): Chunk[] | undefined {
  if (text.length < LARGE || TIED.test(text)) return undefined;
  const lines = text.split('\n');
  const head = lines.findIndex((line) => /^users:\s*$/.test(line));
  if (head === -1 || !lines.slice(0, head).every((line) => /^\s*(#.*)?$|^timestamp: *('[^']*'|"[^"\\]*"|[\w.:+-]+) *$/.test(line))) return undefined;
  const body = lines.slice(head + 1);
  const indent = /^( *)- /.exec(body.find((line) => line.trim() !== '' && !line.trimStart().startsWith('#')) ?? '')?.[1];
  if (indent === undefined) return undefined;
  const starts: number[] = [];
  for (const [index, line] of body.entries()) {
    if (line.startsWith(`${indent}- `)) starts.push(index);
    // Whatever stands less deep than an entry's own content does not belong to the list.
    else if (line.trim() !== '' && !line.startsWith(`${indent} `) && !line.trimStart().startsWith('#')) return undefined;
  }
  const chunks: Chunk[] = [];
  for (let first = 0; first < starts.length; first += ENTRIES) {
    const from = first === 0 ? 0 : (starts[first] ?? 0);
    const to = starts[first + ENTRIES] ?? body.length;
    chunks.push({ text: `users:\n${body.slice(from, to).join('\n')}\n`, lineOffset: head + from });
  }
  return chunks;
}
