// Intents of an earlier process are told from each other whatever roles and databases are called.
import { expect, it } from 'vitest';
import type { Change } from '../../src/changes/change.ts';
import { intentKey } from '../../src/postgres/run-release.ts';

it('a role whose name looks like another role in a database is not taken for it', () => {
  const release = (role: string, database: string) => ({ kind: 'release_owned', role, database }) as Change;
  expect(intentKey(release('a in b', 'c'))).not.toBe(intentKey(release('a', 'b in c')));
});
