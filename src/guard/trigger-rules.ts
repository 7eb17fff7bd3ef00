// What an event trigger will grant on objects that nobody has made yet, read from the rules that a change stores for it.
import { type ObjectKind, OBJECT_KINDS } from '../model/kinds.ts';
import { intersects, matches } from '../model/pattern.ts';

/** One rule, with patterns as a document has them. */
export interface ComingRule {
  readonly kind: ObjectKind;
  readonly schema: string;
  readonly name: string;
  readonly column: string;
  readonly role: string;
  readonly privileges: readonly string[];
  /** Of rules of one role the largest that is about an object holds for it. */
  readonly rank: number;
  /** It holds beside whatever else does: nothing replaces it, and it replaces nothing. */
  readonly implied: boolean;
}

interface Entry {
  readonly role: string;
  readonly rank: number;
  readonly implied?: boolean;
  readonly schema?: string;
  readonly name?: string;
  readonly second?: string;
  readonly privileges: Readonly<Record<string, boolean>>;
}

/** The rules of a change; none where it leaves them as they are. A rule of which a more specific one leaves nothing is none. */
export function rulesIn(text: string | undefined): readonly ComingRule[] {
  if (text === undefined) return [];
  // The plan has written it itself (plan/triggers/rules-document.ts).
  const {
    exact = {},
    glob = {},
    wide = {},
  } = JSON.parse(text) as {
    readonly exact?: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, readonly Entry[]>>>>>>;
    readonly glob?: Readonly<Record<string, Readonly<Record<string, readonly Entry[]>>>>;
    readonly wide?: Readonly<Record<string, readonly Entry[]>>;
  };
  return OBJECT_KINDS.flatMap((kind): ComingRule[] => [
    ...pairs(exact, kind).flatMap(([schema, names]) =>
      Object.entries(names).flatMap(([name, entries]) => entries.map((entry) => ruleOf(kind, schema, name, entry, false))),
    ),
    ...pairs(glob, kind).flatMap(([schema, entries]) => entries.map((entry) => ruleOf(kind, schema, fromLike(entry.name ?? '*'), entry, true))),
    ...(Object.hasOwn(wide, kind) ? (wide[kind] ?? []) : []).map((entry) =>
      ruleOf(kind, fromLike(entry.schema ?? '*'), fromLike(entry.name ?? '*'), entry, true),
    ),
  ]);
}

const pairs = <T>(by: Readonly<Record<string, Readonly<Record<string, T>>>>, kind: string): readonly (readonly [string, T])[] =>
  Object.hasOwn(by, kind) ? Object.entries(by[kind] ?? {}) : [];

const ruleOf = (
  kind: ObjectKind,
  schema: string,
  name: string,
  { role, rank, implied = false, second, privileges }: Entry,
  isPattern: boolean,
): ComingRule => ({
  kind,
  schema: kind === 'schema' ? '' : schema,
  name,
  column: kind === 'column' ? (second === undefined ? '*' : isPattern ? fromLike(second) : second) : '*',
  role,
  privileges: Object.keys(privileges),
  rank,
  implied,
});

/** A pattern of LIKE as a document has it. */
const fromLike = (pattern: string): string => pattern.replaceAll(/\\(.)|%/gs, (whole, escaped: string | undefined) => escaped ?? (whole === '%' ? '*' : whole));

/** Whether a rule may be about objects of a pattern, and none that is more specific replaces it for all of them. @param ofRole all rules of its role. */
export function isAbout(
  rule: ComingRule,
  { schema, name, column }: Omit<ComingRule, 'kind' | 'role' | 'rank' | 'implied' | 'privileges'>,
  ofRole: readonly ComingRule[],
): boolean {
  const meets = (rule.schema === '' || intersects(rule.schema, schema)) && intersects(rule.name, name) && (column === '' || intersects(rule.column, column));
  return (
    meets && (rule.implied || !ofRole.some((other) => !other.implied && other.kind === rule.kind && other.rank > rule.rank && covers(other, schema, name)))
  );
}

/** Whether a rule means everything that a pattern means: the star of the pattern is a character that only a star takes. */
const covers = (rule: ComingRule, schema: string, name: string): boolean =>
  (rule.schema === '' || matches(rule.schema, schema)) && matches(rule.name, name) && rule.column === '*';
