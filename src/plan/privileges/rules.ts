// Rules of one role → what it should hold on an object: the most specific rule wins and replaces the others (docs/privileges.md).
import type { GrantRule } from '../../model/entries.ts';
import { furtherName, type ObjectName, ownName, pairKey } from '../../model/contents.ts';
import { KINDS, OBJECT_KINDS, type ObjectKind, privilegesOf } from '../../model/kinds.ts';
import { functionPattern, isEverything, isGlob, matches, rankOf } from '../../model/pattern.ts';

/** Privilege → WITH GRANT OPTION. Wishes that say the same are the same object, so that they can be compared by identity. */
export type Wish = ReadonlyMap<string, boolean>;

/** What a role should hold on the objects of one kind in one schema; undefined where no rule says anything. */
export interface Scope {
  /** No rule names a part of the objects: the answer is the same for all of them. */
  readonly uniform: boolean;
  /** How many patterns a name may have to be compared with. */
  readonly patterns: number;
  readonly find: (name: ObjectName) => Wish | undefined;
  /** By exact names alone: what holds for members of extensions, which patterns leave out. */
  readonly findExact: (name: ObjectName) => Wish | undefined;
  /** By `*` alone: what an object will get whose name nobody knows yet. */
  readonly everything: Wish | undefined;
}

export interface RoleRules {
  /** Whether any rule of this kind can hold in this database. */
  readonly concerns: (kind: ObjectKind, database: string) => boolean;
  readonly scope: (kind: ObjectKind, database: string, schema: string) => Scope;
  /** What follows for a schema from other rules, USAGE for a grant on something in it: it adds to whatever else holds there. */
  readonly impliedOn: (database: string, schema: string) => Wish | undefined;
  readonly rules: readonly GrantRule[];
  /** The rules that can hold in this database, taken apart: for whoever has to apply them elsewhere. */
  readonly inDatabase: (database: string) => readonly CompiledRule[];
}

/** A rule as it is compared: patterns of names, how specific they are, and what it gives on this server. */
export interface CompiledRule {
  readonly rule: GrantRule;
  readonly database: string;
  readonly schema: string;
  readonly name: string;
  /** For functions with arguments, and for columns. */
  readonly second: string | undefined;
  /** The more specific one is the larger, compared from the left. */
  readonly rank: readonly number[];
  readonly wish: Wish;
}

export interface RuleFacts {
  readonly major: number;
  readonly defaultDatabase: string;
}

/** All privileges, in the order in which sentences and statements name them. */
const ORDER: readonly string[] = [...new Set([...(['table', 'schema'] as const), ...OBJECT_KINDS].flatMap((kind) => Object.keys(KINDS[kind].privileges)))];

const interned = new Map<string, Wish>();

/** The one wish with this content. */
export function wishOf(entries: Iterable<readonly [string, boolean]>): Wish {
  const sorted = [...entries].toSorted(([a], [b]) => ORDER.indexOf(a) - ORDER.indexOf(b));
  const key = sorted.map(([privilege, grantable]) => `${privilege}${grantable ? '*' : ''}`).join(' ');
  const known = interned.get(key);
  if (known !== undefined) return known;
  const wish = new Map(sorted);
  interned.set(key, wish);
  return wish;
}

/** Both together; a grant option of either holds. */
export function union(left: Wish | undefined, right: Wish | undefined): Wish | undefined {
  if (left === undefined || right === undefined || left === right) return left ?? right;
  const both = new Map(left);
  for (const [privilege, grantable] of right) both.set(privilege, grantable || both.get(privilege) === true);
  return wishOf(both);
}

const KNOWN = new Map<string, ReadonlySet<string>>();

/** The rule's privileges on a server of this version: ALL spelled out, unknown ones left away. */
function privilegesFor(rule: GrantRule, major: number): Wish {
  const key = `${rule.kind} ${major}`;
  const known = KNOWN.get(key) ?? new Set(privilegesOf(rule.kind, major));
  KNOWN.set(key, known);
  const wish = new Map<string, boolean>();
  for (const { privilege, grantable } of rule.privileges)
    for (const name of privilege === 'ALL' ? known : [privilege]) if (known.has(name)) wish.set(name, grantable || wish.get(name) === true);
  return wishOf(wish);
}

function compile(rule: GrantRule, { major, defaultDatabase }: RuleFacts): CompiledRule {
  const written = rule.database ?? defaultDatabase;
  // A database is an object of the cluster, and a schema one of its database: their patterns are their names.
  const database = rule.kind === 'database' ? '' : written;
  const schema = rule.kind === 'schema' ? '' : rule.schema;
  // The server folds the names of parameters.
  const object = rule.kind === 'parameter' ? rule.name.toLowerCase() : rule.name;
  const pattern = rule.kind === 'database' ? written : rule.kind === 'schema' ? rule.schema : object;
  const { name, args } = rule.kind === 'function' ? functionPattern(pattern) : { name: pattern, args: undefined };
  const second = rule.kind === 'column' ? rule.column : args;
  const own = rule.kind === 'column' ? [rankOf(name), rankOf(rule.column)] : [rankOf(name), args === undefined ? 0 : 1];
  return { rule, database, schema, name, second, rank: [...own, rankOf(schema), rankOf(database)], wish: privilegesFor(rule, major) };
}

