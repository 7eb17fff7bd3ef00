// Every file of test/corpus/documents gives exactly the outcome that stands beside it, and harms nobody.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../src/document/format.ts';
import { parseDocument } from '../../src/document/parse.ts';
import type { Document } from '../../src/model/entries.ts';

const FOLDER = new URL('../corpus/documents/', import.meta.url);
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));

const readDocument = (name: string): Document => parseDocument(readFileSync(new URL(name, FOLDER)), 'users.yaml');

function outcome(document: Document): string {
  const { users, invalid, usable, problems } = document;
  const list = (values: readonly string[]): string => JSON.stringify(values);
  const head = usable ? `users: ${list(users.map((user) => user.username))}; kept as they were: ${list([...invalid])}` : 'not usable';
  return [head, ...problems.map(formatProblem), ''].join('\n');
}

describe('the corpus of broken and hostile documents', () => {
  it('has at least 70 documents, each with its outcome', () => {
    expect(names.length).toBeGreaterThanOrEqual(70);
    const expected = readdirSync(FOLDER).filter((name) => name.endsWith('.expected'));
    expect(expected).toEqual(names.map((name) => name.replace(/yaml$/, 'expected')));
  });

  it.each(names)('%s', (name) => {
    expect(outcome(readDocument(name))).toBe(readFileSync(new URL(name.replace(/yaml$/, 'expected'), FOLDER), 'utf8'));
  });

  it.each(names.filter((name) => readFileSync(new URL(name, FOLDER)).includes('username: keeper')))('%s leaves keeper in force', (name) => {
    const { usable, users, problems } = readDocument(name);
    if (usable) expect(users.map((user) => user.username)).toContain('keeper');
    else expect(problems.some(({ severity }) => severity === 'error')).toBe(true);
  });

  it('never quotes a value that stands where a password might', () => {
    for (const name of names) expect(outcome(readDocument(name))).not.toContain('hunter2');
  });
});
