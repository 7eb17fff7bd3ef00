// A plan without what a guardrail refuses: in rounds, as what is refused takes what needs it along, until nothing more is.
import { type Change, groupKeyOf, namesOf, splitNames } from '../changes/change.ts';
import { brokenOf } from '../guard/broken.ts';
import { isFollowing, type Refusal, refusedOf } from '../guard/refuse.ts';
import { stateOf } from '../guard/state.ts';
import { nameKey } from '../model/contents.ts';
import type { InParts, Pace } from '../model/in-parts.ts';
import type { Plan, PlanInput } from './plan-input.ts';
import { sift } from './plan-order.ts';

type Guarded = Pick<Plan, 'changes' | 'blocked' | 'deferred' | 'refused' | 'broken'>;

/** Sifts what is in order, and takes out what is refused. */
export function* siftGuarded(ordered: readonly Change[], input: PlanInput, pace: Pace): InParts<Guarded> {
  const { guard, catalog } = input;
  if (guard === undefined) return { ...(yield* sift(ordered, input, pace)), refused: [], broken: [] };
  const state = stateOf(guard.rails, guard.guarded, catalog);
  const refused: Refusal[] = [];
  const taken = new Map<string, Set<string> | 'whole'>();
  const apart = new Map<string, readonly string[]>();
  for (;;) {
    const left = ordered.flatMap((change) => takenApart(change, apart)).flatMap((change) => outside(change, taken));
    const sifted = yield* sift(
      left,
      input,
      pace,
      refused.map(({ change }) => change),
    );
    const found = yield* refusedOf(state, sifted.changes, pace);
    if (found.length === 0) return { ...sifted, refused: [...guard.refused, ...refused], broken: yield* brokenOf(state, pace) };
    for (const refusal of found) {
      const { change, guarded: privileges } = refusal;
      // What is granted beside it is another change, and the next round has only this one.
      if ('privileges' in change && privileges.length > 0 && privileges.length < change.privileges.length) apart.set(groupKeyOf(change), privileges);
      else {
        refused.push(refusal);
        take(taken, change);
      }
    }
  }
}

/**
 * The input once more, without the rules of those roles for which an event trigger's rules were refused: one that follows nobody's new rules would go on with
 * the old ones, also with those that were taken away. @returns undefined where there are none further.
 */
export function withoutRefusedRules(input: PlanInput, { refused }: Pick<Plan, 'refused'>): PlanInput | undefined {
  const unfollowed = new Map(input.unfollowed);
  const fresh = refused.filter((one) => {
    if (!isFollowing(one.change)) return false;
    const { database } = one.change;
    const before = unfollowed.get(database) ?? new Set();
    unfollowed.set(database, before.union(new Set(one.ruled)));
    return one.ruled.some((role) => !before.has(role));
  });
  if (input.guard === undefined || fresh.length === 0) return undefined;
  return { ...input, guard: { ...input.guard, refused: [...input.guard.refused, ...fresh] }, unfollowed };
}

function take(taken: Map<string, Set<string> | 'whole'>, change: Change): void {
  const key = groupKeyOf(change);
  const before = taken.get(key);
  const names = namesOf(change).map(nameKey);
  if (names.length === 0 || before === 'whole') taken.set(key, 'whole');
  else taken.set(key, new Set([...(before ?? []), ...names]));
}

/** A grant of several privileges as two, where only some are guarded. */
function takenApart(change: Change, apart: ReadonlyMap<string, readonly string[]>): readonly Change[] {
  const guarded = apart.size === 0 || !('privileges' in change) ? undefined : apart.get(groupKeyOf(change));
  if (guarded === undefined || !('privileges' in change)) return [change];
  const parts = [change.privileges.filter((privilege) => guarded.includes(privilege)), change.privileges.filter((privilege) => !guarded.includes(privilege))];
  return parts.flatMap((privileges) => takenApart({ ...change, privileges }, apart));
}

/** What of a change is not refused. */
function outside(change: Change, taken: ReadonlyMap<string, ReadonlySet<string> | 'whole'>): readonly Change[] {
  const names = taken.size === 0 ? undefined : taken.get(groupKeyOf(change));
  if (names === undefined) return [change];
  if (names === 'whole') return [];
  return [splitNames(change, (name) => names.has(nameKey(name))).outside ?? []].flat();
}
