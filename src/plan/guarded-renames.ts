// Renames that would break a guardrail: what is said of names is true of others then. They are not made, and everything is planned as it is without them.
import { type Change, keyOf } from '../changes/change.ts';
import { type Broken, brokenOf } from '../guard/broken.ts';
import type { GuardedReading } from '../guard/guarded.ts';
import type { Rail } from '../guard/rails.ts';
import type { Refusal } from '../guard/refuse.ts';
import { granted, heldIn } from '../guard/held.ts';
import { isAgainst, isReached, pathOf, reachOf } from '../guard/reach.ts';
import { type GuardState, stateOf } from '../guard/state.ts';
import { atOnce } from '../model/in-parts.ts';
import type { Catalog } from '../model/catalog.ts';
import { type Rename, renamedGuarded } from './renamed-catalog.ts';

/** Renames of the plan that would make a guardrail broken by somebody who does not break it now. @param renamed the catalog after them. */
export function refusedRenames(
  rails: readonly Rail[],
  guarded: ReadonlyMap<string, GuardedReading>,
  catalog: Catalog,
  renamed: Catalog,
  renames: readonly Rename[],
): readonly Refusal[] {
  const real = renames.filter(({ from, role }) => from !== role);
  if (rails.length === 0 || real.length === 0) return [];
  const formerNames = new Map(real.map(({ from, role }) => [role, from]));
  const key = ({ rail, database }: Broken, who: string): string => JSON.stringify([rail.origin, rail.name, database, who]);
  const before = new Set(atOnce(brokenOf(stateOf(rails, guarded, catalog))).map((one) => key(one, one.who)));
  const fresh = atOnce(brokenOf(stateOf(rails, renamedGuarded(guarded, real), renamed))).filter(
    (one) => !before.has(key(one, formerNames.get(one.who) ?? one.who)),
  );
  const refused = new Map<string, Refusal>();
  for (const { rail, database, who, held, path } of fresh) {
    const onWay = real.filter(({ role }) => role === who || path.chain.includes(role));
    for (const change of onWay.length > 0 ? onWay : real)
      refused.set(keyOf(change), { change, guarded: [], ruled: [], rail, database, who, privilege: held.privilege, on: held.on, path });
  }
  for (const one of noLongerLeftOut(stateOf(rails, renamedGuarded(guarded, real), renamed), real)) refused.set(keyOf(one.change), one);
  return [...refused.values()];
}

/** Renames by which a guardrail leaves out a role no more, behind whom somebody is that it is against: a way more, also for whoever has another one already. */
const noLongerLeftOut = (state: GuardState, renames: readonly Rename[]): readonly Refusal[] =>
  state.rails.flatMap((rail) => {
    const those = renames.filter(({ from, role }) => rail.except.has(from) && !rail.except.has(role));
    return those.length === 0 ? [] : [...state.guarded.keys()].flatMap((database) => those.flatMap((change) => wayBy(state, rail, database, change) ?? []));
  });

function wayBy(state: GuardState, rail: Rail, database: string, change: Rename): Refusal | undefined {
  const reading = state.guarded.get(database);
  if (reading?.kind !== 'read' || !rail.isIn(state.databases.get(database) ?? { name: database })) return undefined;
  const realm = state.realmOf(database);
  const held = heldIn(rail, realm, database, reading.guarded);
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
      path: { ...path, chain: [...(who === change.role ? [] : [who]), ...path.chain] },
    }
  );
}

/** What else makes a change wait, and these. */
export const alsoDeferred = (isDeferred: (key: string) => boolean, refused: readonly { readonly change: Change }[]): ((key: string) => boolean) => {
  const keys = new Set(refused.map(({ change }) => keyOf(change)));
  return (key) => keys.has(key) || isDeferred(key);
};
