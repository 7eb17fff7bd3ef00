// A suggestion for a misspelt word: the known one that is nearest to it.
import { LIMITS } from '../model/limits.ts';

/** A longer word is hardly a misspelt key, and comparing it costs time. */
const LONGEST = 40;

/** The known word that was most likely meant. Other spellings (`connection_limit`, `Roles`) count as no mistake. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST) return undefined;
  const wanted = simplified(word);
  let best: string | undefined;
  let nearest = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known.slice(0, LIMITS.suggestions)) {
    const other = simplified(candidate);
    // So many letters have to come or go at least.
    if (Math.abs(other.length - wanted.length) >= nearest) continue;
    const distance = editDistance(wanted, other);
    if (distance < nearest) [best, nearest] = [candidate, distance];
  }
  return best;
}

const simplified = (word: string): string => word.toLowerCase().replaceAll(/[-_ ]/g, '');

/** How many insertions, deletions, replacements and swaps of neighbours lead from one word to the other. */
export function editDistance(left: string, right: string): number {
  let [before, last]: [number[], number[]] = [[], Array.from({ length: right.length + 1 }, (_, index) => index)];
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const change = left[row - 1] === right[column - 1] ? 0 : 1;
      let cost = Math.min(cell(last, column) + 1, cell(current, column - 1) + 1, cell(last, column - 1) + change);
      if (row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1])
        cost = Math.min(cost, cell(before, column - 2) + 1);
      current.push(cost);
    }
    [before, last] = [last, current];
  }
  return cell(last, right.length);
}

const cell = (row: readonly number[], column: number): number => row[column] ?? Infinity;
