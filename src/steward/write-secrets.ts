// Writing Secrets: under the writer's fence, each on its own, with a row in the audit log that holds no value.
import { placeOfRef, type SecretPlace } from '../model/secret-place.ts';
import { type Change, keyOf } from '../changes/change.ts';
import type { KubernetesChange } from '../changes/table.ts';
import { connectionContent, type ConnectionFacts } from '../model/connection-content.ts';
import type { UserEntry } from '../model/entries.ts';
import { generatePassword } from '../model/generate.ts';
import { declaredUserOf } from '../model/turns.ts';
import { GENERATED_AT, LOGIN, MANAGED_BY, PASSWORD_OF, ROTATE_AT, ROTATED_FOR, SOURCE } from '../model/secret-annotations.ts';
import { type AuditRecord, auditSql } from '../postgres/audit-write.ts';
import type { ApplyContext, Outcome } from '../postgres/run.ts';
import { beginSql } from '../postgres/transaction.ts';
import { sideBySide } from '../async/side-by-side.ts';
import { classOf, SourceError } from '../model/source-error.ts';
import type { SecretChange, SecretObject, SecretStore, WholeSecrets } from '../sources/ports.ts';

export interface SecretWriting {
  readonly store: SecretStore;
  readonly namespace: string;
  readonly sourceId: string;
  readonly userOf: (role: string) => UserEntry | undefined;
  readonly factsOf: (user: UserEntry) => ConnectionFacts | undefined;
  readonly passwordOf: (role: string) => string | undefined;
  /** By the clock that ages are measured with, in milliseconds. */
  readonly now: number;
  readonly wholeSecrets: Pick<WholeSecrets, 'of'>;
}

type RotateSecret = Extract<Change, { kind: 'rotate_secret' }>;

const SIDE_BY_SIDE = 8;
/** What the databases, and what is to be taken away there, wait for: later no further one is begun. */
const TOTAL_MS = 10_000;
const TOO_LONG = 'the API server takes too long to write all of them: the others are written soon';

/**
 * Makes the changes; the audit row of each follows it, and is missing only after a crash between the two.
 * @throws when the connection to the server breaks or the writer's lock is lost, and for an abort.
 */
export async function writeSecrets(changes: readonly KubernetesChange[], context: ApplyContext, writing: SecretWriting): Promise<Outcome[]> {
  const inTransaction = (statements: readonly string[]): Promise<unknown> =>
    context.connections.withAdmin((client) => client.query([beginSql(context), context.fence, ...statements, 'COMMIT'].join(';\n')));
  // Whoever has taken over from us writes Secrets now.
  await inTransaction([]);
  /** What was said of those that the API server did not answer: the others are not waited for as well. */
  const silences: string[] = [];
  const end = performance.now() + TOTAL_MS;
  const outcomes = await sideBySide(SIDE_BY_SIDE, changes, async (change): Promise<Outcome> => {
    context.signal.throwIfAborted();
    context.onProgress();
    const silence = silences[0] ?? (performance.now() > end ? TOO_LONG : undefined);
    if (silence !== undefined) return { change, result: 'failed', class: 'retry', message: silence };
    return outcomeOf(change, writing, context.signal, (message) => void silences.push(message));
  });
  const records = outcomes.flatMap((outcome): AuditRecord[] => {
    const { change } = outcome;
    if (outcome.result === 'applied') return [{ change, outcome: 'applied' }];
    return outcome.result === 'failed' && context.isNewFailure(keyOf(change)) ? [{ change, outcome: 'failed', detail: outcome.message }] : [];
  });
  if (context.ledger && records.length > 0) await inTransaction(auditSql(records, context));
  return outcomes;
}

async function outcomeOf(change: KubernetesChange, writing: SecretWriting, signal: AbortSignal, onSilence: (message: string) => void): Promise<Outcome> {
  try {
    await make(change, writing, signal);
    return { change, result: 'applied' };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SourceError)) throw error;
    if (error.reason === 'timeout') onSilence(error.message);
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

