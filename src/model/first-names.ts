// Names in a sentence: the first of them, and how many more there are.

/** How many a sentence names. */
const NAMED = 5;

/** `a, b and 7 more`. */
export const firstNames = (names: readonly string[]): string =>
  `${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ''}`;
