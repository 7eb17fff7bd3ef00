// The JSON Schema says of a document's shape what the reader says.
import { readdirSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { compose } from '../../src/document/compose.ts';
import { jsonSchema } from '../../src/document/json-schema.ts';
import { load } from '../../src/document/load.ts';
import { parseDocument } from '../../src/document/parse.ts';
import { readDocument } from '../../src/document/read-document.ts';
import { decode } from '../../src/document/text.ts';
import { type Node, plainOf } from '../../src/document/tree.ts';
import type { Document } from '../../src/model/entries.ts';
import { BROKEN_DOCUMENTS } from '../corpus/broken-documents.ts';

const accepts = new Ajv({ allowUnionTypes: true, allErrors: true }).compile(jsonSchema());

/** What the reader says of keys, types and words, which is all that a schema can see. */
const SHAPE = new RegExp(
  [
    '^unknown key ',
    ', but is (?:a |text|null)(?!.*date)',
    '^the key `\\w+` is missing',
    ' is no (?:policy|mode|privilege of)',
    '^there is no such preset',
    '^must be `(?:in-place|alphanumeric|none)`',
    '^must be a whole number ',
    '^must be a port',
    '^the list is empty',
    '^the list `users` is missing',
    '^this block is about its own database already',
    '^a permission needs a `name`',
  ].join('|'),
);

interface Verdicts {
  readonly errors: readonly string[];
  readonly shape: readonly string[];
  readonly schema: boolean;
}

/** Both verdicts. What `actions` are for their siblings say, which no schema of one key can see. */
function verdictsOf({ problems }: Document, value: unknown): Verdicts {
  const seen = problems.filter(
    ({ path, message }) => SHAPE.test(message) && !(/\.actions(?:\[\d+\])?$/.test(path) && message.includes(' is no privilege of ')),
  );
  const said = (all: typeof problems): readonly string[] => all.map(({ path, message }) => `${path}: ${message}`);
  return { errors: said(problems), shape: said(seen), schema: accepts(value) };
}

/** The schema refuses what has a wrong shape, and nothing in which the reader finds nothing. */
function expectAgreement({ errors, shape, schema }: Verdicts, value: unknown): void {
  if (shape.length > 0 ? !schema : schema || errors.length > 0) return;
  expect.fail(
    `the schema says ${schema}: ${accepts.errors?.map(({ instancePath, message }) => `${instancePath} ${message}`).join('; ')}\n${errors.join('\n')}\n${JSON.stringify(value)}`,
  );
}

function ofText(content: Uint8Array): void {
  const { root } = load(decode(content).text);
  if (root === undefined) return;
  const value: unknown = JSON.parse(JSON.stringify(plainOf(root)));
  expectAgreement(verdictsOf(parseDocument(content, 'users.yaml'), value), value);
}

/** The tree of a value as YAML would give it. */
function treeOf(value: unknown): Node {
  if (Array.isArray(value)) return { kind: 'list', offset: 0, items: value.map(treeOf) };
  if (typeof value === 'object' && value !== null)
    return { kind: 'mapping', offset: 0, pairs: Object.entries(value).map(([key, below]) => ({ key, keyOffset: 0, value: treeOf(below) })) };
  return { kind: 'scalar', offset: 0, value: value as string | number | boolean | null, source: String(value), plain: typeof value !== 'string' };
}

const verdictsOn = (value: unknown): Verdicts => verdictsOf(compose([readDocument(treeOf(value), () => ({ file: 'users.yaml', line: 1, column: 1 }))]), value);
const ofValue = (value: unknown): void => expectAgreement(verdictsOn(value), value);

const DOCUMENTS = new URL('../corpus/documents/', import.meta.url);
const CASES = new URL('../corpus/cases/', import.meta.url);
const yamlBelow = (folder: URL): readonly string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));

