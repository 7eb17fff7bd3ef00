// plan: one look at the server, the plan, the end. Nothing is written anywhere.
import { styleText } from 'node:util';
import type { Config } from '../config.ts';
import { oneLine } from '../document/show.ts';
import { loansOf } from '../plan/loans.ts';
import { createConnections } from '../postgres/connection.ts';
import { whyNot } from '../postgres/outage-of.ts';
import { newlineWarnings } from '../steward/credentials.ts';
import { livePlace, planOnce, type Planned, type PlanPlace } from '../steward/plan-once.ts';
import { serverOf } from '../steward/server.ts';
import { type PlanInputs, readPlanInputs } from './plan-inputs.ts';
import { asJson } from './plan-json.ts';
import { asMarkdown } from './plan-markdown.ts';
import { type ScriptPart, scriptOf } from './plan-script.ts';
import { asSql } from './plan-sql.ts';
import { asText, type PlanPaint } from './plan-text.ts';
import { EXIT_CODES, type PlanView, viewOf } from './plan-view.ts';
import { withProgress } from './progress.ts';
import { settingsFrom } from './settings.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** A plan with everything that an output needs. */
export interface ShownPlan {
  readonly view: PlanView;
  readonly script: readonly ScriptPart[];
}

/** A place to read, and how it is left. */
export interface OpenPlace {
  readonly place: PlanPlace;
  /** What it is called. */
  readonly address: { readonly host: string; readonly port: number; readonly adminDatabase: string };
  readonly close: () => Promise<void>;
}

/** Shows what would be done. @returns the exit code. @throws UsageError */
export async function plan(given: Given, self: Program): Promise<number> {
  const config = settingsFrom(given, self);
  const shown = await planFor(given, self, config, liveServer(config, self));
  await say(self.stdout, rendered(shown, given, self));
  return EXIT_CODES[shown.view.result];
}

/** Reads document, Secrets and the place, and plans. The place is left afterwards. @throws UsageError */
export async function planFor(given: Given, self: Program, config: Config, { place, address, close }: OpenPlace): Promise<ShownPlan> {
  try {
    const warn = warning(self);
    const inputs = await withProgress(self.stderr, 'reading the document and the Secrets', () => readPlanInputs(given, config, self, warn));
    try {
      const planned = await withProgress(self.stderr, 'reading the server', () => planFrom(inputs, place));
      return shownPlan(inputs, planned, address);
    } finally {
      await inputs.close();
    }
  } finally {
    await close();
  }
}

/** undefined where there is no document to plan for. @throws UsageError where the server cannot be read. */
async function planFrom({ document, version, secrets, withSecrets }: PlanInputs, place: PlanPlace): Promise<Planned | undefined> {
  if (document === undefined) return undefined;
  try {
    return await planOnce(place, { document, version, secrets, withSecrets });
  } catch (error) {
    throw new UsageError(oneLine(whyNot(error).message));
  }
}

function shownPlan({ source, withSecrets, problems, within }: PlanInputs, planned: Planned | undefined, address: OpenPlace['address']): ShownPlan {
  const warnings = planned === undefined ? [] : newlineWarnings(planned.input.document, planned.credentials);
  const view = viewOf({ source, withSecrets, problems: [...problems, ...warnings], within, planned, address });
  if (planned === undefined) return { view, script: [] };
  const { catalog, adminDatabase } = planned.input;
  return { view, script: scriptOf(planned.changes, { adminDatabase, server: catalog.server, loans: loansOf(catalog, planned.changes) }) };
}

/** The server of the settings. */
function liveServer(config: Config, self: Program): OpenPlace {
  const connections = createConnections(config.server, () => undefined);
  const { host, port, adminDatabase } = config.server;
  return {
    place: livePlace(serverOf(config, connections), config.stateFile, warning(self)),
    address: { host, port, adminDatabase },
    close: () => connections.close(),
  };
}

const warning =
  ({ stderr }: Program) =>
  (message: string): void =>
    void say(stderr, `pgsteward: ${oneLine(message)}\n`);

/** A file takes names as they are. To a terminal some of their characters are commands. */
const forStream = (text: string, stdout: Program['stdout']): string =>
  'isTTY' in stdout && stdout.isTTY === true ? text.split('\n').map(oneLine).join('\n') : text;

const COLOURS = { loss: 'red', gain: 'green', warning: 'yellow', heading: 'bold' } as const;

/** What an output says of a plan. */
export function rendered({ view, script }: ShownPlan, { options }: Pick<Given, 'options'>, { stdout }: Pick<Program, 'stdout'>): string {
  const isFull = options.has('full');
  const paint: PlanPaint = (meaning, line) => styleText(COLOURS[meaning], line, { stream: stdout });
  switch (options.get('output')) {
    case 'json':
      return asJson(view);
    case 'sql':
      return forStream(asSql(view, script), stdout);
    case 'markdown':
      return asMarkdown(view, isFull);
    default:
      return asText(view, paint, isFull);
  }
}
