// The judge of terms sees a second writer.
import { expect, it } from 'vitest';
import { fencedTwice } from './terms.ts';

const entry = (document: string, term: string, kind = 'LOG:  duration: 0.1 ms  statement: BEGIN'): string =>
  `2026-01-01 00:00:00.000 UTC [7] ${kind};\n\tSELECT CASE … 'pgsteward fence 00 ' … starts_with(a.application_name, 'pgsteward writer ${document}${term} ');\n\tCOMMIT`;

it('terms that follow one another are no violation, one that writes again is, and what the fence refused is none', () => {
  const [one, two] = ['0000000a', '0000000b'];
  const honest = [entry(one, '11111111'), entry(two, '22222222'), entry(one, '11111111'), entry(one, '33333333'), entry(two, '22222222')];
  expect(fencedTwice(honest.join('\n'))).toEqual({ terms: 3, violations: 0 });
  expect(fencedTwice([...honest, entry(one, '11111111', 'ERROR:  invalid input syntax for type integer')].join('\n')).violations).toBe(0);
  expect(fencedTwice([...honest, entry(one, '11111111')].join('\n')).violations).toBe(1);
});
