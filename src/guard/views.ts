// Views: which of them lead to what a guardrail is about, with their owners' rights and over each other.
import { saidAs } from '../explain/said-name.ts';
import type { InParts, Pace } from '../model/in-parts.ts';
import { onceFor } from '../model/once-for.ts';
import { isAimed } from './aim.ts';
import { type Acl, type DefinerIndex, type Entrance, type May, mayOf, ownersAt, wordsOf } from './definer-index.ts';
import { type GuardedView, relationKey } from './definers.ts';
import type { Held } from './held.ts';
import { guardedPrivileges, type Rail } from './rails.ts';

/** Views lead to a relation with the same privilege that somebody has on them; materialized ones hold a copy. */
export function* viewEntrances(rail: Rail, index: DefinerIndex, pace: Pace): InParts<readonly Entrance[]> {
  if (index.views.size === 0) return [];
  const aimed = new Set<string>();
  for (const [key, { schema, names }] of index.relations) {
    if (names.some((name) => isAimed(rail, 'table', schema, name))) aimed.add(key);
    if (pace(1)) yield;
  }
  const found: Entrance[] = [];
  for (const privilege of guardedOnViews(rail, index.realm.major)) {
    const leads = leadingOf(rail, index, privilege, aimed);
    for (const view of index.views.values()) {
      if (pace(1)) yield;
      const acl = index.relations.get(relationKey(view));
      if (acl === undefined || view.invoker) continue;
      const base = leads(view);
      if (base === undefined) continue;
      const granted = [...acl.entries, ...acl.columns.flatMap((one) => one.entries)].filter((one) => one.privilege === privilege);
      const entries = [...granted, ...ownersAt(rail, acl)];
      found.push({
        kind: 'table',
        schema: view.schema,
        names: acl.names,
        owners: acl.owners,
        privilege,
        entries,
        to: viewTo(index, view, acl, privilege, base),
      });
    }
  }
  return found;
}

/** Privileges of the guardrail that a view hands on. */
export const guardedOnViews = (rail: Rail, major: number): readonly string[] =>
  guardedPrivileges(rail, 'table', major).filter((privilege) => OF_VIEWS.has(privilege));

const OF_VIEWS: ReadonlySet<string> = new Set(['SELECT', 'INSERT', 'UPDATE', 'DELETE']);

function viewTo(index: DefinerIndex, view: GuardedView, acl: Acl, privilege: string, base: Acl): Omit<Held, 'holder'> {
  const name = wordsOf(index, 'table', view.schema, view.name).replace('table', view.copy ? 'materialized view' : 'view');
  const does = view.copy
    ? 'has a copy of it, or of a part'
    : `${privilege === 'SELECT' ? 'reads' : 'writes'} it, or a part of it, with the rights of ${saidAs(acl.owners[0] ?? '')}`;
  return { privilege, on: wordsOf(index, 'table', base.schema, base.names[0] ?? ''), through: `${name}, which ${does}` };
}

/** Deeper chains than the server itself can follow; they count as if they led there. */
const DEEPEST = 500;

/** The relation of the guardrail that a view leads to. Views that read each other in a circle (by their rules) are asked once. */
function leadingOf(rail: Rail, index: DefinerIndex, privilege: string, aimed: ReadonlySet<string>): (view: GuardedView) => Acl | undefined {
  const asked = new Map<GuardedView, Acl | undefined>();
  const ableOn = ableOnAimed(rail, index, privilege);
  const at = (key: string, actor: string, depth: number): Acl | undefined => {
    const acl = index.relations.get(key);
    if (acl === undefined) return undefined;
    if (aimed.has(key) && ableOn(acl)(actor)) return acl;
    const view = index.views.get(key);
    return view !== undefined && index.may(acl, privilege)(actor) ? within(view, depth) : undefined;
  };
  const within = (view: GuardedView, depth: number): Acl | undefined => {
    if (view.copy) return privilege === 'SELECT' ? basesOf(index, aimed).get(view) : undefined;
    if (depth > DEEPEST) return basesOf(index, aimed).get(view);
    // What it reads is looked at with the rights of whoever asks in the end, also where that is by another view.
    if (view.invoker) return undefined;
    if (asked.has(view)) return asked.get(view);
    asked.set(view, undefined);
    for (const owner of index.relations.get(relationKey(view))?.owners ?? [])
      for (const read of view.reads) {
        const answer = at(relationKey(read), owner, depth + 1);
        if (answer === undefined) continue;
        asked.set(view, answer);
        return answer;
      }
    return undefined;
  };
  return (view) => within(view, 0);
}

/** By view, something that the guardrail is about and that it reads, by itself or over others, whoever may. */
const basesOf = onceFor((index: DefinerIndex, aimed: ReadonlySet<string>): ReadonlyMap<GuardedView, Acl> => {
  const readers = new Map<string, GuardedView[]>();
  const found = new Map<GuardedView, Acl>();
  for (const view of index.views.values())
    for (const read of view.reads) {
      const key = relationKey(read);
      const base = aimed.has(key) ? index.relations.get(key) : undefined;
      if (base !== undefined && !found.has(view)) found.set(view, base);
      const others = readers.get(key);
      if (others === undefined) readers.set(key, [view]);
      else others.push(view);
    }
  // A Map's iteration also visits what is added while it runs.
  for (const [view, base] of found) for (const reader of readers.get(relationKey(view)) ?? []) if (!found.has(reader)) found.set(reader, base);
  return found;
});

/** Who may on something that the guardrail is about: on the whole, or on a column that it is about. What PUBLIC may breaks the guardrail by itself. */
function ableOnAimed(rail: Rail, index: DefinerIndex, privilege: string): (acl: Acl) => May {
  const known = new Map<Acl, May>();
  return (acl) => {
    const found =
      known.get(acl) ?? mayOf(index.realm, { ...acl, columns: acl.columns.filter(({ column }) => isAimed(rail, 'column', acl.schema, column)) }, privilege);
    known.set(acl, found);
    return found;
  };
}
