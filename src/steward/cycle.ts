// Cycle: what one does reads here from top to bottom, from the source to what it found.
import type { Change } from '../changes/change.ts';
import { isInKubernetes } from '../changes/table.ts';
import { betweenParts } from '../async/in-turns.ts';
import type { ManagedRole } from '../model/catalog.ts';
import { nextStep } from '../plan/secrets/secret-plan.ts';
import { databasesWithTrigger } from '../plan/triggers/plan-trigger.ts';
import { applyPlan } from '../postgres/apply.ts';
import type { ApplyContext, Outcome } from '../postgres/run.ts';
import { type Applied, type AppliedParts, createApplied } from './applied.ts';
import { applyContext } from './apply-context.ts';
import type { Approval } from './approval.ts';
import { appliedDigests } from './drift.ts';
import { failureNotices } from './failure-notices.ts';
import type { Hearing } from './hearing.ts';
import type { Inputs } from './inputs.ts';
import type { Intents } from './intents.ts';
import { withRows } from './memory.ts';
import { type Begun, type Pass, type PassParts, readPass } from './pass.ts';
import { foreseen, preview } from './preview.ts';
import { correctedRows } from './managed-rows.ts';
import type { CycleReport } from './report.ts';
import type { AuditHead } from './audit-stand.ts';
import type { Revisions } from './revisions.ts';
import { foundBy, fromInputs, isQuiet, openedBy, type Opening, quietly, resultOf } from './report-parts.ts';

export interface CycleParts extends PassParts, AppliedParts {
  readonly hearing: Hearing;
  readonly intents: Intents;
  readonly revisions: Revisions;
  readonly auditHead: AuditHead;
  /** undefined where whatever is planned is done. */
  readonly approval?: Approval | undefined;
}

/** Plans are made and applied at most this often in a cycle: what one pass uncovers, the next mends. */
const PASSES = 7;

/**
 * Runs one cycle.
 * @param writer the fence to write under; undefined in a dry run.
 * @param focus the databases to look at again; undefined for all.
 */
export async function runCycle(
  parts: CycleParts,
  writer: string | undefined,
  focus: ReadonlySet<string> | undefined,
  signal: AbortSignal,
): Promise<Partial<CycleReport>> {
  const { hearing, look, probes, memory, backoff, repeats, keeper, planner, retried, onProgress } = parts;
  probes.begin(focus === undefined);
  const asked = hearing.last?.requests?.reconcileAt;
  const inputs = await hearing.read(writer, signal);
  // Who asks for a look means all of it, whatever is known.
  if (inputs.requests?.reconcileAt !== asked) {
    keeper.forget();
    planner.forget();
  }
  onProgress();
  const declared = inputs.document;
  // Paused: whatever writes needs a fence, and there is none.
  const fence = inputs.requests?.paused === true ? undefined : writer;
  if (declared === undefined) return { ...fromInputs(inputs), result: 'waiting' };
  if (look.heed(versionOf(parts, inputs))) {
    backoff.clear();
    repeats.forget();
  }
  // What was planned in part is planned as a whole when everything is looked at.
  const unchanged = focus === undefined && !planner.isSure ? undefined : await look.unchanged(focus);
  if (unchanged !== undefined && !(await probes.sweep())) {
    if (fence !== undefined) await memory.saveAgain();
    return { ...unchanged, unchanged: true };
  }
  look.forget();
  const ledger = await retried(() => memory.prepareLedger(fence !== undefined), signal);
  const begun: Begun = { declared, inputs, focus, plansAll: focus === undefined, signal, ledger };
  return fence === undefined ? preview(parts, begun, writer === undefined ? 'dry_run' : 'paused') : converge(parts, begun, fence);
}

/** Of everything that is not on the server. */
const versionOf = ({ hearing, server }: CycleParts, inputs: Inputs): string => JSON.stringify([hearing.version(inputs), server.policy.renewal?.version ?? '']);

