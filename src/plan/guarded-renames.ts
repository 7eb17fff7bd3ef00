// Renames that would break a guardrail: what is said of names is true of others then. They are not made, and everything is planned as it is without them.
import { type Change, keyOf } from '../changes/change.ts';
import { type Broken, brokenOf } from '../guard/broken.ts';
import type { GuardedReading } from '../guard/guarded.ts';
import type { Rail } from '../guard/rails.ts';
import type { Refusal } from '../guard/refuse.ts';
import { granted } from '../guard/held.ts';
import { isAgainst, isReached, pathOf, reachOf } from '../guard/reach.ts';
import { type GuardState, stateOf } from '../guard/state.ts';
import { heldNow } from '../guard/ways.ts';
import { createPace, type InParts, type Pace } from '../model/in-parts.ts';
import type { Catalog } from '../model/catalog.ts';
import { type Rename, renamedGuarded } from './renamed-catalog.ts';

/** Renames of the plan that would make a guardrail broken by somebody who does not break it now. @param renamed the catalog after them. */
export function* refusedRenames(
  rails: readonly Rail[],
  guarded: ReadonlyMap<string, GuardedReading>,
  catalog: Catalog,
  renamed: Catalog,
  renames: readonly Rename[],
): InParts<readonly Refusal[]> {
  const real = renames.filter(({ from, role }) => from !== role);
  if (rails.length === 0 || real.length === 0) return [];
  const formerNames = new Map(real.map(({ from, role }) => [role, from]));
  const key = ({ rail, database }: Broken, who: string): string => JSON.stringify([rail.origin, rail.name, database, who]);
  const pace = createPace();
  const before = new Set((yield* brokenOf(stateOf(rails, guarded, catalog), pace)).map((one) => key(one, one.who)));
  const after = stateOf(rails, renamedGuarded(guarded, real), renamed);
  const fresh = (yield* brokenOf(after, pace)).filter((one) => !before.has(key(one, formerNames.get(one.who) ?? one.who)));
  const refused = new Map<string, Refusal>();
  for (const { rail, database, who, way } of fresh) {
    const { held, path } = way();
    const onWay = real.filter(({ role }) => role === who || path.chain.includes(role));
    for (const change of onWay.length > 0 ? onWay : real)
      refused.set(keyOf(change), { change, guarded: [], ruled: [], rail, database, who, privilege: held.privilege, on: held.on, through: held.through, path });
  }
  for (const one of yield* noLongerLeftOut(after, real, pace)) refused.set(keyOf(one.change), one);
  return [...refused.values()];
}

/** Renames by which a guardrail leaves out a role no more, behind whom somebody is that it is against: a way more, also for whoever has another one already. */
function* noLongerLeftOut(state: GuardState, renames: readonly Rename[], pace: Pace): InParts<readonly Refusal[]> {
  const found: Refusal[] = [];
  for (const rail of state.rails)
    for (const change of renames.filter(({ from, role }) => rail.except.has(from) && !rail.except.has(role)))
      for (const database of state.guarded.keys()) found.push(...[(yield* wayBy(state, rail, database, change, pace)) ?? []].flat());
  return found;
}

function* wayBy(state: GuardState, rail: Rail, database: string, change: Rename, pace: Pace): InParts<Refusal | undefined> {
  const reading = state.guarded.get(database);
  if (reading?.kind !== 'read' || !rail.isIn(state.databases.get(database) ?? { name: database })) return undefined;
  const realm = state.realmOf(database);
  const held = yield* heldNow(rail, realm, database, reading.guarded, pace);
  const from = reachOf(realm, [...held.keys()], [], rail);
  const behind = reachOf(realm, [change.role], [], rail);
  const who = [...behind.own.keys(), ...behind.later.keys()].find((one) => isAgainst(rail, realm, state.admin, one, () => true));
  if (who === undefined || !isReached(from, change.role)) return undefined;
  const path = pathOf(from, change.role, (role) => held.get(role)?.holder ?? granted(role, ''));
  const what = held.get(path.holder.role);
  return (
    what && {
      change,
      guarded: [],
      ruled: [],
      rail,
      database,
      who,
      privilege: what.privilege,
      on: what.on,
      through: what.through,
      path: { ...path, chain: [...(who === change.role ? [] : [who]), ...path.chain] },
    }
  );
}

/** What else makes a change wait, and these. */
export const alsoDeferred = (isDeferred: (key: string) => boolean, refused: readonly { readonly change: Change }[]): ((key: string) => boolean) => {
  const keys = new Set(refused.map(({ change }) => keyOf(change)));
  return (key) => keys.has(key) || isDeferred(key);
};
