// Ways: who gets at what a guardrail is about with the rights of another, through views and functions with SECURITY DEFINER. What a function does nobody knows.
import { type Holder, superusers } from '../explain/holders.ts';
import { linksOf } from '../explain/links.ts';
import { saidAs } from '../explain/said-name.ts';
import type { Realm } from '../explain/securable.ts';
import { nameKey, type ObjectName, PUBLIC } from '../model/contents.ts';
import type { InParts, Pace } from '../model/in-parts.ts';
import { onceFor } from '../model/once-for.ts';
import { type Acl, type DefinerIndex, type Entrance, definerIndex, ownersAt, wordsOf } from './definer-index.ts';
import type { Guarded } from './guarded.ts';
import { granted, type Held, type HeldBy, heldIn, ownerHolder, type There, thereIn } from './held.ts';
import type { Rail } from './rails.ts';
import { viewEntrances } from './views.ts';

export interface Ways {
  readonly entrances: readonly Entrance[];
  /** Whether somebody gets at it by itself, also one whom the guardrail leaves out: what it owns gets at it too. */
  readonly isAble: (role: string) => boolean;
  /** Why nobody knows. */
  readonly unknown: string | undefined;
}

export const NO_WAYS: Ways = { entrances: [], isAble: () => false, unknown: undefined };

/** Everything by which a guardrail is got around. @param base who holds it without any of that. @param there something that it is about. */
export function* waysOf(rail: Rail, index: DefinerIndex, base: HeldBy, { what: there, owners: of }: There, pace: Pace): InParts<Ways> {
  if (rail.through.definer === false) return NO_WAYS;
  const { realm, unknown } = index;
  const views = yield* viewEntrances(rail, index, pace);
  // Nobody inherits what a superuser may.
  const alone = new Set<string>();
  const able = new Map<string, What>();
  const start = (role: string, what: What): void => void (role === PUBLIC || able.has(role) || able.set(role, what));
  for (const [role, held] of base) start(role, held);
  if (there !== undefined) for (const owner of of) start(owner, there);
  for (const { entries, owners, to } of views) for (const role of [...entries.map(({ grantee }) => grantee), ...owners]) start(role, to);
  if (there !== undefined)
    for (const { role } of superusers(realm)) {
      if (!able.has(role)) alone.add(role);
      start(role, there);
    }
  const functions = yield* calledBy(rail, index, able, alone, pace);
  return { entrances: [...views, ...functions], isAble: (role) => able.has(role), unknown };
}

type What = Omit<Held, 'holder'>;

/** Everybody who inherits it, and functions whose owner is one of them: who may call one may be the owner of another. @param alone from whom nobody inherits it. */
function* calledBy(rail: Rail, index: DefinerIndex, able: Map<string, What>, alone: Set<string>, pace: Pace): InParts<readonly Entrance[]> {
  // Whoever runs a function in a database is connected to it.
  const counts = rail.through.definer === true && !rail.never.every((one) => one === 'CONNECT');
  const { inRole } = linksOf(index.realm);
  const found = new Map<Acl, Entrance>();
  /** A superuser that has it like anybody as well passes it on: it is looked at (again) as one of the others. */
  const reach = (role: string, what: What): void => {
    if (able.has(role) && !alone.delete(role)) return;
    able.delete(role);
    able.set(role, what);
  };
  // A Map's iteration also visits what is added while it runs.
  for (const [role, what] of able) {
    for (const acl of counts ? (index.functions.get(role) ?? []) : []) {
      if (found.has(acl)) continue;
      const to = callTo(index, acl, role, what);
      const entries: Entrance['entries'] = [...acl.entries.filter(({ privilege }) => privilege === 'EXECUTE'), ...ownersAt(rail, acl)];
      found.set(acl, { kind: 'function', schema: acl.schema, names: acl.names, owners: acl.owners, privilege: 'EXECUTE', entries, to });
      // What belongs to a superuser is open to whoever inherits from it.
      alone.delete(role);
      for (const { grantee } of entries) if (grantee !== PUBLIC) reach(grantee, to);
    }
    if (pace(1)) yield;
    if (!alone.has(role)) for (const { member, inherit } of inRole.get(role) ?? []) if (inherit) reach(member, what);
  }
  return [...found.values()];
}

const callTo = (index: DefinerIndex, { schema, names: [name = ''] }: Acl, owner: string, { privilege, on }: What): What => ({
  privilege,
  on,
  through: `${wordsOf(index, 'function', schema, name)}, which runs with the rights of ${saidAs(owner)}; what it does is not looked at`,
});

/** Made once for what is read, as long as the roles are the same. */
const indexNow = onceFor((guarded: Guarded, realm: Realm, database: string): DefinerIndex => definerIndex(realm, database, guarded.definers));

/** Who holds what a guardrail is about in a database, by itself and through definers as far as they count; the first way of each is enough. */
export function* heldNow(rail: Rail, realm: Realm, database: string, guarded: Guarded, pace: Pace): InParts<Map<string, Held>> {
  const held = yield* heldIn(rail, realm, database, guarded, pace);
  if (rail.through.definer === false) return held;
  const there = yield* thereIn(rail, realm.major, database, guarded, pace);
  addEntrances(held, yield* waysOf(rail, indexNow(guarded, realm, database), held, there, pace));
  return held;
}

/** Who holds it through any of these, beside those who hold it anyway. */
export function addEntrances(held: Map<string, Held>, { entrances }: Ways): void {
  for (const { entries, to } of entrances)
    for (const entry of entries) if (!held.has(entry.grantee)) held.set(entry.grantee, { ...to, holder: entrantOf(entry) });
}

/** What is called so on the way, for a map. */
export const entranceKey = (kind: string, schema: string, name: ObjectName): string => JSON.stringify([kind, schema, nameKey(name)]);

export const entrancesByName = onceFor((ways: Ways) => listed(ways, ({ kind, schema, names }) => names.map((name) => entranceKey(kind, schema, name))));

export const entrancesByOwner = onceFor((ways: Ways) => listed(ways, ({ owners }) => owners));

function listed({ entrances }: Ways, keysOf: (entrance: Entrance) => readonly string[]): ReadonlyMap<string, readonly Entrance[]> {
  const by = new Map<string, Entrance[]>();
  for (const entrance of entrances)
    for (const key of keysOf(entrance)) {
      const others = by.get(key);
      if (others === undefined) by.set(key, [entrance]);
      else others.push(entrance);
    }
  return by;
}

/** Who may enter, as a holder. */
export const entrantOf = ({ grantee, grantor, owner }: Entrance['entries'][number]): Holder =>
  owner === true ? ownerHolder(grantee) : granted(grantee, grantor);
