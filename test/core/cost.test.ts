// Every matcher and scanner of what others wrote costs no more than its input is long: inputs of size n and 4n, each built to make it slow.
import { describe, expect, it } from 'vitest';
import { templateParts } from '../../src/model/connection-keys.ts';
import { functionPattern, intersects, matches } from '../../src/model/pattern.ts';
import { readPassword } from '../../src/model/secret-value.ts';
import { saslprep } from '../../src/model/saslprep.ts';
import { parseVerifier } from '../../src/model/scram.ts';
import { parseList, sameSetting } from '../../src/model/setting-list.ts';
import { describeFailure } from '../../src/postgres/failures.ts';
import { decodeBase64 } from '../../src/model/base64.ts';
import { partsOf, readParts } from '../../src/document/manifests.ts';
import { costRatio } from '../support/cost.ts';

/** Four times the size is four times the cost; quadratic would be 16. */
const LINEAR = 9;

const fill = (text: string) => (size: number) => text.repeat(Math.ceil(size / text.length));

const lines = (count: number, line: (index: number) => string): string => Array.from({ length: count }, (_, index) => line(index)).join('\n');
const readManifests = (text: string): unknown => readParts([...partsOf(text, false).values()]);

const CASES: readonly [string, (size: number) => string, (input: string) => unknown][] = [
  ['a list of spaces before half a quote', (size) => `${' '.repeat(size)}a"b`, (value) => parseList('search_path', value)],
  ['a list of commas', fill(', '), (value) => parseList('search_path', value)],
  ['a list that is one open quote', fill('"" '), (value) => parseList('search_path', value)],
  ['a list of doubled quotes', (size) => `"${fill('""')(size)}`, (value) => sameSetting('search_path', value, value)],
  ['a template whose brace stays open before spaces', (size) => `{{${' '.repeat(size)}`, templateParts],
  ['a template of open braces', fill('{{ '), templateParts],
  ['a template of pieces', fill('{{ a }} '), templateParts],
  ['an array of many dimensions', (size) => `f(${fill('[]')(size)}x)`, functionPattern],
  ['an array of spaces and brackets', (size) => `f(${fill(' [ ]')(size)} [)`, functionPattern],
  ['an array of arrays', (size) => `f(x${fill('[ ] ')(size)})`, functionPattern],
  ['a function of many arguments', (size) => `f(${fill('int, ')(size)})`, functionPattern],
  ['a pattern of many stars on a name', (size) => `${fill('*a')(size)}*b`, (pattern) => matches(pattern, 'a'.repeat(63))],
  ['a name of any length', fill('a'), (name) => matches('*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b', name)],
  ['two patterns of one letter', (size) => `${fill('a')(size)}*`, (pattern) => intersects(pattern, `${pattern.slice(0, -2)}b*`)],
  ['a message that hides passwords', fill('PASSWORD    '), (text) => describeFailure(new Error(text))],
  ['a message of verifiers', fill('SCRAM-SHA-256$'), (text) => describeFailure(new Error(text))],
  ['a password of line ends', fill('\r\n'), (text) => readPassword(Buffer.from(text))],
  ['a password from right to left', fill('\u05D0a'), saslprep],
  ['a verifier of separators', (size) => `SCRAM-SHA-256$4096:${fill('$:')(size)}`, parseVerifier],
  ['a manifest of comments', (size) => `${fill('#')(size)}\nkind: ConfigMap\nmetadata: {name: a}`, readManifests],
  ['a manifest of empty documents', fill('---\n#\n'), readManifests],
  ['a manifest of spaces', (size) => `${fill(' \n')(size)}a: 1\nkind: A\nmetadata: {name: a}`, readManifests],
  ['a manifest of keys', (size) => `kind: A\nmetadata: {name: a}\ndata:\n${lines(size / 16, (index) => `  k${index}: YQ==`)}`, readManifests],
  [
    'a manifest of anchors and aliases',
    (size) => `kind: A\nmetadata: {name: a}\nx:\n${lines(size / 16, (index) => `- [&a${index} x, *a${index}]`)}`,
    readManifests,
  ],
  ['base64 of spaces', fill('YWJj\n '), decodeBase64],
];

describe('four times as long costs about four times as much:', () => {
  it.each(CASES)('%s', (_what, input, run) => {
    expect(costRatio(input, run)).toBeLessThan(LINEAR);
  });
});

it('a pattern of many stars answers at once for a name of 63 bytes, and right', () => {
  expect(matches('*a*a*a*a*a*a*b', 'a'.repeat(63))).toBe(false);
  expect(matches('*a*a*a*a*a*a*b', `${'a'.repeat(62)}b`)).toBe(true);
});
