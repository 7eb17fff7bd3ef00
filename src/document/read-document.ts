// Located tree → draft of a document: every problem at once, each with its place; a bad entry keeps only itself out.
import { readDatabases } from './database-entries.ts';
import type { DocumentDraft } from './draft.ts';
import { readEntry } from './entry.ts';
import { readGuardrails } from './guardrails.ts';
import { mismatch } from './issues.ts';
import { repeatedKeys, topLevelKeyProblems } from './keys.ts';
import { readPermissions } from './permissions.ts';
import { ProblemReport } from './problem-report.ts';
import { saidOf } from './said.ts';
import { readRoles } from './roles.ts';
import { type ListNode, type MappingNode, type Node, stringOf, valueOf } from './tree.ts';
import type { Position, SaidItem } from '../model/entries.ts';

/**
 * Reads the tree of a users document, whoever made it and of what. Pure, and never throws: what is wrong goes to the draft's report.
 * @param root nested `LIMITS.documentDepth` levels at most.
 * @param positionOf where an offset of the tree is for the document's author.
 */
export function readDocument(root: Node, positionOf: (offset: number) => Position): DocumentDraft {
  const report = new ProblemReport(positionOf);
  const list = findUsers(root, report);
  if (list === undefined || root.kind !== 'mapping') return unusable(report);
  const guardrails = readGuardrails(valueOf(root, 'guardrails'), 'document', report);
  if (guardrails === undefined) return unusable(report);
  const permissions = readPermissions(valueOf(root, 'permissions'), report);
  const databases = readDatabases(valueOf(root, 'databases'), report);
  const roles = readRoles(valueOf(root, 'roles'), permissions, report);
  const users = list.items.map((item, index) => readEntry(item, index, permissions, report));
  const said = saidBeside(root, (name) => permissions.get(name) !== undefined, report);
  return { users, roles, databases, guardrails, said, usable: true, report };
}

/** What stands in the document beside what it declares: its permissions and its guardrails. */
function saidBeside(root: MappingNode, isValid: (permission: string) => boolean, report: ProblemReport): readonly SaidItem[] {
  const items = (list: SaidItem['list'], fits: (name: string) => boolean): readonly SaidItem[] => {
    const node = valueOf(root, list);
    return (node?.kind === 'list' ? node.items : []).flatMap((item) => {
      const name = item.kind === 'mapping' ? stringOf(valueOf(item, 'name')) : undefined;
      return item.kind !== 'mapping' || name === undefined || !fits(name)
        ? []
        : [{ position: report.positionOf(item.offset), list, name, said: saidOf(item, 'name', report) }];
    });
  };
  return [...items('permissions', isValid), ...items('guardrails', () => true)];
}

/** A document of which nothing can be used. */
export const unusable = (report: ProblemReport): DocumentDraft => ({ users: [], roles: [], databases: [], guardrails: [], said: [], usable: false, report });

/** The list that can be used; undefined, with the reason reported, where there is none. */
function findUsers(root: Node, report: ProblemReport): ListNode | undefined {
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
function reportRepeatedOutside(root: MappingNode, report: ProblemReport): boolean {
  // Within entries and guardrails, a repeated key is reported by their own reader.
  const outside = { ...root, pairs: root.pairs.map((pair) => (isSection(pair.key) ? { ...pair, value: { ...NOTHING, offset: pair.value.offset } } : pair)) };
  const problems = repeatedKeys(outside, []);
  for (const problem of problems) report.add({ ...problem, message: `${problem.message}; nothing of the document is used until this is corrected` });
  return problems.length === 0;
}

const NOTHING = { kind: 'scalar', value: null, source: '', plain: true } as const;
const isSection = (key: string): boolean => key === 'users' || key === 'guardrails' || SECTIONS.some((section) => section === key);

function readAllowEmpty(root: MappingNode, report: ProblemReport): boolean {
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
