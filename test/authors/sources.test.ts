// Whose roles are: what the ledger says of several sources decides who is removed, held and refused. Without a server.
import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../src/document/parse.ts';
import type { Catalog } from '../../src/model/catalog.ts';
import type { Document } from '../../src/model/entries.ts';
import type { AuthorFacts, Sources } from '../../src/model/sources.ts';
import { catalogOf, planFor } from '../support/pure-plan.ts';

const author = (name: string, more: Partial<AuthorFacts> = {}): [string, AuthorFacts] => [
  `author:${name}`,
  { name, lent: [], heldBecause: undefined, gone: new Map(), maxDeletions: undefined, ...more },
];

const NOTHING_SHARED = {
  moves: new Map(),
  shared: new Map(),
  undecided: new Set<string>(),
  documents: new Map(),
  databases: new Map<string, string>(),
  keptDatabases: new Set<string>(),
  tolerated: new Set<string>(),
};

const sourcesOf = (authors: readonly [string, AuthorFacts][], claims: Readonly<Record<string, string>>): Sources => ({
  authors: new Map(authors),
  claims: new Map(Object.entries(claims)),
  ...NOTHING_SHARED,
});

const documentOf = (roles: readonly string[], sources: Sources, problems: Document['problems'] = []): Document => ({
  ...parseDocument(Buffer.from(JSON.stringify({ users: [], allowEmpty: true, roles: roles.map((name) => ({ name })) })), 'users.yaml'),
  sources,
  problems,
});

/** The catalog with what the ledger says of some of its roles. */
const recorded = (catalog: Catalog, sources: Readonly<Record<string, string>>): Catalog => ({
  ...catalog,
  managed: new Map([...catalog.managed].map(([name, row]) => [name, { ...row, source: sources[name] ?? row.source }])),
});

const dropped = (document: Document, catalog: Catalog): readonly string[] =>
  planFor(document, catalog).changes.flatMap((change) => (change.kind === 'drop_role' ? [change.role] : []));

const shop = 'author:shop';
const error = { severity: 'error', position: { file: 'users.yaml', line: 1, column: 1 }, path: '', message: 'wrong' } as const;

describe('a document of several sources', () => {
  const catalog = recorded(catalogOf(['mine', 'shop_a', 'bill_a', 'strange'], []), {
    shop_a: shop,
    bill_a: 'author:billing',
    strange: 'author:somebody-who-writes-nothing-here',
  });

  it('removes what each of its sources no longer names, and nothing of others', () => {
    const document = documentOf([], sourcesOf([author('shop'), author('billing')], {}));
    expect(dropped(document, catalog).toSorted()).toEqual(['bill_a', 'mine', 'shop_a']);
  });

  it('holds what is wrong with one author against that one alone', () => {
    const sources = sourcesOf([author('shop'), author('billing')], {});
    expect(dropped(documentOf([], sources, [{ ...error, source: shop }]), catalog).toSorted()).toEqual(['bill_a', 'mine']);
    expect(dropped(documentOf([], sources, [error]), catalog).toSorted()).toEqual(['bill_a', 'shop_a']);
  });

  it('removes nothing of an author of whom nothing could be read', () => {
    const document = documentOf([], sourcesOf([author('shop', { heldBecause: 'it could not be read' }), author('billing')], {}));
    expect(dropped(document, catalog).toSorted()).toEqual(['bill_a', 'mine']);
    expect(planFor(document, catalog).notices).toContainEqual({
      kind: 'kept',
      subject: 'shop_a',
      source: shop,
      message: 'no longer named, but kept: it could not be read',
    });
  });

  it('has a breaker for each author', () => {
    const many = Array.from({ length: 8 }, (_, index) => `shop_${index}`);
    const full = recorded(catalogOf([...many, 'mine'], []), Object.fromEntries(many.map((name) => [name, shop])));
    const plan = planFor(documentOf([], sourcesOf([author('shop', { maxDeletions: 3 })], {})), full);
    expect(plan.breakerTripped).toBe(true);
    expect(plan.changes.flatMap((change) => (change.kind === 'drop_role' ? [change.role] : []))).toEqual(['mine']);
    expect(plan.notices.map(({ message }) => message)).toContainEqual(expect.stringContaining('8 of 8 roles of the author shop'));
  });

  it('gives nobody what the ledger says is that of another, nor an author what was there before', () => {
    const claims = { bill_a: shop, shop_b: shop };
    const all = recorded(catalogOf(['bill_a', 'shop_a', 'shop_b'], []), { shop_a: shop, bill_a: 'author:billing' });
    const there = { ...all, managed: new Map([...all.managed].filter(([name]) => name !== 'shop_b')) };
    const plan = planFor(documentOf(['bill_a', 'shop_b'], sourcesOf([author('shop'), author('billing')], claims)), there);
    const refused = plan.notices.flatMap(({ kind, subject, message }) => (kind === 'refused' ? [[subject, message]] : []));
    expect(refused).toEqual([
      ['bill_a', expect.stringContaining('it belongs to the source author:billing')],
      ['shop_b', expect.stringContaining("nobody recorded it as this author's")],
    ]);
    expect(plan.changes.some((change) => 'role' in change && (change.role === 'bill_a' || change.role === 'shop_b'))).toBe(false);
  });
});
