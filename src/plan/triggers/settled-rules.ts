// What the rules come to for relations that nobody was granted anything on yet, settled beforehand as far as a schema and patterns of names tell: the event trigger then compares no rules. Pure.
import type { InParts, Pace } from '../../model/in-parts.ts';
import { matches } from '../../model/pattern.ts';
import { grantFormat, quotedGrantee } from '../../sql/settled-grant.ts';
import { compareRanks, isPattern, likePattern, type TriggerRule } from './trigger-rules.ts';

/** What is granted together on every new object of a schema whose name matches `name`, and none of `unless`. */
export interface SettledGrant {
  readonly name?: string;
  readonly unless?: readonly string[];
  /** A GRANT, with the place of the object and that of whom it is granted to. */
  readonly grant: string;
  /** Whom, as the catalogs have it. */
  readonly roles: readonly string[];
  /** The same as SQL has it, where that is not what the server prints of `roles` between its brackets. */
  readonly to?: string;
}

/** One schema, or all that no rule names. Where there is too much to settle in it everything in it is unusual. */
interface SettledSchema {
  readonly rest: readonly SettledGrant[];
  /** The same of patterns that begin with a character, by it: few of them can be for a name. */
  readonly at?: Readonly<Record<string, readonly SettledGrant[]>>;
  /** Whether a rule says a name: most often there is none to look for. */
  readonly named?: true;
  readonly unusual?: true;
}

/** By kind and schema; `*` is every schema that is not said. Nothing of a kind that is not settled. Names that rules say are not: the trigger finds these. */
export type SettledRules = Readonly<Partial<Record<SettledKind, Readonly<Record<string, SettledSchema>>>>>;

const KINDS = ['table', 'sequence'] as const;
export type SettledKind = (typeof KINDS)[number];

/** Beyond so many rules of one role in one schema, or of all schemas together, comparing is left to the trigger. */
const MOST = { ofRole: 8, together: 20_000 } as const;

export function* settledRules(rules: readonly TriggerRule[], pace: Pace): InParts<SettledRules> {
  const result: Partial<Record<SettledKind, Readonly<Record<string, SettledSchema>>>> = {};
  for (const kind of KINDS) {
    const ofKind = rules.filter((rule) => rule.kind === kind);
    const bySchema = Map.groupBy(ofKind, ({ written: { schema } }) => (isPattern(schema) || schema === '*' ? '*' : schema));
    const anywhere = bySchema.get('*') ?? [];
    bySchema.delete('*');
    if (ofKind.length + (bySchema.size + 1) * anywhere.length > MOST.together) continue;
    const schemas: (readonly [string, SettledSchema])[] = [];
    for (const [schema, own] of bySchema) {
      schemas.push([schema, settle([...own, ...anywhere.filter(({ written }) => matches(written.schema, schema))])]);
      if (pace(own.length + anywhere.length + 1)) yield;
    }
    // Which of the others a pattern means is not known.
    if (!anywhere.some(({ wide }) => wide)) schemas.push(['*', settle(anywhere)]);
    result[kind] = Object.fromEntries(schemas.toSorted(byKey));
  }
  return result;
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

/** @param rules those that are for the schema. */
function settle(rules: readonly TriggerRule[]): SettledSchema {
  const patterns = rules.filter(({ wide, written: { name } }) => wide || name === '*' || isPattern(name));
  const byRole = [...Map.groupBy(patterns, ({ role }) => role).values()];
  if (byRole.some((own) => own.length > MOST.ofRole)) return { rest: [], unusual: true };
  const grants = new Map(
    [...Map.groupBy(together(byRole.flatMap(ofRole)), ({ first }) => first)].map(([first, those]) => [first, those.map(({ settled }) => settled)]),
  );
  const rest = grants.get('') ?? [];
  grants.delete('');
  return {
    rest,
    ...(patterns.length === rules.length ? {} : { named: true }),
    ...(grants.size === 0 ? {} : { at: Object.fromEntries([...grants].toSorted(byKey)) }),
  };
}

interface OfRole {
  readonly role: string;
  /** The character that every name begins with; empty where that differs, or is none that all encodings have. */
  readonly first: string;
  readonly name: string | undefined;
  readonly unless: readonly string[];
  readonly grant: string;
}

/** What one role has of its rules: each holds where none with a higher rank does. */
function ofRole(rules: readonly TriggerRule[]): readonly OfRole[] {
  return rules.flatMap((rule) => {
    const above = rules.filter((other) => compareRanks(other.rank, rule.rank) > 0).map(({ written }) => written.name);
    if (above.includes('*')) return [];
    const { name } = rule.written;
    const [first = ''] = /^[!-)+-~]/.exec(name) ?? [];
    const at = { role: rule.role, first, name: name === '*' ? undefined : likePattern(name), unless: [...new Set(above.map(likePattern))].toSorted() };
    return [false, true].flatMap((option) => {
      const privileges = [...rule.privileges].flatMap(([privilege, grantable]) => (grantable === option ? [privilege] : [])).toSorted();
      return privileges.length === 0 ? [] : [{ ...at, grant: grantFormat(rule.kind, privileges, option) }];
    });
  });
}

function asSql(roles: readonly string[]): { readonly to?: string } {
  const to = roles.map(quotedGrantee).join(', ');
  return to === roles.map((role) => JSON.stringify(role)).join(', ') ? {} : { to };
}

/** What differs in the role alone is granted to all of them at once. */
function together(grants: readonly OfRole[]): readonly { readonly first: string; readonly settled: SettledGrant }[] {
  const groups = Map.groupBy(grants, ({ first, name, unless, grant }) => JSON.stringify([first, name, unless, grant]));
  return [...groups].toSorted(byKey).flatMap(([, group]) => {
    const [one] = group;
    if (one === undefined) return [];
    const roles = [...new Set(group.map(({ role }) => role))].toSorted();
    return [
      {
        first: one.first,
        settled: {
          ...(one.name === undefined ? {} : { name: one.name }),
          ...(one.unless.length === 0 ? {} : { unless: one.unless }),
          grant: one.grant,
          roles,
          ...asSql(roles),
        },
      },
    ];
  });
}
