// Durations as people write them: `30s`, `5m`, `2h`, `7d`.

const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Milliseconds; undefined for what is no duration. */
export function durationMs(text: string): number | undefined {
  const [, digits, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  const factor = UNITS.get(unit ?? '');
  return factor === undefined ? undefined : Number(digits) * factor;
}
