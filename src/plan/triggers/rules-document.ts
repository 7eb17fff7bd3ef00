// The rules of one database as a document: JSON in which the few rules that can be for an object are found by its kind, schema and name. Pure.
import { type InParts, type Pace, sortedInParts } from '../../model/in-parts.ts';
import { LIMITS } from '../../model/limits.ts';
import type { FollowedRule } from '../../changes/trigger.ts';
import type { HeldRule, HeldRules } from './held-rules.ts';
import { type SettledRules, settledRules } from './settled-rules.ts';
import { compareRanks, type TriggerRule, type TriggerRules } from './trigger-rules.ts';

/** What the event trigger follows in one database. */
export interface RulesDocument {
  readonly text: string;
  /** Of that what is needed; the rest makes it quicker. */
  readonly bytes: number;
  readonly rules: number;
  readonly roles: number;
  /** The same as values. */
  readonly following: readonly FollowedRule[];
}

/**
 * The document. It names the database, so that a copy of it follows nothing, and it is the same for the same rules in whatever order they come.
 * @param held what stays of what is followed: ranks are compared among rules of one role alone, so that those it has stay as well.
 */
export function* rulesDocument({ subjects, rules }: TriggerRules, database: string, pace: Pace, held: HeldRules = NOTHING_HELD): InParts<RulesDocument> {
  const ranks = ordinals(rules);
  yield;
  const unique = new Map<string, Placed>();
  for (const rule of rules) {
    const entry = entryOf(rule, ranks);
    unique.set(keyOf(rule, entry), { rule, entry, followed: followed(rule, ranks) });
    if (pace(1)) yield;
  }
  for (const { at, entry, followed: rule } of held.rules) unique.set(keyOf(at, entry), { rule: at, entry, followed: rule });
  yield;
  const placed = (yield* sortedInParts([...unique], byText, pace)).map(([, one]) => one);
  yield;
  const exact = placed.filter(({ rule }) => !rule.glob && !rule.wide);
  const glob = placed.filter(({ rule }) => rule.glob && !rule.wide);
  const wide = placed.filter(({ rule }) => rule.wide);
  const all = new Map([...held.subjects, ...subjects]);
  const byName = by('kind', exact, (kind) => by('schema', kind, (schema) => by('name', schema, entries)));
  yield;
  const content = {
    database,
    ...(placed.some(({ rule }) => rule.kind === 'column') ? { columns: true } : {}),
    role: Object.fromEntries([...all].toSorted(byText)),
    exact: byName,
    glob: by('kind', glob, (kind) => by('schema', kind, entries)),
    wide: by('kind', wide, entries),
  };
  yield;
  const text = JSON.stringify(content);
  const bytes = Buffer.byteLength(text);
  // What is settled is all that counts on new relations, and what is held is not settled.
  const settled = content.columns === true || held.rules.length > 0 ? {} : yield* settledRules(rules, pace);
  const following = placed.map((one) => one.followed);
  return { text: withSettled(content, settled, database, bytes) ?? text, bytes, rules: placed.length, roles: all.size, following };
}

const followed = ({ kind, written, role, privileges, rank, implied }: TriggerRule, ranks: ReadonlyMap<string, number>): FollowedRule => ({
  kind,
  ...written,
  role,
  privileges: [...privileges.keys()],
  rank: ranks.get(JSON.stringify(rank)) ?? 0,
  implied,
});

/** So little of settled rules is always added. */
const LITTLE = 16_384;

/** Under the name of the database, so that a copy of it has none. undefined where they are too large: each session that creates something keeps them. */
function withSettled(content: object, settled: SettledRules, database: string, bytes: number): string | undefined {
  const added = JSON.stringify(settled);
  const more = Buffer.byteLength(added);
  if (more > Math.max(LITTLE, bytes / 2) || bytes + more + Buffer.byteLength(database) + 100 > LIMITS.triggerRules) return undefined;
  return JSON.stringify({ ...content, settled: Object.fromEntries([[database, settled]]) });
}

interface Placed {
  readonly rule: HeldRule['at'];
  readonly entry: object;
  readonly followed: FollowedRule;
}

const keyOf = ({ kind, wide, glob, schema, name }: HeldRule['at'], entry: object): string => JSON.stringify([kind, wide, glob, schema, name, entry]);

const NOTHING_HELD: HeldRules = { subjects: new Map(), rules: [] };

/** One rule as the document has it: where it is found says the rest. */
const entryOf = (rule: TriggerRule, ranks: ReadonlyMap<string, number>): object => ({
  role: rule.role,
  rank: ranks.get(JSON.stringify(rule.rank)),
  ...(rule.implied ? { implied: true } : {}),
  ...(rule.wide ? { schema: rule.schema } : {}),
  ...(rule.wide || rule.glob ? { name: rule.name } : {}),
  ...(rule.second === null ? {} : { second: rule.second }),
  privileges: Object.fromEntries([...rule.privileges].toSorted(byText)),
});

const entries = (placed: readonly Placed[]): readonly object[] => placed.map(({ entry }) => entry);

/** An object by one part of the rules; its keys may be any text, `__proto__` as well. */
const by = <T>(part: 'kind' | 'schema' | 'name', placed: readonly Placed[], of: (group: readonly Placed[]) => T): Readonly<Record<string, T>> =>
  Object.fromEntries([...Map.groupBy(placed, ({ rule }) => rule[part])].map(([key, group]) => [key, of(group)]));

const byText = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

/** Ranks are only compared with each other: the place of each among all of them does. */
function ordinals(rules: readonly TriggerRule[]): ReadonlyMap<string, number> {
  const distinct = new Map(rules.map(({ rank }) => [JSON.stringify(rank), rank]));
  return new Map([...distinct].toSorted(([, a], [, b]) => compareRanks(a, b)).map(([key], index) => [key, index]));
}
