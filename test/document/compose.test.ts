// Several documents are one: what each declares counts, what two declare is told in both, and where one cannot be used nothing is.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { compose } from '../../src/document/compose.ts';
import { formatProblem } from '../../src/document/format.ts';
import { linesOf } from '../../src/document/lines.ts';
import { load } from '../../src/document/load.ts';
import { readText } from '../../src/document/parse.ts';
import { readDocument } from '../../src/document/read-document.ts';
import { decode } from '../../src/document/text.ts';
import { type ListNode, type MappingNode, type Node, valueOf } from '../../src/document/tree.ts';
import type { Document } from '../../src/model/entries.ts';

/** Documents `a.yaml`, `b.yaml`, … as one. */
const together = (...texts: readonly string[]): Document =>
  compose(texts.map((text, index) => readText(new TextEncoder().encode(text), `${'abc'[index] ?? ''}.yaml`)));

const said = (document: Document): readonly string[] => document.problems.map(formatProblem);

/** Names of what is valid and of what is kept as it was. */
const named = ({ users, roles, databases, invalid, invalidDatabases }: Document) => ({
  users: users.map(({ username }) => username),
  roles: roles.map(({ name }) => name),
  databases: databases.map(({ name }) => name),
  invalid: [...invalid, ...invalidDatabases].toSorted(),
});

const users = (...names: readonly string[]): string => stringify({ users: names.map((username) => ({ username })) });

describe('two documents', () => {
  it('are one with the entries of both, each with its file', () => {
    const document = together(
      'databases: [{name: shop}]\nroles: [{name: reader}]\nusers: [{username: alice}]\n',
      'roles: [{name: writer, memberOf: [reader]}]\nusers: [{username: bob, roles: [writer], assumeRole: reader}]\n',
    );
    expect(said(document)).toEqual([]);
    expect(named(document)).toEqual({ users: ['alice', 'bob'], roles: ['reader', 'writer'], databases: ['shop'], invalid: [] });
    expect(document.users.map(({ position }) => position)).toEqual([
      { file: 'a.yaml', line: 3, column: 9 },
      { file: 'b.yaml', line: 2, column: 9 },
    ]);
  });

  it('are told of the names that both declare, each at its place, and nobody gets them', () => {
    const document = together(
      'databases: [{name: shop}]\nroles: [{name: reader}]\nusers: [{username: alice}, {username: carol}]\n',
      'databases: [{name: shop}]\nroles: [{name: reader}, {name: carol}]\nusers: [{username: bob}, {username: alice}]\n',
    );
    expect(named(document)).toEqual({ users: ['bob'], roles: [], databases: [], invalid: ['alice', 'carol', 'reader', 'shop'] });
    expect(said(document)).toEqual([
      'a.yaml:1:13: databases[0].name: the database `shop` stands here and in `b.yaml`; keep one entry',
      'a.yaml:2:16: roles[0].name: the role `reader` stands here and in `roles[0]` of `b.yaml`; keep one entry',
      'a.yaml:3:20: users[0].username: the user `alice` stands here and in `users[1]` of `b.yaml`; keep one entry',
      'a.yaml:3:39: users[1].username: the user `carol` stands here and in `roles[1]` of `b.yaml`; keep one entry',
      'b.yaml:1:13: databases[0].name: the database `shop` stands here and in `a.yaml`; keep one entry',
      'b.yaml:2:16: roles[0].name: the role `reader` stands here and in `roles[0]` of `a.yaml`; keep one entry',
      'b.yaml:2:32: roles[1].name: the role `carol` stands here and in `users[1]` of `a.yaml`; keep one entry',
      'b.yaml:3:37: users[1].username: the user `alice` stands here and in `users[0]` of `a.yaml`; keep one entry',
    ]);
  });

  it('are told of Secrets that would be those of users of both', () => {
    expect(said(together(users('a_b'), users('c', 'a-b')))).toEqual([
      'a.yaml:2:15: users[0].username: the Secret `user-a-b-secret` would also be that of `a-b`; give one of them a `passwordSecretRef`',
      'b.yaml:3:15: users[1].username: the Secret `user-a-b-secret` would also be that of `a_b`; give one of them a `passwordSecretRef`',
    ]);
    const connected = (name: string): string => `users: [{username: ${name}, connectionSecret: {name: s}}]\n`;
    expect(said(together(connected('a'), connected('b')))).toEqual([
      'a.yaml:1:41: users[0].connectionSecret: the Secret `s` is also the connection Secret of `b`; choose another name',
      'b.yaml:1:41: users[0].connectionSecret: the Secret `s` is also the connection Secret of `a`; choose another name',
    ]);
  });

  it('are told of memberships that go round through both', () => {
    expect(said(together('users: [{username: a, roles: [b]}]\n', 'users: [{username: b, roles: [a]}]\n'))).toEqual([
      'a.yaml:1:31: users[0].roles[0]: a cycle of memberships, which the server refuses: `a` → `b` → `a`; remove one of them',
      'b.yaml:1:31: users[0].roles[0]: a cycle of memberships, which the server refuses: `b` → `a` → `b`; remove one of them',
    ]);
  });

  it('are told of users to be made whose names the other one has', () => {
    const rotation = 'rotation: {every: 30d, strategy: two-users}';
    const turns = `users: [{username: dora, password: {generate: {}}, connectionSecret: {name: d}, ${rotation}}]\n`;
    expect(said(together(turns, users('dora-1')))).toEqual([
      'a.yaml:1:91: users[0].rotation: makes a user `dora-1`, and `b.yaml` has an entry of that name; rename one of them',
    ]);
  });

  it('have the problems of each, and what is invalid in one leaves the other as it is', () => {
    const document = together('users: [{username: alice, rols: []}]\n', 'users: [{username: bob}, {username: carol, login: 1}]\n');
    expect(named(document)).toEqual({ users: ['bob'], roles: [], databases: [], invalid: ['alice', 'carol'] });
    expect(said(document)).toEqual([
      'a.yaml:1:27: users[0].rols: unknown key `rols`; did you mean `roles`?',
      'b.yaml:1:51: users[1].login: must be `true` or `false`, but is a number',
    ]);
  });

  it('cannot be used where one of them cannot, and nothing is called undeclared because of it', () => {
    const document = together('users: [\n', 'users: [{username: bob, assumeRole: reader}, {username: carol, login: 1}]\n');
    expect(document.usable).toBe(false);
    expect(named(document)).toEqual({ users: [], roles: [], databases: [], invalid: [] });
    expect(said(document).map((line) => line.split(':')[0])).toEqual(['a.yaml', 'b.yaml']);
  });
});

