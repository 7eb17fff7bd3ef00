// Effect: what changes do, as digests: equal for two plans that do the same. They are of values, never of SQL text, in which a verifier has a salt.
import { digestOf } from '../model/digest.ts';
import { type Change, definitionOf } from './table.ts';

/** Equal for changes that do the same. */
export function effectOf(change: Change): string {
  const counted = definitionOf(change).counted ?? [];
  return digestOf(canonical(Object.fromEntries(Object.entries(change).filter(([key]) => !counted.includes(key)))));
}

/** Equal for lists of changes that do the same, in whatever order they are found. */
export const effectOfAll = (changes: readonly Change[]): string => digestOf(changes.map(effectOf).toSorted());

/** The same value, with keys in one order and without those that say nothing. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, canonical(one)]));
}
