// Pending: rules that name something exactly which is not there yet. They take effect when it appears.
import type { GrantRule } from '../../model/entries.ts';
import type { Notice } from '../../changes/notice.ts';
import { type DatabaseContents, isSystemSchema, nameKey, type ObjectGroup, ownName, pairKey } from '../../model/contents.ts';
import { KINDS, kindWords, type ObjectKind } from '../../model/kinds.ts';
import { functionPattern, isGlob } from '../../model/pattern.ts';
import type { Subject } from './subject.ts';

/** What there is, by kind and schema; columns by their table. */
export type Existing = (kind: ObjectKind, schema: string, name: string, second: string | undefined) => boolean;

/** An index over groups. Functions are found with and without their arguments. */
export function existingIn(groups: readonly ObjectGroup[]): Existing {
  const names = new Map<string, Set<string>>();
  for (const group of groups) {
    const key = pairKey(group.kind, group.schema);
    const set = names.get(key) ?? new Set<string>();
    names.set(key, set);
    for (const name of group.names) {
      set.add(nameKey(name));
      if (group.kind === 'function') set.add(ownName(name));
    }
  }
  return (kind, schema, name, second) => names.get(pairKey(kind, schema))?.has(second === undefined ? name : pairKey(name, second)) === true;
}

const sentence = (rule: GrantRule, what: string): string => `${rule.privileges.map((one) => one.privilege).join(', ')} on ${what} waits until it exists`;

/** Notices for what a subject's rules name in this database and is not there. */
export function pendingIn(contents: DatabaseContents, subject: Subject, defaultDatabase: string, exists: Existing): Notice[] {
  const messages = new Map<string, Notice>();
  const wait = (rule: GrantRule, what: string): void => {
    const message = sentence(rule, `${what} in database ${contents.name}`);
    messages.set(message, { kind: 'pending', subject: subject.name, position: rule.position, message });
  };
  for (const rule of subject.rules.rules) {
    if (rule.implied || rule.privileges.length === 0 || (rule.database ?? defaultDatabase) !== contents.name) continue;
    const missing = missingPart(rule, exists);
    if (missing !== undefined) wait(rule, missing);
  }
  return [...messages.values()];
}

/** The thing that is missing, in words; undefined where nothing is, or where patterns leave it open. */
function missingPart(rule: GrantRule, exists: Existing): string | undefined {
  const { kind, schema } = rule;
  if (kind === 'database' || KINDS[kind].scope === 'cluster') return undefined;
  if (kind === 'schema' || KINDS[kind].scope === 'schema') {
    if (isGlob(schema) || isSystemSchema(schema)) return undefined;
    if (!exists('schema', '', schema, undefined))
      return kind === 'schema' ? `schema ${schema}` : `${isGlob(rule.name) ? 'what is in' : `${kindWords(kind)} ${rule.name} of`} schema ${schema}`;
    if (kind === 'schema') return undefined;
  }
  if (isGlob(rule.name)) return undefined;
  const where = schema === '' ? '' : `${schema}.`;
  if (kind === 'column') {
    if (!exists('table', schema, rule.name, undefined)) return `table ${where}${rule.name}`;
    return isGlob(rule.column) || exists('column', schema, rule.name, rule.column) ? undefined : `column ${where}${rule.name}.${rule.column}`;
  }
  const { name, args } = kind === 'function' ? functionPattern(rule.name) : { name: rule.name, args: undefined };
  return exists(kind, schema, name, args) ? undefined : `${kindWords(kind)} ${where}${rule.name}`;
}