it('no document says nothing', () => {
  expect(compose([])).toMatchObject({ users: [], usable: false, problems: [] });
});

const FOLDER = new URL('../corpus/documents/', import.meta.url);
const corpus = readdirSync(FOLDER).flatMap((name) => {
  const { text } = decode(readFileSync(new URL(name, FOLDER)));
  const { root } = load(text);
  const list = root?.kind === 'mapping' ? valueOf(root, 'users') : undefined;
  return root?.kind === 'mapping' && list?.kind === 'list' ? [{ name, text, root, list }] : [];
});

/** The document with these users only, and with what its entries need beside them. */
function partOf(root: MappingNode, list: ListNode, items: readonly Node[], isWanted: (key: string) => boolean): MappingNode {
  const allowEmpty: Node = { kind: 'scalar', value: true, source: 'true', plain: true, offset: list.offset };
  const pairs = root.pairs.map((pair) => (pair.value === list ? { ...pair, value: { ...list, items } } : pair));
  return { ...root, pairs: [...pairs.filter(({ key }) => isWanted(key)), { key: 'allowEmpty', keyOffset: list.offset, value: allowEmpty }] };
}

describe('a document of the corpus whose users are divided into two', () => {
  const usable = corpus.filter(({ root, list }) => list.items.length > 1 && valueOf(root, 'allowEmpty') === undefined);

  it('is one of many', () => {
    expect(usable.length).toBeGreaterThan(50);
  });

  it.each(usable)('$name says the same', ({ text, root, list }) => {
    const positionOf = linesOf(text, 'users.yaml');
    const half = Math.ceil(list.items.length / 2);
    const halves = [
      partOf(root, list, list.items.slice(0, half), () => true),
      // Permissions belong to the document that they stand in.
      partOf(root, list, list.items.slice(half), (key) => key === 'users' || key === 'permissions'),
    ].map((part) => readDocument(part, positionOf));
    // Each of the two says its permissions, of which a revision keeps both.
    const { problems: _problems, said: _said, ...whole } = compose([readDocument(root, positionOf)], 'app');
    const { problems: _told, said: _both, ...both } = compose(halves, 'app');
    expect(both).toEqual(whole);
  });
});
