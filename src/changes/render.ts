// Change → SQL that a server is sent. What people read is another rendering of the same change (sql-shown.ts), and can never come from here.
import type { RenderOptions } from './definition.ts';
import { definitionOf, type Change, type Executable, type PlainChange } from './table.ts';
import { subjectOf } from './change.ts';
import type { StoredVerifier } from '../model/scram.ts';

export const isPlain = (change: Change): change is PlainChange => definitionOf(change).shown === undefined;

/**
 * The change with the verifier that it sets.
 * @throws RangeError where that is not known: then there is nothing that could be executed.
 */
export function executable(change: Change, verifierOf: (role: string) => StoredVerifier | undefined = () => undefined): Executable {
  if (isPlain(change)) return change;
  const verifier = verifierOf(change.role);
  if (verifier === undefined) throw new RangeError(`no verifier is known for the password of ${change.role}`);
  return { ...change, verifier };
}

/**
 * The statements of one change, in order; empty for a change that is only remembered, or made in Kubernetes.
 * @param subjects whom they concern: of all changes that share them.
 */
export const renderChange = (change: Executable, options: RenderOptions, subjects: readonly string[] = [subjectOf(change)]): readonly string[] =>
  definitionOf(change).statements(change, options, subjects);

/** The statements of a batch; neighbours that differ only in whom they concern share one statement, which is up to a hundred times faster. */
export const renderBatch = (changes: readonly Executable[], options: RenderOptions): readonly string[] => renderGroups(changes, options, renderChange);

/** @param render the statements of a change for all who share them. */
export const renderGroups = <T extends Change>(
  changes: readonly T[],
  options: RenderOptions,
  render: (change: T, options: RenderOptions, subjects: readonly string[]) => readonly string[],
): readonly string[] => groupNeighbours(changes).flatMap((group) => group.slice(0, 1).flatMap((first) => render(first, options, group.map(subjectOf))));

/** What a change shares with a neighbour of the same statement; undefined for changes that stand alone. */
export function statementKey(change: Change): string | undefined {
  const known = statementKeys.get(change);
  if (known !== undefined) return known;
  const shared = definitionOf(change).shared?.(change);
  if (shared === undefined) return undefined;
  const key = [change.kind, ...shared].join('\0');
  statementKeys.set(change, key);
  return key;
}

/** Asked for by the order, the batches, the statements and the audit. */
const statementKeys = new WeakMap<Change, string>();

/** Neighbours that share their statements. */
function groupNeighbours<T extends Change>(changes: readonly T[]): T[][] {
  const groups: T[][] = [];
  let lastKey: string | undefined;
  for (const change of changes) {
    const key = statementKey(change);
    const last = groups.at(-1);
    if (key !== undefined && key === lastKey && last !== undefined) last.push(change);
    else groups.push([change]);
    lastKey = key;
  }
  return groups;
}
