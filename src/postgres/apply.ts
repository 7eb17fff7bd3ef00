// Apply: a plan's changes in batches of one transaction each, with what is remembered of them, and a failing batch taken apart until the
// culprit stands alone.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Witness } from '../core/catalog.ts';
import { type Change, type ChangeKind, keyOf, rolesOf } from '../core/change.ts';
import { type Credential, verifierFor, witnessOf } from '../core/passwords.ts';
import { REMOVAL_STEPS } from '../core/plan.ts';
import { renderBatch, type RenderOptions } from '../core/sql.ts';
import type { Connections } from './connection.ts';
import { classify, describeFailure, type FailureClass } from './failures.ts';
import { auditSql, LOCK_CLASS, managedRoleSql } from './ledger-write.ts';
import { releaseElsewhere } from './release.ts';
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
/** Small, as the server takes 1.5 ms for each password and a batch should fit well into the statement timeout. */
const PASSWORD_BATCH = 100;

const ALONE: ReadonlySet<ChangeKind> = new Set(['end_sessions', 'release_owned', 'drop_role']);

/**
 * Makes the changes, in their order.
 * @returns an outcome for each change.
 * @throws when the connection breaks, the server is read-only or the writer's lock is lost: then nobody knows how far the last batch came,
 *   and the next cycle reads again.
 */
export async function applyPlan(changes: readonly Change[], context: ApplyContext): Promise<Outcome[]> {
  const run: Run = { context, outcomes: [], failed: new Set() };
  const structure = changes.filter((change) => change.kind !== 'set_password' && !ALONE.has(change.kind));
  for (const batch of chunks(structure, BATCH)) await runBatch(run, batch, new Map());
  const passwords = changes.filter((change) => change.kind === 'set_password');
  const queue = chunks(passwords, Math.min(PASSWORD_BATCH, Math.max(1, Math.ceil(passwords.length / context.workers))));
  await Promise.all(Array.from({ length: Math.min(context.workers, queue.length) }, () => setPasswords(run, queue)));
  for (const change of changes.filter((one) => ALONE.has(one.kind))) {
    if (change.kind === 'release_owned' && change.database !== context.adminDatabase) await runElsewhere(run, change);
    else await runBatch(run, [change], new Map());
  }
  return run.outcomes;
}

interface Run {
  readonly context: ApplyContext;
  readonly outcomes: Outcome[];
  /** Roles that could not be created or released: what needs them is not tried. */
  readonly failed: Set<string>;
}

type Secrets = ReadonlyMap<string, { readonly verifier: string; readonly witness: Witness }>;

function* chunksOf<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
const chunks = <T>(items: readonly T[], size: number): T[][] => [...chunksOf(items, size)];

/** One worker: computes the verifiers of its next batch while the other's are on the server. */
async function setPasswords(run: Run, queue: Change[][]): Promise<void> {
  const { credentialOf, scramIterations } = run.context;
  for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
    const secrets = new Map<string, { verifier: string; witness: Witness }>();
    await Promise.all(
      batch.map(async (change) => {
        const known = change.kind === 'set_password' ? credentialOf(change.role) : undefined;
        if (known === undefined || change.kind !== 'set_password') return;
        const verifier = await verifierFor(known.credential, scramIterations);
        secrets.set(change.role, { verifier, witness: witnessOf(verifier, known.credential, known.version) });
      }),
    );
    await runBatch(run, batch, secrets);
  }
}

async function runBatch(run: Run, batch: readonly Change[], secrets: Secrets, attempt = 1): Promise<void> {
  const { context } = run;
  context.signal.throwIfAborted();
  context.onProgress();
  const ready = batch.filter((change) => !skips(run, change));
  if (ready.length === 0) return;
  try {
    await context.connections.withAdmin((client) => sendBatch(client, ready, secrets, context));
    for (const change of ready)
      run.outcomes.push({ change, result: 'applied', witness: change.kind === 'set_password' ? secrets.get(change.role)?.witness : undefined });
  } catch (error) {
    const failure = classify(error);
    if (context.signal.aborted || failure === 'connection' || failure === 'readonly' || failure === 'fenced') throw error;
    // A lock or statement timeout is not repeated with the whole batch: it would hold everybody up once more.
    const code = (error as { code?: string }).code;
    if (failure === 'retry' && code !== '55P03' && code !== '57014' && attempt < 4) {
      await sleep(50 * 2 ** attempt * (0.5 + Math.random()), undefined, { signal: context.signal });
      return runBatch(run, ready, secrets, attempt + 1);
    }
    const [only] = ready;
    if (ready.length === 1 && only !== undefined) return fail(run, only, failure, error);
    const middle = Math.ceil(ready.length / 2);
    await runBatch(run, ready.slice(0, middle), secrets);
    await runBatch(run, ready.slice(middle), secrets);
  }
}

async function runElsewhere(run: Run, change: Change & { kind: 'release_owned' }): Promise<void> {
  run.context.signal.throwIfAborted();
  run.context.onProgress();
  if (skips(run, change)) return;
  try {
    await releaseElsewhere(change, run.context);
    run.outcomes.push({ change, result: 'applied' });
  } catch (error) {
    if (run.context.signal.aborted) throw error;
    await fail(run, change, classify(error), error);
  }
}

/** Records a change that cannot work because something before it did not. */
function skips(run: Run, change: Change): boolean {
  const missing = rolesOf(change).find((role) => run.failed.has(role));
  if (missing === undefined) return false;
  run.outcomes.push({ change, result: 'skipped', message: `waits for ${missing}, whose earlier step failed` });
  return true;
}

async function fail(run: Run, change: Change, failure: FailureClass, error: unknown): Promise<void> {
  const message = describeFailure(error);
  run.outcomes.push({ change, result: 'failed', class: failure, message });
  if (change.kind === 'create_role' || REMOVAL_STEPS.has(change.kind)) for (const role of rolesOf(change)) run.failed.add(role);
  const { context } = run;
  if (!context.ledger || !context.isNewFailure(keyOf(change))) return;
  const text = [
    beginSql(context),
    context.fence,
    ...auditSql([{ change, outcome: 'failed', detail: message }], ledgerFacts(context, new Map())),
    'COMMIT',
  ].join(';\n');
  await context.connections.withAdmin(async (client) => client.query(text)).catch(() => undefined);
}

const ledgerFacts = (context: ApplyContext, secrets: Secrets) => ({
  source: context.source,
  why: context.why,
  render: context.render,
  witnessOf: (role: string) => secrets.get(role)?.witness,
});

/** One message, one transaction: the changes, what is remembered of them, and their audit. */
async function sendBatch(client: pg.ClientBase, changes: readonly Change[], secrets: Secrets, context: ApplyContext): Promise<void> {
  const facts = ledgerFacts(context, secrets);
  const text = [
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
  await client.query(text);
}
