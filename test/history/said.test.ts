// What a revision keeps of a document: what says the same is the same text, only what is valid is in it, and a few lines that stand for many do not fill the memory.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { normalDocuments } from '../../src/document/normal-document.ts';
import { parseDocument } from '../../src/document/parse.ts';
import { yamlOf } from '../../src/document/write-yaml.ts';
import { walkChain } from '../../src/history/chain.ts';
import { csvCell } from '../../src/history/said-rows.ts';
import { asWritten, readKept } from '../../src/history/kept-document.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { provenanceOf } from '../../src/model/provenance.ts';

const kept = (text: string): string => normalDocuments(parseDocument(Buffer.from(text), 'users.yaml')).get('users.yaml')?.text ?? '';

it('comments, the order of keys and entries, quotes and anchors make no other document', () => {
  expect(
    kept(`
users: # the secret is hunter2
  - {login: false, username: b, settings: {work_mem: 1.50}}
  - username: 'a'
    roles: [r, {name: s, set: true}]
`),
  ).toBe(
    kept(`timestamp: x
users:
  - &a {username: a, roles: [r, {set: true, name: s}]}
  - {username: "b", settings: {work_mem: '1.50'}, login: false}`),
  );
});

it('it is a document again that says the same', () => {
  const text = kept(
    `permissions: [{name: p, schemas: [s], tables: {'*': [SELECT]}}]
roles: [{name: r, permissions: [p]}]
databases: [{name: d, owner: r, public: revoked}]
guardrails: [{name: g, never: [DELETE], on: {schema: s, tables: ['*']}, by: '*'}]
users: [{username: __proto__, settings: {__proto__.x: 1}, roles: [r]}, {username: '<<', login: false, comment: "a\\u202e\\n"}]`,
  );
  const again = readKept(text);
  expect(again === undefined ? '' : kept(yamlOf(asWritten(again)))).toBe(text);
  for (const broken of ['', '{', '[]', '7', '{"users":7}', '{"users":[7,{"username":7}]}']) expect([...(readKept(broken)?.get('users') ?? [])]).toEqual([]);
});

it('as many characters of a document are kept as may be, and of the items behind them only the names', () => {
  const comment = 'x'.repeat(LIMITS.comment);
  const users = Math.floor(LIMITS.saidOfDocument / LIMITS.comment) + 20;
  const text = kept(
    `users:\n  - {username: u, comment: &c ${comment}}\n${Array.from({ length: users }, (_, n) => `  - {username: u${n}, comment: *c}\n`).join('')}`,
  );
  expect(text.length).toBeLessThan(LIMITS.saidOfDocument + 100 * users);
  expect(text).toContain('"isTooLarge":true');
  expect(JSON.parse(text)).toMatchObject({ users: { length: users + 1 } });
});

it('whatever annotations and managedFields say is cut, and what is none of it is left out', () => {
  const field = (manager: unknown, time: unknown, fieldsV1: unknown): object => ({ manager, time, fieldsV1 });
  const owned = { 'f:data': { 'f:users.yaml': {} } };
  expect(
    provenanceOf(
      { 'pgsteward.dev/revision': 'a'.repeat(1000), 'pgsteward.dev/author': 'x\0y' },
      [
        field('old', '2026-01-01T00:00:00Z', owned),
        field('new', '2026-01-02T00:00:00Z', owned),
        field('other', '2026-01-03T00:00:00Z', { 'f:data': { 'f:x': {} } }),
      ],
      'users.yaml',
    ),
  ).toEqual({ revision: 'a'.repeat(256), author: 'xy', writtenBy: 'new', writtenAt: '2026-01-02T00:00:00Z' });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything()), fc.anything(), (annotations, managed) => {
      expect(Object.values(provenanceOf(annotations, managed, 'users.yaml')).every((value) => typeof value === 'string')).toBe(true);
    }),
  );
});

it('a cell of CSV is one cell, and no formula', () => {
  expect(['=1+1', '+1', '-1', '@x', ' =1', "'=1", '\t=1', '＝1', 'a,"b"', 'a\nb', 'plain'].map(csvCell)).toEqual([
    "'=1+1",
    "'+1",
    "'-1",
    "'@x",
    '"\' =1"',
    "''=1",
    '\\u{9}=1',
    "'＝1",
    '"a,""b"""',
    'a\\u{a}b',
    'plain',
  ]);
});

it('a chain over more revisions than a call has arguments is gone through', () => {
  const items = Buffer.alloc(40 * 300_000);
  for (let id = 1; id <= 300_000; id += 1) items.writeBigInt64BE(BigInt(-id), (id - 1) * 40);
  const walk = walkChain(undefined);
  const beginning = createHash('sha256').digest();
  walk.take(
    [
      { link: 0, items: Buffer.alloc(0), hash: beginning.toString('hex') },
      { link: 1, items, hash: createHash('sha256').update(beginning).update(items).digest('hex') },
    ],
    [],
  );
  expect(walk.end([], [{ id: 299_999, hash: '0'.repeat(64) }], 299_999).findings.map(({ message }) => message)).toEqual(['revision 300000 of 300000 is gone']);
});
