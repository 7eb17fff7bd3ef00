// An edited document: where a few entries of `users` differ from the text before, only those are read, and the others stand as they were read.
import { checkAssumedRoles, checkTogether } from './across.ts';
import { hasCycle } from './cycles.ts';
import type { DatabaseDraft, Draft, ItemDraft, RoleDraft } from './draft.ts';
import { readEntry } from './entry.ts';
import { linesOf } from './lines.ts';
import { aliasBudget, loadYaml } from './load-yaml.ts';
import { ITEMS_AT_ONCE } from './load.ts';
import { ProblemReport } from './problem-report.ts';
import { readSimpleItem } from './simple-item.ts';
import { type Split, splitUsers } from './split.ts';
import type { Node } from './tree.ts';
import { type Document, hasPassword, type Position, type UserEntry } from '../model/entries.ts';
import { LIMITS } from '../model/limits.ts';

/** A document as it was read. */
export interface BeforeEdit {
  readonly text: string;
  readonly file: string;
  readonly document: Document;
}

/** What may tie entries to each other: an anchor or alias with a name, and the merge of a mapping. */
const TIE = /(?:^|[\s[{,:?-])[&*][^\s,[\]{}]|<</;
/** So many characters of changed entries are read here. */
const MOST = 32_768;
/** With so many entries, all of them are held against each other within a tenth of a second. */
const MOST_USERS = 15_000;
/** So many rules get other places here, in a twentieth of a second; a few lines of a document may stand for ten times as many. */
const MOST_RULES = 20_000;

/**
 * What `parseDocument` would make of a text, from what it made of another one, with the very same entries where they did not change; undefined wherever that
 * is in any doubt: anything is wrong, something beside `users` has changed, too much, or rules; and where it would take long.
 * @param before without anything wrong, and read item by item (`isInParts`).
 */
export function afterEdit({ text: textBefore, file, document }: BeforeEdit, text: string): Document | undefined {
  const [before, now] = [splitUsers(textBefore), splitUsers(text)];
  if (document.problems.length > 0 || before?.itemStarts.length !== document.users.length || now === undefined || !isSameFrame(textBefore, before, text, now))
    return undefined;
  if (now.itemStarts.length > MOST_USERS || TIE.test(text) || hasLargeGroup(text, now)) return undefined;
  const { leading, trailing } = unchangedItems(textBefore, before, text, now);
  const [from, until] = [now.itemStarts[leading] ?? text.length, startOf(text, now, now.itemStarts.length - trailing)];
  if (until - from > MOST) return undefined;
  const report = new ProblemReport(linesOf(text, file));
  const changed: UserEntry[] = [];
  for (let index = leading; index < now.itemStarts.length - trailing; index += 1) {
    const entry = readItem(text, now, index, report);
    // Rules are counted over the whole document.
    if (entry === undefined || entry.rules !== undefined) return undefined;
    changed.push(entry);
  }
  const behind = document.users.slice(document.users.length - trailing);
  const lines =
    linesIn(text, from, until) -
    linesIn(textBefore, before.itemStarts[leading] ?? textBefore.length, startOf(textBefore, before, before.itemStarts.length - trailing));
  if (lines !== 0 && rulesOf(behind) > MOST_RULES) return undefined;
  const users = [...document.users.slice(0, leading), ...changed, ...movedBy(lines, behind)];
  return areRightTogether({ ...document, users }, leading, changed.length, report) ? { ...document, users } : undefined;
}

/** Whether nothing is wrong, by what entries are held against each other by; the whole document says what is. */
function areRightTogether(document: Document, leading: number, changed: number, report: ProblemReport): boolean {
  const drafts = draftsOf(document, report);
  const { users, roles } = drafts;
  // What is said of a cycle takes time.
  if (report.sorted().length > 0 || hasCycle([...users, ...roles])) return false;
  return checkTogether(drafts).length + checkAssumedRoles(users.slice(leading, leading + changed), roles).length + report.sorted().length === 0;
}

const isSameFrame = (textBefore: string, before: Split, text: string, now: Split): boolean =>
  before.indent === now.indent && textBefore.slice(0, before.itemStarts[0]) === text.slice(0, now.itemStarts[0]);

const startOf = (text: string, { itemStarts }: Split, index: number): number => itemStarts[index] ?? text.length;

/** Whether items that are parsed together may have more tokens than the parser gets; each has a character at least. */
const hasLargeGroup = (text: string, split: Split): boolean =>
  split.itemStarts.some((start, index) => startOf(text, split, index + ITEMS_AT_ONCE) - start > LIMITS.documentTokens);

/** How many items at both ends have the same text. */
function unchangedItems(textBefore: string, before: Split, text: string, now: Split): { readonly leading: number; readonly trailing: number } {
  const [countBefore, count] = [before.itemStarts.length, now.itemStarts.length];
  const least = Math.min(countBefore, count);
  const isSame = (some: number, other: number): boolean => {
    const [start, end] = [startOf(textBefore, before, some), startOf(textBefore, before, some + 1)];
    const [startNow, endNow] = [startOf(text, now, other), startOf(text, now, other + 1)];
    return end - start === endNow - startNow && textBefore.slice(start, end) === text.slice(startNow, endNow);
  };
  let leading = 0;
  while (leading < least && isSame(leading, leading)) leading += 1;
  let trailing = 0;
  while (trailing < least - leading && isSame(countBefore - trailing - 1, count - trailing - 1)) trailing += 1;
  return { leading, trailing };
}

function linesIn(text: string, from: number, until: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', from); at !== -1 && at < until; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

function readItem(text: string, split: Split, index: number, report: ProblemReport): UserEntry | undefined {
  const start = startOf(text, split, index);
  const item = text.slice(start, startOf(text, split, index + 1));
  const node = readSimpleItem(item, split.indent, start) ?? itemByParser(item, start);
  // Of permissions nothing is known here: who names one is read with the whole document.
  return node === undefined ? undefined : readEntry(node, index, new Map(), report).entry;
}

function itemByParser(item: string, start: number): Node | undefined {
  const { root } = loadYaml(item, aliasBudget(), start);
  return root?.kind === 'list' && root.items.length === 1 ? root.items[0] : undefined;
}

/** Those that entries share are counted once, as they are moved. */
const rulesOf = (entries: readonly UserEntry[]): number =>
  [...new Set(entries.map(({ rules }) => rules))].reduce((sum, rules) => sum + (rules?.length ?? 0), 0);

/** The same entries so many lines further on. What stands before all items, as shared rules, stays there. */
function movedBy(lines: number, entries: readonly UserEntry[]): readonly UserEntry[] {
  const [first] = entries;
  if (lines === 0 || first === undefined) return entries;
  const moved = new Map<object, object>();
  const move = <T>(value: T): T => {
    if (typeof value !== 'object' || value === null) return value;
    const known = moved.get(value);
    if (known !== undefined) return known as T;
    const made = isPosition(value) ? (value.line < first.position.line ? value : { ...value, line: value.line + lines }) : moveInside(value, move);
    moved.set(value, made);
    return made as T;
  };
  return entries.map(move);
}

const isPosition = (value: object): value is Position => 'line' in value && 'column' in value && 'file' in value;

/** A copy, or the very same where nothing in it has moved. */
function moveInside(value: object, move: <T>(value: T) => T): object {
  if (value instanceof Map) {
    const entries = [...value].map(([key, one]): [unknown, unknown] => [key, move(one)]);
    return entries.every(([key, one]) => value.get(key) === one) ? value : new Map(entries);
  }
  if (Array.isArray(value)) {
    const items = value.map(move);
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  const pairs = Object.entries(value).map(([key, one]): [string, unknown] => [key, move(one)]);
  return pairs.every(([key, one]) => (value as Record<string, unknown>)[key] === one) ? value : Object.fromEntries(pairs);
}

/** What entries are held against each other by. Where anything is reported nothing of this counts, so that places need not be right. */
function draftsOf({ users, roles, databases }: Document, report: ProblemReport): Parameters<typeof checkTogether>[0] {
  const item = (list: string, index: number): ItemDraft => ({ report, path: [list, index], offset: 0 });
  const at = (name: string | undefined) => (name === undefined ? undefined : { name, offset: 0 });
  return {
    users: users.map((entry, index): Draft => ({
      ...item('users', index),
      nameOffset: 0,
      names: [entry.username],
      roles: entry.roles.map(({ name }) => ({ name, offset: 0, path: [] })),
      former: at(entry.renamedFrom),
      movedTo: undefined,
      derivedSecret: entry.secretIsDerived && hasPassword(entry) ? entry.secret.name : undefined,
      entry,
    })),
    roles: roles.map((declaration, index): RoleDraft => ({
      ...item('roles', index),
      nameOffset: 0,
      names: [declaration.name],
      roles: (declaration.memberOf ?? []).map(({ name }) => ({ name, offset: 0, path: [] })),
      former: at(declaration.renamedFrom),
      movedTo: undefined,
      declaration,
    })),
    databases: databases.map((entry, index): DatabaseDraft => ({ ...item('databases', index), name: entry.name, entry })),
  };
}
