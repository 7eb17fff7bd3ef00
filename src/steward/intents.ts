// Intents: work in other databases that was begun. Those whose work was done before a crash are closed once after a start, and after any such work.
import { type Change, databaseOf } from '../changes/change.ts';
import type { Plan } from '../plan/plan-input.ts';
import { closeFinishedIntents, intentKey } from '../postgres/run-release.ts';
import type { ApplyContext } from '../postgres/run.ts';

export interface Intents {
  /** Changes are about to be made: some of them may leave an intent. */
  open(changes: readonly Change[]): void;
  /** Closes what the plan no longer wants, where there is a ledger and any may be open. */
  close(plan: Plan, context: ApplyContext): Promise<void>;
}

export function createIntents(): Intents {
  let allClosed = false;
  return {
    open: (changes) => {
      if (changes.some((change) => databaseOf(change) !== '')) allClosed = false;
    },
    close: async (plan, context) => {
      if (allClosed || !context.ledger) return;
      const wanted = [...plan.changes, ...plan.deferred, ...[...plan.blocked, ...plan.refused].map((item) => item.change)];
      await closeFinishedIntents(new Set(wanted.map(intentKey)), context);
      allClosed = true;
    },
  };
}