const byRank = (a: CompiledRule, b: CompiledRule): number => {
  const at = a.rank.findIndex((rank, index) => rank !== b.rank[index]);
  return at === -1 ? 0 : (b.rank[at] ?? 0) - (a.rank[at] ?? 0);
};

function matchesName(compiled: CompiledRule, name: ObjectName): boolean {
  if (!matches(compiled.name, ownName(name))) return false;
  if (compiled.second === undefined) return true;
  const second = furtherName(name);
  return compiled.rule.kind === 'column' ? matches(compiled.second, second ?? '') : compiled.second === second;
}

const isExact = ({ name, rule, second }: CompiledRule): boolean => !isGlob(name) && (rule.kind !== 'column' || !isGlob(second ?? ''));

/** The first that matches wins; what is equally specific (permissions for one pattern) adds up. */
function firstOf(sorted: readonly CompiledRule[], name: ObjectName): Wish | undefined {
  let best: CompiledRule | undefined;
  let wish: Wish | undefined;
  for (const compiled of sorted) {
    if (best !== undefined && byRank(best, compiled) !== 0) break;
    if (!matchesName(compiled, name)) continue;
    best = compiled;
    wish = union(wish, compiled.wish);
  }
  return wish;
}

/** Where one object is, as rules are compared with it; what does not apply to its kind is empty. */
export interface RuledObject {
  readonly kind: ObjectKind;
  readonly database: string;
  readonly schema: string;
  readonly name: ObjectName;
  /** Patterns leave it out. */
  readonly exactOnly: boolean;
}

/** The rules that decide what a role holds on one object: the most specific ones and, for a schema, what follows from others. */
export function decidingRules(
  rules: readonly GrantRule[],
  facts: RuleFacts,
  { kind, database, schema, name, exactOnly }: RuledObject,
): readonly CompiledRule[] {
  const here = rules.map((rule) => compile(rule, facts)).filter((one) => one.rule.kind === kind && matches(one.database, database));
  const own = here.filter((one) => !one.rule.implied && matches(one.schema, schema) && matchesName(one, name) && (!exactOnly || isExact(one))).toSorted(byRank);
  const [best] = own;
  const implied = kind === 'schema' ? here.filter((one) => one.rule.implied && matches(one.name, ownName(name))) : [];
  return [...(best === undefined ? [] : own.filter((one) => byRank(best, one) === 0)), ...implied];
}

const known = new WeakMap<readonly GrantRule[], { readonly facts: RuleFacts; readonly rules: RoleRules }>();

/** The rules of one role, prepared for a server. They are asked for several times in a cycle, and live as long as the document. */
export function compileRules(rules: readonly GrantRule[], facts: RuleFacts): RoleRules {
  const before = known.get(rules);
  if (before?.facts.major === facts.major && before.facts.defaultDatabase === facts.defaultDatabase) return before.rules;
  const compiled = newRoleRules(rules, facts);
  known.set(rules, { facts, rules: compiled });
  return compiled;
}

function newRoleRules(rules: readonly GrantRule[], facts: RuleFacts): RoleRules {
  const compiled = rules.map((rule) => compile(rule, facts));
  const implied = compiled.filter((one) => one.rule.implied);
  const byKind = Map.groupBy(
    compiled.filter((one) => !one.rule.implied),
    (one) => one.rule.kind,
  );
  // Thousands of rules are about few databases.
  const byDatabase = [...Map.groupBy(compiled, (one) => one.database)];
  const scopes = new Map<string, Scope>();
  return {
    rules,
    inDatabase: (database) => byDatabase.flatMap(([pattern, those]) => (pattern !== '' && matches(pattern, database) ? those : [])),
    concerns: (kind, database) =>
      (byKind.get(kind) ?? []).some((compiled) => compiled.database === '' || matches(compiled.database, database)) ||
      (kind === 'schema' && implied.some((compiled) => matches(compiled.database, database))),
    impliedOn: (database, schema) => {
      let wish: Wish | undefined;
      for (const compiled of implied) if (matches(compiled.database, database) && matches(compiled.name, schema)) wish = union(wish, compiled.wish);
      return wish;
    },
    scope: (kind, database, schema) => {
      const key = pairKey(pairKey(kind, database), schema);
      const known = scopes.get(key);
      if (known !== undefined) return known;
      const scope = scopeOf((byKind.get(kind) ?? []).filter((one) => matches(one.database, database) && matches(one.schema, schema)));
      scopes.set(key, scope);
      return scope;
    },
  };
}

function scopeOf(candidates: readonly CompiledRule[]): Scope {
  const sorted = candidates.toSorted(byRank);
  const everything = firstOf(
    sorted.filter((compiled) => isEverything(compiled.name) && (compiled.rule.kind !== 'column' || isEverything(compiled.second ?? ''))),
    { table: '', column: '' },
  );
  const exact = Map.groupBy(sorted.filter(isExact), (compiled) => compiled.name);
  const globs = sorted.filter((compiled) => !isExact(compiled));
  const uniform =
    exact.size === 0 && globs.every((compiled) => isEverything(compiled.name) && (compiled.second === undefined || isEverything(compiled.second)));
  const findExact = (name: ObjectName): Wish | undefined => {
    const found = exact.get(ownName(name));
    return found === undefined ? undefined : firstOf(found, name);
  };
  return { uniform, patterns: globs.length, everything, findExact, find: (name) => findExact(name) ?? firstOf(globs, name) };
}
