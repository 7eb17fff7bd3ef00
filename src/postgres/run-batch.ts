// Running a batch: one transaction, and where it fails, taken apart until the culprit stands alone.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Witness } from '../core/catalog.ts';
import { type Change, databaseKey, forNames, keyOf, namesOf, neededDatabase, neededTrigger, rolesOf, triggerKey } from '../core/change.ts';
import type { Credential } from '../core/passwords.ts';
import { REMOVAL_STEPS } from '../core/plan.ts';
import { renderBatch, type RenderOptions, statementKey } from '../core/sql.ts';
import type { Connections } from './connection.ts';
import { classify, describeFailure, type FailureClass } from './failures.ts';
import { auditSql, LOCK_CLASS, managedRoleSql } from './ledger-write.ts';
import { beginSql, type Timeouts } from './transaction.ts';
import { WRITES } from './writer-lock.ts';

export interface ApplyContext extends Timeouts {
  readonly connections: Connections;
  readonly adminDatabase: string;
  readonly superuser: boolean;
  readonly render: RenderOptions;
  readonly source: string;
  readonly why: string;
  /** Whether the ledger is there to write to. */
  readonly ledger: boolean;
  readonly fence: string;
  readonly scramIterations: number;
  readonly credentialOf: (role: string) => { readonly credential: Credential; readonly version: string } | undefined;
  /** Sessions that set passwords side by side: the server computes a PBKDF2 of its own for each. */
  readonly workers: number;
  /** Databases that are worked on side by side. */
  readonly sessions: number;
  /** Whether the failure of a change is news, and so worth a row of the audit log. */
  readonly isNewFailure: (key: string) => boolean;
  readonly signal: AbortSignal;
  readonly onProgress: () => void;
}

export type Outcome =
  | { readonly change: Change; readonly result: 'applied'; readonly witness?: Witness | undefined }
  | { readonly change: Change; readonly result: 'failed'; readonly class: FailureClass; readonly message: string }
  | { readonly change: Change; readonly result: 'skipped'; readonly message: string };

/** More than this in one transaction can exhaust the server's lock table. */
const BATCH = 1000;
/** What one plan's batches share. */
export interface Run {
  readonly context: ApplyContext;
  readonly outcomes: Outcome[];
  /** Roles and databases that could not be created or released: what needs them is not tried. */
  readonly failed: Set<string>;
}

/** Verifiers and witnesses of the passwords that a batch sets. */
export type Secrets = ReadonlyMap<string, { readonly verifier: string; readonly witness: Witness }>;

/** Where a batch is sent: one transaction that changes everything in it or nothing. */
export type Send = (batch: readonly Change[]) => Promise<unknown>;

/** Batches of at most 1,000 changes and, as a GRANT locks every table that it names from 18 on, about as many objects. */
export function batches(changes: readonly Change[]): Change[][] {
  const result: Change[][] = [];
  let objects = 0;
  let lastKey: string | undefined;
  for (const change of changes) {
    const key = namesOf(change).length > 1 ? statementKey(change) : undefined;
    const more = key !== undefined && key === lastKey ? 0 : Math.max(1, namesOf(change).length);
    lastKey = key;
    const last = result.at(-1);
    if (last === undefined || last.length >= BATCH || objects + more > BATCH) {
      result.push([change]);
      objects = more;
    } else {
      last.push(change);
      objects += more;
    }
  }
  return result;
}

/** Sends a batch to the admin database, with what is remembered of it in the same transaction. */
export const inAdminDatabase =
  (context: ApplyContext, secrets: Secrets = new Map()): Send =>
  (batch) =>
    context.connections.withAdmin((client) => client.query(batchSql(batch, secrets, context)));

/**
 * Runs a batch; its outcomes go into the run.
 * @throws when the session breaks, the server is read-only or the writer's lock is lost.
 */
