// Where the items of `users` start, for a document whose list can be taken apart by its lines alone.

export interface Split {
  /** Where the key `users` stands. */
  readonly usersOffset: number;
  /** Offsets of the lines on which items start; each item reaches to the next one, the last to the end of the text. */
  readonly itemStarts: readonly number[];
  /** Spaces before the dash of each item. */
  readonly indent: number;
}

/** Where a token may begin; within a word or behind a quote they are text. */
const ANCHOR_OR_ALIAS = /(?:^|[\s[{,:?-])[&*]/;
const USERS_LINE = /^users:[ ]*(?:#.*)?\n/gm;

/**
 * Finds the items of a block list that is the last thing in the document. Undefined for every other form, and wherever an anchor or alias
 * might tie the parts together. The parts still have to be parsed: a line that only looks like an item leaves a part that is not good YAML.
 */
export function splitUsers(text: string): Split | undefined {
  const heads = text.matchAll(USERS_LINE);
  const head = heads.next().value;
  if (head === undefined || heads.next().done !== true || ANCHOR_OR_ALIAS.test(text.slice(0, head.index))) return undefined;
  const itemStarts: number[] = [];
  let indent = -1;
  for (let start = head.index + head[0].length; start < text.length;) {
    const end = text.indexOf('\n', start);
    const next = end === -1 ? text.length : end + 1;
    const depth = spacesAt(text, start);
    const first = text[start + depth];
    const isBlank = first === undefined || first === '\n' || first === '#';
    if (!isBlank) {
      if (indent === -1) indent = depth;
      if (depth < indent || first === '\t') return undefined;
      if (depth === indent) {
        if (first !== '-' || !/[ \n]/.test(text[start + depth + 1] ?? '')) return undefined;
        itemStarts.push(start);
      }
    }
    start = next;
  }
  return indent === -1 ? undefined : { usersOffset: head.index, itemStarts, indent };
}

function spacesAt(text: string, start: number): number {
  let count = 0;
  while (text[start + count] === ' ') count += 1;
  return count;
}
