// How much of Secrets is kept that are known as a whole.
import { expect, it } from 'vitest';
import { LIMITS } from '../../src/model/limits.ts';
import { createSecretMemory } from '../../src/sources/secret-memory.ts';
import type { SecretObject } from '../../src/sources/ports.ts';

it('Secrets are known as a whole up to the limit of one and of all together, beyond it one is told, and there is room again when another goes', () => {
  const place = (name: string) => ({ namespace: 'postgres', name });
  const object = (name: string, characters: number): SecretObject => {
    const empty = { labels: {}, annotations: {}, data: { x: '' } };
    const data = { x: 'A'.repeat(characters - JSON.stringify([empty.data, empty.annotations, empty.labels]).length) };
    return { labels: {}, annotations: {}, type: 'Opaque', data, resourceVersion: name, version: `${name} ${characters}` };
  };
  const one = createSecretMemory('postgres');
  one.want({ refs: [], whole: [place('most'), place('more')] });
  one.note(place('most'), object('most', LIMITS.wholeSecret));
  one.note(place('more'), object('more', LIMITS.wholeSecret + 1));
  expect([one.of(place('most')), one.of(place('more'))]).toMatchObject([{ kind: 'read' }, { kind: 'unreadable', detail: 'it holds more than 256 KiB' }]);

  const all = createSecretMemory('postgres', 1000);
  const places = ['a', 'b', 'c'].map(place);
  all.want({ refs: [], whole: places });
  const known = (): unknown[] => places.map((one) => all.of(one).kind);
  all.note(place('a'), object('a', 400));
  all.note(place('b'), object('b', 600));
  all.note(place('c'), object('c', 100));
  expect(known()).toEqual(['read', 'read', 'unreadable']);
  // The same again takes no more room, and another version of it what it is longer.
  all.note(place('b'), object('b', 600));
  all.note(place('b'), object('b', 500));
  all.note(place('c'), object('c', 100));
  expect(known()).toEqual(['read', 'read', 'read']);
  all.note(place('a'), object('a', 401));
  expect(known()).toEqual(['unreadable', 'read', 'read']);
  all.want({ refs: [], whole: [place('a'), place('c')] });
  // What there was no room for is read again as soon as there is some, and not before.
  const versions = new Map([
    ['a', 'a 401'],
    ['c', 'c 100'],
  ]);
  expect(all.choose(10, versions)).toEqual([place('a')]);
  all.note(place('a'), object('a', 401));
  expect(known()).toEqual(['read', 'unreadable', 'read']);
  all.note(place('c'), object('c', 601));
  expect([known(), all.choose(10, new Map([...versions, ['c', 'c 601']]))]).toEqual([['read', 'unreadable', 'unreadable'], []]);
});
