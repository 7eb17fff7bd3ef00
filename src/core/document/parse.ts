// Bytes → Document: every problem at once, each with its place; a bad entry keeps only itself out.
import { isSeq } from 'yaml';
import type { z } from 'zod';
import { splitDocument } from './chunks.ts';
import { crossProblems } from './cross.ts';
import { KEYS, toEntry, userSchema } from './entry.ts';
import { suggest } from './suggest.ts';
import type { Document, Position, Problem, UserEntry } from './types.ts';
import { MAX_BYTES, nodeAt, readTree, type Tree } from './yaml-text.ts';

const TOP_LEVEL: readonly string[] = ['users', 'timestamp', 'allowEmpty'];
/** Keys of the full form that this version does not manage yet. */
const LATER: ReadonlySet<string> = new Set(['databases', 'permissions', 'roles']);

/**
 * Reads a users document. Never throws: what is wrong is in `problems`, and what can still be used is in `users`.
 * @param file the name under which problems are reported.
 */
export function parseDocument(content: Uint8Array, file: string): Document {
  return parseChunks(content, file) ?? parseWhole(content, file);
}

/** A large document piece by piece; undefined where it is not of that form or anything is wrong with it, as only the whole tells that well. */
function parseChunks(content: Uint8Array, file: string): Document | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
  const chunks = content.byteLength > MAX_BYTES ? undefined : splitDocument(text);
  if (chunks === undefined) return undefined;
  const users: UserEntry[] = [];
  const named = new Map<string, Position[]>();
  for (const chunk of chunks) {
    const piece = parseWhole(Buffer.from(chunk.text), file);
    if (!piece.usable || piece.problems.length > 0) return undefined;
    const moved = ({ line, column }: Position): Position => ({ line: line + chunk.lineOffset, column });
    for (const user of piece.users) {
      const entry = { ...user, position: moved(user.position), roles: user.roles.map((role) => ({ ...role, position: moved(role.position) })) };
      users.push(entry);
      named.set(user.username, [...(named.get(user.username) ?? []), entry.position]);
    }
  }
  return crossProblems(users, named, file).length > 0 ? undefined : { users, invalid: new Set(), usable: true, problems: [] };
}

function parseWhole(content: Uint8Array, file: string): Document {
  const tree = readTree(content);
  const unusable = (problems: readonly Problem[]): Document => ({ users: [], invalid: new Set(), usable: false, problems });
  const error = (position: Position, path: string, message: string, username?: string): Problem => ({
    severity: 'error',
    file,
    position,
    path,
    message,
    username,
  });
  if (!('document' in tree)) return unusable(tree.map(({ position, message }) => error(position, '', message)));

  const { value, positionOf, document } = tree;
  const top = positionOf(document.contents);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return unusable([error(top, '', 'the document must be a mapping with a list `users`')]);
  const place = (path: readonly PropertyKey[], key = false): Position => positionOf(nodeAt(document, path, key));
  const problems: Problem[] = Object.keys(value)
    .filter((key) => !TOP_LEVEL.includes(key))
    .map((key) => error(place([key], true), key, unknownKey(key, TOP_LEVEL, LATER.has(key) ? ' (this version does not manage it yet)' : '')));

  const users: unknown = Object.hasOwn(value, 'users') ? (value as Record<string, unknown>)['users'] : undefined;
  if (!Array.isArray(users))
    return unusable([
      ...problems,
      error(Object.hasOwn(value, 'users') ? place(['users']) : top, 'users', users === undefined ? 'the list `users` is missing' : '`users` must be a list'),
    ]);
  const allowEmpty: unknown = (value as Record<string, unknown>)['allowEmpty'];
  if (allowEmpty !== undefined && typeof allowEmpty !== 'boolean') problems.push(error(place(['allowEmpty']), 'allowEmpty', 'must be true or false'));
  if (users.length === 0 && allowEmpty !== true)
    return unusable([
      ...problems,
      error(place(['users']), 'users', 'the list is empty, so nothing is done; to remove every user write `allowEmpty: true` beside it'),
    ]);

  const entries = readEntries(users, tree, file);
  problems.push(...entries.problems);
  const cross = crossProblems(entries.users, entries.named, file);
  problems.push(...cross);
  for (const problem of cross) if (problem.username !== undefined) entries.invalid.add(problem.username);
  return {
    users: entries.users.filter((user) => !entries.invalid.has(user.username)),
    invalid: entries.invalid,
    usable: true,
    problems: problems.toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column),
  };
}

interface Entries {
  readonly users: UserEntry[];
  readonly invalid: Set<string>;
  /** Every readable name with the places of its entries, for duplicates. */
  readonly named: Map<string, Position[]>;
  readonly problems: Problem[];
}

