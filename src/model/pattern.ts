// Patterns: names in which `*` stands for any characters. What they match, which is the more specific, and whether two can meet.

/** A function is written as `name` (every function of that name) or `name(argument types)`; other names never have arguments. */
export interface NamePattern {
  readonly name: string;
  readonly args: string | undefined;
}

/** Rank of a name without `*`: above that of any glob, which counts its literal characters. */
const EXACT = 1_000_000;

export const isGlob = (pattern: string): boolean => pattern.includes('*');

/** `*` alone: everything there is and will be. */
export const isEverything = (pattern: string): boolean => pattern !== '' && /^\*+$/.test(pattern);

const literalLength = (pattern: string): number => pattern.replaceAll('*', '').length;

/** How specific a pattern is: exact names over globs by their literal characters over `*`. */
export const rankOf = (pattern: string): number => (isGlob(pattern) ? literalLength(pattern) : EXACT);

/**
 * Whether a name matches; only `*` is special. The last star takes as little as it can, and one character more whenever what follows does not fit:
 * no earlier star ever has to be tried again, so the cost is at most the pattern's length times the name's.
 */
export function matches(pattern: string, name: string): boolean {
  let [at, next, star, taken] = [0, 0, -1, 0];
  while (at < name.length) {
    if (pattern[next] === '*') {
      [star, taken] = [next, at];
      next += 1;
    } else if (next < pattern.length && pattern.charCodeAt(next) === name.charCodeAt(at)) {
      next += 1;
      at += 1;
    } else if (star === -1) return false;
    else {
      taken += 1;
      [at, next] = [taken, star + 1];
    }
  }
  while (pattern[next] === '*') next += 1;
  return next === pattern.length;
}

/** Whether everything that a pattern means is meant by a wider one as well. A star stands for what only a star takes, so that in doubt it is not. */
export const isWithin = (pattern: string, wider: string): boolean => matches(wider, pattern);

/** Whether some name matches both. */
export function intersects(left: string, right: string): boolean {
  if (!isGlob(left)) return matches(right, left);
  if (!isGlob(right)) return matches(left, right);
  // The ends before the first and after the last star have to agree; whatever lies between can be put one after the other.
  const [leftHead, rightHead] = [left.slice(0, left.indexOf('*')), right.slice(0, right.indexOf('*'))];
  const [leftTail, rightTail] = [left.slice(left.lastIndexOf('*') + 1), right.slice(right.lastIndexOf('*') + 1)];
  const heads = leftHead.startsWith(rightHead) || rightHead.startsWith(leftHead);
  const tails = leftTail.endsWith(rightTail) || rightTail.endsWith(leftTail);
  return heads && tails;
}

/** A function's pattern taken apart; the types are brought into the server's spelling. */
export function functionPattern(pattern: string): NamePattern {
  const open = pattern.indexOf('(');
  if (open === -1 || !pattern.endsWith(')')) return { name: pattern, args: undefined };
  return { name: pattern.slice(0, open).trim(), args: normalizeArguments(pattern.slice(open + 1, -1)) };
}

/** What people write → what the server's format_type says. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['int', 'integer'],
  ['int4', 'integer'],
  ['int2', 'smallint'],
  ['int8', 'bigint'],
  ['bool', 'boolean'],
  ['varchar', 'character varying'],
  ['char', 'character'],
  ['bpchar', 'character'],
  ['float', 'double precision'],
  ['float8', 'double precision'],
  ['float4', 'real'],
  ['decimal', 'numeric'],
  ['timestamp', 'timestamp without time zone'],
  ['timestamptz', 'timestamp with time zone'],
  ['time', 'time without time zone'],
  ['timetz', 'time with time zone'],
  ['varbit', 'bit varying'],
]);

/** A list of argument types as the server prints it: `int, varchar[]` is `integer, character varying[]`. */
export function normalizeArguments(text: string): string {
  if (text.trim() === '') return '';
  return listed(text)
    .map((part) => {
      const { type, dimensions } = withoutDimensions(part.includes('"') ? part.trim() : part.trim().replaceAll(/\s+/g, ' '));
      const bare = type.replace(/^pg_catalog\./, '');
      const folded = bare.includes('"') ? bare : bare.toLowerCase();
      return `${ALIASES.get(folded) ?? folded}${'[]'.repeat(dimensions)}`;
    })
    .join(', ');
}

/** The elements of a list; a comma in quotes is part of a name. */
function listed(text: string): readonly string[] {
  const elements: string[] = [];
  let [from, isQuoted] = [0, false];
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '"') isQuoted = !isQuoted;
    if (text[at] !== ',' || isQuoted) continue;
    elements.push(text.slice(from, at));
    from = at + 1;
  }
  return [...elements, text.slice(from)];
}

/** Takes the brackets of an array off the end of a type, from the right: no regular expression does it in linear time. */
function withoutDimensions(text: string): { readonly type: string; readonly dimensions: number } {
  const beforeSpace = (end: number): number => (text[end - 1] === ' ' ? end - 1 : end);
  let [end, dimensions] = [text.length, 0];
  while (text[end - 1] === ']') {
    const open = beforeSpace(end - 1) - 1;
    if (text[open] !== '[') break;
    end = beforeSpace(open);
    dimensions += 1;
  }
  return { type: text.slice(0, end), dimensions };
}
