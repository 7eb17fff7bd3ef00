// Apply: a plan's changes in their order: what all databases share, new databases, passwords, each database, and removals.
import type { Witness } from '../core/catalog.ts';
import { type Change, CHANGE_KINDS, type ChangeKind, databaseOf } from '../core/change.ts';
import { verifierFor, witnessOf } from '../core/passwords.ts';
import { renderChange } from '../core/sql.ts';
import { sideBySide } from '../side-by-side.ts';
import { classify } from './failures.ts';
import { auditSql } from './ledger-write.ts';
import { releaseElsewhere } from './release.ts';
import { type ApplyContext, fail, inAdminDatabase, ledgerFacts, type Outcome, type Run, runBatch, skips } from './run-batch.ts';
import { runSegments } from './segment.ts';
import { beginSql } from './transaction.ts';

/** Small, as the server takes 1.5 ms for each password and a batch should fit well into the statement timeout. */
const PASSWORD_BATCH = 100;

const ALONE: ReadonlySet<ChangeKind> = new Set(['end_sessions', 'release_owned', 'drop_role']);
/** Changes outside of any batch. */
const APART: ReadonlySet<ChangeKind> = new Set([...ALONE, 'set_password', 'create_database']);

/** What a new database may need: its owner. */
const BEFORE_DATABASES: ReadonlySet<ChangeKind> = new Set(CHANGE_KINDS.slice(0, CHANGE_KINDS.indexOf('create_database')));

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
  const shared = batched.filter((change) => databaseOf(change) === '');
  const early = shared.filter((change) => BEFORE_DATABASES.has(change.kind));
  await runSegments(run, early, context.adminDatabase);
  for (const change of changes) if (change.kind === 'create_database') await createDatabase(run, change);
  await runSegments(
    run,
    shared.filter((change) => !BEFORE_DATABASES.has(change.kind)),
    context.adminDatabase,
  );
  const passwords = changes.filter((change) => change.kind === 'set_password');
  const queue = chunks(passwords, Math.min(PASSWORD_BATCH, Math.max(1, Math.ceil(passwords.length / context.workers))));
  await sideBySide(context.workers, queue, (batch) => setPasswords(run, batch));
  await runSegments(
    run,
    batched.filter((change) => databaseOf(change) !== ''),
    context.adminDatabase,
  );
  for (const change of changes.filter((one) => ALONE.has(one.kind))) {
    if (change.kind === 'release_owned' && change.database !== context.adminDatabase) await runElsewhere(run, change);
    else await runBatch(run, [change], admin);
  }
  return run.outcomes;
}

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));

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

/** CREATE DATABASE runs outside of any transaction: its audit row follows it, and is missing only after a crash between the two. */
async function createDatabase(run: Run, change: Change & { kind: 'create_database' }): Promise<void> {
  const { context } = run;
  if (skips(run, change)) return;
  context.signal.throwIfAborted();
  context.onProgress();
  try {
    await context.connections.withAdmin(async (client) => {
      await client.query([beginSql(context), context.fence, 'COMMIT'].join(';\n'));
      for (const statement of renderChange(change, context.render)) await client.query(statement);
      if (context.ledger)
        await client.query([beginSql(context), context.fence, ...auditSql([{ change, outcome: 'applied' }], ledgerFacts(context)), 'COMMIT'].join(';\n'));
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
