// Contradictions: two rules of one role that are equally specific, can meet on one object, and answer differently.
import { LIMITS } from '../model/limits.ts';
import { functionPattern, intersects, isGlob, type NamePattern, rankOf } from '../model/pattern.ts';
import type { ProblemReport } from './problem-report.ts';
import { show } from './show.ts';
import type { Path } from './tree.ts';
import type { GrantRule } from '../model/entries.ts';

/** Told of one role at most; the others are mostly their echoes. */
const MOST = 20;

/** A rule with what is compared of it. */
interface Compared {
  readonly rule: GrantRule;
  /** Its name without arguments. */
  readonly name: string;
  readonly answer: string;
  /** Its patterns, each by its beginning and, from the end, by its ending: two that can meet agree on both as far as the shorter one goes. */
  readonly ends: readonly string[];
}

/** Reports contradictions among the rules of one role, at both places. @returns whether there are any. */
export function reportContradictions(rules: readonly GrantRule[], name: string, path: Path, report: ProblemReport): boolean {
  let found = 0;
  // Honest documents need a handful for each rule; patterns that are made to be compared with each other could need one for each pair.
  let left = LIMITS.comparisonsOfRule * rules.length;
  for (const bucket of buckets(rules).values()) {
    for (const [one, other] of candidates(bucket)) {
      left -= 1;
      if (left < 0) {
        const message = `for ${show(name)}, too many patterns are equally specific to be held against each other; use fewer of them, or names`;
        report.addAt(one.rule.position, { path, message, username: name });
        return true;
      }
      if (!contradict(one, other)) continue;
      found += 1;
      if (found > MOST) return true;
      for (const [here, there] of [
        [one.rule, other.rule],
        [other.rule, one.rule],
      ] as const)
        report.addAt(here.position, {
          path,
          message: `for ${show(name)}, ${sayRule(here)} stands against ${sayRule(there)} in line ${there.position.line}: neither is more specific; keep one, or make one of them so`,
          username: name,
        });
    }
  }
  return found > 0;
}

/** The pairs that may meet: of all the ends by which rules can be told apart, those are compared that tell most. */
function* candidates(bucket: readonly GrantRule[]): Iterable<readonly [Compared, Compared]> {
  if (bucket.length < 2) return;
  const all = bucket.map((rule) => ({
    rule,
    name: partsOf(rule).name,
    answer: answerOf(rule),
    ends: [partsOf(rule).name, rule.column, rule.schema, rule.database ?? ''].flatMap(endsOf),
  }));
  const [first] = all;
  // Rules with one answer never contradict each other.
  if (first === undefined || all.every(({ answer }) => answer === first.answer)) return;
  const distinct = first.ends.map((_, index) => new Set(all.map(({ ends }) => ends[index])).size);
  const best = distinct.indexOf(Math.max(...distinct));
  const endOf = (one: Compared): string => one.ends[best] ?? '';
  const sorted = all.toSorted((a, b) => (endOf(a) < endOf(b) ? -1 : endOf(a) > endOf(b) ? 1 : 0));
  for (const [index, one] of sorted.entries())
    for (let next = index + 1; next < sorted.length; next += 1) {
      const other = sorted[next];
      // Whatever begins with it stands right behind it.
      if (other === undefined || !endOf(other).startsWith(endOf(one))) break;
      yield [one, other];
    }
}

function endsOf(pattern: string): readonly [string, string] {
  if (!isGlob(pattern)) return [pattern, ''];
  const ending = pattern.slice(pattern.lastIndexOf('*') + 1);
  return [pattern.slice(0, pattern.indexOf('*')), [...ending].toReversed().join('')];
}

/** Only rules of one bucket can be equally specific and meet; exact names keep the buckets small. */
function buckets(rules: readonly GrantRule[]): ReadonlyMap<string, readonly GrantRule[]> {
  const explicit = rules.filter((rule) => !rule.implied);
  return Map.groupBy(explicit, (rule) => {
    const { name, args } = partsOf(rule);
    // With its arguments a function is named more specifically than without, and other arguments are another function.
    return JSON.stringify([rule.kind, args ?? null, ...[name, rule.column, rule.schema, rule.database].map(part)]);
  });
}

const partsOf = (rule: GrantRule): NamePattern => (rule.kind === 'function' ? functionPattern(rule.name) : { name: rule.name, args: undefined });
const part = (pattern: string | undefined): string | number | null => (pattern === undefined ? null : isGlob(pattern) ? rankOf(pattern) : `=${pattern}`);

function contradict({ rule: left, name, answer }: Compared, { rule: right, name: otherName, answer: other }: Compared): boolean {
  if (answer === other) return false;
  const same = left.name === right.name && left.column === right.column && left.schema === right.schema && left.database === right.database;
  const bothGive = left.privileges.length > 0 && right.privileges.length > 0;
  if (same && bothGive && left.permission !== undefined && right.permission !== undefined) return false;
  return (
    intersects(name, otherName) &&
    intersects(left.column, right.column) &&
    intersects(left.schema, right.schema) &&
    databasesMeet(left.database, right.database)
  );
}

const databasesMeet = (left: string | undefined, right: string | undefined): boolean =>
  left === undefined || right === undefined ? left === right : intersects(left, right);

const answerOf = (rule: GrantRule): string =>
  rule.privileges
    .map(({ privilege, grantable }) => `${privilege}${grantable ? '*' : ''}`)
    .toSorted()
    .join(' ');

const sayRule = (rule: GrantRule): string => `${show(rule.column === '' ? rule.name : `${rule.name}.${rule.column}`)}: [${answerOf(rule)}]`;
