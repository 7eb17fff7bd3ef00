// Trigger rules: which of what an event trigger will grant on objects that nobody has made yet a guardrail is about.
import type { FollowedRule } from '../changes/trigger.ts';
import { intersects, matches } from '../model/pattern.ts';

/** Whether a rule may be about objects of a pattern, and none that is more specific replaces it for all of them. @param ofRole all rules of its role. */
export function isAbout(
  rule: FollowedRule,
  { schema, name, column }: Omit<FollowedRule, 'kind' | 'role' | 'rank' | 'implied' | 'privileges'>,
  ofRole: readonly FollowedRule[],
): boolean {
  const meets = (rule.schema === '' || intersects(rule.schema, schema)) && intersects(rule.name, name) && (column === '' || intersects(rule.column, column));
  return (
    meets && (rule.implied || !ofRole.some((other) => !other.implied && other.kind === rule.kind && other.rank > rule.rank && covers(other, schema, name)))
  );
}

/** Whether a rule means everything that a pattern means: the star of the pattern is a character that only a star takes. */
const covers = (rule: FollowedRule, schema: string, name: string): boolean =>
  (rule.schema === '' || matches(rule.schema, schema)) && matches(rule.name, name) && rule.column === '*';
