// What an author is told of a report: its own entries, whatever is in it of others.
import { describe, expect, it } from 'vitest';
import { statusData } from '../../src/kubernetes/status-data.ts';
import { authorStatus } from '../../src/kubernetes/author-status.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { conditionsOf } from '../../src/observe/conditions.ts';
import { ofAuthor } from '../../src/observe/author-view.ts';
import type { AuthorFacts, Sources } from '../../src/model/sources.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { EMPTY } from '../../src/steward/report-parts.ts';
import { authorOf } from '../support/authors.ts';

/** Quotes, a newline, 0x1f, another script: names are values. */
const NAMES = { shop: 'shop_"; DROP\n\u001f', bill: 'bill_кошка', operator: 'secret_of_the_operator' };
const facts = (name: string, heldBecause?: string): [string, AuthorFacts] => [
  `author:${name}`,
  { name, lent: [], heldBecause, gone: new Map(), maxDeletions: undefined },
];
const sourcesOf = (...authors: readonly [string, AuthorFacts][]): Sources => ({
  authors: new Map(authors),
  claims: new Map([
    [NAMES.shop, 'author:shop'],
    [NAMES.bill, 'author:bill'],
  ]),
  moves: new Map(),
  shared: new Map(),
  undecided: new Set(),
  documents: new Map(),
  databases: new Map(),
  keptDatabases: new Set(),
  tolerated: new Set(),
});
const problem = (source: string | undefined, message: string) =>
  ({ severity: 'error', position: { file: 'users.yaml', line: 1, column: 1 }, path: '', message, source }) as const;
const report: CycleReport = {
  ...EMPTY,
  result: 'incomplete',
  why: 'postgres/their-document@7',
  sources: sourcesOf(facts('shop', 'it cannot be read'), facts('bill')),
  problems: [problem(undefined, 'of the operator'), problem('author:shop', 'of shop'), problem('author:bill', 'of bill')],
  notices: [
    ...Object.values(NAMES).map((subject) => ({ kind: 'refused', subject, message: `about ${subject}` }) as const),
    { kind: 'breaker', subject: '', message: 'removals of bill', source: 'author:bill' },
    { kind: 'breaker', subject: '', message: 'removals of the operator' },
    { kind: 'kept', subject: 'shop_gone', message: 'was of shop', source: 'author:shop' },
  ],
  breakerTripped: true,
  entities: new Map(Object.values(NAMES).map((name) => [name, 'user'])),
  declared: new Map(Object.values(NAMES).map((name) => [name, 'user'])),
  requests: { paused: true, reconcileAt: 'by-whom' },
  sourceFailure: { reason: 'forbidden', message: 'we may not get configmaps their-document' },
};

describe('an author', () => {
  it('sees its entries and nothing of anybody else', () => {
    const its = ofAuthor(report, 'shop');
    expect(its.notices.map(({ message }) => message)).toEqual([`about ${NAMES.shop}`, 'was of shop']);
    expect(its).toMatchObject({ users: 1, roles: 0, breakerTripped: false });
    expect(ofAuthor(report, 'bill').breakerTripped).toBe(true);
    const all = JSON.stringify([its, conditionsOf(its)].map((one) => ({ ...one, sources: undefined, entities: undefined, declared: undefined })));
    for (const other of ['of the operator', NAMES.operator, 'bill', 'their-document', 'by-whom']) expect(all).not.toContain(other);
    const failed = ofAuthor({ ...report, error: { reason: 'connection', outage: 'unreachable', message: 'db-1.internal:5432 refuses' } }, 'shop');
    expect(JSON.stringify(conditionsOf(failed))).not.toContain('db-1.internal');
  });

  it('has a key of its own, which stays small and keeps the times of what did not change', () => {
    const one = authorStatus('orders', authorOf('shop', { names: Array.from({ length: 5000 }, (_, index) => `shop_${index}_*`) }));
    const other = authorStatus('orders', authorOf('bill'));
    expect(one.manager).not.toBe(other.manager);
    expect(one.manager.length).toBeLessThanOrEqual(128);
    const users = new Map(Array.from({ length: 10_000 }, (_, index) => [`shop_${index}`, { ready: false, reason: 'Failed', message: '\u0001'.repeat(500) }]));
    const conditions = { overall: { ready: false, reason: 'NotReady', message: '' }, applied: undefined, entities: { users, roles: new Map() } };
    const data = one.data({ ...conditions, problems: Array.from({ length: 500 }, () => 'p'.repeat(5000)) }, { 'orders.bill.json': '{}' }, new Date(0));
    expect(Object.keys(data)).toEqual(['orders.shop.json']);
    expect(Buffer.byteLength(data['orders.shop.json'] ?? '')).toBeLessThan(110_000);
    const again = one.data({ ...conditions, problems: Array.from({ length: 500 }, () => 'p'.repeat(5000)) }, data, new Date(86_400_000));
    expect(again).toEqual(data);
    expect(statusData(conditions, {}, new Date(0))['status.json']).not.toBe(data['orders.shop.json']);
  });

  it('has metrics while it is declared', async () => {
    let now = 1_000_000;
    const metrics = createMetrics({ now: () => now });
    const valueOf = async (name: string, author: string): Promise<number | undefined> =>
      (await metrics.registry.getMetricsAsJSON())
        .find((one) => one.name === `postgres_controller_author_${name}`)
        ?.values.find(({ labels }) => labels['author'] === author)?.value;
    metrics.record(report);
    now = 2_000_000;
    metrics.record(report);
    const all = ['users_managed', 'errors', 'refused', 'breaker_tripped', 'unreadable_since_timestamp'];
    expect(await Promise.all(all.map((name) => valueOf(name, 'shop')))).toEqual([1, 1, 1, 0, 1000]);
    expect(await Promise.all(all.map((name) => valueOf(name, 'bill')))).toEqual([1, 1, 1, 1, 0]);
    metrics.record({ ...report, sources: sourcesOf(facts('bill')) });
    expect(await valueOf('users_managed', 'shop')).toBeUndefined();
  });
});
