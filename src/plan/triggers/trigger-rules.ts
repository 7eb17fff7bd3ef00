// Rules of the event trigger: what the subjects' rules mean in one database, in the form in which SQL can match them against an object's name.
import type { InParts, Pace } from '../../model/in-parts.ts';
import { isSystemSchema } from '../../model/contents.ts';
import { KINDS, type ObjectKind } from '../../model/kinds.ts';
import { isEverything, isGlob } from '../../model/pattern.ts';
import type { CompiledRule } from '../privileges/rules.ts';
import type { Subject } from '../privileges/subject.ts';

/** One rule as the event trigger matches it. */
export interface TriggerRule {
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
  /** Schema and name as a document has them; `*` alone for everything. */
  readonly written: { readonly schema: string; readonly name: string; readonly column: string };
  /** Follows from other rules, and adds to whatever else holds. */
  readonly implied: boolean;
  /** The more specific rule is the larger, as arrays compare. */
  readonly rank: readonly number[];
  /** Each privilege, and whether it may be passed on. */
  readonly privileges: ReadonlyMap<string, boolean>;
}

/** How strictly the trigger keeps a role: as Subject.mode, and `additive` for all of them where nothing is revoked. */
export type TriggerMode = Subject['mode'];

/** What the trigger of one database follows. */
export interface TriggerRules {
  readonly subjects: ReadonlyMap<string, TriggerMode>;
  readonly rules: readonly TriggerRule[];
}

/** The rules for a database; subjects without any rule in it are left to the cycle. */
export function* triggerRulesOf(subjects: readonly Subject[], database: string, revokes: boolean, pace: Pace): InParts<TriggerRules> {
  const result = { subjects: new Map<string, TriggerMode>(), rules: [] as TriggerRule[] };
  for (const subject of subjects) {
    const rules = subject.rules.inDatabase(database).filter(isFollowed);
    if (pace(rules.length + 1)) yield;
    if (rules.length === 0) continue;
    result.subjects.set(subject.name, revokes ? subject.mode : 'additive');
    for (const compiled of rules) result.rules.push(ruleOf(subject.name, compiled));
  }
  return result;
}

/** Whether a trigger would have anything to follow there. */
export const areRulesIn = (subjects: readonly Subject[], database: string): boolean =>
  [...new Set(subjects.map(({ rules }) => rules))].some((rules) => rules.inDatabase(database).some(isFollowed));

const isFollowed = ({ rule }: CompiledRule): boolean => KINDS[rule.kind].commands !== undefined && !isSystemSchema(rule.schema);

function ruleOf(role: string, { rule, schema, name, second, rank, wish }: CompiledRule): TriggerRule {
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
  return {
    role,
    kind: rule.kind,
    schema: where,
    name: what,
    second: second === undefined || seconds === '*' ? null : part,
    glob,
    wide,
    written: { schema: schemas, name: names, column: isColumn ? seconds : '*' },
    implied: rule.implied,
    rank,
    privileges: new Map(wish),
  };
}

/** A glob that does not mean everything. */
export const isPattern = (pattern: string): boolean => pattern !== '*' && isGlob(pattern);
/** The same the other way round. */
export const patternOfLike = (pattern: string): string => pattern.replaceAll(/\\(.)|%/gs, (_, escaped: string | undefined) => escaped ?? '*');
export const likePattern = (pattern: string): string => pattern.replaceAll(/[\\%_]/g, String.raw`\$&`).replaceAll(/\*+/g, '%');

/** As the server compares arrays: by the first element that differs, and the longer one is the larger. */
export function compareRanks(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at === -1 || at >= b.length ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? 0);
}
