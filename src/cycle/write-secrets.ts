// Writing Secrets: under the writer's fence, each on its own, with a row in the audit log that holds no value.
import { type Change, keyOf } from '../core/change.ts';
import { connectionContent, type ConnectionFacts } from '../core/connection-secret.ts';
import type { UserEntry } from '../core/document/types.ts';
import { generatePassword } from '../core/generate.ts';
import { ownerOf } from '../core/rotation.ts';
import { GENERATED_AT, LOGIN, MANAGED_BY, PASSWORD_OF, ROTATE_AT, ROTATED_FOR, SOURCE } from '../core/secret-annotations.ts';
import { type AuditRecord, auditSql } from '../postgres/ledger-write.ts';
import { type ApplyContext, ledgerFacts, type Outcome } from '../postgres/run-batch.ts';
import { beginSql } from '../postgres/transaction.ts';
import { sideBySide } from '../side-by-side.ts';
import { classOf, type SecretObject, type SecretStore, SourceError } from '../sources/source.ts';
import type { SecretReadings } from './secret-readings.ts';

export interface SecretWriting {
  readonly store: SecretStore;
  readonly namespace: string;
  readonly sourceId: string;
  readonly userOf: (role: string) => UserEntry | undefined;
  readonly factsOf: (user: UserEntry) => ConnectionFacts | undefined;
  readonly passwordOf: (role: string) => string | undefined;
  /** By the clock that ages are measured with, in milliseconds. */
  readonly now: number;
  readonly readings: SecretReadings;
}

type RotateSecret = Extract<Change, { kind: 'rotate_secret' }>;

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
    else if (change.kind === 'rotate_secret') await rotate(change, writing, signal);
    else if (change.kind === 'write_connection_secret') await applyConnection(change, writing, signal);
    return { change, result: 'applied' };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SourceError)) throw error;
    if ('secret' in change) writing.readings.doubt({ namespace: 'namespace' in change ? change.namespace : writing.namespace, name: change.secret });
    if ((change.kind === 'create_secret' || change.kind === 'rotate_secret') && error.reason === 'conflict') {
      await lookAgain(change, writing, signal);
      // What somebody else made meanwhile is read like any other Secret.
      return { change, result: 'skipped', message: change.kind === 'create_secret' ? 'there is one by now' : 'somebody changed it in this moment' };
    }
    // A right to patch is not enough for the first time.
    const also =
      error.reason === 'forbidden' && change.kind === 'write_connection_secret' && change.reason === 'new' ? ', and to make it also the verb create' : '';
    return { change, result: 'failed', class: classOf(error), message: `${error.message}${also}` };
  }
}

/** Another pass of this cycle would only run into the same. */
async function lookAgain(change: Extract<Change, { kind: 'create_secret' | 'rotate_secret' }>, writing: SecretWriting, signal: AbortSignal): Promise<void> {
  if (writing.userOf(change.role)?.rotation === undefined) return;
  const place = { namespace: writing.namespace, name: change.secret };
  try {
    const object = await writing.store.read(place, signal);
    if (object !== undefined) writing.readings.note(place, object);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SourceError)) throw error;
  }
}

async function create(change: Extract<Change, { kind: 'create_secret' }>, writing: SecretWriting, signal: AbortSignal): Promise<void> {
  const { store, namespace, sourceId, userOf, now, readings } = writing;
  const user = userOf(change.role);
  const place = { namespace, name: change.secret };
  const inTurns = user?.turn !== undefined;
  const object = await store.create(
    place,
    {
      labels: { [MANAGED_BY]: 'pgsteward' },
      annotations: {
        [PASSWORD_OF]: user === undefined ? change.role : ownerOf(user),
        [SOURCE]: sourceId,
        [GENERATED_AT]: new Date(now).toISOString(),
        ...(inTurns ? { [LOGIN]: change.role } : {}),
      },
      data: new Map([...usernameFor(change, inTurns), [change.key, generatePassword(change.spec)]]),
    },
    signal,
  );
  if (user?.rotation !== undefined) readings.note(place, object);
}

/** A new password in the place of the old one, in one write with who logs in with it and what was asked for. */
async function rotate(change: RotateSecret, writing: SecretWriting, signal: AbortSignal): Promise<void> {
  const { store, namespace, userOf, now, readings } = writing;
  const place = { namespace, name: change.secret };
  const reading = readings.of(place);
  const before = reading.kind === 'read' ? reading.object : undefined;
  if (before === undefined) return;
  readings.note(place, await store.change(place, rotated(change, before, userOf(change.role)?.turn !== undefined, now), before, signal));
}

/** What of a Secret is another after a rotation; null where it is gone. */
function rotated(change: RotateSecret, { annotations }: SecretObject, inTurns: boolean, now: number): Parameters<SecretStore['change']>[1] {
  const asked = annotations[ROTATE_AT];
  // Whoever logs in alone again needs no name beside the password; what stood there is of one of the two.
  const formerUsername: [string, null][] = !inTurns && annotations[LOGIN] !== undefined && change.key !== 'username' ? [['username', null]] : [];
  return {
    data: new Map<string, string | null>([...usernameFor(change, inTurns), ...formerUsername, [change.key, generatePassword(change.spec)]]),
    annotations: {
      [GENERATED_AT]: new Date(now).toISOString(),
      [LOGIN]: inTurns ? change.role : null,
      ...(typeof asked === 'string' ? { [ROTATED_FOR]: asked } : {}),
    },
  };
}

/** The Secret as it will be but for the password, which is drawn when it is written. */
export function foreseen(change: RotateSecret, before: SecretObject, inTurns: boolean, now: number): SecretObject {
  const { data, annotations } = rotated(change, before, inTurns, now);
  return {
    ...before,
    data: { ...before.data, ...Object.fromEntries([...data].map(([key, value]) => [key, value === null ? undefined : Buffer.from(value).toString('base64')])) },
    annotations: { ...before.annotations, ...Object.fromEntries(Object.entries(annotations).map(([key, value]) => [key, value ?? undefined])) },
    version: `${before.version} rotated`,
  };
}

/** Who logs in with a password that is not always the same user's. */
const usernameFor = ({ role, key }: { readonly role: string; readonly key: string }, inTurns: boolean): [string, string][] =>
  inTurns && key !== 'username' ? [['username', role]] : [];

async function applyConnection(
  change: Extract<Change, { kind: 'write_connection_secret' }>,
  { store, userOf, factsOf, passwordOf, readings }: SecretWriting,
  signal: AbortSignal,
): Promise<void> {
  const user = userOf(change.role);
  const facts = user === undefined ? undefined : factsOf(user);
  const password = passwordOf(change.role);
  if (facts === undefined || password === undefined) return;
  const place = { namespace: change.namespace, name: change.secret };
  const reading = readings.of(place);
  const present = reading.kind === 'read' ? reading.object : undefined;
  readings.note(place, await store.apply(place, connectionContent(facts, password), present, signal));
}
