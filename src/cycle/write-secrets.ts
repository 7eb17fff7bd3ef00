// Writing Secrets: under the writer's fence, each on its own, with a row in the audit log that holds no value.
import { type Change, keyOf } from '../core/change.ts';
import { connectionContent, type ConnectionFacts, MANAGED_BY } from '../core/connection-secret.ts';
import { generatePassword } from '../core/generate.ts';
import { type AuditRecord, auditSql } from '../postgres/ledger-write.ts';
import { type ApplyContext, ledgerFacts, type Outcome } from '../postgres/run-batch.ts';
import { beginSql } from '../postgres/transaction.ts';
import { sideBySide } from '../side-by-side.ts';
import { PASSWORD_OF } from '../sources/annotations.ts';
import { type SecretStore, SourceError } from '../sources/source.ts';
import type { ConnectionReadings } from './connection-readings.ts';

export interface SecretWriting {
  readonly store: SecretStore;
  readonly namespace: string;
  readonly sourceId: string;
  readonly factsOf: (role: string) => ConnectionFacts | undefined;
  readonly passwordOf: (role: string) => string | undefined;
  readonly readings: ConnectionReadings;
}

const SIDE_BY_SIDE = 8;

/**
 * Makes the changes; the audit row of each follows it, and is missing only after a crash between the two.
 * @throws when the connection to the server breaks or the writer's lock is lost, and for an abort.
 */
export async function writeSecrets(changes: readonly Change[], context: ApplyContext, writing: SecretWriting): Promise<Outcome[]> {
  const inTransaction = (statements: readonly string[]): Promise<unknown> =>
    context.connections.withAdmin((client) => client.query([beginSql(context), context.fence, ...statements, 'COMMIT'].join(';\n')));
  // Whoever has taken over from us writes Secrets now.
  await inTransaction([]);
  const outcomes: Outcome[] = [];
  await sideBySide(SIDE_BY_SIDE, changes, async (change) => {
    context.signal.throwIfAborted();
    context.onProgress();
    outcomes.push(await outcomeOf(change, writing, context.signal));
  });
  const records = outcomes.flatMap((outcome): AuditRecord[] => {
    const { change } = outcome;
    if (outcome.result === 'applied') return [{ change, outcome: 'applied' }];
    return outcome.result === 'failed' && context.isNewFailure(keyOf(change)) ? [{ change, outcome: 'failed', detail: outcome.message }] : [];
  });
  if (context.ledger && records.length > 0) await inTransaction(auditSql(records, ledgerFacts(context)));
  return outcomes;
}

async function outcomeOf(change: Change, writing: SecretWriting, signal: AbortSignal): Promise<Outcome> {
  try {
    if (change.kind === 'create_secret') await create(change, writing, signal);
    else if (change.kind === 'write_connection_secret') await applyConnection(change, writing, signal);
    return { change, result: 'applied' };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SourceError)) throw error;
    if (change.kind === 'write_connection_secret') writing.readings.doubt({ namespace: change.namespace, name: change.secret });
    // What somebody else made meanwhile is read like any other Secret.
    if (change.kind === 'create_secret' && error.reason === 'conflict') return { change, result: 'skipped', message: 'there is one by now' };
    // A right to patch is not enough for the first time.
    const also =
      error.reason === 'forbidden' && change.kind === 'write_connection_secret' && change.reason === 'new' ? ', and to make it also the verb create' : '';
    return { change, result: 'failed', class: error.reason === 'forbidden' ? 'cannot' : 'retry', message: `${error.message}${also}` };
  }
}

const create = (change: Extract<Change, { kind: 'create_secret' }>, { store, namespace, sourceId }: SecretWriting, signal: AbortSignal): Promise<void> =>
  store.create(
    { namespace, name: change.secret },
    {
      labels: { [MANAGED_BY]: 'pgsteward' },
      annotations: { [PASSWORD_OF]: change.role, 'pgsteward.dev/source': sourceId },
      data: new Map([[change.key, generatePassword(change.spec)]]),
    },
    signal,
  );

async function applyConnection(
  change: Extract<Change, { kind: 'write_connection_secret' }>,
  { store, factsOf, passwordOf, readings }: SecretWriting,
  signal: AbortSignal,
): Promise<void> {
  const facts = factsOf(change.role);
  const password = passwordOf(change.role);
  if (facts === undefined || password === undefined) return;
  const place = { namespace: change.namespace, name: change.secret };
  const reading = readings.of(place);
  const present = reading.kind === 'read' ? reading.object : undefined;
  readings.note(place, await store.apply(place, connectionContent(facts, password), present, signal));
}