describe('the schema and the reader agree on', () => {
  it.each(yamlBelow(DOCUMENTS))('%s', (file) => ofText(readFileSync(new URL(file, DOCUMENTS))));
  it.each(yamlBelow(CASES).filter((file) => !file.includes('original')))('%s', (file) => ofText(readFileSync(new URL(file, CASES))));
  it.each([...BROKEN_DOCUMENTS.keys()])('%s', (idea) => ofText(Buffer.from(BROKEN_DOCUMENTS.get(idea) ?? '')));

  /** Every key there is, with a value that is right. */
  const BLOCK = {
    database: 'shop',
    schemas: ['public'],
    databasePrivileges: ['CONNECT', { privilege: 'temp', grantable: true }],
    tables: { '*': 'all privileges', t: ['select', { privilege: 'UPDATE' }] },
    sequences: { s: ['USAGE'] },
    functions: { 'f(int)': ['EXECUTE'] },
    types: { t: ['USAGE'] },
    languages: { plpgsql: ['USAGE'] },
    foreignDataWrappers: { w: ['USAGE'] },
    foreignServers: { s: ['USAGE'] },
    largeObjects: [12],
    tablespaces: { t: ['CREATE'] },
    parameters: { work_mem: ['SET', 'ALTER  SYSTEM'] },
    columns: { t: { c: ['SELECT'] } },
    actions: ['SELECT'],
    preset: 'read_only',
  };
  const FULL = {
    timestamp: 1,
    allowEmpty: true,
    databases: [
      {
        name: 'shop',
        owner: 'owner',
        create: true,
        public: { schemas: { public: ['USAGE'] } },
        schemas: ['a', { name: 'b', owner: 'owner' }],
        extensions: ['x', { name: 'y', schema: 'a' }],
        createdBy: ['owner'],
      },
      { name: 'hr', public: [{ schemas: ['a'], tables: { t: ['SELECT'] } }] },
    ],
    permissions: [{ name: 'reading', schemas: ['public'], tables: ['*'], actions: ['SELECT'] }],
    roles: [
      {
        name: 'owner',
        permissions: ['reading'],
        memberOf: [{ name: 'base', admin: true, inherit: true, set: true }],
        grants: [BLOCK],
        grantsMode: 'additive',
        comment: null,
        deletionPolicy: 'retain',
      },
    ],
    users: [
      {
        username: 'alice',
        database: 'shop',
        databases: ['other'],
        roles: ['owner', { name: 'base' }],
        assumeRole: 'owner',
        privileges: { t: ['SELECT'] },
        grants: [{ databases: ['shop'], schemas: ['x'] }],
        permissions: ['reading'],
        grantsMode: 'authoritative',
        password: { generate: { length: 40, alphabet: 'hex' } },
        connectionSecret: {
          name: 'to-shop',
          namespace: 'apps',
          database: 'shop',
          template: { key: '{{ host }}' },
          labels: { a: 'b' },
          annotations: { a: 'b' },
          uris: { pool: { host: 'h', port: 1 } },
        },
        rotation: { every: '30d', strategy: 'two-users', overlap: '1h' },
        connectionLimit: 3,
        validUntil: 'infinity',
        settings: { work_mem: '1MB', search_path: ['a', 'b'], jit: false, random_page_cost: 1.5 },
        databaseSettings: { shop: { work_mem: '1MB' } },
        comment: 'x',
        login: true,
        deletionPolicy: 'drop',
        drain: '5m',
      },
      { username: 'bob', passwordSecretRef: { name: 's', key: 'k' } },
      { username: 'carol', password: 'none', connectionLimit: -1 },
    ],
  };

  it('a document with every key', () => {
    expect(verdictsOn(FULL)).toEqual({ errors: [], shape: [], schema: true });
  });

  type Step = string | number;
  /** Every place in a value. */
  const placesIn = (value: unknown, path: readonly Step[] = []): readonly (readonly Step[])[] =>
    typeof value !== 'object' || value === null
      ? [path]
      : [path, ...Object.entries(value).flatMap(([key, below]) => placesIn(below, [...path, Array.isArray(value) ? Number(key) : key]))];
  const replaced = (value: unknown, [step, ...rest]: readonly Step[], by: unknown): unknown => {
    if (step === undefined) return by;
    if (Array.isArray(value)) return value.map((item: unknown, index) => (index === step ? replaced(item, rest, by) : item));
    const entries = Object.entries(value as object).filter(([key]) => key !== step || rest.length > 0 || by !== undefined);
    return Object.fromEntries(entries.map(([key, below]: [string, unknown]) => [key, key === step ? replaced(below, rest, by) : below]));
  };
  const at = (value: unknown, path: readonly Step[]): unknown => path.reduce<unknown>((found, step) => (found as Record<Step, unknown>)[step], value);

  it('each value replaced by another one, each key left out, and one too many in each mapping', () => {
    const places = placesIn(FULL);
    expect(places.length).toBeGreaterThan(120);
    for (const path of places) {
      for (const by of ['x', 7, true, null, [], ['x'], [[]], {}, { x: 'x' }]) ofValue(replaced(FULL, path, by));
      if (typeof path.at(-1) === 'string') ofValue(replaced(FULL, path, undefined));
      const value = at(FULL, path);
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) ofValue(replaced(FULL, path, { ...value, unheardOf: 'x' }));
    }
  });
});
