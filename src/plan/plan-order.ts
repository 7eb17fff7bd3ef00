// The order of a plan, and what of it cannot be done or has to wait.
import { abilityOf } from './ability.ts';
import { type Change, forNames, keyOf, neededDatabase, rolesOf, splitNames, subjectOf } from '../changes/change.ts';
import { definitionOf, rankOf } from '../changes/table.ts';
import { type InParts, type Pace, sortedInParts } from '../model/in-parts.ts';
import type { Inability } from '../changes/inability.ts';
import type { Plan, PlanInput } from './plan-input.ts';
import type { ObjectName } from '../model/contents.ts';
import { statementKey } from '../changes/render.ts';

/** By kind, and within a kind those together that can share a statement. */
export function* inOrder(changes: readonly Change[], pace: Pace): InParts<Change[]> {
  const keyed: { readonly change: Change; readonly index: number; readonly rank: number; readonly statement: string }[] = [];
  for (const [index, change] of changes.entries()) {
    keyed.push({ change, index, rank: rankOf(change), statement: statementKey(change) ?? '' });
    if (pace(1)) yield;
  }
  const byPlace = (a: (typeof keyed)[number], b: (typeof keyed)[number]): number =>
    a.rank - b.rank || (a.statement < b.statement ? -1 : a.statement > b.statement ? 1 : a.index - b.index);
  return (yield* sortedInParts(keyed, byPlace, pace)).map((item) => item.change);
}

/** Takes out what cannot be done or has to wait, and with a role that is not created everything that needs it. @param refused what is not done whatever else is. */
export function* sift(
  changes: readonly Change[],
  input: PlanInput,
  pace: Pace,
  refused: readonly Change[] = [],
): InParts<Pick<Plan, 'changes' | 'blocked' | 'deferred'>> {
  const ability = abilityOf(input.catalog, changes);
  const stuck = new Set<string>();
  const stuckFrom = refusedSteps(refused);
  const exists = new Set<string>(input.catalog.cluster.roles.keys());
  /** Databases that the plan has to make first, and does not make now. */
  const missing = new Set([...changes, ...refused].flatMap((change) => (change.kind === 'create_database' ? [change.database] : [])));
  const result = { changes: [] as Change[], blocked: [] as { change: Change; inability: Inability }[], deferred: [] as Change[] };
  for (const change of changes) {
    if (pace(1)) yield;
    const inability = ability(change);
    const { removes } = definitionOf(change);
    const unmet = rolesOf(change).some((role) => !exists.has(role)) || missing.has(neededDatabase(change));
    const isWaiting = (name: ObjectName): boolean => input.isDeferred(keyOf(forNames(change, [name])));
    const parts = inability === undefined && input.anyDeferred ? splitNames(change, isWaiting) : { inside: undefined, outside: change };
    if (parts.inside !== undefined && parts.outside !== undefined) {
      result.deferred.push(parts.inside);
      result.changes.push(parts.outside);
      continue;
    }
    const isStuck = removes === 'in turn' && (stuck.has(subjectOf(change)) || rankOf(change) >= (stuckFrom.get(subjectOf(change)) ?? Number.POSITIVE_INFINITY));
    const waits = parts.inside !== undefined || (input.anyDeferred && input.isDeferred(keyOf(change))) || unmet || isStuck;
    const held = inability !== undefined || waits;
    if (change.kind === 'create_role' && !held) exists.add(change.role);
    if (change.kind === 'create_database' && !held) missing.delete(change.database);
    if (removes !== undefined && held) stuck.add(subjectOf(change));
    if (inability !== undefined) result.blocked.push({ change, inability });
    else if (waits) result.deferred.push(change);
    else result.changes.push(change);
  }
  return result;
}

/** From which step on a removal waits: what comes before, as the end of a login, takes away and goes on. */
function refusedSteps(refused: readonly Change[]): ReadonlyMap<string, number> {
  const steps = new Map<string, number>();
  for (const change of refused)
    if (definitionOf(change).removes !== undefined)
      steps.set(subjectOf(change), Math.min(rankOf(change), steps.get(subjectOf(change)) ?? Number.POSITIVE_INFINITY));
  return steps;
}
