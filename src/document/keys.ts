// Which keys a document may have and where: everything else is an error, with a suggestion for a misspelt one.
import { LIMITS } from '../model/limits.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import { duplicateKeys, type MappingNode, type Node, type Path, valueOf } from './tree.ts';

/** Keys of the document, of an item of `users`, and of mappings within it. */
export const TOP_LEVEL = ['timestamp', 'guardrails', 'databases', 'permissions', 'roles', 'users', 'allowEmpty'] as const;
export const ENTRY = [
  'username',
  'renamedFrom',
  'database',
  'databases',
  'roles',
  'assumeRole',
  'privileges',
  'grants',
  'permissions',
  'grantsMode',
  'password',
  'passwordSecretRef',
  'connectionSecret',
  'rotation',
  'connectionLimit',
  'validUntil',
  'settings',
  'databaseSettings',
  'comment',
  'login',
  'deletionPolicy',
  'drain',
  'movedTo',
] as const;
/** Keys of a membership that is written as a mapping. */
export const MEMBERSHIP_KEYS = ['name', 'admin', 'inherit', 'set'] as const;
export const SECRET_REF = ['name', 'key'] as const;
const PASSWORDS: ReadonlySet<string> = new Set(['password', 'passwd', 'passwordhash']);

/** A problem with a key; the path includes the key. */
export interface KeyProblem {
  readonly offset: number;
  readonly path: Path;
  readonly message: string;
}

/** What is wrong with the keys of the document itself. */
export const topLevelKeyProblems = (root: MappingNode): readonly KeyProblem[] => unknownKeys(root, [], TOP_LEVEL);

/** What is wrong with the keys of one entry, at any depth: unknown ones, and those that stand twice. */
export function entryKeyProblems(entry: MappingNode, path: Path): readonly KeyProblem[] {
  const roles = valueOf(entry, 'roles');
  const reference = valueOf(entry, 'passwordSecretRef');
  return [
    ...unknownKeys(entry, path, ENTRY),
    ...(roles?.kind === 'list' ? roles.items.flatMap((item, index) => unknownKeys(item, [...path, 'roles', index], MEMBERSHIP_KEYS)) : []),
    ...(reference === undefined ? [] : unknownKeys(reference, [...path, 'passwordSecretRef'], SECRET_REF)),
    ...repeatedKeys(entry, path),
  ];
}

/** Keys that stand twice in one mapping, at any depth. */
export const repeatedKeys = (node: Node, path: Path): readonly KeyProblem[] =>
  duplicateKeys(node, path)
    .slice(0, LIMITS.problemsOfMapping)
    .map((duplicate) => ({
      offset: duplicate.pair.keyOffset,
      path: [...duplicate.path, duplicate.pair.key],
      message: `the key ${show(duplicate.pair.key)} stands twice in this mapping; keep one`,
    }));

/** Keys of one mapping that are not known there. */
export function unknownKeys(node: Node, path: Path, known: readonly string[]): readonly KeyProblem[] {
  if (node.kind !== 'mapping') return [];
  return node.pairs
    .filter(({ key }) => !known.includes(key))
    .slice(0, LIMITS.problemsOfMapping)
    .map(({ key, keyOffset }) => ({ offset: keyOffset, path: [...path, key], message: unknownKeyMessage(key, known) }));
}

function unknownKeyMessage(key: string, known: readonly string[]): string {
  const start = `unknown key ${show(key)}`;
  if (PASSWORDS.has(key.toLowerCase()))
    return `${start}: a password never stands in the document, but in the user's Secret; remove it, and change that password`;
  const near = suggest(key, known);
  return near === undefined ? `${start}; known here: ${known.join(', ')}` : `${start}; did you mean ${show(near)}?`;
}
