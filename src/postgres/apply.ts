// Apply: a plan's changes in batches of one transaction each, with what is remembered of them, and a failing batch taken apart until the
// culprit stands alone.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Witness } from '../core/catalog.ts';
import { type Change, type ChangeKind, databaseOf, forNames, keyOf, namesOf, rolesOf } from '../core/change.ts';
import { type Credential, verifierFor, witnessOf } from '../core/passwords.ts';
import { REMOVAL_STEPS } from '../core/plan.ts';
import { renderBatch, renderChange, type RenderOptions, statementKey } from '../core/sql.ts';
import type { Connections } from './connection.ts';
import { classify, describeFailure, type FailureClass } from './failures.ts';
import { auditSql, LOCK_CLASS, managedRoleSql } from './ledger-write.ts';
import { createElsewhere } from './elsewhere.ts';
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
/** Small, as the server takes 1.5 ms for each password and a batch should fit well into the statement timeout. */
const PASSWORD_BATCH = 100;

const ALONE: ReadonlySet<ChangeKind> = new Set(['end_sessions', 'release_owned', 'drop_role']);
/** Changes outside of any batch. */
const APART: ReadonlySet<ChangeKind> = new Set([...ALONE, 'set_password', 'create_database']);

/**
 * Makes the changes, in their order.
 * @returns an outcome for each change.
 * @throws when the connection breaks, the server is read-only or the writer's lock is lost: then nobody knows how far the last batch came,
 *   and the next cycle reads again.
 */
export async function applyPlan(changes: readonly Change[], context: ApplyContext): Promise<Outcome[]> {
  const run: Run = { context, outcomes: [], failed: new Set() };
  const batched = changes.filter((change) => !APART.has(change.kind));
  const admin = inAdminDatabase(context);
  await runBatches(run, batches(batched.filter((change) => databaseOf(change) === '')));
  for (const change of changes) if (change.kind === 'create_database') await createDatabase(run, change);
  const passwords = changes.filter((change) => change.kind === 'set_password');
  const queue = chunks(passwords, Math.min(PASSWORD_BATCH, Math.max(1, Math.ceil(passwords.length / context.workers))));
  await sideBySide(context.workers, queue, (batch) => setPasswords(run, batch));
  const segments = Map.groupBy(
    batched.filter((change) => databaseOf(change) !== ''),
    databaseOf,
  );
  await sideBySide(context.sessions, [...segments], ([database, segment]) => runSegment(run, database, segment));
  for (const change of changes.filter((one) => ALONE.has(one.kind))) {
    if (change.kind === 'release_owned' && change.database !== context.adminDatabase) await runElsewhere(run, change);
    else await runBatch(run, [change], admin);
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

/** Where a batch is sent: one transaction that changes everything in it or nothing. */
type Send = (batch: readonly Change[]) => Promise<unknown>;

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));

/** Batches of at most 1,000 changes and, as a GRANT locks every table that it names from 18 on, about as many objects. */
function batches(changes: readonly Change[]): Change[][] {
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

/** Takes items from a queue, so many at a time. */
async function sideBySide<T>(workers: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(workers, items.length) }, worker));
}

/** Computes the verifiers of one batch while another's are on the server. */
async function setPasswords(run: Run, batch: readonly Change[]): Promise<void> {
  const { credentialOf, scramIterations } = run.context;
  const secrets = new Map<string, { verifier: string; witness: Witness }>();
  await Promise.all(
    batch.map(async (change) => {
      const known = change.kind === 'set_password' ? credentialOf(change.role) : undefined;
      if (known === undefined || change.kind !== 'set_password') return;
      const verifier = await verifierFor(known.credential, scramIterations);
      secrets.set(change.role, { verifier, witness: witnessOf(verifier, known.credential, known.version) });
    }),
  );
  await runBatch(run, batch, inAdminDatabase(run.context, secrets), secrets);
}

const inAdminDatabase =
  (context: ApplyContext, secrets: Secrets = new Map()): Send =>
  (batch) =>
    context.connections.withAdmin((client) => client.query(batchSql(batch, secrets, context)));

/** Everything for one database, on one session. A database that cannot be reached is its own failure. */
async function runSegment(run: Run, database: string, segment: readonly Change[]): Promise<void> {
  const { context } = run;
  if (database === context.adminDatabase) {
    await runBatches(run, batches(segment));
    return;
  }
  const session = createElsewhere(database, context);
  try {
    for (const batch of batches(segment)) await runBatch(run, batch, (changes) => session.send(changes));
  } catch (error) {
    if (context.signal.aborted || classify(error) !== 'connection') throw error;
    const message = describeFailure(error);
    const told = new Set(run.outcomes.map((outcome) => outcome.change));
    for (const change of segment) if (!told.has(change)) run.outcomes.push({ change, result: 'failed', class: 'connection', message });
  } finally {
    await session.close();
  }
}

/** Batches for the admin database; the text of each is written while the server works on the one before. */
async function runBatches(run: Run, list: readonly (readonly Change[])[]): Promise<void> {
  const { context } = run;
  const texts = new Map<readonly Change[], string>();
  const send: Send = (batch) => context.connections.withAdmin((client) => client.query(texts.get(batch) ?? batchSql(batch, new Map(), context)));
  for (const [index, batch] of list.entries()) {
    const running = runBatch(run, batch, send);
    // Its failure is heard of below.
    running.catch(() => undefined);
    texts.delete(batch);
    const next = list[index + 1];
    if (next !== undefined) texts.set(next, batchSql(next, new Map(), context));
    await running;
  }
}

async function runBatch(run: Run, batch: readonly Change[], send: Send, secrets: Secrets = new Map(), attempt = 1): Promise<void> {
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

/** CREATE DATABASE runs outside of any transaction: its audit row follows it, and is missing only after a crash between the two. */
async function createDatabase(run: Run, change: Change & { kind: 'create_database' }): Promise<void> {
  const { context } = run;
  if (skips(run, change)) return;
  context.signal.throwIfAborted();
  context.onProgress();
  try {
    await context.connections.withAdmin(async (client) => {
      await client.query(context.fence);
      for (const statement of renderChange(change, context.render)) await client.query(statement);
      if (context.ledger)
        await client.query(
          [beginSql(context), context.fence, ...auditSql([{ change, outcome: 'applied' }], ledgerFacts(context, new Map())), 'COMMIT'].join(';\n'),
        );
    });
    run.outcomes.push({ change, result: 'applied' });
  } catch (error) {
    const failure = classify(error);
    if (context.signal.aborted || failure === 'connection' || failure === 'readonly' || failure === 'fenced') throw error;
    await fail(run, change, failure, error);
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

const ledgerFacts = (context: Pick<ApplyContext, 'source' | 'why' | 'render'>, secrets: Secrets) => ({
  source: context.source,
  why: context.why,
  render: context.render,
  witnessOf: (role: string) => secrets.get(role)?.witness,
});

/** One message, one transaction: the changes, what is remembered of them, and their audit. */
function batchSql(changes: readonly Change[], secrets: Secrets, context: ApplyContext): string {
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