/** Reads, plans and applies until nothing is left to do. */
async function converge(parts: CycleParts, begun: Begun, fence: string): Promise<Partial<CycleReport>> {
  const { look, memory, intents, revisions, auditHead, retried } = parts;
  const { inputs, signal } = begun;
  await auditHead.begin(fence);
  const applied = createApplied(begun.ledger, parts);
  let { focus } = begun;
  let first: Opening | undefined;
  for (let count = 1; ; count += 1) {
    const pass = await approved(parts, { ...begun, focus, plansAll: begun.plansAll && count === 1 }, count === 1);
    first ??= openedBy(begun, pass);
    const { again, fresh } = applied.split(pass.plan.changes);
    const changes = count > PASSES ? [] : fresh;
    const revision = await retried(() => revisions.record(begun.declared, inputs, fence, memory.hasLedger), signal);
    await betweenParts();
    const rows = await remember(parts, pass, changes, fence, signal);
    await betweenParts();
    const context = applyContext(parts, pass, { inputs, revision, fence, signal });
    await intents.close(pass.plan, context);
    const next = nextStep(changes, again, pass.input.document);
    if (next.length === 0) return conclude(parts, inputs, first, pass, rows, applied);
    const outcomes = await apply(parts, next, pass, context);
    applied.add(outcomes);
    memory.note(pass.recorded, outcomes, pass.input.catalog.server.place, pass.input.document);
    look.heed(versionOf(parts, inputs));
    focus = undefined;
  }
}

/** A pass, of which only what was agreed to is done, where somebody has to agree. @throws where the first is not what was agreed to. */
async function approved(parts: CycleParts, begun: Begun, isFirst: boolean): Promise<Pass> {
  const pass = await readPass(parts, begun);
  const { approval } = parts;
  if (approval === undefined) return pass;
  if (isFirst) approval.check([...begun.ledger, ...(await foreseen(parts, begun, pass))], pass, begun.inputs.followed?.hash ?? '');
  return { ...pass, plan: approval.only(pass.plan) };
}

/** Writes what the ledger lacks, and where event triggers will be, before anything is done. @returns the rows that say something else by now. */
async function remember(
  { memory, retried }: CycleParts,
  { plan, input, snapshot, recorded, unwitnessed }: Pass,
  changes: readonly Change[],
  fence: string,
  signal: AbortSignal,
): Promise<readonly ManagedRole[]> {
  const { document, catalog, readings } = input;
  const { place } = catalog.server;
  // Those that get another name have a change of their own, and are looked at again after it.
  const rows = correctedRows({ ...catalog, managed: recorded }, plan.entities, document, unwitnessed);
  const imported = new Map(snapshot.imported.map((role) => [role.name, role]));
  await retried(() => memory.write([...withRows(imported, rows).values()], fence, place), signal);
  await retried(() => memory.rememberTriggers(catalog.triggerDatabases, databasesWithTrigger(catalog, readings, changes), fence), signal);
  return rows;
}

const apply = ({ secrets, intents }: CycleParts, changes: readonly Change[], { input, credentials }: Pass, context: ApplyContext): Promise<Outcome[]> => {
  intents.open(changes);
  const inKubernetes = changes.filter(isInKubernetes);
  return inKubernetes.length > 0 ? secrets.write(inKubernetes, input.document, credentials, input.catalog.server.now, context) : applyPlan(changes, context);
};

/** Nothing is left to do: what holds by now is remembered, and what was found. */
async function conclude(
  parts: CycleParts,
  inputs: Inputs,
  first: Opening,
  pass: Pass,
  rows: readonly ManagedRole[],
  applied: Applied,
): Promise<Partial<CycleReport>> {
  const { databases, memory, secrets, look } = parts;
  const {
    plan,
    input: { document, catalog },
  } = pass;
  const { outcomes } = applied;
  applied.end();
  databases.settle(plan);
  const notices = [...plan.notices, ...failureNotices(outcomes, plan, catalog.server, secrets.lastFailure), ...applied.notices];
  await betweenParts();
  await memory.save(withRows(pass.recorded, rows), document, appliedDigests(document, plan, outcomes, memory.digests), catalog.server.place);
  const report = { ...foundBy(inputs, first, pass), outcomes, notices, result: resultOf(inputs, notices, outcomes) };
  if (memory.isPrepared && isQuiet(pass, notices)) await look.settle(quietly(report));
  return report;
}