export async function runBatch(run: Run, batch: readonly Change[], send: Send, secrets: Secrets = new Map(), attempt = 1): Promise<void> {
  const { context } = run;
  context.signal.throwIfAborted();
  context.onProgress();
  const left = batch.filter((change) => !skips(run, change));
  if (left.length === 0) return;
  const ready = left.length === batch.length ? batch : left;
  try {
    await send(ready);
    for (const change of ready)
      run.outcomes.push({ change, result: 'applied', witness: change.kind === 'set_password' ? secrets.get(change.role)?.witness : undefined });
  } catch (error) {
    const failure = classify(error);
    if (context.signal.aborted || failure === 'connection' || failure === 'readonly' || failure === 'fenced') throw error;
    // A lock or statement timeout is not repeated with the whole batch: it would hold everybody up once more.
    const code = (error as { code?: string }).code;
    if (failure === 'retry' && code !== '55P03' && code !== '57014' && attempt < 4) {
      await sleep(50 * 2 ** attempt * (0.5 + Math.random()), undefined, { signal: context.signal });
      return runBatch(run, ready, send, secrets, attempt + 1);
    }
    const halves = halved(ready);
    if (halves === undefined) return fail(run, ready[0] as Change, failure, error);
    for (const half of halves) await runBatch(run, half, send, secrets);
  }
}

/** Two batches of half the size: of changes, and for one change of the objects that it names. Undefined for what stands alone. */
function halved(batch: readonly Change[]): readonly (readonly Change[])[] | undefined {
  const [only] = batch;
  if (only === undefined) return undefined;
  const whole = batch.length > 1 ? batch : namesOf(only);
  if (whole.length < 2) return undefined;
  const middle = Math.ceil(whole.length / 2);
  if (batch.length > 1) return [batch.slice(0, middle), batch.slice(middle)];
  return [[forNames(only, namesOf(only).slice(0, middle))], [forNames(only, namesOf(only).slice(middle))]];
}

/** Records a change that cannot work because something before it did not. */
export function skips(run: Run, change: Change): boolean {
  const missing =
    rolesOf(change).find((role) => run.failed.has(role)) ??
    (run.failed.has(databaseKey(neededDatabase(change))) ? `database ${neededDatabase(change)}` : undefined) ??
    (run.failed.has(neededTrigger(change) ?? '') ? 'its event trigger' : undefined);
  if (missing === undefined) return false;
  run.outcomes.push({ change, result: 'skipped', message: `waits for ${missing}, whose earlier step failed` });
  return true;
}

/** Records a failure, and audits it where it is news. */
export async function fail(run: Run, change: Change, failure: FailureClass, error: unknown): Promise<void> {
  const message = describeFailure(error);
  run.outcomes.push({ change, result: 'failed', class: failure, message });
  if (change.kind === 'create_role' || REMOVAL_STEPS.has(change.kind)) for (const role of rolesOf(change)) run.failed.add(role);
  if (change.kind === 'create_database') run.failed.add(databaseKey(change.database));
  if (change.kind === 'install_event_trigger') run.failed.add(triggerKey(change.database));
  const { context } = run;
  if (!context.ledger || !context.isNewFailure(keyOf(change))) return;
  const text = [beginSql(context), context.fence, ...auditSql([{ change, outcome: 'failed', detail: message }], ledgerFacts(context)), 'COMMIT'].join(';\n');
  await context.connections.withAdmin(async (client) => client.query(text)).catch(() => undefined);
}

export const ledgerFacts = (context: Pick<ApplyContext, 'source' | 'why' | 'render'>, secrets: Secrets = new Map()) => ({
  source: context.source,
  why: context.why,
  render: context.render,
  witnessOf: (role: string) => secrets.get(role)?.witness,
});

/** One message, one transaction: the changes, what is remembered of them, and their audit. */
export function batchSql(changes: readonly Change[], secrets: Secrets, context: ApplyContext): string {
  const facts = ledgerFacts(context, secrets);
  return [
    beginSql(context),
    context.fence,
    `SELECT pg_advisory_xact_lock_shared(${LOCK_CLASS}, ${WRITES})`,
    // From 16 on a CREATEROLE admin gets the rights of a role that it makes only by this.
    ...(context.superuser || context.render.major < 16 ? [] : ["SET LOCAL createrole_self_grant = 'set, inherit'"]),
    ...renderBatch(changes, { ...context.render, verifierOf: (role) => secrets.get(role)?.verifier }),
    ...(context.ledger ? managedRoleSql(changes, facts) : []),
    ...(context.ledger
      ? auditSql(
          changes.map((change) => ({ change, outcome: 'applied' as const })),
          facts,
        )
      : []),
    'COMMIT',
  ].join(';\n');
}
