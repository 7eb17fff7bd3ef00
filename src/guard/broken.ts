// Broken: who has on a server what a guardrail says nobody of its kind may have, and by which way.
import { superusers } from '../explain/holders.ts';
import type { Path } from '../explain/paths.ts';
import type { Realm } from '../explain/securable.ts';
import { append } from '../model/append.ts';
import type { InParts } from '../model/in-parts.ts';
import { PUBLIC } from '../model/contents.ts';
import { type Held, type HeldBy, heldIn, thereIn } from './held.ts';
import { isAgainst, isReached, pathOf, type Reach, reachOf } from './reach.ts';
import type { Rail } from './rails.ts';
import type { GuardState } from './state.ts';

export interface Broken {
  readonly rail: Rail;
  readonly database: string;
  /** A role, or PUBLIC. */
  readonly who: string;
  readonly held: Held;
  readonly path: Path;
}

/** Everything that is broken: each role once for a guardrail and a database. */
export function* brokenOf(state: GuardState): InParts<readonly Broken[]> {
  const broken: Broken[] = [];
  for (const rail of state.rails)
    for (const database of state.guarded.keys()) {
      append(broken, brokenIn(state, rail, database));
      yield;
    }
  return broken;
}

function brokenIn(state: GuardState, rail: Rail, database: string): readonly Broken[] {
  const reading = state.guarded.get(database);
  if (reading?.kind !== 'read' || !rail.isIn(state.databases.get(database) ?? { name: database })) return [];
  const realm = state.realmOf(database);
  const held = heldIn(rail, realm, database, reading.guarded);
  const there = rail.through.superuser ? thereIn(rail, realm.major, database, reading.guarded) : undefined;
  if (held.size === 0 && there === undefined) return [];
  const reach = reachIn(rail, realm, held, there !== undefined);
  const everybody = held.get(PUBLIC);
  const broken: Broken[] =
    everybody === undefined || rail.by.fresh ? [] : [{ rail, database, who: PUBLIC, held: everybody, path: { holder: everybody.holder, chain: [PUBLIC] } }];
  for (const role of new Set([...reach.own.keys(), ...reach.later.keys()])) {
    if (role === PUBLIC || !isAgainst(rail, realm, state.admin, role, () => true)) continue;
    const path = pathOf(reach, role, (holder) => held.get(holder)?.holder ?? { by: 'superuser', role: holder });
    const what = held.get(path.holder.role) ?? (there && { ...there, holder: path.holder });
    if (what !== undefined) broken.push({ rail, database, who: role, held: what, path });
  }
  return broken;
}

/** Who gets at what is held there. @param isThere something that the guardrail is about, which superusers may. */
export function reachIn(rail: Rail, realm: Realm, held: HeldBy, isThere: boolean): Reach {
  const strong = rail.through.superuser && isThere ? superusers(realm).map(({ role }) => role) : [];
  const reach = reachOf(
    realm,
    [...held.keys()].filter((role) => role !== PUBLIC),
    strong,
    rail,
  );
  // Where SET ROLE is no way, a superuser has it all the same.
  if (rail.through.setRole || strong.length === 0) return reach;
  return { ...reach, later: new Map(strong.filter((role) => !rail.except.has(role)).map((role) => [role, undefined])) };
}

/** Whether a login gets at anything that a guardrail is about, in any database. */
export function accessBefore(state: GuardState, rail: Rail): (role: string) => boolean {
  const reaches = [...state.guarded].flatMap(([database, reading]) => {
    if (reading.kind !== 'read' || !rail.isIn(state.databases.get(database) ?? { name: database })) return [];
    const realm = state.realmOf(database);
    const isThere = thereIn(rail, realm.major, database, reading.guarded) !== undefined;
    return [reachIn(rail, realm, heldIn(rail, realm, database, reading.guarded), isThere)];
  });
  return (role) => state.roles.get(role)?.login === true && reaches.some((reach) => isReached(reach, role));
}