/** What is made in Kubernetes is made here: what it takes is not for the table of kinds, which is pure. */
function make(change: KubernetesChange, writing: SecretWriting, signal: AbortSignal): Promise<void> {
  switch (change.kind) {
    case 'create_secret':
      return create(change, writing, signal);
    case 'rotate_secret':
      return rotate(change, writing, signal);
    case 'write_connection_secret':
      return applyConnection(change, writing, signal);
  }
}

/** In whose namespace the Secret of a user is. */
const placeOf = (role: string, name: string, { namespace, userOf }: Pick<SecretWriting, 'namespace' | 'userOf'>): SecretPlace =>
  placeOfRef(namespace, { ...userOf(role)?.secret, name });

/** Another pass of this cycle would only run into the same. */
async function lookAgain(change: Extract<Change, { kind: 'create_secret' | 'rotate_secret' }>, writing: SecretWriting, signal: AbortSignal): Promise<void> {
  try {
    await writing.store.read(placeOf(change.role, change.secret, writing), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SourceError)) throw error;
  }
}

async function create(change: Extract<Change, { kind: 'create_secret' }>, writing: SecretWriting, signal: AbortSignal): Promise<void> {
  const { store, sourceId, userOf, now } = writing;
  const user = userOf(change.role);
  const inTurns = user?.turn !== undefined;
  const former = formerOf(change, writing);
  await store.create(
    placeOf(change.role, change.secret, writing),
    {
      labels: { [MANAGED_BY]: 'pgsteward' },
      annotations: {
        [PASSWORD_OF]: user === undefined ? change.role : declaredUserOf(user),
        [SOURCE]: sourceId,
        [GENERATED_AT]: former?.generatedAt ?? new Date(now).toISOString(),
        ...(inTurns ? { [LOGIN]: change.role } : {}),
      },
      data: new Map([...usernameFor(change, inTurns), [change.key, former?.password ?? generatePassword(change.spec)]]),
    },
    signal,
  );
}

/** The password of the Secret that the user had under its former name, with its age. */
function formerOf(
  { takes, role }: Extract<Change, { kind: 'create_secret' }>,
  writing: SecretWriting,
): { readonly password: string; readonly generatedAt: string | undefined } | undefined {
  const reading = takes === undefined ? undefined : writing.wholeSecrets.of(placeOf(role, takes, writing));
  const object = reading?.kind === 'read' ? reading.object : undefined;
  const password = object?.data['password'];
  const generatedAt = object?.annotations[GENERATED_AT];
  if (typeof password !== 'string' || password === '') return undefined;
  return { password: Buffer.from(password, 'base64').toString(), generatedAt: typeof generatedAt === 'string' ? generatedAt : undefined };
}

/** A new password in the place of the old one, in one write with who logs in with it and what was asked for. */
async function rotate(change: RotateSecret, writing: SecretWriting, signal: AbortSignal): Promise<void> {
  const { store, userOf, now, wholeSecrets } = writing;
  const place = placeOf(change.role, change.secret, writing);
  const reading = wholeSecrets.of(place);
  const before = reading.kind === 'read' ? reading.object : undefined;
  if (before === undefined) return;
  const user = userOf(change.role);
  const { data, annotations } = rotationChange(change, before, user?.turn !== undefined, now);
  // It may be from before the user got its name.
  await store.change(place, { data, annotations: { ...annotations, [PASSWORD_OF]: user === undefined ? change.role : declaredUserOf(user) } }, before, signal);
}

/** What of a Secret is another after a rotation; null where it is gone. */
function rotationChange(change: RotateSecret, { annotations }: SecretObject, inTurns: boolean, now: number): SecretChange {
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
  const { data, annotations } = rotationChange(change, before, inTurns, now);
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
  { store, userOf, factsOf, passwordOf, wholeSecrets }: SecretWriting,
  signal: AbortSignal,
): Promise<void> {
  const user = userOf(change.role);
  const facts = user === undefined ? undefined : factsOf(user);
  const password = passwordOf(change.role);
  if (facts === undefined || password === undefined) return;
  const place = { namespace: change.namespace, name: change.secret };
  const reading = wholeSecrets.of(place);
  const present = reading.kind === 'read' ? reading.object : undefined;
  await store.apply(place, connectionContent(facts, password), present, signal);
}
