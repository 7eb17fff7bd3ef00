// Patterns against brute force: what they match, when two can meet, and which is the more specific.
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { functionPattern, intersects, matches, rankOf } from '../../src/model/pattern.ts';

const pattern = fc.array(fc.constantFrom('a', 'b', '.', '*'), { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
const ALL = ['', 'a', 'b', '.'].flatMap(function grow(prefix: string): string[] {
  return prefix.length >= 6 || prefix === '' ? [prefix] : [prefix, ...['a', 'b', '.'].flatMap((next) => grow(prefix + next))];
});

/** By taking the pattern apart from the left, one character at a time. */
const slowly = (glob: string, name: string): boolean =>
  glob === ''
    ? name === ''
    : glob.startsWith('*')
      ? slowly(glob.slice(1), name) || (name !== '' && slowly(glob, name.slice(1)))
      : glob[0] === name[0] && name !== '' && slowly(glob.slice(1), name.slice(1));

it('a pattern matches what it matches one character at a time', () => {
  fc.assert(
    fc.property(pattern, fc.constantFrom(...ALL), (glob, name) => matches(glob, name) === slowly(glob, name)),
    { numRuns: 2000, seed: 7 },
  );
});

it('two patterns meet exactly where some name matches both', () => {
  fc.assert(
    fc.property(pattern, pattern, (left, right) => {
      const shared = ALL.some((name) => matches(left, name) && matches(right, name));
      // A name that both match may be longer than those tried, but then both have a star.
      expect(intersects(left, right) || !shared).toBe(true);
      if (!left.includes('*') || !right.includes('*') || left.length + right.length <= 7) expect(intersects(left, right)).toBe(shared);
      expect(intersects(right, left)).toBe(intersects(left, right));
    }),
    { numRuns: 1000, seed: 7 },
  );
});

it('an exact name is more specific than any pattern, and of two patterns the one with more letters', () => {
  expect(rankOf('a')).toBeGreaterThan(rankOf('a-very-long-name-of-a-table-*'));
  expect(rankOf('ab*')).toBeGreaterThan(rankOf('a*'));
  expect(rankOf('a*')).toBeGreaterThan(rankOf('*'));
});

it.each([
  ['f', 'f', undefined],
  ['f()', 'f', ''],
  ['f(int, varchar[], timestamptz)', 'f', 'integer, character varying[], timestamp with time zone'],
  ['f( pg_catalog.int8 ,  sales.State )', 'f', 'bigint, sales.state'],
  ['f(sales."State")', 'f', 'sales."State"'],
])('the function %s is %s with the arguments %s', (written, name, args) => {
  expect(functionPattern(written)).toEqual({ name, args });
});

it('commas and spaces in quotes are part of a type’s name, and no other type is meant', () => {
  expect(functionPattern('f(s."a,b", int , s."c  d"[])')).toEqual({ name: 'f', args: 's."a,b", integer, s."c  d"[]' });
  expect(functionPattern('f(s."a""b,c",text)')).toEqual({ name: 'f', args: 's."a""b,c", text' });
});
