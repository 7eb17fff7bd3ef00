// An entry's `password`: where the user's password comes from, if not from a Secret that somebody else makes.
import { bitsOf, DEFAULT_ALPHABET, DEFAULT_LENGTH, lengthFor, LONGEST_PASSWORD, SAFE_BITS } from '../model/generate.ts';
import { mismatch } from './issues.ts';
import { unknownKeys } from './keys.ts';
import type { ComplainAt } from './problem-report.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import { type MappingNode, type Node, type Path, stringOf, valueOf } from './tree.ts';
import { ALPHABETS, type PasswordSpec } from '../model/entries.ts';

const FORMS = '`none` or `{generate: {}}`';
/** Every key of `generate`. */
export const GENERATE_KEYS = ['length', 'alphabet'] as const;
const DEFAULTS: Extract<PasswordSpec, { kind: 'generate' }> = { kind: 'generate', length: DEFAULT_LENGTH, alphabet: DEFAULT_ALPHABET };

/** Reads `password`; what stands there by mistake may be one, so it is never quoted. */
export function readPasswordSpec(node: Node, path: Path, complain: ComplainAt): PasswordSpec | undefined {
  if (node.kind !== 'mapping') return readWord(node, path, complain);
  for (const { offset, path: at, message } of unknownKeys(node, path, ['generate'])) complain(offset, at, message);
  const generate = valueOf(node, 'generate');
  if (generate?.kind === 'mapping') return readGenerate(generate, [...path, 'generate'], complain);
  if (generate === undefined) complain(node.offset, path, 'the key `generate` is missing');
  else complain(generate.offset, [...path, 'generate'], `${mismatch('a mapping', generate)}; write \`{}\` for ${DEFAULT_LENGTH} letters and digits`);
  return undefined;
}

function readWord(node: Node, path: Path, complain: ComplainAt): PasswordSpec | undefined {
  const word = stringOf(node);
  if (word === 'none') return { kind: 'none' };
  const message =
    word === undefined
      ? mismatch(FORMS, node)
      : `must be ${FORMS}: a password never stands in the document, but in the user's Secret; remove it, and change that password`;
  complain(node.offset, path, message);
  return undefined;
}

function readGenerate(node: MappingNode, path: Path, complain: ComplainAt): PasswordSpec | undefined {
  for (const { offset, path: at, message } of unknownKeys(node, path, GENERATE_KEYS)) complain(offset, at, message);
  const alphabet = readAlphabet(valueOf(node, 'alphabet'), [...path, 'alphabet'], complain);
  const length = valueOf(node, 'length');
  if (alphabet === undefined || length === undefined) return alphabet === undefined ? undefined : { ...DEFAULTS, alphabet };
  const at = [...path, 'length'];
  if (length.kind !== 'scalar' || typeof length.value !== 'number' || !Number.isInteger(length.value) || length.value > LONGEST_PASSWORD) {
    complain(length.offset, at, `must be a whole number up to ${LONGEST_PASSWORD}`);
    return undefined;
  }
  if (bitsOf(length.value, alphabet) >= SAFE_BITS) return { kind: 'generate', length: length.value, alphabet };
  const bits = Math.max(0, Math.floor(bitsOf(length.value, alphabet)));
  complain(
    length.offset,
    at,
    `${bits} bits can be guessed: a password needs ${SAFE_BITS}, which with the alphabet \`${alphabet}\` takes a length of ${lengthFor(alphabet)}`,
  );
  return undefined;
}

function readAlphabet(node: Node | undefined, path: Path, complain: ComplainAt): (typeof ALPHABETS)[number] | undefined {
  if (node === undefined) return DEFAULT_ALPHABET;
  const word = stringOf(node);
  const known = ALPHABETS.find((alphabet) => alphabet === word);
  if (known !== undefined) return known;
  const near = word === undefined ? undefined : suggest(word, ALPHABETS);
  const choice = ALPHABETS.map((alphabet) => `\`${alphabet}\``).join(' or ');
  complain(node.offset, path, `must be ${choice}${near === undefined ? '' : `; did you mean ${show(near)}?`}`);
  return undefined;
}
