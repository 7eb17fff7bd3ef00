// In parts: long pure work that stops now and then, so that whoever runs it can let everything else have its turn. What it reads must stay as it is meanwhile.

/** Work that stops wherever it yields, and returns its result. */
export type InParts<T> = Generator<undefined, T, undefined>;

/** Counts work as it is done; true when so much was done since it was last true that it is time to stop. */
export type Pace = (work: number) => boolean;

/** Comparisons of a name with a rule, or of a role with an ACL: each takes some microseconds at most. */
const WORK_OF_A_PART = 10_000;

/** So few are sorted in no time. */
const SORTED_AT_ONCE = 5000;

export function createPace(most: number = WORK_OF_A_PART): Pace {
  let done = 0;
  return (work) => {
    done += work;
    if (done < most) return false;
    done = 0;
    return true;
  };
}

/** Sorts as `toSorted` does, and stops in between: parts of the list by themselves, and then two and two together. */
export function* sortedInParts<T>(list: readonly T[], compare: (a: T, b: T) => number, pace: Pace): InParts<readonly T[]> {
  let runs: (readonly T[])[] = [];
  for (let from = 0; from < list.length; from += SORTED_AT_ONCE) {
    runs.push(list.slice(from, from + SORTED_AT_ONCE).sort(compare));
    if (pace(SORTED_AT_ONCE)) yield;
  }
  while (runs.length > 1) {
    const merged: (readonly T[])[] = [];
    for (let index = 0; index < runs.length; index += 2) merged.push(yield* merge(runs[index] ?? [], runs[index + 1] ?? [], compare, pace));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* merge<T>(left: readonly T[], right: readonly T[], compare: (a: T, b: T) => number, pace: Pace): InParts<readonly T[]> {
  const both: T[] = [];
  const others = right.values();
  let other = others.next();
  for (const one of left) {
    for (; other.done !== true && compare(one, other.value) > 0; other = others.next()) both.push(other.value);
    both.push(one);
    if (pace(1)) yield;
  }
  for (; other.done !== true; other = others.next()) both.push(other.value);
  return both;
}

/** All of it at once, for whoever has nothing else to do. */
export function atOnce<T>(work: InParts<T>): T {
  for (;;) {
    const part = work.next();
    if (part.done === true) return part.value;
  }
}
