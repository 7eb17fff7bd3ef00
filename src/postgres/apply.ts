// Apply: a plan's changes in their order: what all databases share, new databases, passwords, each database, and removals.
import type { Witness } from '../model/catalog.ts';
import { type Change, databaseOf } from '../changes/change.ts';
import { definitionOf, isBefore } from '../changes/table.ts';
import { verifierFor, witnessOf } from '../plan/secrets/password-check.ts';
import type { StoredVerifier } from '../model/scram.ts';
import type { Loans } from '../plan/loans.ts';
import { executable, renderBatch, renderChange } from '../changes/render.ts';
import { sideBySide } from '../async/side-by-side.ts';
import { classify, describeFailure } from './failures.ts';
import { isTimeout } from './insist.ts';
import { auditSql } from './audit-write.ts';
import { createLockPatience } from './lock-patience.ts';
import { releaseElsewhere, releaseStatements } from './run-release.ts';
import type { ApplyContext, Outcome, Run } from './run.ts';
import { inAdminDatabase, runBatch } from './run-batch.ts';
import { fail, failAlone, skips } from './run-failure.ts';
import { runSegments } from './segment.ts';
import { beginSql } from './transaction.ts';

/** Small, as the server takes 1.5 ms for each password and a batch should fit well into the statement timeout. */
const PASSWORD_BATCH = 100;

/**
 * Makes the changes, in their order.
 * @returns an outcome for each change.
 * @throws when the connection breaks, the server is read-only or the writer's lock is lost: then nobody knows how far the last batch came,
 *   and the next cycle reads again.
 */
export async function applyPlan(changes: readonly Change[], context: ApplyContext): Promise<Outcome[]> {
  const run: Run = { context, outcomes: [], failed: new Set(), patience: createLockPatience(context), insistence: createLockPatience(context) };
  const batched = changes.filter((change) => definitionOf(change).runs === undefined);
  const admin = inAdminDatabase(context);
  const shared = batched.filter((change) => databaseOf(change) === '');
  // What a new database may need: its owner.
  const isEarly = (change: Change): boolean => isBefore(change, 'create_database');
  await runSegments(run, shared.filter(isEarly), context.adminDatabase);
  for (const change of changes) if (change.kind === 'create_database') await createDatabase(run, change);
  await runSegments(
    run,
    shared.filter((change) => !isEarly(change)),
    context.adminDatabase,
  );
  // Whoever has to go is gone before anything waits for what the sessions do in the databases.
  for (const change of changes) if (change.kind === 'end_sessions') await runBatch(run, [change], admin);
  const passwords = changes.filter((change) => change.kind === 'set_password');
  const queue = chunks(passwords, Math.min(PASSWORD_BATCH, Math.max(1, Math.ceil(passwords.length / context.workers))));
  await sideBySide(context.workers, queue, (batch) => setPasswords(run, batch));
  const inside = batched.filter((change) => databaseOf(change) !== '');
  const last = changes.filter((one) => definitionOf(one).runs === 'last');
  // What comes last changes databases once more.
  const rereading = last.length === 0 && inside.some((change) => databaseOf(change) !== context.adminDatabase) ? context.rereading : undefined;
  await rereading?.begin();
  await runSegments({ ...run, context: { ...context, rereading } }, inside, context.adminDatabase);
  for (const change of last) {
    if (change.kind === 'release_owned' && change.database !== context.adminDatabase) await runElsewhere(run, change);
    else await runBatch(run, [change], admin);
  }
  return run.outcomes;
}

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));

type SetPassword = Extract<Change, { kind: 'set_password' }>;

/** Computes the verifiers of one batch while another's are on the server. */
async function setPasswords(run: Run, batch: readonly SetPassword[]): Promise<void> {
  const { credentialOf, scramIterations } = run.context;
  const secrets = new Map<string, { verifier: StoredVerifier; witness: Witness }>();
  const failed = new Set<Change>();
  await Promise.all(
    batch.map(async (change) => {
      const known = credentialOf(change.role);
      if (known === undefined) return;
      try {
        const verifier = await verifierFor(known.credential, scramIterations);
        secrets.set(change.role, { verifier, witness: witnessOf(verifier, known.credential, known.version) });
      } catch (error) {
        failed.add(change);
        await fail(run, change, classify(error), error);
      }
    }),
  );
  const known = batch.filter((change) => secrets.has(change.role));
  for (const change of batch)
    if (!secrets.has(change.role) && !failed.has(change)) run.outcomes.push({ change, result: 'skipped', message: 'what its Secret holds is not known now' });
  await runBatch(run, known, inAdminDatabase(run.context, secrets), secrets);
}

const NO_LOANS: Loans = { before: [], after: [] };

/** CREATE DATABASE runs outside of any transaction: its audit row follows it, and is missing only after a crash between the two. */
async function createDatabase(run: Run, change: Change & { kind: 'create_database' }): Promise<void> {
  const { context } = run;
  if (skips(run, change)) return;
  context.signal.throwIfAborted();
  context.onProgress();
  let began = false;
  try {
    await context.connections.withAdmin(async (client) => {
      await client.query([beginSql(context), context.fence, 'COMMIT'].join(';\n'));
      began = true;
      // A membership that lasts for a transaction is no help here: it is ours at first, and handed over in one.
      const loans = context.render.major < 16 ? context.loans([change]) : NO_LOANS;
      const isLent = loans.before.length > 0 && change.owner !== undefined;
      for (const statement of renderChange(isLent ? { ...change, owner: undefined } : change, context.render)) await client.query(statement);
      const handOver: readonly Change[] =
        isLent && change.owner !== undefined ? [{ kind: 'alter_database_owner', database: change.database, owner: change.owner, from: '' }] : [];
      const statements = [
        ...loans.before,
        ...renderBatch(
          handOver.map((one) => executable(one)),
          context.render,
        ),
        ...loans.after,
      ];
      const audit = context.ledger ? auditSql([{ change, outcome: 'applied' }], context) : [];
      if (statements.length + audit.length > 0) await client.query([beginSql(context), context.fence, ...statements, ...audit, 'COMMIT'].join(';\n'));
    });
    run.outcomes.push({ change, result: 'applied' });
  } catch (error) {
    const failure = classify(error);
    if (context.signal.aborted || failure === 'connection' || failure === 'fenced' || (failure === 'readonly' && !began)) throw error;
    // Through a pooler nothing can be pinned for a statement outside of any transaction.
    await fail(
      run,
      change,
      failure,
      failure === 'readonly' ? new Error(`${describeFailure(error)}: the pooler's sessions say default_transaction_read_only`) : error,
    );
  }
}

async function runElsewhere(run: Run, change: Change & { kind: 'release_owned' }): Promise<void> {
  run.context.signal.throwIfAborted();
  run.context.onProgress();
  if (skips(run, change)) return;
  const began = performance.now();
  try {
    await releaseElsewhere(change, { ...run.context, lockTimeout: run.patience.lockTimeout });
    run.outcomes.push({ change, result: 'applied' });
  } catch (error) {
    if (run.context.signal.aborted) throw error;
    if (isTimeout(error)) run.patience.waited(performance.now() - began);
    await failAlone(run, change, error, () => releaseStatements(change, run.context));
  }
}
