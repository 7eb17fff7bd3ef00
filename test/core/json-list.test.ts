// A List in JSON is read item by item, and says what it says as a whole: each text here is read both ways.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { splitList } from '../../src/document/json-list.ts';
import { type Manifest, MANIFEST_LIMITS, partsOf, readParts } from '../../src/document/manifests.ts';

const MOST = MANIFEST_LIMITS.jsonMarks;
const secret = (name: string, more: object = {}) => ({ kind: 'Secret', metadata: { name, namespace: 'postgres' }, data: { password: 'cw==' }, ...more });

/** What a text says item by item, and as a whole. */
function bothWays(text: string): { readonly items: readonly Manifest[] | string; readonly whole: readonly Manifest[] | string } {
  const read = (parts: Parameters<typeof readParts>[0]): readonly Manifest[] | string => {
    const found = readParts(parts);
    return found.error ?? found.manifests.flat();
  };
  return { items: read([...partsOf(text, true).values()]), whole: read([{ text, line: 1, isJson: true, isItem: false }]) };
}

it('the items of a List are texts of their own, whatever stands in them', () => {
  const items = [secret('a'), secret('b', { stringData: { '","items":[': '\\"]},{\\' } }), secret('a'), secret('ü\u2028')];
  for (const text of [
    JSON.stringify({ kind: 'SecretList', apiVersion: 'v1', items }),
    JSON.stringify({ items, kind: 'List', metadata: { items: [1, 2] } }, undefined, 2),
    JSON.stringify({ kind: 'items', x: ['items', ['kind']], items })
      .replace('"items","x"', '"items" , "x"')
      .replace('"kind":"items"', '"kind":"List"'),
  ]) {
    expect(splitList(text, MOST)?.items.map((item) => JSON.parse(item) as unknown)).toEqual(items);
    expect(partsOf(text, true).size).toBe(items.length);
    const { items: apart, whole } = bothWays(text);
    expect(apart).toEqual(whole);
    expect(apart).toHaveLength(items.length);
  }
});

it('what may mean something else is read as a whole', () => {
  const items = JSON.stringify([secret('a'), secret('b')]);
  for (const text of [
    JSON.stringify(secret('one')),
    `{"kind":"ConfigMap","metadata":{"name":"x"},"items":${items}}`,
    `{"kind":"List","items":${items},"items":[]}`,
    `{"kind":"List","items":${items},"\\u0069tems":[]}`,
    `{"kind":"List","items":${items}]}`,
    `{"kind":"List","items":${items}`,
    `{"kind":"List","items":{"a":${items}}}`,
    `[{"kind":"List","items":${items}}]`,
    `{"items":${items}}`,
    `{"kind":"List","items":${items},"x":"${'x'.repeat(10_000)}"}`,
  ]) {
    expect(partsOf(text, true).size, text.slice(0, 100)).toBe(1);
    const { items: apart, whole } = bothWays(text);
    expect(apart).toEqual(whole);
  }
  // More than is parsed at once, whoever takes it apart.
  expect(splitList(`{"kind":"List","items":${items}}`, 5)).toBeUndefined();
});

it('an empty List says nothing, one in a List is an object, and a wrong item is told', () => {
  expect(bothWays('{"kind":"List","items":[ \n]}')).toEqual({ items: [], whole: [] });
  const nested = JSON.stringify({ kind: 'List', items: [{ kind: 'SecretList', metadata: {}, items: [secret('a')] }] });
  expect(bothWays(nested).items).toEqual(bothWays(nested).whole);
  for (const wrong of ['{"kind":"List","items":[{]}', '{"kind":"List","items":[{},]}', '{"kind":"List","items":[,{}]}', '{"kind":"List","items":[1 2]}'])
    expect(typeof bothWays(wrong).items, wrong).toBe('string');
});

it('any text of such marks is the same both ways, or wrong in both', () => {
  const token = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"items"',
    '"kind"',
    '"List"',
    '"a"',
    '"\\""',
    '"metadata"',
    '"name"',
    '{"kind":"Secret","metadata":{"name":"s"}}',
    '1',
    ' ',
  );
  const text = fc.oneof(
    fc.array(token, { maxLength: 25 }).map((tokens) => tokens.join('')),
    fc.array(token, { maxLength: 8 }).map((tokens) => `{"kind":"List","items":[${tokens.join('')}]}`),
    fc.array(token, { maxLength: 8 }).map((tokens) => `{"kind":"List","items":[{"kind":"Secret","metadata":{"name":"s"}}]${tokens.join('')}}`),
    fc.json().map((json) => `{"kind":"List","items":[${json}]}`),
  );
  fc.assert(
    fc.property(text, (one) => {
      // A file that says nothing is none.
      fc.pre(one.trim() !== '');
      const { items, whole } = bothWays(one);
      if (typeof whole === 'string') expect(typeof items).toBe('string');
      else expect(items).toEqual(whole);
    }),
    { numRuns: 5000 },
  );
});
