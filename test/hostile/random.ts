// Randomness with a seed, and names that somebody would choose who wants to get out of quotes.

export interface Random {
  /** An integer from 0 to below `limit`. */
  below(limit: number): number;
  /** True once in so many times. */
  oneIn(times: number): boolean;
  pick<T>(items: readonly T[]): T;
}

/** The same numbers for the same seed (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    oneIn: (times) => below(times) === 0,
    pick: (items) => {
      if (items.length === 0) throw new RangeError('nothing to pick from');
      return items[below(items.length)] as (typeof items)[number];
    },
  };
}

/** The end of any name, type or list, as somebody might guess that it is written. */
const ENDS = ['', ')', '"', "'", '")', '"()', "')", '))', '" ', '$$', '\\', "\\'", '*/', '\n', '%I', '{'] as const;
export const SEPARATORS = ['\x1f', '\x1e', '\x01', '|', ',', '.', ' ', '\n', '(', '\\'] as const;
/** What would leave a canary, as short as a name has to be. */
export const RUNS = [
  'ALTER ROLE m SUPERUSER',
  'ALTER ROLE m CREATEROLE',
  'RESET ROLE;ALTER ROLE m SUPERUSER',
  'INSERT INTO canary.r VALUES(1)',
  'RESET ROLE;INSERT INTO canary.r VALUES(1)',
  "COPY(SELECT 1)TO PROGRAM'cat>CANARY'",
] as const;
const PLAIN = [
  'x',
  'f',
  'public',
  'none',
  'user',
  'select',
  'é',
  '🐘',
  'ſ',
  'ﬁ',
  '\u202e',
  'pg_temp',
  '%s',
  '\\x',
  'A b',
  '=r/postgres',
  '-1',
  'f(int)',
  '*',
  '{{x}}',
] as const;

/** A name of at most 63 bytes. */
export function hostileName(random: Random): string {
  const plain = (): string => random.pick(PLAIN);
  const parts = random.oneIn(3)
    ? [plain(), random.pick(SEPARATORS), plain()]
    : [
        plain(),
        random.pick(SEPARATORS),
        random.pick(ENDS),
        random.pick([' TO m;', ';', ' FROM m;', ' IS NULL;', '']),
        random.pick(RUNS),
        random.pick([';--', '--', '']),
      ];
  const name = cut(parts.join(''));
  return random.oneIn(6) ? cut(name.padEnd(63, 'x')) : name;
}

/** The first 63 bytes, no character taken apart. */
export function cut(text: string): string {
  let result = '';
  for (const character of text) {
    if (Buffer.byteLength(result + character) > 63) break;
    result += character;
  }
  return result === '' ? 'x' : result;
}

export const ident = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const literal = (value: string): string => ` E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
