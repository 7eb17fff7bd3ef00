// Durations as people write them: `30s`, `5m`, `2h`, `7d`, and how long sessions may go on.

export const DAY_MS = 86_400_000;

const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', DAY_MS],
]);

/** Milliseconds; undefined for what is no duration. */
export function durationMs(text: string): number | undefined {
  const [, digits, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  const factor = UNITS.get(unit ?? '');
  return factor === undefined ? undefined : Number(digits) * factor;
}

/** `terminate` is 0, `keep` is Infinity, `5m` its milliseconds; undefined for what is none of them. */
export function drainTime(text: string): number | undefined {
  if (text === 'terminate') return 0;
  if (text === 'keep') return Number.POSITIVE_INFINITY;
  return durationMs(text);
}
