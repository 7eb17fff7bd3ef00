// The threat model is true: every line of it names tests that there are.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../support/daemon.ts';

const ATTACKERS = ['author', 'database owner', 'creator of objects', 'ordinary login', 'network', 'reader of logs'];
const page = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
const rows = (page.slice(page.indexOf('| attacker |')).split('\n\n')[0] ?? '')
  .split('\n')
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim()));

/** The lines of a test file that give a test, or a table of them, its title. */
const titlesIn = (file: string): readonly string[] =>
  existsSync(join(ROOT, file))
    ? readFileSync(join(ROOT, file), 'utf8')
        .split('\n')
        .filter((line) => /^\s*(?:it|describe)\b|^\s*\](?: as const)?\)\(/.test(line))
    : [];

it('each attacker of the model is in it, and nobody else', () => {
  expect([...new Set(rows.map(([, attacker]) => attacker))]).toEqual(ATTACKERS);
});

it.each(rows.map(([, attacker = '', tries = '', stops = '', tests = '']) => [attacker, tries, stops, tests] as const))(
  'the %s who %s is stopped by something that a test tries',
  (_attacker, tries, stops, tests) => {
    expect(tries).not.toBe('');
    expect(stops).not.toBe('');
    const named = [...tests.matchAll(/`(test\/[^`]+\.test\.ts)` «([^»]+)»/g)];
    expect(named.length, 'tests').toBeGreaterThan(0);
    expect(tests.split('<br>')).toHaveLength(named.length);
    for (const [, file = '', title = ''] of named)
      expect(titlesIn(file).filter((line) => line.includes(title)).length, `${file} «${title}»`).toBeGreaterThan(0);
  },
);
