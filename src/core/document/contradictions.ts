// Contradictions: two rules of one role that are equally specific, can meet on one object, and answer differently.
import { functionPattern, intersects, isGlob, rankOf } from '../privileges/pattern.ts';
import type { Report } from './report.ts';
import { show } from './show.ts';
import type { Path } from './tree.ts';
import type { GrantRule } from './types.ts';

/** Told of one role at most; the others are mostly their echoes. */
const MOST = 20;

/** Reports contradictions among the rules of one role, at both places. @returns whether there are any. */
export function reportContradictions(rules: readonly GrantRule[], name: string, path: Path, report: Report): boolean {
  let found = 0;
  for (const bucket of buckets(rules).values())
    for (const [index, left] of bucket.entries())
      for (const right of bucket.slice(index + 1)) {
        if (!contradict(left, right)) continue;
        found += 1;
        if (found > MOST) return true;
        for (const [one, other] of [
          [left, right],
          [right, left],
        ] as const)
          report.addAt(one.position, {
            path,
            message: `for ${show(name)}, ${sayRule(one)} stands against ${sayRule(other)} in line ${other.position.line}: neither is more specific; keep one, or make one of them so`,
            username: name,
          });
      }
  return found > 0;
}

/** Only rules of one bucket can be equally specific and meet; exact names keep the buckets small. */
function buckets(rules: readonly GrantRule[]): ReadonlyMap<string, readonly GrantRule[]> {
  const explicit = rules.filter((rule) => !rule.implied);
  return Map.groupBy(explicit, (rule) => JSON.stringify([rule.kind, ...[functionName(rule), rule.column, rule.schema, rule.database].map(part)]));
}

const functionName = (rule: GrantRule): string => (rule.kind === 'function' ? functionPattern(rule.name).name : rule.name);
const part = (pattern: string | undefined): string | number | null => (pattern === undefined ? null : isGlob(pattern) ? rankOf(pattern) : `=${pattern}`);

function contradict(left: GrantRule, right: GrantRule): boolean {
  if (answerOf(left) === answerOf(right)) return false;
  const same = left.name === right.name && left.column === right.column && left.schema === right.schema && left.database === right.database;
  const bothGive = left.privileges.length > 0 && right.privileges.length > 0;
  if (same && bothGive && left.permission !== undefined && right.permission !== undefined) return false;
  return (
    namesMeet(left, right) && intersects(left.column, right.column) && intersects(left.schema, right.schema) && databasesMeet(left.database, right.database)
  );
}

function namesMeet(left: GrantRule, right: GrantRule): boolean {
  if (left.kind !== 'function') return intersects(left.name, right.name);
  const [one, other] = [functionPattern(left.name), functionPattern(right.name)];
  // With its arguments a function is named more specifically than without.
  return one.args === other.args && intersects(one.name, other.name);
}

const databasesMeet = (left: string | undefined, right: string | undefined): boolean =>
  left === undefined || right === undefined ? left === right : intersects(left, right);

const answerOf = (rule: GrantRule): string =>
  rule.privileges
    .map(({ privilege, grantable }) => `${privilege}${grantable ? '*' : ''}`)
    .toSorted()
    .join(' ');

const sayRule = (rule: GrantRule): string => `${show(rule.column === '' ? rule.name : `${rule.name}.${rule.column}`)}: [${answerOf(rule)}]`;
