// Approval: what somebody agreed to beforehand. A cycle with one does that and nothing else.
import type { Change } from '../changes/change.ts';
import { effectOf } from '../changes/effect.ts';
import type { Plan } from '../plan/plan-input.ts';
import type { ForPlan } from './read-for-plan.ts';

export interface Approval {
  /**
   * Looks at the first plan of the cycle, before anything of it is done.
   * @param planned what a dry run would say of it.
   * @param documentHash of the document that it is for.
   * @throws where it is not what was agreed to: then nothing is done.
   */
  check(planned: readonly Change[], found: ForPlan, documentHash: string): void;
  /** The plan with what was agreed to; the rest waits. */
  only(plan: Plan): Plan;
  /** What the last plan wanted beside that. */
  readonly left: readonly Change[];
}

/** @param refuse throws where the first plan is another one. */
export function createApproval(refuse: Approval['check']): Approval {
  let agreed: ReadonlySet<string> = new Set();
  let left: readonly Change[] = [];
  return {
    check: (planned, found, documentHash) => {
      refuse(planned, found, documentHash);
      agreed = new Set(planned.map(effectOf));
    },
    only: (plan) => {
      const isAgreed = (change: Change): boolean => agreed.has(effectOf(change));
      left = plan.changes.filter((change) => !isAgreed(change));
      return { ...plan, changes: plan.changes.filter(isAgreed), deferred: [...plan.deferred, ...left] };
    },
    get left() {
      return left;
    },
  };
}