function readEntries(values: readonly unknown[], tree: Tree, file: string): Entries {
  const result: Entries = { users: [], invalid: new Set(), named: new Map(), problems: [] };
  const list = nodeAt(tree.document, ['users'], false);
  const items = isSeq(list) ? list.items : [];
  let local = tree.local;
  for (const [index, value] of values.entries()) {
    const item = items[index];
    const position = tree.positionOf(item);
    const username = usernameOf(value);
    if (username !== undefined) result.named.set(username, [...(result.named.get(username) ?? []), position]);
    const range = (item as { range?: readonly number[] | null } | undefined)?.range;
    const inside = range === null || range === undefined ? [] : local.filter(({ offset }) => offset >= (range[0] ?? 0) && offset < (range[2] ?? 0));
    if (inside.length > 0) local = local.filter((problem) => !inside.includes(problem));
    const found: Problem[] = inside.map((problem) => ({
      severity: 'error',
      file,
      position: problem.position,
      path: `users[${index}]`,
      message: problem.message,
      username,
    }));
    const parsed = userSchema.safeParse(plain(value));
    if (!parsed.success) {
      for (const issue of parsed.error.issues) found.push(...describe(issue, index, value, tree, file, username));
    } else {
      const { roles = [], privileges } = parsed.data;
      for (const [place, message] of conflictingRoles(roles ?? []))
        found.push({
          severity: 'error',
          file,
          position: at(tree, ['users', index, 'roles', place]),
          path: `users[${index}].roles[${place}]`,
          message,
          username,
        });
      if (privileges !== undefined && privileges !== null)
        result.problems.push({
          severity: 'warning',
          file,
          position: at(tree, ['users', index, 'privileges'], true),
          path: `users[${index}].privileges`,
          message: 'this version does not manage privileges; those of the user are left as they are',
          username,
        });
      if (found.length === 0) result.users.push(toEntry(parsed.data, position, (role) => at(tree, ['users', index, 'roles', role])));
    }
    result.problems.push(...found);
    if (found.length > 0 && username !== undefined) result.invalid.add(username);
  }
  result.problems.push(...local.map(({ position, message }): Problem => ({ severity: 'error', file, position, path: '', message })));
  return result;
}

const at = (tree: Tree, path: readonly PropertyKey[], key = false): Position => tree.positionOf(nodeAt(tree.document, path, key));

const usernameOf = (value: unknown): string | undefined => {
  const name: unknown = typeof value === 'object' && value !== null && Object.hasOwn(value, 'username') ? (value as { username: unknown }).username : undefined;
  return typeof name === 'string' ? name : undefined;
};

/** zod drops a key named __proto__ before its strictness sees it, so it is given another name that is as unknown. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, '__proto__')) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key === '__proto__' ? '__proto__ ' : key, item]));
}

function conflictingRoles(
  roles: readonly (string | { name: string; admin?: boolean | undefined; inherit?: boolean | undefined; set?: boolean | undefined })[],
): [number, string][] {
  const seen = new Map<string, string>();
  return roles.flatMap((role, index): [number, string][] => {
    const name = typeof role === 'string' ? role : role.name;
    const options = typeof role === 'string' ? '' : JSON.stringify([role.admin ?? false, role.inherit ?? true, role.set ?? true]);
    const normal = options === '[false,true,true]' ? '' : options;
    const before = seen.get(name);
    seen.set(name, normal);
    return before === undefined || before === normal ? [] : [[index, `the role ${name} is named twice with different options`]];
  });
}

/** One issue of zod as problems: one for each unknown key, and for a union what is wrong with the form that was meant. */
function describe(issue: z.core.$ZodIssue, index: number, value: unknown, tree: Tree, file: string, username: string | undefined): Problem[] {
  const problem = (path: readonly PropertyKey[], message: string, key = false): Problem => ({
    severity: 'error',
    file,
    position: at(tree, ['users', index, ...path], key),
    path: `users[${index}]${path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')}`,
    message,
    username,
  });
  if (issue.code === 'unrecognized_keys') {
    const known = KEYS.get(issue.path.filter((step) => typeof step === 'string').join('.')) ?? [];
    return issue.keys.map((key) => problem([...issue.path, key.trim() === '__proto__' ? '__proto__' : key], unknownKey(key.trim(), known), true));
  }
  if (issue.code === 'invalid_union' && issue.path[0] === 'roles') {
    const wanted = typeof valueAt(value, issue.path) === 'object' ? 1 : 0;
    const inner = issue.errors[wanted];
    if (
      inner !== undefined &&
      valueAt(value, issue.path) !== null &&
      ['object', 'string'].includes(typeof valueAt(value, issue.path)) &&
      !Array.isArray(valueAt(value, issue.path))
    )
      return inner.flatMap((nested) => describe({ ...nested, path: [...issue.path, ...nested.path] }, index, value, tree, file, username));
  }
  return [problem(issue.path, issue.message, issue.path.length > 0 && issue.code === 'custom' && isSettingPath(issue.path))];
}

const isSettingPath = (path: readonly PropertyKey[]): boolean => path[0] === 'settings' || path[0] === 'databaseSettings';

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((node, step) => (typeof node === 'object' && node !== null ? (node as Record<PropertyKey, unknown>)[step] : undefined), value);

function unknownKey(key: string, known: readonly string[], note = ''): string {
  const near = note === '' ? suggest(key, known) : undefined;
  return `unknown key \`${key}\`${note}${near === undefined ? '' : `; did you mean \`${near}\`?`}`;
}
