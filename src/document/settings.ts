// Settings of a user: a mapping of parameters → the text that ALTER ROLE … SET gets.
import { parseList } from '../model/setting-list.ts';
import { LIMITS } from '../model/limits.ts';
import { mismatch } from './issues.ts';
import { nameProblem, parameterProblem, textProblem } from './names.ts';
import type { ComplainAt } from './problem-report.ts';
import { show } from './show.ts';
import type { Node, Pair, ScalarNode } from './tree.ts';
import type { Settings } from '../model/entries.ts';

const REFUSED: ReadonlySet<string> = new Set(['role', 'session_authorization']);

/** The settings of one mapping; what is wrong with any of them goes to `complain`. */
export function readSettings(node: Node, complain: ComplainAt): Settings {
  const settings = new Map<string, string>();
  if (node.kind !== 'mapping') {
    complain(node.offset, [], mismatch('a mapping of parameters', node));
    return settings;
  }
  for (const { key, keyOffset, value } of firstOfEach(node.pairs)) {
    const name = key.toLowerCase();
    const problem = settingProblem(key, name, settings);
    if (problem !== undefined) complain(keyOffset, [key], problem);
    const text = readValue(name, value, (offset, path, message) => complain(offset, [key, ...path], message));
    if (!settings.has(name)) settings.set(name, text ?? '');
  }
  return settings;
}

/** Settings by database. */
export function readDatabaseSettings(node: Node, complain: ComplainAt): ReadonlyMap<string, Settings> {
  const databases = new Map<string, Settings>();
  if (node.kind !== 'mapping') {
    complain(node.offset, [], mismatch('a mapping of databases', node));
    return databases;
  }
  for (const { key, keyOffset, value } of firstOfEach(node.pairs)) {
    const problem = nameProblem(key, 'database');
    if (problem !== undefined) complain(keyOffset, [key], problem);
    databases.set(
      key,
      readSettings(value, (offset, path, message) => complain(offset, [key, ...path], message)),
    );
  }
  return databases;
}

/** A key that stands twice is reported as such; its other values are not looked at. */
function firstOfEach(pairs: readonly Pair[]): readonly Pair[] {
  const seen = new Set<string>();
  return pairs.filter(({ key }) => !seen.has(key) && seen.add(key));
}

function settingProblem(key: string, name: string, before: Settings): string | undefined {
  const problem = parameterProblem(key);
  if (problem !== undefined) return problem;
  if (REFUSED.has(name)) return `the parameter ${show(key)} is refused: it would change who the user is; remove it`;
  return before.has(name) ? `the parameter ${show(name)} is set twice, in different spellings; keep one` : undefined;
}

function readValue(name: string, node: Node, complain: ComplainAt): string | undefined {
  if (node.kind === 'list') {
    const elements = node.items.map((item, index) => readScalar(item, (message) => complain(item.offset, [index], message)));
    const text = elements.map((element) => listElement(name, element ?? '')).join(', ');
    if (text.length > LIMITS.settingLength) complain(node.offset, [], `the list has ${text.length} characters; at most ${LIMITS.settingLength} are set`);
    return text;
  }
  return readScalar(node, (message) => complain(node.offset, [], message));
}

function readScalar(node: Node, complain: (message: string) => void): string | undefined {
  if (node.kind !== 'scalar' || node.value === null) {
    complain(mismatch('a value or a list of values', node));
    return undefined;
  }
  const { value } = node;
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'number') return readNumber(node, value, complain);
  const problem = textProblem(value);
  if (problem !== undefined) complain(`the value ${problem}`);
  if (value.length > LIMITS.settingLength) complain(`the value has ${value.length} characters; at most ${LIMITS.settingLength} are set`);
  return value;
}

/** A decimal number stays as it is written, so that no digit is lost; other notations of YAML are none of the server's. */
function readNumber({ source }: ScalarNode, value: number, complain: (message: string) => void): string {
  if (!Number.isFinite(value)) complain('must be a finite number; write text in quotes if that is meant');
  return /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(source) ? source : String(value);
}

/**
 * An element as postgresql.conf would hold it. In a list of names the server folds what is not quoted; in other lists quotes are only
 * needed around what the list's own syntax would swallow.
 */
function listElement(name: string, element: string): string {
  const isListOfNames = parseList(name, '') !== undefined;
  const bare = isListOfNames ? /^[a-z_][a-z0-9_$]*$/ : /^[^\s",']+$/;
  return bare.test(element) ? element : `"${element.replaceAll('"', '""')}"`;
}
