// The commonest forms of an entry (words and lists of words, one key a line or all in braces on one) without the YAML parser, which takes
// a hundred times as long.
import type { Node, Pair, ScalarNode } from './tree.ts';

const KEY_LINE = /^( *)(- )?([A-Za-z]\w*):(?: ([^ ].*))?$/;
/** Between values that stand on one line each, such a line means nothing. */
const EMPTY_LINE = /^ *(?:#.*)?$/;
/** What may follow a value on its line. */
const REST_OF_LINE = / *(?:(?<= )#.*)?$/y;
const ITEM_LINE = /^( *)- ([^ ].*)$/;
const FLOW_KEY = /([A-Za-z]\w*): (?=[^ ])/y;
/** A word that YAML reads as text for sure, a small number, or quoted text without any escape. */
const SCALAR = /(?:([A-Za-z_][\w.-]*)|(0|-1|[1-9]\d{0,8})|'([ !#-&(-~]*)'|"([ !#-[\]-~]*)")/y;
const SPECIAL = /^(?:null|true|false)$/i;
const CONSTANTS: ReadonlyMap<string, null | boolean> = new Map<string, null | boolean>([
  ['null', null],
  ['true', true],
  ['false', false],
]);

interface Line {
  readonly text: string;
  readonly offset: number;
}

/**
 * Reads one item of a block list of mappings, exactly as loadYaml would.
 * @param text whole lines, the first of which holds the dash after `indent` spaces.
 * @param base the offset of the text in the document.
 * @returns undefined for every form but the simple one.
 */
export function readSimpleItem(text: string, indent: number, base: number): Node | undefined {
  const lines = linesOf(text, base);
  if (text.startsWith('- {', indent)) return flowMapping(lines, indent);
  const pairs: Pair[] = [];
  for (let index = 0; index < lines.length;) {
    const line = lines[index];
    const match = line === undefined ? null : KEY_LINE.exec(line.text);
    if (line === undefined || match === null) return undefined;
    const [, spaces = '', dash, key = '', rest] = match;
    if (dash === undefined ? index === 0 || spaces.length !== indent + 2 : index > 0 || spaces.length !== indent) return undefined;
    const keyOffset = line.offset + indent + 2;
    index += 1;
    const end = rest === undefined ? listEnd(lines, index) : index;
    const value =
      rest !== undefined
        ? inlineValue(rest, line.offset + line.text.length - rest.length)
        : end === index
          ? ({ kind: 'scalar', value: null, source: '', plain: true, offset: keyOffset } as const)
          : blockList(lines.slice(index, end), indent + 2);
    if (value === undefined) return undefined;
    index = end;
    pairs.push({ key, keyOffset, value });
  }
  return pairs.length === 0 ? undefined : { kind: 'mapping', pairs, offset: base + indent + 2 };
}

function linesOf(text: string, base: number): readonly Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < text.length;) {
    const end = text.indexOf('\n', start);
    const stop = end === -1 ? text.length : end;
    const line = text.slice(start, stop);
    if (!EMPTY_LINE.test(line)) lines.push({ text: line, offset: base + start });
    start = stop + 1;
  }
  return lines;
}

/** Index of the first line from `start` on that is no item of a block list. */
function listEnd(lines: readonly Line[], start: number): number {
  let end = start;
  while (ITEM_LINE.test(lines[end]?.text ?? '')) end += 1;
  return end;
}

function blockList(lines: readonly Line[], atLeast: number): Node | undefined {
  const items: Node[] = [];
  let depth: number | undefined;
  for (const line of lines) {
    const [, spaces = '', rest = ''] = ITEM_LINE.exec(line.text) ?? [];
    depth ??= spaces.length;
    if (spaces.length !== depth || depth < atLeast) return undefined;
    const offset = line.offset + depth + 2;
    const item = scalarAt(rest, 0, offset);
    if (item === undefined || !endsAt(rest, item.end)) return undefined;
    items.push(item.node);
  }
  const [first] = lines;
  return depth === undefined || first === undefined ? undefined : { kind: 'list', items, offset: first.offset + depth };
}

/** `- {a: b, c: [d]}` alone on one line, with exactly one space after each colon and comma. */
function flowMapping(lines: readonly Line[], indent: number): Node | undefined {
  const [line, more] = lines;
  if (line === undefined || more !== undefined) return undefined;
  const { text, offset } = line;
  const pairs: Pair[] = [];
  for (let at = indent + 3; ;) {
    FLOW_KEY.lastIndex = at;
    const key = FLOW_KEY.exec(text)?.[1];
    if (key === undefined) return undefined;
    const value = valueAt(text, FLOW_KEY.lastIndex, offset);
    if (value === undefined) return undefined;
    pairs.push({ key, keyOffset: offset + at, value: value.node });
    if (text[value.end] === '}') return endsAt(text, value.end + 1) ? { kind: 'mapping', pairs, offset: offset + indent + 2 } : undefined;
    if (!text.startsWith(', ', value.end)) return undefined;
    at = value.end + 2;
  }
}

function inlineValue(text: string, offset: number): Node | undefined {
  const value = valueAt(text, 0, offset);
  return value !== undefined && endsAt(text, value.end) ? value.node : undefined;
}

/** A value within a line, and where it ends; `offset` is that of the line. */
interface Found<T extends Node> {
  readonly node: T;
  readonly end: number;
}

const valueAt = (text: string, at: number, offset: number): Found<Node> | undefined =>
  text[at] === '[' ? flowListAt(text, at, offset) : scalarAt(text, at, offset);

/** `[a, b]` with exactly one space after each comma, or `[]`. */
function flowListAt(text: string, start: number, offset: number): Found<Node> | undefined {
  const items: Node[] = [];
  const found = (end: number): Found<Node> => ({ node: { kind: 'list', items, offset: offset + start }, end });
  if (text[start + 1] === ']') return found(start + 2);
  for (let at = start + 1; ;) {
    const item = scalarAt(text, at, offset);
    if (item === undefined) return undefined;
    items.push(item.node);
    if (text[item.end] === ']') return found(item.end + 1);
    if (!text.startsWith(', ', item.end)) return undefined;
    at = item.end + 2;
  }
}

function endsAt(text: string, at: number): boolean {
  REST_OF_LINE.lastIndex = at;
  return REST_OF_LINE.test(text);
}

function scalarAt(text: string, at: number, offset: number): Found<ScalarNode> | undefined {
  SCALAR.lastIndex = at;
  const match = SCALAR.exec(text);
  if (match === null) return undefined;
  const [, word, digits, single, double] = match;
  const source = word ?? digits ?? single ?? double ?? '';
  const plain = word !== undefined || digits !== undefined;
  const constant = word === undefined ? undefined : CONSTANTS.get(word);
  if (constant === undefined && word !== undefined && SPECIAL.test(word)) return undefined;
  const value = constant !== undefined ? constant : digits === undefined ? source : Number(digits);
  return { node: { kind: 'scalar', value, source, plain, offset: offset + at }, end: SCALAR.lastIndex };
}
