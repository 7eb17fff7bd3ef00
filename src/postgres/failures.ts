// What a failure means for us: one table from SQLSTATE to what to do next, and what tells a broken session from a defect of our own.
import pg from 'pg';
import { isFence } from './fence.ts';

/**
 * `retry`: the same again. `replan`: read again first. `cannot`: our rights do not allow it. `refused`: the statement itself is wrong.
 * `connection`: outcome unknown. `fenced`: the writer's claim is no longer ours. `defect`: it came from our own code, and no server said anything.
 */
export type FailureClass = 'retry' | 'replan' | 'cannot' | 'refused' | 'connection' | 'readonly' | 'fenced' | 'defect';

const CLASSES: ReadonlyMap<string, FailureClass> = new Map([
  ['40001', 'retry'], // serialization failure
  ['40P01', 'retry'], // deadlock
  ['55P03', 'retry'], // lock timeout
  ['57014', 'retry'], // our own statement timeout, or a cancel
  ['23505', 'retry'], // two writers made the same catalog row
  ['42704', 'replan'], // undefined object
  ['42710', 'replan'], // duplicate object
  ['2BP01', 'replan'], // dependent objects
  ['3D000', 'replan'], // unknown database
  ['42501', 'cannot'], // insufficient privilege
  ['25006', 'readonly'], // a standby, or a server switched to read only
]);

/** With these the server ends a session, or does not begin one. */
const ENDS_SESSION: ReadonlySet<string> = new Set([
  '25P03', // idle in a transaction for too long
  '25P04', // transaction_timeout
  '28000',
  '28P01',
  '53300',
  '53400',
  '57P01',
  '57P02',
  '57P03',
  '57P04',
  '57P05',
]);

/** A message that others can make longer (RAISE in a function of theirs) goes to the log, to Events and to /status. */
const LONGEST = 2000;

const NETWORK_CODES: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH']);

/** What pg says of a session that broke, or that did not answer in time; it gives these errors no code. */
const SESSION_MESSAGES: ReadonlySet<string> = new Set([
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Query read timeout',
  'timeout expired',
]);
const OUT_OF_STEP = 'Received unexpected ';

/** What failed while a session was opened, for whatever reason: certificates, SASL, a wrong answer. */
const atOpening = new WeakSet<Error>();

/** Notes that no session came about. */
export function notOpened(error: unknown): unknown {
  if (error instanceof Error) atOpening.add(error);
  return error;
}

/** Whether no session came about by it. */
export const isAtOpening = (error: unknown): boolean => error instanceof Error && atOpening.has(error);

/** An error of the network itself: Node says which call failed. */
const SYSCALLS: ReadonlySet<unknown> = new Set(['connect', 'read', 'write', 'shutdown', 'getaddrinfo']);

function isOfSession(error: unknown, code: string | undefined): boolean {
  if (!(error instanceof Error)) return false;
  if (atOpening.has(error) || NETWORK_CODES.has(code) || code?.startsWith('ERR_SSL_') === true) return true;
  return SESSION_MESSAGES.has(error.message) || error.message.startsWith(OUT_OF_STEP) || ('syscall' in error && SYSCALLS.has(error.syscall));
}

const codeOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

export function classify(error: unknown): FailureClass {
  if (isFence(error)) return 'fenced';
  const code = codeOf(error);
  if (code === undefined || !isServers(error, code)) return isOfSession(error, code) ? 'connection' : 'defect';
  if (code === 'XX000') return /tuple concurrently|could not find tuple/.test(messageOf(error)) ? 'retry' : 'refused';
  if (code.startsWith('08') || ENDS_SESSION.has(code)) return isOfStatement(error) ? 'refused' : 'connection';
  return CLASSES.get(code) ?? 'refused';
}

/** Whether it is an answer of the server. Codes of Node (EPIPE) may look like those of the server. */
const isServers = (error: unknown, code: string): boolean => error instanceof pg.DatabaseError || (/^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E'));

/** Code of others may raise any SQLSTATE, but what ends a session is a FATAL error. A pooler that opens none says ERROR too. */
const isOfStatement = (error: unknown): boolean => error instanceof pg.DatabaseError && error.severity === 'ERROR' && !atOpening.has(error);

/** The error's message and code, in a form that can be logged: server messages name objects, never verifiers or statements. */
export function describeFailure(error: unknown): string {
  if (isFence(error)) return 'another instance may be the writer by now, and nothing was written';
  const code = codeOf(error);
  const text = messageOf(error);
  const message = redact(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
  return code === undefined ? message : `${message} (${code})`;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A syntax error may echo a piece of the statement, and with it a verifier. */
const redact = (text: string): string => text.replace(/SCRAM-SHA-256\$[^'"\s]*/g, 'SCRAM-SHA-256$…').replace(/PASSWORD\s+E?'[^']*'?/gi, "PASSWORD '…'");

/** Whether the same may succeed when it is simply tried again: not after a wrong password, a missing right or a wrong statement. */
export function mayPass(error: unknown): boolean {
  const failure = classify(error);
  return failure === 'retry' || (failure === 'connection' && codeOf(error)?.startsWith('28') !== true);
}
