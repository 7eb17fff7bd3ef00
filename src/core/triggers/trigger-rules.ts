// Rules of the event trigger: what the subjects' rules mean in one database, as rows that SQL can match against an object's name.
import { createHash } from 'node:crypto';
import { isSystemSchema } from '../privileges/contents.ts';
import { KINDS, type ObjectKind } from '../privileges/kinds.ts';
import { isEverything, isGlob } from '../privileges/pattern.ts';
import type { CompiledRule } from '../privileges/rules.ts';
import type { Subject } from '../privileges/subject.ts';

/** One row of pgsteward.trigger_rule. */
export interface TriggerRule {
  /** A digest of everything else in the row. */
  readonly key: string;
  readonly role: string;
  readonly kind: ObjectKind;
  /** Exact, or `*`; a LIKE pattern where `wide` is set. */
  readonly schema: string;
  /** Exact, or `*`; a LIKE pattern where `glob` or `wide` is set. */
  readonly name: string;
  /** A column, which is a LIKE pattern where the name is one, or the argument types of a function, which never are; null for all of them. */
  readonly second: string | null;
  readonly glob: boolean;
  readonly wide: boolean;
  /** Follows from other rules, and adds to whatever else holds. */
  readonly implied: boolean;
  /** The more specific rule is the larger, as arrays compare. */
  readonly rank: readonly number[];
  readonly privileges: readonly string[];
  /** WITH GRANT OPTION, for each privilege. */
  readonly options: readonly boolean[];
}

/** How strictly the trigger keeps a role: as Subject.mode, and `additive` for all of them where nothing is revoked. */
export type TriggerMode = Subject['mode'];

/** What the trigger of one database follows. */
export interface TriggerRules {
  readonly subjects: ReadonlyMap<string, TriggerMode>;
  /** By key. */
  readonly rules: ReadonlyMap<string, TriggerRule>;
}

/** Kinds whose creation fires no event, or is none of a database. */
const SILENT: ReadonlySet<ObjectKind> = new Set(['database', 'tablespace', 'parameter', 'large_object']);

/** The rows for a database; subjects without any rule in it are left to the cycle. */
export function triggerRulesOf(subjects: readonly Subject[], database: string, revokes: boolean): TriggerRules {
  const result = { subjects: new Map<string, TriggerMode>(), rules: new Map<string, TriggerRule>() };
  for (const subject of subjects) {
    const rules = subject.rules.inDatabase(database).filter((one) => !SILENT.has(one.rule.kind) && !isSystemSchema(one.rule.schema));
    if (rules.length === 0) continue;
    result.subjects.set(subject.name, revokes ? subject.mode : 'additive');
    for (const compiled of rules) {
      const row = rowOf(subject.name, compiled);
      result.rules.set(row.key, row);
    }
  }
  return result;
}

function rowOf(role: string, { rule, schema, name, second, rank, wish }: CompiledRule): TriggerRule {
  const inSchema = KINDS[rule.kind].scope === 'schema';
  const patterns = [inSchema ? schema : '', name, second ?? '*'].map((pattern) => (isEverything(pattern) ? '*' : pattern));
  const [schemas = '', names = '', seconds = '*'] = patterns;
  const wide = isPattern(schemas);
  // Types of arguments are never patterns, whatever they contain.
  const isColumn = rule.kind === 'column';
  const glob = isPattern(names) || (isColumn && isPattern(seconds));
  const [where, what, part] = [
    wide ? likePattern(schemas) : schemas,
    glob || wide ? likePattern(names) : names,
    isColumn && (glob || wide) ? likePattern(seconds) : seconds,
  ];
  return withKey({
    role,
    kind: rule.kind,
    schema: where,
    name: what,
    second: second === undefined || seconds === '*' ? null : part,
    glob,
    wide,
    implied: rule.implied,
    rank,
    privileges: [...wish.keys()],
    options: [...wish.values()],
  });
}

/** The row with its key. Also tells whether a row that was read is still the one that was written. */
export const withKey = (row: Omit<TriggerRule, 'key'>): TriggerRule => {
  const { role, kind, schema, name, second, glob, wide, implied, rank, privileges, options } = row;
  const content = JSON.stringify([role, kind, schema, name, second, glob, wide, implied, rank, privileges, options]);
  return { ...row, key: createHash('sha256').update(content).digest('base64url').slice(0, 22) };
};

const isPattern = (pattern: string): boolean => pattern !== '*' && isGlob(pattern);
const likePattern = (pattern: string): string => pattern.replaceAll(/[\\%_]/g, String.raw`\$&`).replaceAll(/\*+/g, '%');
