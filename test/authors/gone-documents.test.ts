// How long a ConfigMap is gone, by whose clock.
import { expect, it } from 'vitest';
import { createGoneDocuments } from '../../src/steward/gone-documents.ts';
import { authorOf } from '../support/authors.ts';

const HOUR = 3_600_000;
const author = authorOf('shop', {}, { onGone: 'remove', grace: 24 * HOUR });
const recorded = new Set(['shop/users']);

it('a server whose clock is set forward takes nothing of the grace time from what we saw go ourselves', () => {
  let now = 0;
  const gone = createGoneDocuments(() => now);
  expect(gone.of(author, recorded, recorded, undefined)).toEqual(new Map());
  now = HOUR;
  expect([...gone.of(author, recorded, new Set(), undefined).values()]).toEqual([expect.stringContaining('it goes in 1440 min')]);
  now = 2 * HOUR;
  expect([...gone.of(author, recorded, new Set(), new Map([['shop/users', 48 * HOUR]])).values()]).toEqual([expect.stringContaining('it goes in 1380 min')]);
  now = 25 * HOUR;
  expect([...gone.of(author, recorded, new Set(), new Map([['shop/users', -48 * HOUR]])).values()]).toEqual([null]);
});

it('whoever did not see it go, or was the writer no longer since, has the word of the ledger', () => {
  const gone = createGoneDocuments(() => 0);
  const known = new Map([['shop/users', 25 * HOUR]]);
  expect([...gone.of(author, recorded, new Set(), known).values()]).toEqual([null]);
  gone.of(author, recorded, recorded, undefined);
  expect([...gone.of(author, recorded, new Set(), known).values()]).toEqual([expect.stringContaining('it goes in')]);
  gone.forget();
  expect([...gone.of(author, recorded, new Set(), known).values()]).toEqual([null]);
});
