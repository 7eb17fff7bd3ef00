// What a failure of the server means for us: one table from SQLSTATE to what to do next.

/** `retry`: the same again. `replan`: read again first. `cannot`: our rights do not allow it. `refused`: the statement itself is wrong. `connection`: outcome unknown. */
export type FailureClass = 'retry' | 'replan' | 'cannot' | 'refused' | 'connection' | 'readonly' | 'fenced';

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
  ['22012', 'fenced'], // our own fence: the writer's lock is no longer ours
]);

const CONNECTION_CODES: ReadonlySet<string> = new Set([
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '53400',
  '28000',
  '28P01',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
]);

const codeOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

export function classify(error: unknown): FailureClass {
  const code = codeOf(error);
  // Without a code the session broke, and nobody knows whether a COMMIT arrived.
  if (code === undefined) return 'connection';
  if (code === 'XX000') return /tuple concurrently|could not find tuple/.test(messageOf(error)) ? 'retry' : 'refused';
  if (code.startsWith('08') || CONNECTION_CODES.has(code)) return 'connection';
  return CLASSES.get(code) ?? 'refused';
}

/** The error's message and code, in a form that can be logged: server messages name objects, never verifiers or statements. */
export function describeFailure(error: unknown): string {
  const code = codeOf(error);
  const message = redact(messageOf(error));
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
