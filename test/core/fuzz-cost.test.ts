// A fuzz with a clock: whatever others write, from an alphabet of the marks that matter to each reader of it, twice as much costs about twice as much.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeBase64 } from '../../src/model/base64.ts';
import { templateParts } from '../../src/model/connection-keys.ts';
import { functionPattern, intersects, matches } from '../../src/model/pattern.ts';
import { requestsOf } from '../../src/model/requests.ts';
import { saslprep } from '../../src/model/saslprep.ts';
import { parseVerifier } from '../../src/model/scram.ts';
import { readPassword } from '../../src/model/secret-value.ts';
import { parseList, sameSetting } from '../../src/model/setting-list.ts';
import { durationMs } from '../../src/model/duration.ts';
import { readValidUntil } from '../../src/document/valid-until.ts';
import { placeOfLiteral } from '../../src/document/literal-place.ts';
import { partsOf, readParts } from '../../src/document/manifests.ts';
import { entriesOf } from '../../src/postgres/acl-sql.ts';
import { nameReader } from '../../src/postgres/object-names.ts';
import { describeFailure } from '../../src/postgres/failures.ts';
import { read } from '../document/read.ts';
import { costRatio } from '../support/cost.ts';

/** Four times the size is four times the cost; quadratic would be 16. */
const LINEAR = 10;
/** How many inputs of each reader are tried; FUZZ=500 for a night. */
const RUNS = Number(process.env['FUZZ'] ?? 3);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_260_108);

/** A text is a few marks, repeated: what is slow is slow by repetition, of one mark or of several together, and by what stands at its ends. */
const shapes = (marks: readonly string[]) => {
  const some = fc.array(fc.constantFrom(...marks), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
  return fc.tuple(fc.oneof(fc.constant(''), some), some, fc.oneof(fc.constant(''), some));
};

interface Reader {
  readonly what: string;
  readonly marks: readonly string[];
  readonly run: (text: string) => unknown;
  /** Characters of the smaller input: within the limits that the reader has, also four times as many. */
  readonly size?: number;
}

const MARKS = {
  list: [' ', '"', ',', 'a', 'B', '""', '\t', '\u001F', 'ü'],
  pattern: ['*', 'a', 'b', '**', 'ü', '\u{1F600}'],
  signature: ['[', ']', '(', ')', ',', ' ', 'int', '"', 'x', 'pg_catalog.', '\t'],
  template: ['{{', '}}', '{', '}', ' ', 'host', '\n'],
  yaml: [
    '- ',
    'a: ',
    ': ',
    '\n',
    '  ',
    '#',
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    ',',
    '&a ',
    '*a',
    '!',
    '|\n',
    '>\n',
    '---\n',
    '\t',
    'users:\n',
    '\r\n',
    '? ',
    '%',
    '<<: ',
  ],
  json: ['{', '}', '[', ']', '"', ':', ',', '\\', '1', 'null', ' ', '\\u'],
  text: ['\r', '\n', '\0', 'a', '\u05D0', '\u00AD', '\uFEFF', 'é', '\u1100\u1161', '\u0301'],
  verifier: ['SCRAM-SHA-256$', '4096', ':', '$', '=', 'A', '9', '\n'],
  base64: ['YWJj', '=', '\n', ' ', '-', '_', '\0'],
  failure: ['PASSWORD ', "'", 'SCRAM-SHA-256$', ' ', '\n', 'md5', '=', ':', 'a', 'ENCRYPTED '],
  time: ['1', 'd', 'h', '-', ':', 'T', 'Z', ' ', '+', '.', 'keep', '9999'],
};

/** What the server would send for objects with such names: the text is a name of its own, and the parts of many. */
const named = (text: string): readonly string[] => text.match(/.{1,8}/gsu) ?? [];
const readNames = nameReader([]);

const READERS: readonly Reader[] = [
  { what: 'search_path', marks: MARKS.list, run: (text) => [parseList('search_path', text), sameSetting('search_path', text, `${text} `)] },
  {
    what: 'a pattern and a name',
    marks: MARKS.pattern,
    run: (text) => [matches(text, 'ab'.repeat(31)), matches('*a*b*a*b*', text), intersects(text, `a${text}`)],
  },
  { what: "a function's signature", marks: MARKS.signature, run: (text) => functionPattern(`f(${text})`) },
  { what: 'a template of a connection Secret', marks: MARKS.template, run: templateParts },
  { what: "a Secret's password", marks: MARKS.text, run: (text) => [readPassword(Buffer.from(text)), saslprep(text)] },
  { what: 'a verifier', marks: MARKS.verifier, run: parseVerifier },
  { what: 'base64', marks: MARKS.base64, run: decodeBase64 },
  { what: 'an error message', marks: MARKS.failure, run: (text) => describeFailure(new Error(text)) },
  { what: 'a time', marks: MARKS.time, run: (text) => [durationMs(text), readValidUntil(text)] },
  {
    what: 'annotations of requests',
    marks: MARKS.text,
    run: (text) => requestsOf({ 'pgsteward.dev/sync-at': text, 'pgsteward.dev/allow-drops': text, 'pgsteward.dev/paused': text }),
  },
  { what: 'manifests in YAML', marks: MARKS.yaml, size: 2000, run: (text) => readParts([...partsOf(text, false).values()]) },
  { what: 'manifests in JSON', marks: MARKS.json, run: (text) => readParts([...partsOf(text, true).values()]) },
  { what: 'a document', marks: MARKS.yaml, size: 2000, run: read },
  {
    what: 'a document in a ConfigMap',
    marks: MARKS.yaml,
    size: 2000,
    run: (text) => placeOfLiteral(`data:\n  users.yaml: |\n    ${text.replaceAll('\n', '\n    ')}`, text),
  },
  { what: 'entries of an ACL', marks: MARKS.list, run: (text) => entriesOf(named(text).map((name) => [name, name, 'SELECT', false, null])) },
  {
    what: "objects' names",
    marks: MARKS.list,
    run: (text) => named(text).map((name) => [readNames('column', [name, text.slice(0, 63)]), readNames('table', name)]),
  },
];

it.each(READERS)('$what', ({ what, marks, run, size = 4000 }) => {
  const property = fc.property(shapes(marks), ([head, body, tail]) => {
    const input = (length: number): string => `${head}${body.repeat(Math.ceil(length / body.length))}${tail}`;
    expect(costRatio(input, run, size), `${what}: ${JSON.stringify([head, body, tail])}`).toBeLessThan(LINEAR);
  });
  fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true });
});
