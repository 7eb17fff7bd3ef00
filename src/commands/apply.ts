// apply: one cycle as the daemon would do it, and the end; with a saved plan that one, or nothing.
import { styleText } from 'node:util';
import type { Config } from '../config.ts';
import { type Connections, createConnections } from '../postgres/connection.ts';
import { createResidents } from '../postgres/residents.ts';
import { type Approval, createApproval } from '../steward/approval.ts';
import { livePlace } from '../steward/plan-once.ts';
import { createReconciler } from '../steward/reconcile.ts';
import type { CycleReport } from '../steward/report.ts';
import { serverOf } from '../steward/server.ts';
import { type Outcomes, outcomesAsJson, outcomesAsText, resultOfOutcomes } from './outcome-view.ts';
import { planFrom, warning } from './plan.ts';
import { boundOf, whyStale } from './plan-bound.ts';
import { type PlanInputs, readPlanInputs } from './plan-inputs.ts';
import { COLOURS } from './plan-output.ts';
import { EXIT_CODES } from './plan-view.ts';
import { withProgress } from './progress.ts';
import { readSavedPlan, type SavedPlan } from './saved-plan.ts';
import { settingsFrom } from './settings.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';
import { asTheWriter } from './writer-term.ts';

/** Why nothing is done, although everything could be read. */
class Refused extends Error {}

/** @returns the exit code. @throws UsageError */
export async function apply(given: Given, self: Program): Promise<number> {
  const [file, ...more] = given.operands;
  if (more.length > 0) throw new UsageError('apply takes one saved plan, or none');
  const config = settingsFrom(given, self);
  try {
    if (config.dryRun) throw new Refused('DRY_RUN is set, and nothing is written');
    const saved = file === undefined ? undefined : await readSavedPlan(file);
    if (saved?.view.withSecrets === false) throw new Refused('the plan was made without Secrets; make one with them');
    const outcomes = await applied(given, self, config, saved);
    if (outcomes.report.result === 'paused') throw new Refused('the ConfigMap has the annotation pgsteward.dev/paused');
    await say(
      self.stdout,
      given.options.get('output') === 'json'
        ? outcomesAsJson(outcomes)
        : outcomesAsText(outcomes, (meaning, line) => styleText(COLOURS[meaning], line, { stream: self.stdout })),
    );
    return EXIT_CODES[resultOfOutcomes(outcomes)];
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    await say(self.stderr, `pgsteward: nothing was done: ${error.message}\n`);
    return EXIT_CODES.refused;
  }
}

async function applied(given: Given, self: Program, config: Config, saved: SavedPlan | undefined): Promise<Outcomes> {
  const { stderr } = self;
  const inputs = await withProgress(stderr, 'reading the document and the Secrets', () => readPlanInputs(given, config, self, warning(self)));
  const connections = createConnections(config.server, () => undefined);
  try {
    if (saved !== undefined) await withProgress(stderr, 'looking whether the plan still holds', () => expectHolds(saved, inputs, config, connections, self));
    return await withProgress(stderr, 'applying', () => oneCycle(inputs, config, connections, self, saved));
  } finally {
    await connections.close();
    await inputs.close();
  }
}

/** Before anything is written, the ledger included. @throws Refused */
async function expectHolds(saved: SavedPlan, inputs: PlanInputs, config: Config, connections: Connections, self: Program): Promise<void> {
  const planned = await planFrom(inputs, livePlace(serverOf(config, connections), config.stateFile, warning(self)));
  refuse(planned === undefined ? 'the document cannot be used' : whyStale(saved.bound, boundOf(planned.changes, planned, inputs.version)));
}

function refuse(why: string | undefined): void {
  if (why !== undefined) throw new Refused(`the plan does not hold any longer: ${why}; make it anew`);
}

async function oneCycle(inputs: PlanInputs, config: Config, connections: Connections, self: Program, saved: SavedPlan | undefined): Promise<Outcomes> {
  let refused: unknown;
  const approval =
    saved &&
    createApproval((planned, found, documentHash) => {
      const isLedgerNew = planned.some(({ kind }) => kind === 'prepare_ledger');
      try {
        refuse(whyStale(saved.bound, boundOf(planned, found, documentHash), isLedgerNew));
      } catch (error) {
        refused = error;
        throw error;
      }
    });
  const report = await asTheWriter(config, connections, self, (fence, signal) => cycle(inputs, config, connections, self, approval, fence, signal));
  if (refused !== undefined) throw refused as Error;
  return { report, left: approval?.left ?? [], within: inputs.within };
}

function cycle(
  { ports, many }: PlanInputs,
  config: Config,
  connections: Connections,
  self: Program,
  approval: Approval | undefined,
  fence: string,
  signal: AbortSignal,
): Promise<CycleReport> {
  const reconciler = createReconciler({
    // A plan is made without logins that try passwords.
    config: approval === undefined ? config : { ...config, passwordProbe: 'off' },
    ports,
    many,
    connections,
    residents: createResidents({ connections, max: 0, onHeard: () => undefined }),
    approval,
    log: { warn: warning(self) },
    onProgress: () => undefined,
  });
  return reconciler.cycle(fence, signal);
}
