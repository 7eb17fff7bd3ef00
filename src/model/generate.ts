// Generated passwords: their alphabets, how many bits a length is worth, and drawing one without bias.
import { randomInt } from 'node:crypto';
import type { Alphabet, PasswordSpec } from './entries.ts';

/** Neither needs escaping in a URL, a shell, a properties file or a connection string. */
const CHARACTERS: Readonly<Record<Alphabet, string>> = {
  alphanumeric: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
  hex: '0123456789abcdef',
};

export const DEFAULT_ALPHABET: Alphabet = 'alphanumeric';
export const DEFAULT_LENGTH = 32;
/** Fewer can be searched for by whoever has stolen a verifier. */
export const SAFE_BITS = 128;
/** What is read from a Secret may not be longer either. */
export const LONGEST_PASSWORD = 1024;

export const bitsOf = (length: number, alphabet: Alphabet): number => length * Math.log2(CHARACTERS[alphabet].length);

/** The shortest length that is safe. */
export const lengthFor = (alphabet: Alphabet): number => Math.ceil(SAFE_BITS / Math.log2(CHARACTERS[alphabet].length));

/**
 * A password, each character drawn on its own.
 * @param draw a number from 0 to below its argument, each as likely as the others; node:crypto's has no modulo bias.
 */
export function generatePassword({ length, alphabet }: Extract<PasswordSpec, { kind: 'generate' }>, draw: (below: number) => number = randomInt): string {
  const characters = CHARACTERS[alphabet];
  return Array.from({ length }, () => characters.charAt(draw(characters.length))).join('');
}
