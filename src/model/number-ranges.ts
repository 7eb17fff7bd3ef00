// Numbers as ranges: `1-3,7`, in ascending order.

export type Range = readonly [first: number, last: number];

/** Ranges in ascending order that do not touch, without numbers up to one. */
export function joinedRanges(ranges: Iterable<Range>, above = 0): readonly Range[] {
  const joined: [number, number][] = [];
  for (const [first, last] of [...ranges].toSorted((one, other) => one[0] - other[0])) {
    const before = joined.at(-1);
    if (last <= above) continue;
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else joined.push([Math.max(first, above + 1), last]);
  }
  return joined;
}

/** Their text. */
export const rangesText = (ranges: readonly Range[]): string => ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',');

/** The ranges of such a text; what is none is left out. */
export const readRanges = (text: string): readonly Range[] =>
  text.split(',').flatMap((part) => {
    const [, first, last] = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(part) ?? [];
    return first === undefined ? [] : [[Number(first), Number(last ?? first)] as const];
  });

/** Numbers in ascending order that are in none of the ranges, which are joined. */
export function outside(numbers: readonly number[], ranges: readonly Range[]): readonly number[] {
  let at = 0;
  return numbers.filter((number) => {
    while (at < ranges.length && (ranges[at]?.[1] ?? 0) < number) at += 1;
    return (ranges[at]?.[0] ?? Number.POSITIVE_INFINITY) > number;
  });
}
