// Planner: what was planned last stands for the next plan, so that a small change is not planned as everything is.
import { isDeepStrictEqual } from 'node:util';
import { betweenParts, inTurns } from '../async/in-turns.ts';
import { narrowed, type Quiet, quietOf, widened } from '../plan/narrow.ts';
import { planOf } from '../plan/plan.ts';
import type { Plan, PlanInput } from '../plan/plan-input.ts';

export interface Planner {
  /** @param isWhole whether all of it is to be planned, whatever is known. */
  plan(input: PlanInput, isWhole: boolean): Promise<Plan>;
  /** Whether all of it was planned the last time. */
  readonly isSure: boolean;
  /** All of it is planned the next time. */
  forget(): void;
}

/** One for the life of a process. @param proves for tests: all of it is planned each time, and has to be the same. */
export function createPlanner(proves = false): Planner {
  let quiet: Quiet | undefined;
  let isSure = true;
  const partOf = async (input: PlanInput): Promise<Plan | undefined> => {
    const before = quiet;
    await betweenParts();
    const part = before === undefined ? undefined : narrowed(before, input);
    await betweenParts();
    return before === undefined || part === undefined ? undefined : widened(before, await inTurns(planOf(part)));
  };
  return {
    plan: async (input, isWhole) => {
      const part = isWhole && !proves ? undefined : await partOf(input);
      isSure = part === undefined || proves;
      const plan = part === undefined || proves ? await inTurns(planOf(input)) : part;
      if (part !== undefined && !isDeepStrictEqual(part, plan)) throw new Error('a part of the plan is not what the plan of everything says');
      // What it was compared with stays until there is a later one to compare with.
      quiet = quietOf(input, plan) ?? quiet;
      return plan;
    },
    get isSure() {
      return isSure;
    },
    forget: () => {
      quiet = undefined;
    },
  };
}
