// The users document: what it accepts, and every problem with its place, its path and what to do.
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../src/core/document/format.ts';
import { parseDocument } from '../../src/core/document/parse.ts';
import type { Document } from '../../src/core/document/types.ts';

const parse = (text: string): Document => parseDocument(Buffer.from(text), 'users.yaml');
const problems = (text: string): string[] => parse(text).problems.map(formatProblem);
const names = (text: string): string[] => parse(text).users.map((user) => user.username);

describe('a valid document', () => {
  it('in the minimal form works unchanged', () => {
    const { users, problems: found } = parse(
      "timestamp: '2026-01-08T07:48:58.039601'\nusers:\n  - username: alice\n    database: myapp\n    roles: [read_only, analyst]\n    privileges: null\n  - username: service_account\n",
    );
    expect(found).toEqual([]);
    expect(users).toMatchObject([
      {
        username: 'alice',
        database: 'myapp',
        roles: [{ name: 'read_only' }, { name: 'analyst' }],
        secret: { name: 'user-alice-secret', key: 'password' },
        login: true,
        position: { line: 3, column: 5 },
      },
      { username: 'service_account', secret: { name: 'user-service-account-secret', key: 'password' } },
    ]);
  });

  it('may have anchors, merge keys, and be JSON', () => {
    expect(parse('x-none: 1\nusers: []').usable).toBe(false);
    expect(names('users:\n  - &base {username: a, roles: [r]}\n  - {<<: *base, username: b}\n')).toEqual(['a', 'b']);
    expect(names(JSON.stringify({ users: [{ username: 'alice' }] }))).toEqual(['alice']);
  });

  it.each(["o'brien", 'say "hi"', 'two words', 'Ünï', '🐘', 'select', 'user', '__proto__', 'constructor', 'toString', ' ', 'a;b--', 'no'])(
    'may name a user %j',
    (username) => {
      expect(names(stringify({ users: [{ username }] }))).toEqual([username]);
    },
  );

  it.each([
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2027-01-31T12:30:00+02:00', '2027-01-31T10:30:00.000Z'],
    ['2027-01-31 12:30:00', '2027-01-31T12:30:00.000Z'],
    ['infinity', null],
  ])('reads validUntil %s', (validUntil, expected) => {
    expect(parse(`users: [{username: a, validUntil: ${validUntil}}]`).users[0]?.validUntil).toBe(expected);
  });

  it('keeps settings as text, lists joined, names in lower case', () => {
    const [user] = parse(
      'users: [{username: a, settings: {Work_Mem: 64MB, jit: false, search_path: [app, "Big One"], geqo_seed: 0.5}, databaseSettings: {db: {x.y: 1}}}]',
    ).users;
    expect([...(user?.settings ?? [])]).toEqual([
      ['work_mem', '64MB'],
      ['jit', 'off'],
      ['search_path', 'app, "Big One"'],
      ['geqo_seed', '0.5'],
    ]);
    expect(user?.databaseSettings?.get('db')?.get('x.y')).toBe('1');
  });
});

describe('a bad entry', () => {
  it('is named with its place, path and a suggestion, all of them at once, and keeps only itself out', () => {
    const text =
      'users:\n  - username: alice\n    rols: [x]\n  - username: keeper\n  - username: bob\n    connectionLimit: many\n    roles:\n      - name: r\n        amdin: true\n  - usrname: carol\n';
    expect(problems(text)).toEqual([
      'users.yaml:3:5: users[0].rols: unknown key `rols`; did you mean `roles`?',
      'users.yaml:6:22: users[2].connectionLimit: must be a whole number',
      'users.yaml:9:9: users[2].roles[0].amdin: unknown key `amdin`; did you mean `admin`?',
      'users.yaml:10:5: users[3].username: is missing',
      'users.yaml:10:5: users[3].usrname: unknown key `usrname`; did you mean `username`?',
    ]);
    expect(names(text)).toEqual(['keeper']);
    expect(parse(text).invalid).toEqual(new Set(['alice', 'bob']));
  });

  it.each([
    ['username: 12', 'put it in quotes'],
    ['username: null', 'put it in quotes'],
    ['username: ""', 'must not be empty'],
    [`username: ${'é'.repeat(32)}`, 'has 64 bytes of UTF-8'],
    ['username: "a\\0b"', 'must not contain NUL'],
    ['username: public', 'cannot be the name of a role'],
    ['username: pg_evil', 'names that begin with pg_ are reserved'],
    ['{username: a, roles: [none]}', 'cannot be the name of a role'],
    ['{username: a, roles: r}', 'must be a list of roles'],
    ['{username: a, roles: [3]}', 'name of a role'],
    ['{username: a, roles: [{name: r}, {name: r, admin: true}]}', 'named twice with different options'],
    ['{username: a, validUntil: 2026-02-30}', 'is no moment'],
    ['{username: a, validUntil: tomorrow}', 'is no moment'],
    ['{username: a, connectionLimit: -2}', 'must be -1'],
    ['{username: a, connectionLimit: 1.5}', 'whole number'],
    ['{username: a, settings: {role: postgres}}', 'would change who the user is'],
    ['{username: a, settings: {"x;y": 1}}', 'is no name of a parameter'],
    ['{username: a, settings: {a: {b: 1}}}', 'must be a value or a list of values'],
    ['{username: a, deletionPolicy: burn}', 'must be drop, disable or retain'],
    ['{username: a, passwordSecretRef: {name: Not_A_Name}}', 'is no name of a Secret'],
    ['{username: a, passwordSecretRef: {}}', 'is missing'],
    ['{username: a, login: maybe}', 'must be true or false'],
    ['{username: a, __proto__: {x: 1}}', 'unknown key `__proto__`'],
    ['{username: a, username: b}', 'stands here twice'],
    ['just text', 'must be a mapping'],
    ['[a]', 'must be a mapping'],
  ])('%s', (entry, message) => {
    const text = `users:\n  - ${entry}\n  - username: keeper\n`;
    expect(problems(text).join('\n')).toContain(message);
    expect(problems(text)[0]).toMatch(/^users\.yaml:2:\d+: /);
    expect(names(text)).toEqual(['keeper']);
  });

  it('that stands twice, shares a Secret, or closes a circle of memberships is refused at every place', () => {
    expect(problems('users: [{username: a}, {username: a}, {username: k}]')).toHaveLength(2);
    expect(problems('users: [{username: a_b}, {username: a-b}, {username: k}]').join()).toContain('have the same Secret user-a-b-secret');
    expect(problems('users: [{username: a_b}, {username: a-b, passwordSecretRef: {name: other}}]')).toEqual([]);
    expect(problems('users: [{username: a, roles: [b]}, {username: b, roles: [c]}, {username: c, roles: [a]}, {username: k, roles: [a]}]').join()).toContain(
      'a → b → c → a',
    );
    expect(names('users: [{username: a, roles: [a]}, {username: k}]')).toEqual(['k']);
  });

  it('with privileges is accepted with a warning', () => {
    const document = parse('users: [{username: a, privileges: {t: [SELECT]}}]');
    expect(document.problems.map((problem) => problem.severity)).toEqual(['warning']);
    expect(document.users).toHaveLength(1);
  });
});

