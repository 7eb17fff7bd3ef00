// How long files and functions of the product are: so short that one can be read at a sitting. What is longer says why.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../support/daemon.ts';
import { filesOf, functionsOf, median, type Sized } from './sizes.ts';

const files = new Map(
  globSync('**/*.ts', { cwd: join(ROOT, 'src') }).map((file) => [file.replaceAll('\\', '/'), readFileSync(join(ROOT, 'src', file), 'utf8')]),
);

/** Tables, and what only puts together. */
const LONGER: ReadonlySet<string> = new Set([
  // One metric after the other.
  'observe/metrics.ts createMetrics',
]);

const longest = (sized: readonly Sized[]): string =>
  sized
    .toSorted((a, b) => b.lines - a.lines)
    .slice(0, 5)
    .map(({ what, lines }) => `${what} ${lines}`)
    .join(', ');

it('files have at most 300 lines, and most of them no more than 90', () => {
  const sized = filesOf(files);
  console.log(`${sized.length} files, median ${median(sized)} lines; the longest: ${longest(sized)}`);
  expect(sized.filter(({ lines }) => lines > 300)).toEqual([]);
  expect(median(sized)).toBeLessThanOrEqual(90);
});

it('functions of more than one line have at most 80, but for tables, and most of them no more than 8', () => {
  const sized = functionsOf(files).filter(({ lines }) => lines > 1);
  console.log(`${sized.length} functions, median ${median(sized)} lines; the longest: ${longest(sized)}`);
  expect(sized.filter(({ what, lines }) => lines > 80 && !LONGER.has(what))).toEqual([]);
  expect(median(sized)).toBeLessThanOrEqual(8);
  expect([...LONGER].filter((what) => !sized.some((one) => one.what === what && one.lines > 80))).toEqual([]);
});

it('a function is seen wherever it stands', () => {
  const text = `const a = () => {\n\n};\nclass B {\n  c() {\n    return [1].map((d) => {\n      return d;\n    });\n  }\n}\nexport function e() {\n}\nconst f = { g: () => {\n} };\n`;
  expect(functionsOf(new Map([['x.ts', text]])).map(({ what, lines }) => `${what} ${lines}`)).toEqual([
    'x.ts a 3',
    'x.ts c 5',
    'x.ts c 3',
    'x.ts e 2',
    'x.ts g 2',
  ]);
});
