// For any bytes the reader answers, for any valid document it reads what was written, and the quick way reads what the parser reads.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { load } from '../../src/document/load.ts';
import { aliasBudget, loadYaml } from '../../src/document/load-yaml.ts';
import { parseDocument } from '../../src/document/parse.ts';
import { read } from './read.ts';

const SEED = { seed: 20_260_108 };

/** Lines that look like parts of a document, to be put together in any order. */
const LINES = `timestamp: x|users:|users: # all| - username: a|  - username: a|- username: b|  - username: "q q"|    roles: [a, 'b', null]|    roles: [a,b]
    roles: []|    roles: [a]  # c|    roles:|    - x|      - x|      - "y"  |      -  z|    login: true|    login: True|    connectionLimit: 007|    connectionLimit: 5
    n: -1|    n: - 1|    comment: >-|      text|# c|      # d||   |    <<: *a|    x: &a {b: 1}|    y: *a|  -|  - |---|...|\t|    z: a: b|    z: "a|    b"|    k: "x" y
    key|    key : v|    e: !!str 1|    e: !x 1|    a: 1e3|    a: a#b|    a: a #b|  - {username: z}|allowEmpty: true|    q: [a, b|    ]|    m: [null, x:]|    r: - a
    "quoted": x|    p: @a|    b: c\r|      continued|    c: ''|%TAG ! x|    1a: b|    w: a:|    u: a, b|    v: [a, b] c|    v: [[a]]|    settings: {a: b}
  - *a|  - [a]|? a|: b|    database: "\\uD800"|    users:|    validUntil: 2026-01-01|    passwordSecretRef: {name: x}`.split(/[|\n]/);

const documentOfLines = fc
  .tuple(
    fc.constantFrom('', 'users:\n', 'timestamp: x\nusers:\n', 'users:\n  - username: k\n'),
    fc.array(fc.constantFrom(...LINES), { maxLength: 14 }),
    fc.constantFrom('', '\n'),
  )
  .map(([start, lines, end]) => `${start}${lines.join('\n')}${end}`);

const name = fc
  .oneof(
    fc.stringMatching(/^[a-z][a-z0-9_.-]{0,9}$/),
    fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }),
    fc.constantFrom('__proto__', 'null', 'true', '1e3', '0x1f', '2026-01-01', '<<', '- a', 'select'),
  )
  .filter((text) => !text.includes('\0') && !text.startsWith('pg_') && text !== 'public' && text !== 'none' && Buffer.byteLength(text) <= 63);

const entry = fc.record(
  {
    username: name,
    database: name,
    databases: fc.uniqueArray(name, { maxLength: 3 }),
    roles: fc.uniqueArray(
      fc.record({ name: name.map((text) => `r:${text}`.slice(0, 20).toWellFormed()), admin: fc.boolean(), inherit: fc.boolean() }, { requiredKeys: ['name'] }),
      { selector: (role) => role.name, maxLength: 3 },
    ),
    login: fc.boolean(),
    connectionLimit: fc.integer({ min: -1, max: 100 }),
    password: fc.record({ generate: fc.record({ length: fc.integer({ min: 32, max: 1024 }), alphabet: fc.constantFrom('alphanumeric', 'hex') }) }),
    comment: fc.option(fc.string({ minLength: 1, maxLength: 30 }).filter((text) => !text.includes('\0'))),
    deletionPolicy: fc.constantFrom('drop', 'disable', 'retain'),
    drain: fc.constantFrom('terminate', 'keep', '30s', '5m', '2h', '1d'),
    databaseSettings: fc.dictionary(
      fc.stringMatching(/^[a-z]{1,5}$/),
      fc.dictionary(
        fc.stringMatching(/^[a-z_]{1,8}$/).map((text) => `p.${text}`),
        fc.string({ maxLength: 10 }).filter((text) => !text.includes('\0')),
      ),
    ),
  },
  { requiredKeys: ['username'] },
);

describe('the reader', () => {
  it('never throws, whatever the bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.string({ maxLength: 100 }).map((text) => `users:\n  - username: ${text}`),
          documentOfLines,
        )
        .map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(
      fc.property(bytes, (content) => {
        const document = parseDocument(content, 'users.yaml');
        if (!document.usable) expect(document.problems.some(({ severity }) => severity === 'error')).toBe(true);
        if (!document.usable) expect(document.users).toEqual([]);
        for (const { position } of document.problems) expect(Math.min(position.line, position.column)).toBeGreaterThanOrEqual(1);
        for (const user of document.users) expect(document.invalid.has(user.username)).toBe(false);
      }),
      { ...SEED, numRuns: 3000 },
    );
  });

  it('reads item by item exactly what it reads as a whole', () => {
    let inPieces = 0;
    fc.assert(
      fc.property(documentOfLines, (text) => {
        const loaded = load(text);
        if (loaded.root !== undefined) inPieces += 1;
        const { isInParts: _, ...tree } = loaded;
        expect(tree).toEqual(loadYaml(text, aliasBudget()));
      }),
      { ...SEED, numRuns: 10_000 },
    );
    expect(inPieces).toBeGreaterThan(1000);
  });

  it('reads what was written', () => {
    const options = fc.record({ defaultStringType: fc.constantFrom('PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE'), indentSeq: fc.boolean() });
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: (user) => user.username, minLength: 1, maxLength: 5 }), options, (entries, style) => {
        const users = entries.map((user, index) => ({ ...user, passwordSecretRef: { name: `s${index}` } }));
        const document = read(
          stringify({ users }, { ...style, schema: 'core' } as const).replaceAll(/^(\s*(?:- )?)username: (\d{4}-\S*)$/gm, '$1username: "$2"'),
        );
        expect(document.problems).toEqual([]);
        expect(
          document.users.map(({ position: _position, said: _said, roles, ...user }) => ({
            ...user,
            roles: roles.map(({ position: _place, ...role }) => role),
          })),
        ).toEqual(
          users.map(({ passwordSecretRef, databaseSettings, password, ...user }) => ({
            databases: [],
            roles: [],
            login: true,
            secretIsDerived: false,
            secret: { name: passwordSecretRef.name, key: 'password' },
            ...(password === undefined ? {} : { password: { kind: 'generate', ...password.generate } }),
            ...(databaseSettings === undefined
              ? {}
              : { databaseSettings: new Map(Object.entries(databaseSettings).map(([key, value]) => [key, new Map(Object.entries(value))])) }),
            ...user,
          })),
        );
      }),
      { ...SEED, numRuns: 500 },
    );
  });
});
