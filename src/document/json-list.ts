// A List in JSON, as `kubectl get -o json` prints thousands of Secrets: its items as texts of their own, so that only those are parsed that changed.

export interface SplitList {
  /** The List without its items. */
  readonly frame: string;
  readonly items: readonly string[];
}

/**
 * The items of a text, which stand where they are looked for and nowhere else; undefined where that is in any doubt. Whether frame and items are JSON is for
 * whoever parses them to say: where all of them are, the whole text is just that, and where one is not, neither is it.
 * @param mostMarks brackets, braces, colons and commas; with more there is no answer.
 */
export function splitList(text: string, mostMarks: number): SplitList | undefined {
  const items: string[] = [];
  let [depth, marks] = [0, 0];
  /** What stands last at the depth of keys, and the key whose value is being read. */
  let [said, key] = ['', ''];
  /** Where the list begins and ends, and its item that is being read. */
  let [from, until, start] = [-1, -1, -1];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfText(text, at);
      if (end === -1) return undefined;
      if (depth === 1) said = text.slice(at + 1, end);
      at = end;
      continue;
    }
    if (!MARKS.has(code)) continue;
    if (code !== CLOSE_BRACE && code !== CLOSE_BRACKET && (marks += 1) > mostMarks) return undefined;
    const isInList = start !== -1 && depth === 2;
    if (isInList && (code === COMMA || code === CLOSE_BRACKET)) {
      const item = text.slice(start, at);
      if (code === COMMA || items.length > 0 || item.trim() !== '') items.push(item);
      start = code === COMMA ? at + 1 : -1;
      if (code === CLOSE_BRACKET) until = at;
    }
    if (depth === 1 && code === COLON) key = said;
    // The same key may be written in other ways, and twice.
    if (depth === 1 && code === COLON && (key.includes('\\') || (key === 'items' && from !== -1))) return undefined;
    if (depth === 1 && code === OPEN_BRACKET && key === 'items') [from, start] = [at + 1, at + 1];
    if (code === OPEN_BRACE || code === OPEN_BRACKET) depth += 1;
    if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth -= 1;
  }
  return until === -1 ? undefined : { frame: text.slice(0, from) + text.slice(until), items };
}

/** Where a text in quotes ends that begins here; -1 where it does not. */
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
  return -1;
}

const codeOf = (mark: string): number => mark.charCodeAt(0);
const [QUOTE, BACKSLASH, COMMA, COLON] = ['"', '\\', ',', ':'].map(codeOf) as [number, number, number, number];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = ['{', '}', '[', ']'].map(codeOf) as [number, number, number, number];
const MARKS: ReadonlySet<number> = new Set([COMMA, COLON, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET]);