describe('a document of no use', () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
    .split('')
    .map((letter, index) => `${letter}: &${letter} [${Array(10).fill(`*${'abcdefghij'[index]}`).join(',')}]`)
    .join('\n')}\nusers: *j\n`;
  it.each([
    ['', 'is empty'],
    ['# nothing', 'is empty'],
    ['- username: a', 'must be a mapping'],
    ['text', 'must be a mapping'],
    ['42', 'must be a mapping'],
    ['{}', '`users` is missing'],
    ['user: []', '`users` is missing'],
    ['users:', 'must be a list'],
    ['users: {a: 1}', 'must be a list'],
    ['users: []', 'allowEmpty'],
    ['users:\n\t- username: a', 'ab'],
    ['users: [{username: a}', 'users.yaml:'],
    ['users: [{username: !x a}]', 'users.yaml:1:'],
    ['users: [{username: a}]\n---\nusers: []', 'several documents'],
    ['<html><body>404</body></html>\nusers:', 'users.yaml:'],
    ['<<<<<<< HEAD\nusers: []\n=======\n', 'users.yaml:'],
    ['users: {{ .Values.users | toYaml }}', 'users.yaml:'],
    [bomb, 'users.yaml:'],
    [`users: ${'['.repeat(5000)}`, 'users.yaml:'],
  ])('%.30j', (text, message) => {
    const began = performance.now();
    const document = parse(text);
    expect(document.usable).toBe(false);
    expect(document.users).toEqual([]);
    expect(document.problems.map(formatProblem).join('\n')).toContain(message);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('is also one that is not UTF-8 or too large', () => {
    expect(parseDocument(Buffer.from([0x75, 0x73, 0xff]), 'users.yaml').problems[0]?.message).toBe('the document is not UTF-8 (byte 3)');
    expect(parse(`users: [{username: a}]\n#${'x'.repeat(1_048_576)}`).problems[0]?.message).toContain('the limit is 1048576');
  });

  it('allowEmpty confirms that nobody is meant', () => {
    expect(parse('users: []\nallowEmpty: true')).toMatchObject({ usable: true, users: [], problems: [] });
  });
});

it('nothing makes the reader throw', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
        fc.json().map((text) => Buffer.from(`users: [${text}]`)),
      ),
      (content) => {
        const document = parseDocument(content, 'users.yaml');
        expect(document.usable || document.problems.length > 0).toBe(true);
      },
    ),
    { numRuns: 500, seed: 1 },
  );
});

it('a large document reads the same in pieces as whole, with the same places', () => {
  const users = Array.from({ length: 3000 }, (_, index) => ({
    username: `user-${index}`,
    roles: [`role-${index % 7}`, { name: 'x', admin: index % 2 === 0 }],
    comment: index % 5 === 0 ? 'several\nlines\n- of text' : 'c',
  }));
  const text = `# head\n${stringify({ timestamp: '2026-01-01', users })}`;
  const whole = parse(`${text}# & ties it together\n`);
  const pieces = parse(text);
  expect(pieces.users).toHaveLength(3000);
  expect(pieces).toEqual(whole);
});
