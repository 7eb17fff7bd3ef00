// Renames that would break a guardrail: what is said of names is true of others then. They are not made, and everything is planned as it is without them.
import { type Change, keyOf } from '../changes/change.ts';
import { type Broken, brokenOf } from '../guard/broken.ts';
import type { GuardedReading } from '../guard/guarded.ts';
import type { Rail } from '../guard/rails.ts';
import type { Refusal } from '../guard/refuse.ts';
import { stateOf } from '../guard/state.ts';
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
      refused.set(keyOf(change), { change, guarded: [], rail, database, who, privilege: held.privilege, on: held.on, path });
  }
  return [...refused.values()];
}

/** What else makes a change wait, and these. */
export const alsoDeferred = (isDeferred: (key: string) => boolean, refused: readonly { readonly change: Change }[]): ((key: string) => boolean) => {
  const keys = new Set(refused.map(({ change }) => keyOf(change)));
  return (key) => keys.has(key) || isDeferred(key);
};
