// The sweep: which Secrets are read again now. New and failed ones always, then the longest unread ones within a budget.

/** What is remembered of one reference. */
export interface Sweepable {
  /** The number of the sweep that read it last. */
  readonly lastRead: number;
  readonly failed: boolean;
}

/**
 * The keys to read now, out of `wanted`. With a budget of 600 and a cycle every 30 s a rotated Secret is seen by the next cycle with up to
 * 600 users, within 2 cycles (60 s) with 1,000 and within 17 (8.5 min) with 10,000.
 * Failed ones do not use up the budget, so that missing Secrets cannot starve the others.
 */
export function chooseSecrets(wanted: readonly string[], known: ReadonlyMap<string, Sweepable>, budget: number): string[] {
  const urgent = wanted.filter((key) => known.get(key)?.failed !== false);
  const rest = wanted.filter((key) => known.get(key)?.failed === false);
  if (rest.length <= budget) return [...urgent, ...rest];
  const oldest = rest.toSorted((a, b) => (known.get(a)?.lastRead ?? 0) - (known.get(b)?.lastRead ?? 0));
  return [...urgent, ...oldest.slice(0, budget)];
}
