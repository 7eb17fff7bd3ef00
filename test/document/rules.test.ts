// The small rules: names, Secrets, moments, settings, suggestions, and how text is shown.
import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../src/document/format.ts';
import { derivedSecretName, nameProblem, secretKeyProblem, secretNameProblem } from '../../src/document/names.ts';
import { show, showPath } from '../../src/document/show.ts';
import { editDistance, suggest } from '../../src/document/suggest.ts';
import { readValidUntil } from '../../src/document/valid-until.ts';
import { only, problemsOf } from './read.ts';

describe('names', () => {
  it.each(['alice', 'O"Brien', 'with space', 'Capital', '🐘', 'select', '__proto__', 'pgbouncer', 'Public', 'x'.repeat(63), 'é'.repeat(31)])(
    '%s can be a user',
    (name) => {
      expect(nameProblem(name, 'user')).toBeUndefined();
    },
  );

  it.each(['', 'x'.repeat(64), 'é'.repeat(32), 'a\0b', '\uD83D', 'public', 'none', 'pg_monitor'])('%j cannot be a user', (name) => {
    expect(nameProblem(name, 'user')).toBeDefined();
  });

  it('may be reserved ones for databases, and start with pg_ for roles', () => {
    expect(nameProblem('public', 'database')).toBeUndefined();
    expect(nameProblem('pg_monitor', 'role')).toBeUndefined();
    expect(nameProblem('none', 'role')).toBeDefined();
  });

  it('lead to a Secret in which every character that it cannot have is one dash', () => {
    expect(derivedSecretName('service_account')).toBe('user-service-account-secret');
    expect(derivedSecretName('Ann🐘.b-1')).toBe('user--nn-.b-1-secret');
  });

  it('of Secrets and their keys follow the rules of Kubernetes', () => {
    for (const name of ['a', 'a.b-c', '0', 's'.repeat(253)]) expect(secretNameProblem(name)).toBeUndefined();
    for (const name of ['', 'A', 'a_b', '-a', 'a-', 'a..b', 'a.-b', 's'.repeat(254), 'a\n']) expect(secretNameProblem(name)).toBeDefined();
    for (const key of ['password', 'a.b_C-1', '.a']) expect(secretKeyProblem(key)).toBeUndefined();
    for (const key of ['', '.', '..', '..a', 'a/b', 'a\n', 'k'.repeat(254)]) expect(secretKeyProblem(key)).toBeDefined();
  });
});

