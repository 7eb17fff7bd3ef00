// A document that comes as a tree, as from JSON, is read as the same document in text: all but places, and what is said of how a value is written.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compose } from '../../src/document/compose.ts';
import { load } from '../../src/document/load.ts';
import { parseDocument } from '../../src/document/parse.ts';
import { readDocument } from '../../src/document/read-document.ts';
import { duplicateKeys, type Node, plainOf } from '../../src/document/tree.ts';
import { decode } from '../../src/document/text.ts';
import type { Problem } from '../../src/model/entries.ts';

/** The tree of a value that JSON can hold; its offsets are the ordinal numbers of its values and keys. */
function treeOf(value: unknown): Node {
  let count = 0;
  const convert = (one: unknown): Node => {
    count += 1;
    const offset = count;
    if (Array.isArray(one)) return { kind: 'list', items: one.map(convert), offset };
    if (one !== null && typeof one === 'object')
      return {
        kind: 'mapping',
        pairs: Object.entries(one).map(([key, below]) => ({ key, keyOffset: (count += 1), value: convert(below) })),
        offset,
      };
    if (one === null || typeof one === 'number' || typeof one === 'boolean') return { kind: 'scalar', value: one, source: String(one), plain: true, offset };
    if (typeof one === 'string') return { kind: 'scalar', value: one, source: one, plain: false, offset };
    throw new TypeError(`JSON has no ${typeof one}`);
  };
  return convert(value);
}

const FOLDER = new URL('../corpus/', import.meta.url);
const texts = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => ({ name, text: readFileSync(new URL(name, FOLDER)) }));

/** What only a text can say: numbers that JSON does not have, and a date, which YAML knows by its missing quotes. */
const ONLY_TEXT: ReadonlySet<string> = new Set(['documents/settings-not-finite.yaml', 'documents/username-date.yaml']);

/** Those that can be read at all, that say anything, and whose keys stand once, so that a plain value says as much. */
const readable = texts.flatMap(({ name, text }) => {
  const decoded = decode(text);
  const { root } = load(decoded.text);
  if (decoded.message !== undefined || root === undefined || ONLY_TEXT.has(name)) return [];
  return (root.kind === 'scalar' && root.source === '') || duplicateKeys(root).length > 0 ? [] : [{ name, text, root }];
});

const withoutPositions = (value: unknown): unknown => {
  if (value instanceof Map) return new Map([...value].map(([key, below]) => [key, withoutPositions(below)]));
  if (value instanceof Set) return value;
  if (Array.isArray(value)) return value.map(withoutPositions);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, below]) => (key === 'position' ? [] : [[key, withoutPositions(below)]])));
};

/**
 * Problems but for their places and order (where a mapping begins depends on how it is written), for the quotes that the author is to write
 * or to leave out, and for the line of the other rule.
 */
const essenceOf = (problems: readonly Problem[]): readonly string[] =>
  problems
    .map(({ severity, path, message, username }) => {
      const said = message.replace(/; write it (?:in|without) quotes$/, '').replace(/ in line \d+/, '');
      return [severity, path, said, username].join(': ');
    })
    .toSorted();

describe('a tree', () => {
  it('is made of most documents of the corpus, also of some without a problem', () => {
    expect(readable.length).toBeGreaterThan(100);
    expect(readable.filter(({ text }) => parseDocument(text, 'users.yaml').problems.length === 0).length).toBeGreaterThan(15);
  });

  it.each(readable)('is read as the text of $name', ({ text, root }) => {
    const { problems, ...document } = parseDocument(text, 'users.yaml', 'app');
    const value: unknown = JSON.parse(JSON.stringify(plainOf(root)));
    const { problems: told, ...read } = compose([readDocument(treeOf(value), (line) => ({ file: 'users.json', line, column: 1 }))], 'app');
    expect(withoutPositions(read)).toEqual(withoutPositions(document));
    expect(essenceOf(told)).toEqual(essenceOf(problems));
    expect(told.every(({ position }) => position.file === 'users.json')).toBe(true);
  });
});
