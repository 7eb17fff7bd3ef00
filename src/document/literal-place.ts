// Where the text of a ConfigMap's key stands in its manifest, so that its problems can be told at their place in the file.

/** A text that stands in a file line by line. */
export interface LiteralPlace {
  /** Lines of the file before its first one. */
  readonly linesBefore: number;
  /** Characters before each of its lines. */
  readonly indent: number;
}

/** `users.yaml: |` or `servers.yaml: |`, and what may stand around it. */
const HEADER = /^\s*(?:- )?["']?(?:users|servers)\.yaml["']?\s*:\s*\|[-+\d]*\s*(?:#.*)?$/;

/** Headers that are tried: a manifest has few, whatever else its texts say. */
const TRIED = 100;

/**
 * Finds the block in which a value was written. Each line is compared, so that it is the value's own.
 * @returns undefined where the value was written in another form (in quotes, as JSON, in base64), in which its lines are none of the file.
 */
export function placeOfLiteral(manifest: string, value: string): LiteralPlace | undefined {
  const lines = manifest.split(/\r?\n/);
  const wanted = value.trimEnd().split('\n');
  const first = wanted.findIndex(isWritten);
  const headers = lines.flatMap((line, index) => (HEADER.test(line) ? [index] : [])).slice(0, TRIED);
  for (const header of headers) {
    const indent = (lines[header + 1 + first] ?? '').length - (wanted[first] ?? '').length;
    if (indent > 0 && wanted.every((text, index) => isSame(lines[header + 1 + index] ?? '', text, indent))) return { linesBefore: header + 1, indent };
  }
  return undefined;
}

const isWritten = (line: string): boolean => line.trim() !== '';

/** An empty line needs no indentation. */
const isSame = (line: string, text: string, indent: number): boolean =>
  isWritten(text) ? line.slice(indent) === text && !isWritten(line.slice(0, indent)) : !isWritten(line);
