// Bytes → Document: every problem at once, each with its place; a bad entry keeps only itself out.
import { checkAcross } from './across.ts';
import { readDatabases } from './databases.ts';
import { readEntry } from './entry.ts';
import { mismatch } from './issues.ts';
import { repeatedKeys, topLevelKeyProblems } from './keys.ts';
import { linesOf } from './lines.ts';
import { load } from './load.ts';
import { readPermissions } from './permissions.ts';
import { Report } from './report.ts';
import { readRoles } from './roles.ts';
import { decode } from './text.ts';
import { type ListNode, type MappingNode, type Node, type Path, valueOf } from './tree.ts';
import type { Document } from './types.ts';

/**
 * Reads a users document. Pure, and never throws: what is wrong with the document is in `problems`, and what can be used of it in `users`.
 * @param content the bytes of the document; over 1 MiB they are not looked at.
 * @param file the name under which problems are reported.
 * @param defaultDatabase what blocks without a database are about; undefined where nobody knows yet.
 */
export function parseDocument(content: Uint8Array, file: string, defaultDatabase?: string): Document {
  const decoded = decode(content);
  const report = new Report(file, linesOf(decoded.text));
  if (decoded.message !== undefined) return unusable(report, decoded.text.length, [], decoded.message);
  const loaded = load(decoded.text);
  if (loaded.root === undefined) {
    for (const { offset, message } of loaded.faults) report.add({ offset, path: [], message });
    return unusable(report);
  }
  const users = findUsers(loaded.root, report);
  return users === undefined || loaded.root.kind !== 'mapping' ? unusable(report) : readSections(loaded.root, users, report, defaultDatabase);
}

function unusable(report: Report, offset?: number, path: Path = [], message = ''): Document {
  if (offset !== undefined) report.add({ offset, path, message });
  return { users: [], roles: [], databases: [], invalid: new Set(), invalidDatabases: new Set(), usable: false, problems: report.sorted() };
}

/** The list that can be used; undefined, with the reason reported, where there is none. */
function findUsers(root: Node, report: Report): ListNode | undefined {
  if (root.kind !== 'mapping') {
    const isEmpty = root.kind === 'scalar' && root.source === '' && root.plain;
    const message = isEmpty ? 'the document is empty; it needs a list `users`' : mismatch('a mapping with a list `users`', root);
    report.add({ offset: root.offset, path: [], message });
    return undefined;
  }
  for (const problem of topLevelKeyProblems(root)) report.add(problem);
  const isClear = reportRepeatedOutside(root, report);
  const allowsEmpty = readAllowEmpty(root, report);
  const users = valueOf(root, 'users');
  const sections = SECTIONS.filter((key) => !isList(valueOf(root, key)));
  for (const key of sections) {
    const section = valueOf(root, key);
    if (section !== undefined) report.add({ offset: section.offset, path: [key], message: `${mismatch(`a list of ${key}`, section)}, so nothing is changed` });
  }
  const message = usersProblem(users, allowsEmpty);
  if (message !== undefined) report.add({ offset: users?.offset ?? root.offset, path: users === undefined ? [] : ['users'], message });
  return isClear && sections.length === 0 && message === undefined && users?.kind === 'list' ? users : undefined;
}

/** Lists beside `users`, each of which may be left out. */
const SECTIONS = ['databases', 'permissions', 'roles'] as const;

const isList = (node: Node | undefined): boolean => node === undefined || node.kind === 'list';

/** A key that stands twice outside of the entries leaves in doubt what the document says. */
function reportRepeatedOutside(root: MappingNode, report: Report): boolean {
  // Within entries, a repeated key concerns that entry alone; its own reader reports it.
  const outside = { ...root, pairs: root.pairs.map((pair) => (isSection(pair.key) ? { ...pair, value: { ...NOTHING, offset: pair.value.offset } } : pair)) };
  const problems = repeatedKeys(outside, []);
  for (const problem of problems) report.add({ ...problem, message: `${problem.message}; nothing of the document is used until this is corrected` });
  return problems.length === 0;
}

const NOTHING = { kind: 'scalar', value: null, source: '', plain: true } as const;
const isSection = (key: string): boolean => key === 'users' || SECTIONS.some((section) => section === key);

function readAllowEmpty(root: MappingNode, report: Report): boolean {
  const node = valueOf(root, 'allowEmpty');
  if (node === undefined) return false;
  if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
  report.add({ offset: node.offset, path: ['allowEmpty'], message: mismatch('`true` or `false`', node) });
  return false;
}

function usersProblem(users: Node | undefined, allowsEmpty: boolean): string | undefined {
  if (users === undefined) return 'the list `users` is missing, so nothing is changed; add it';
  if (users.kind !== 'list') return `${mismatch('a list of users', users)}, so nothing is changed`;
  if (users.items.length > 0 || allowsEmpty) return undefined;
  return 'the list is empty, so nothing is changed; write `allowEmpty: true` beside it if every user is to be removed';
}

function readSections(root: MappingNode, list: ListNode, report: Report, defaultDatabase: string | undefined): Document {
  const permissions = readPermissions(valueOf(root, 'permissions'), report);
  const databases = readDatabases(valueOf(root, 'databases'), report);
  const roles = readRoles(valueOf(root, 'roles'), permissions, report);
  const users = list.items.map((item, index) => readEntry(item, index, permissions, report));
  const refused = checkAcross(users, roles, report, defaultDatabase);
  return {
    users: users.flatMap((draft) => (refused.has(draft) ? [] : (draft.entry ?? []))),
    roles: roles.flatMap((draft) => (refused.has(draft) ? [] : (draft.declaration ?? []))),
    databases: databases.entries,
    invalid: new Set([
      ...users.flatMap((draft) => (draft.entry === undefined || refused.has(draft) ? draft.names : [])),
      ...roles.flatMap((draft) => (draft.declaration === undefined || refused.has(draft) ? draft.names : [])),
    ]),
    invalidDatabases: databases.invalid,
    usable: true,
    problems: report.sorted(),
  };
}
