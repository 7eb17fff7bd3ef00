// One list behind another, whatever their lengths.

/** One by one: an array of any length is no list of arguments. */
export function append<T>(list: T[], more: readonly T[]): void {
  for (const one of more) list.push(one);
}
