// Broken: who has on a server what a guardrail says nobody of its kind may have, and by which way.
import { superusers } from '../explain/holders.ts';
import type { Path } from '../explain/paths.ts';
import type { Realm } from '../explain/securable.ts';
import { append } from '../model/append.ts';
import { digestOf } from '../model/digest.ts';
import { createPace, type InParts, type Pace } from '../model/in-parts.ts';
import { PUBLIC } from '../model/contents.ts';
import { type Held, type HeldBy, thereIn } from './held.ts';
import { isAgainst, isReached, pathOf, type Reach, reachOf } from './reach.ts';
import type { Rail } from './rails.ts';
import type { GuardState } from './state.ts';
import { heldNow } from './ways.ts';

export interface Broken {
  readonly rail: Rail;
  readonly database: string;
  /** A role, or PUBLIC. */
  readonly who: string;
  /** Of thousands only a few are told. */
  readonly way: () => BrokenWay;
}

interface BrokenWay {
  readonly held: Held;
  readonly path: Path;
}

/** Everything that is broken: each role once for a guardrail and a database. */
export function* brokenOf(state: GuardState, pace: Pace = createPace()): InParts<readonly Broken[]> {
  const broken: Broken[] = [];
  for (const rail of state.rails)
    for (const database of state.guarded.keys()) {
      append(broken, yield* brokenIn(state, rail, database, pace));
      if (pace(1)) yield;
    }
  return broken;
}

function* brokenIn(state: GuardState, rail: Rail, database: string, pace: Pace): InParts<readonly Broken[]> {
  const reading = state.guarded.get(database);
  if (reading?.kind !== 'read' || !rail.isIn(state.databases.get(database) ?? { name: database })) return [];
  const realm = state.realmOf(database);
  const held = yield* heldNow(rail, realm, database, reading.guarded, pace);
  const { what: there } = rail.through.superuser ? yield* thereIn(rail, realm.major, database, reading.guarded, pace) : { what: undefined };
  if (held.size === 0 && there === undefined) return [];
  const reach = reachIn(rail, realm, held, there !== undefined);
  const everybody = held.get(PUBLIC);
  const broken: Broken[] = [];
  if (everybody !== undefined && !rail.by.fresh)
    broken.push({ rail, database, who: PUBLIC, way: () => ({ held: everybody, path: { holder: everybody.holder, chain: [PUBLIC] } }) });
  const unknown = there ?? { privilege: rail.never.join(', '), on: `database ${database}` };
  const wayOf = (role: string): BrokenWay => {
    const path = pathOf(reach, role, (holder) => held.get(holder)?.holder ?? { by: 'superuser', role: holder });
    return { held: held.get(path.holder.role) ?? { ...unknown, holder: path.holder }, path };
  };
  // Those who have it anyway are among those who have it after SET ROLE, where that is a way.
  for (const role of rail.through.setRole ? reach.later.keys() : new Set([...reach.own.keys(), ...reach.later.keys()])) {
    if (role !== PUBLIC && isAgainst(rail, realm, state.admin, role, () => true)) broken.push({ rail, database, who: role, way: () => wayOf(role) });
    if (pace(1)) yield;
  }
  return broken;
}

/** Who gets at what is held there. @param isThere something that the guardrail is about, which superusers may. */
export function reachIn(rail: Rail, realm: Realm, held: HeldBy, isThere: boolean): Reach {
  const strong = rail.through.superuser && isThere ? superusers(realm).map(({ role }) => role) : [];
  const reach = sharedReach(
    realm,
    [...held.keys()].filter((role) => role !== PUBLIC),
    strong,
    rail,
  );
  // Where SET ROLE is no way, a superuser has it all the same.
  if (rail.through.setRole || strong.length === 0) return reach;
  return { ...reach, later: new Map(strong.filter((role) => !rail.except.has(role)).map((role) => [role, undefined])) };
}

const shared = new WeakMap<Realm, Map<string, Reach>>();

/** Many guardrails are about what the same roles hold: for them it is walked once. */
function sharedReach(realm: Realm, holders: readonly string[], strong: readonly string[], rail: Rail): Reach {
  const known = shared.get(realm) ?? new Map<string, Reach>();
  shared.set(realm, known);
  const key = digestOf([holders, strong, [...rail.except], rail.through.setRole]);
  const reach = known.get(key) ?? reachOf(realm, holders, strong, rail);
  known.set(key, reach);
  return reach;
}

/** Whether a login gets at anything that a guardrail is about, in any database. */
export function* accessBefore(state: GuardState, rail: Rail, pace: Pace): InParts<(role: string) => boolean> {
  const reaches: Reach[] = [];
  for (const [database, reading] of state.guarded) {
    if (reading.kind !== 'read' || !rail.isIn(state.databases.get(database) ?? { name: database })) continue;
    const realm = state.realmOf(database);
    const { what } = yield* thereIn(rail, realm.major, database, reading.guarded, pace);
    reaches.push(reachIn(rail, realm, yield* heldNow(rail, realm, database, reading.guarded, pace), what !== undefined));
  }
  return (role) => state.roles.get(role)?.login === true && reaches.some((reach) => isReached(reach, role));
}
