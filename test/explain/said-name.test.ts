// Names in sentences about access: none is taken for a part of a path.
import { expect, it } from 'vitest';
import { saidAs, saidGrantee, saidObject } from '../../src/explain/said-name.ts';
import { pathWords } from '../../src/explain/say.ts';

it.each([
  ['alice', 'alice'],
  ['Zoë_1@example.com', 'Zoë_1@example.com'],
  ['a → b', '"a → b"'],
  ['a: granted to b', '"a: granted to b"'],
  ['x"y', '"x""y"'],
  ['a,b', '"a,b"'],
  ['PUBLIC', '"PUBLIC"'],
  ['', '""'],
])('%j is said as %s', (name, said) => expect(saidAs(name)).toBe(said));

it('PUBLIC is everybody, and a routine has the types of its arguments', () => {
  expect([saidGrantee('public'), saidGrantee('PUBLIC'), saidObject('f(integer, text)'), saidObject('f(int), g(text)'), saidObject('a b')]).toEqual([
    'PUBLIC',
    '"PUBLIC"',
    'f(integer, text)',
    '"f(int), g(text)"',
    '"a b"',
  ]);
});

it('a path has as many links as it shows', () => {
  const holder = { by: 'grant', role: 'reader: granted to x by y', grantor: 'a → b', grantable: false, owner: false, builtIn: false } as const;
  expect(pathWords({ holder, chain: ['bob → boss', 'reader: granted to x by y'] })).toBe(
    '"bob → boss" → "reader: granted to x by y": granted to "reader: granted to x by y" by "a → b"',
  );
});
