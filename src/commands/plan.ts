// plan: one look at the server, the plan, the end. Nothing is written anywhere.
import type { Config } from '../config.ts';
import { oneLine } from '../document/show.ts';
import { loansOf } from '../plan/loans.ts';
import { createConnections } from '../postgres/connection.ts';
import { whyNot } from '../postgres/outage-of.ts';
import { newlineWarnings } from '../steward/credentials.ts';
import { readAccess } from '../steward/read-access.ts';
import { livePlace, planOnce, type Planned, type PlanPlace } from '../steward/plan-once.ts';
import { serverOf } from '../steward/server.ts';
import { type PlanInputs, readPlanInputs } from './plan-inputs.ts';
import { accessOf, type AccessReader, type ShownAccess } from './plan-access.ts';
import { type Bound, boundOf } from './plan-bound.ts';
import { refuseOddFile } from './out-file.ts';
import { rendered } from './plan-output.ts';
import { scriptOf } from './plan-script.ts';
import { EXIT_CODES, type ViewInput, viewOf } from './plan-view.ts';
import { withProgress } from './progress.ts';
import { type SavedPlan, writeSavedPlan } from './saved-plan.ts';
import { settingsFrom } from './settings.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** A place to read, and how it is left. */
export interface OpenPlace {
  readonly place: PlanPlace;
  /** What it is called. */
  readonly address: ViewInput['address'];
  /** Where whole ACLs are read, for what is said of access. */
  readonly access: AccessReader;
  readonly close: () => Promise<void>;
}

/** Shows what would be done. @returns the exit code. @throws UsageError */
export async function plan(given: Given, self: Program): Promise<number> {
  const config = settingsFrom(given, self);
  const out = given.options.get('out');
  if (typeof out === 'string') await refuseOddFile(out, 'a plan is saved as a file of its own');
  const isOfSnapshot = given.options.has('snapshot') || given.options.has('snapshot-max-age');
  const fromSnapshot = isOfSnapshot ? await (await import('./plan-snapshot.ts')).openSnapshot(given, config, self, warning(self)) : undefined;
  const shown = await (fromSnapshot === undefined
    ? planFor(given, self, config, liveServer(config, self))
    : planFor(fromSnapshot.given, self, fromSnapshot.config, fromSnapshot.open).catch((error: unknown) => {
        throw fromSnapshot.refused(error);
      }));
  if (typeof out === 'string') await save(out, shown);
  await say(self.stdout, rendered(shown, given, self));
  return EXIT_CODES[shown.view.result];
}

/** A plan that was made just now; one that is for no document holds for nothing. */
export interface MadePlan extends Omit<SavedPlan, 'bound'> {
  readonly bound: Bound | undefined;
}

async function save(path: string, { bound, ...shown }: MadePlan): Promise<void> {
  if (bound !== undefined) return writeSavedPlan(path, { ...shown, bound });
  throw new UsageError('there is no plan to save: the document cannot be used, see pgsteward validate');
}

/** Reads document, Secrets and the place, and plans. The place is left afterwards. @throws UsageError */
export async function planFor(given: Given, self: Program, config: Config, { place, address, access, close }: OpenPlace): Promise<MadePlan> {
  try {
    const warn = warning(self);
    // It needs no document: the session is there by the time that one is read. What goes wrong with it is told by whoever waits for it.
    const asked = place.ledger();
    asked.catch(() => undefined);
    const inputs = await withProgress(self.stderr, 'reading the document and the Secrets', () => readPlanInputs(given, config, self, warn));
    try {
      const planned = await withProgress(self.stderr, 'reading the server', () => planFrom(inputs, { ...place, ledger: () => asked }));
      const isTold = SAYS_ACCESS.has(given.options.get('output')) || given.options.has('out');
      const told = isTold && planned !== undefined ? { access: await accessFrom(planned, access) } : {};
      const made = shownPlan(inputs, planned, address);
      return { ...made, view: { ...made.view, ...told } };
    } finally {
      await inputs.close();
    }
  } finally {
    await close();
  }
}

/** Outputs that say who gains and loses access; what is saved is shown in each of them. */
const SAYS_ACCESS: ReadonlySet<unknown> = new Set(['json', 'markdown']);

/** @throws UsageError where the server cannot be read. */
async function accessFrom({ changes }: Planned, access: AccessReader): Promise<ShownAccess> {
  try {
    return await accessOf(changes, access);
  } catch (error) {
    throw new UsageError(oneLine(whyNot(error).message));
  }
}

/** undefined where there is no document to plan for. @throws UsageError where the server cannot be read. */
export async function planFrom({ document, version, secrets, withSecrets }: PlanInputs, place: PlanPlace): Promise<Planned | undefined> {
  if (document === undefined) return undefined;
  try {
    return await planOnce(place, { document, version, secrets, withSecrets });
  } catch (error) {
    throw new UsageError(oneLine(whyNot(error).message));
  }
}

function shownPlan({ source, withSecrets, problems, within, version }: PlanInputs, planned: Planned | undefined, address: OpenPlace['address']): MadePlan {
  const warnings = planned === undefined ? [] : newlineWarnings(planned.input.document, planned.credentials);
  const view = viewOf({ source, withSecrets, problems: [...problems, ...warnings], within, planned, address });
  if (planned === undefined) return { view, script: [], bound: undefined };
  const { catalog, adminDatabase } = planned.input;
  const script = scriptOf(planned.changes, { adminDatabase, server: catalog.server, loans: loansOf(catalog, planned.changes) });
  return { view, script, bound: boundOf(planned.changes, planned, version) };
}

/** The server of the settings. */
export function liveServer(config: Config, self: Program): OpenPlace {
  const connections = createConnections(config.server, () => undefined);
  const { host, port, adminDatabase } = config.server;
  const server = serverOf(config, connections);
  return {
    place: livePlace(server, config.stateFile, warning(self)),
    address: { host, port, adminDatabase, snapshot: null },
    access: (isWanted, more) => readAccess(server, isWanted, more),
    close: () => connections.close(),
  };
}

export const warning =
  ({ stderr }: Program) =>
  (message: string): void =>
    void say(stderr, `pgsteward: ${oneLine(message)}\n`);
