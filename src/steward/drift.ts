// Drift: which changes mend what the server, and not the document, made different. Entries that were applied as they are now have a digest.
import type { Catalog } from '../model/catalog.ts';
import { type Change, databaseKey, databaseOf, firstName, subjectOf } from '../changes/change.ts';
import { definitionOf } from '../changes/table.ts';
import type { Document } from '../model/entries.ts';
import type { Plan } from '../plan/plan-input.ts';
import { PUBLIC } from '../model/contents.ts';
import { onceFor } from '../model/once-for.ts';
import type { Outcome } from '../postgres/run.ts';
import { entryDigest } from './entry-digest.ts';

/** The digests of a document's entries, by the subject of changes that follow from them; databases have a key of their own. */
const digestsIn = onceFor(
  (document: Document): ReadonlyMap<string, string> =>
    new Map([
      ...document.users.map((user) => [user.username, entryDigest(user)] as const),
      ...document.roles.map((role) => [role.name, entryDigest(role)] as const),
      ...document.databases.map((entry) => [databaseKey(entry.name), entryDigest(entry)] as const),
    ]),
);

/** Whose entry a change follows from. */
export function entryKey(change: Change): string {
  const subject = subjectOf(change);
  const isAboutDatabase = subject === PUBLIC || !('role' in change);
  if (!isAboutDatabase || 'member' in change) return subject;
  const named = 'on' in change ? firstName(change.on) : '';
  return databaseKey(databaseOf(change) || ('database' in change ? change.database : named));
}

/** Changes for entries that were applied just as they are now: so it was the server that changed. */
export function driftOf(plan: Plan, document: Document, digests: ReadonlyMap<string, string>, catalog: Catalog): Change[] {
  const now = digestsIn(document);
  const isSettled = (key: string): boolean => now.has(key) && digests.get(key) === now.get(key);
  return [...plan.changes, ...[...plan.blocked, ...plan.refused].map((item) => item.change), ...plan.held].filter((change) => {
    const isDrift = definitionOf(change).isDrift(change);
    if (isDrift !== undefined) return isDrift;
    const key = entryKey(change);
    return now.has(key) ? isSettled(key) : plan.entities.get(key) === 'role' && catalog.managed.has(key);
  });
}

/** The digests of entries that hold on the server by now; an entry that something went wrong with keeps its old one. */
export function appliedDigests(document: Document, plan: Plan, outcomes: readonly Outcome[], before: ReadonlyMap<string, string>): Map<string, string> {
  const troubled = new Set([
    ...outcomes.flatMap((outcome) => (outcome.result === 'applied' ? [] : [entryKey(outcome.change)])),
    ...plan.deferred.map(entryKey),
    ...[...plan.blocked, ...plan.refused].map((item) => entryKey(item.change)),
  ]);
  const digests = new Map<string, string>();
  for (const [key, digest] of digestsIn(document)) {
    const holds = (plan.entities.has(key) || key.startsWith('\0')) && !troubled.has(key) ? digest : before.get(key);
    if (holds !== undefined) digests.set(key, holds);
  }
  return digests;
}
