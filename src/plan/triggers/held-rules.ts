// Held rules: of what an event trigger follows already, the rules of roles of which nobody can tell now what they are to have. They stay as they are. Pure.
import type { Catalog, ManagedRole } from '../../model/catalog.ts';
import type { Document } from '../../model/entries.ts';
import { KINDS, type ObjectKind } from '../../model/kinds.ts';
import type { AuthorFacts } from '../../model/sources.ts';
import type { FollowedRule } from '../../changes/trigger.ts';
import { rulesBody, rulesOfBody } from '../../sql/trigger-sql.ts';
import { isPattern, patternOfLike, type TriggerMode, type TriggerRule } from './trigger-rules.ts';

/** A rule as the trigger has it. */
export interface HeldRule {
  readonly at: Pick<TriggerRule, 'kind' | 'schema' | 'name' | 'glob' | 'wide'>;
  /** As the document of rules has it there. */
  readonly entry: { readonly role: string };
  readonly followed: FollowedRule;
}

export interface HeldRules {
  readonly subjects: ReadonlyMap<string, TriggerMode>;
  readonly rules: readonly HeldRule[];
}

/** Whether there may be such roles at all: only then what is followed is read. */
export const mayHoldRules = ({ invalid, sources }: Pick<Document, 'invalid' | 'sources'>): boolean =>
  invalid.size > 0 || (sources !== undefined && (sources.undecided.size > 0 || [...sources.authors.values()].some(isHeld)));

const isHeld = ({ heldBecause, gone }: AuthorFacts): boolean => heldBecause !== undefined || [...gone.values()].some((why) => why !== null);

/** Of whom nobody can tell now: entries that are wrong, and whatever else an author has who cannot be read. What is declared is decided. */
export function holdsRules({ invalid, sources, users, roles }: Document, { managed }: Pick<Catalog, 'managed'>): (role: string) => boolean {
  const declared = new Set([...users.map(({ username }) => username), ...roles.map(({ name }) => name)]);
  const isItsAuthors = ({ source, document }: ManagedRole): boolean => {
    const author = sources?.authors.get(source);
    return author !== undefined && (author.heldBecause !== undefined || typeof author.gone.get(document ?? '') === 'string');
  };
  return (role) => {
    if (declared.has(role)) return false;
    if (invalid.has(role) || sources?.undecided.has(role) === true) return true;
    const row = managed.get(role);
    return row !== undefined && row.status === 'active' && isItsAuthors(row);
  };
}

const NONE: HeldRules = { subjects: new Map(), rules: [] };

/** Those of a function's text that holds rules. What is no document of rules of this database has none. */
export function heldRulesOf(body: string | undefined, database: string, revokes: boolean, holds: (role: string) => boolean): HeldRules {
  const stored = body === undefined ? undefined : storedIn(body);
  if (stored === undefined || stored['database'] !== database) return NONE;
  const subjects = new Map<string, TriggerMode>();
  for (const [role, mode] of pairsOf(stored['role'])) if (isMode(mode) && holds(role)) subjects.set(role, revokes ? mode : 'additive');
  if (subjects.size === 0) return NONE;
  const found: HeldRule[] = [];
  const note = (list: unknown, at: HeldRule['at']): void => {
    for (const one of Array.isArray(list) ? list : []) {
      const rule = ruleOf(one, at);
      if (rule !== undefined && subjects.has(rule.entry.role)) found.push(rule);
    }
  };
  for (const [kind, schemas] of kindsOf(stored['exact']))
    for (const [schema, names] of pairsOf(schemas)) for (const [name, list] of pairsOf(names)) note(list, { kind, schema, name, glob: false, wide: false });
  for (const [kind, schemas] of kindsOf(stored['glob']))
    for (const [schema, list] of pairsOf(schemas)) note(list, { kind, schema, name: '', glob: true, wide: false });
  for (const [kind, list] of kindsOf(stored['wide'])) note(list, { kind, schema: '', name: '', glob: false, wide: true });
  return { subjects, rules: found };
}

/** Whether a text of rules says what a function holds already, but for what makes it quicker: ranks count among those of one role alone. */
export function isHeldAsItIs(body: string | undefined, text: string, database: string): boolean {
  const said = (one: string | undefined): string => {
    const { subjects, rules } = heldRulesOf(one, database, true, () => true);
    const ranks = new Map(
      [...Map.groupBy(rules, ({ entry: { role } }) => role)].map(([role, its]) => {
        const inOrder = [...new Set(its.map(({ followed: { rank } }) => rank))].toSorted((a, b) => a - b);
        return [role, new Map(inOrder.map((rank, place) => [rank, place]))];
      }),
    );
    const placeOf = ({ entry: { role }, followed: { rank } }: HeldRule): number | undefined => ranks.get(role)?.get(rank);
    return JSON.stringify([
      [...subjects].map((one) => one.join('\0')).toSorted(),
      rules.map((rule) => JSON.stringify([rule.at, { ...rule.entry, rank: placeOf(rule) }])).toSorted(),
    ]);
  };
  return said(body) === said(rulesBody(text));
}

type Keyed = Readonly<Record<string, unknown>>;
const isKeyed = (value: unknown): value is Keyed => typeof value === 'object' && value !== null && !Array.isArray(value);
const pairsOf = (value: unknown): readonly (readonly [string, unknown])[] => (isKeyed(value) ? Object.entries(value) : []);
const kindsOf = (value: unknown): readonly (readonly [ObjectKind, unknown])[] =>
  pairsOf(value).flatMap(([kind, of]) => (Object.hasOwn(KINDS, kind) ? [[kind as ObjectKind, of] as const] : []));
const isMode = (value: unknown): value is TriggerMode => value === 'exact' || value === 'additive' || value === 'named';

function storedIn(body: string): Keyed | undefined {
  const text = rulesOfBody(body);
  try {
    const stored: unknown = text === undefined ? undefined : JSON.parse(text);
    return isKeyed(stored) ? stored : undefined;
  } catch {
    return undefined;
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** As `rulesDocument` writes it; undefined for anything else. */
function ruleOf(value: unknown, at: HeldRule['at']): HeldRule | undefined {
  if (!isKeyed(value)) return undefined;
  const { role, rank, implied, schema, name, second, privileges } = value;
  const texts = [schema, name, second].every((one) => one === undefined || typeof one === 'string');
  const isRule = typeof role === 'string' && Number.isSafeInteger(rank) && texts && pairsOf(privileges).every(([, option]) => typeof option === 'boolean');
  if (!isRule || !isKeyed(privileges) || (implied !== undefined && implied !== true)) return undefined;
  const isLike = at.glob || at.wide;
  const said = (pattern: unknown): string => (typeof pattern !== 'string' ? '*' : isLike ? patternOfLike(pattern) : pattern);
  const [names, columns] = [isLike ? said(name) : at.name, at.kind === 'column' ? said(second) : '*'];
  return {
    at: {
      ...at,
      ...(isLike ? { name: textOf(name) } : {}),
      ...(at.wide ? { schema: textOf(schema), glob: isPattern(names) || isPattern(columns) } : {}),
    },
    entry: value as { readonly role: string },
    followed: {
      kind: at.kind,
      schema: at.wide ? said(schema) : at.schema,
      name: names,
      column: columns,
      role,
      privileges: Object.keys(privileges),
      rank: Number(rank),
      implied: implied === true,
    },
  };
}