describe('validUntil', () => {
  it.each([
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2027-01-31T12:00', '2027-01-31T12:00:00.000Z'],
    ['2027-01-31 12:00:01.123456', '2027-01-31T12:00:01.123Z'],
    ['2027-01-31T12:00:00.5Z', '2027-01-31T12:00:00.500Z'],
    ['2027-01-31 00:30:00 +01', '2027-01-30T23:30:00.000Z'],
    ['2027-01-31T23:30:00-0530', '2027-02-01T05:00:00.000Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
    ['infinity', null],
  ])('%s is %s', (text, expected) => {
    expect(readValidUntil(text)).toBe(expected);
  });

  it.each([
    '2026-02-30',
    '2027-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-01-01T24:00',
    '2026-01-01T10:60',
    '2026-01-01T10:00:60',
    '2026-01-01T10:00+16',
    '0000-01-01',
    '0001-01-01T00:00+01',
    '-infinity',
    'Infinity',
    '',
    '2026',
    '2026-1-1',
    'now',
    '2026-01-01T10',
    '2026-01-01\n',
  ])('%j is refused', (text) => {
    expect(readValidUntil(text)).toBeUndefined();
  });

  it('is read from unquoted YAML timestamps', () => {
    expect(only('users:\n- username: a\n  validUntil: 2027-01-31 12:00:00\n').validUntil).toBe('2027-01-31T12:00:00.000Z');
    expect(only('users:\n- username: a\n  validUntil: infinity\n').validUntil).toBeNull();
    expect(only('users:\n- username: a\n').validUntil).toBeUndefined();
  });
});

describe('settings', () => {
  const settingsOf = (yaml: string): Record<string, string> => Object.fromEntries(only(`users:\n- username: a\n  settings: ${yaml}\n`).settings ?? []);

  it('become the text that the server gets', () => {
    expect(settingsOf('{a: true, b: off, c: "x y", d: "", e: 1e3, f: 0x10, g: 12345678901234567890}')).toEqual({
      a: 'on',
      b: 'off',
      c: 'x y',
      d: '',
      e: '1e3',
      f: '16',
      g: '12345678901234567890',
    });
  });

  it('quote elements of lists of names that the server would fold, and of other lists only what needs it', () => {
    expect(
      settingsOf(`{search_path: [public, 'a"b', select, 1], temp_tablespaces: [Fast], my.list: ['a,b', Plain, true], session_preload_libraries: []}`),
    ).toEqual({
      search_path: 'public, "a""b", select, "1"',
      temp_tablespaces: '"Fast"',
      'my.list': '"a,b", Plain, on',
      session_preload_libraries: '',
    });
  });

  it('keep a single text of a list parameter as it is', () => {
    expect(settingsOf(`{search_path: '"$user", public'}`)).toEqual({ search_path: '"$user", public' });
  });

  it('may be empty', () => {
    expect(settingsOf('{}')).toEqual({});
  });
});

describe('an empty comment', () => {
  it('is none, as for the server', () => {
    expect(only("users:\n- username: a\n  comment: ''\n").comment).toBeNull();
  });
});

describe('suggestions', () => {
  const keys = ['username', 'database', 'databases', 'roles', 'connectionLimit', 'login'];

  it.each([
    ['rols', 'roles'],
    ['Roles', 'roles'],
    ['connection_limit', 'connectionLimit'],
    ['user-name', 'username'],
    ['datbase', 'database'],
    ['lgoin', 'login'],
  ])('%s → %s', (word, known) => {
    expect(suggest(word, keys)).toBe(known);
  });

  it.each(['colour', 'x', '', 'r'.repeat(1_000_000)])('say nothing where nothing is near', (word) => {
    expect(suggest(word, keys)).toBeUndefined();
  });

  it('count a swap of neighbours as one mistake', () => {
    expect(editDistance('lgoin', 'login')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('', 'abc')).toBe(3);
  });

  it('are made for every place of a document', () => {
    expect(problemsOf('usrs: []\nusers:\n- username: a\n  passwordSecretRef: {nmae: x, name: y}\n')).toEqual([
      'users.yaml:1:1: usrs: unknown key `usrs`; did you mean `users`?',
      'users.yaml:4:23: users[0].passwordSecretRef.nmae: unknown key `nmae`; did you mean `name`?',
    ]);
  });
});

describe('text from a document', () => {
  it('is shown short and without characters that act on a terminal', () => {
    expect(show('a\u001b[2J\u202e\n')).toBe('`a\\u{1b}[2J\\u{202e}\\u{a}`');
    expect(show('x'.repeat(100))).toBe(`\`${'x'.repeat(80)}…\``);
    expect(show(`${'x'.repeat(79)}🐘🐘`)).toBe(`\`${'x'.repeat(79)}…\``);
  });

  it('stands in paths as a word or in brackets', () => {
    expect(showPath(['users', 3, 'roles', 0, 'name'])).toBe('users[3].roles[0].name');
    expect(showPath(['users', 0, 'settings', 'a b'])).toBe('users[0].settings["a b"]');
    expect(showPath([])).toBe('');
  });

  it('is a line with file, line and column', () => {
    const problem = { severity: 'error', position: { file: 'f.yaml', line: 12, column: 5 }, path: '', message: 'is empty' } as const;
    expect(formatProblem(problem)).toBe('f.yaml:12:5: is empty');
    expect(formatProblem({ ...problem, path: 'users[3]', severity: 'warning' })).toBe('f.yaml:12:5: users[3]: warning: is empty');
  });
});
