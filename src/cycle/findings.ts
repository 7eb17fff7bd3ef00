// Findings: what a plan and its outcomes mean for the report: drift, failures, and which entries hold by now.
import type { Catalog } from '../core/catalog.ts';
import { type Change, type ChangeKind, databaseKey, databaseOf, groupKeyOf, IN_KUBERNETES, keyOf, subjectOf } from '../core/change.ts';
import { objectOf, sentenceOf } from '../core/sentence.ts';
import type { Document, Problem } from '../core/document/types.ts';
import type { Notice } from '../core/notice.ts';
import type { Plan } from '../core/plan.ts';
import { PUBLIC } from '../core/privileges/contents.ts';
import { type RenderOptions, renderChange } from '../core/sql.ts';
import type { Deafness, Residents } from '../postgres/residents.ts';
import type { Outcome } from '../postgres/run-batch.ts';
import type { Credentials } from './credentials.ts';
import { entryDigest } from './remember.ts';
import type { LastFailure } from './secrets.ts';

/** Changes that follow from the document or from removal, whatever the server did. */
const NEVER_DRIFT: ReadonlySet<ChangeKind> = new Set([
  'create_secret',
  'rotate_secret',
  'adopt_role',
  'forget_role',
  'forget_privileges',
  'install_event_trigger',
  'sync_trigger_rules',
  'remove_event_trigger',
  'disable_role',
  'end_sessions',
  'release_owned',
  'drop_role',
]);

/** The digests of a document's entries, by the subject of changes that follow from them; databases have a key of their own. */
function digestsIn(document: Document): ReadonlyMap<string, string> {
  return new Map([
    ...document.users.map((user) => [user.username, entryDigest(user)] as const),
    ...document.roles.map((role) => [role.name, entryDigest(role)] as const),
    ...document.databases.map((entry) => [databaseKey(entry.name), entryDigest(entry)] as const),
  ]);
}

/** Whose entry a change follows from. */
function entryKey(change: Change): string {
  const subject = subjectOf(change);
  const isAboutDatabase = subject === PUBLIC || !('role' in change);
  if (!isAboutDatabase || 'member' in change) return subject;
  const named = change.kind === 'grant_privilege' || change.kind === 'revoke_privilege' ? (change.on.names[0] ?? '') : '';
  return databaseKey(databaseOf(change) || ('database' in change ? change.database : named));
}

/** Changes for entries that were applied just as they are now: so it was the server that changed. */
export function driftOf(plan: Plan, document: Document, digests: ReadonlyMap<string, string>, catalog: Catalog): Change[] {
  const now = digestsIn(document);
  const isSettled = (key: string): boolean => now.has(key) && digests.get(key) === now.get(key);
  return [...plan.changes, ...plan.blocked.map((item) => item.change), ...plan.held].filter((change) => {
    if (change.kind === 'set_password' || change.kind === 'write_connection_secret') return change.reason === 'drift';
    // What default privileges explain, and what nobody has touched since it was made, was not changed by anybody.
    if (NEVER_DRIFT.has(change.kind) || ('explained' in change && change.explained)) return false;
    const key = entryKey(change);
    return now.has(key) ? isSettled(key) : plan.entities.get(key) === 'role' && catalog.managed.has(key);
  });
}

/** The digests of entries that hold on the server by now; an entry that something went wrong with keeps its old one. */
export function appliedDigests(document: Document, plan: Plan, outcomes: readonly Outcome[], before: ReadonlyMap<string, string>): Map<string, string> {
  const troubled = new Set([
    ...outcomes.flatMap((outcome) => (outcome.result === 'applied' ? [] : [entryKey(outcome.change)])),
    ...plan.deferred.map(entryKey),
    ...plan.blocked.map((item) => entryKey(item.change)),
  ]);
  return new Map(
    [...digestsIn(document)].flatMap(([key, digest]): [string, string][] => {
      if ((plan.entities.has(key) || key.startsWith('\0')) && !troubled.has(key)) return [[key, digest]];
      const old = before.get(key);
      return old === undefined ? [] : [[key, old]];
    }),
  );
}

/**
 * Whose SQL nobody should run for us: a verifier is a secret, and functions of ours that an administrator binds to events would run as
 * whoever causes them, superusers included. What is made in Kubernetes has no SQL.
 */
const WITHOUT_ADVICE: ReadonlySet<ChangeKind> = new Set(['set_password', 'install_event_trigger', ...IN_KUBERNETES]);

/** What failed in this cycle and is still wanted, and what still waits after failing in an earlier one. */
export function failureNotices(
  outcomes: readonly Outcome[],
  { changes, deferred, blocked }: Plan,
  render: RenderOptions,
  lastFailure: (change: Change) => LastFailure | undefined,
): Notice[] {
  // What is no longer wanted was mended by something else, as by the CASCADE of another change.
  const wanted = new Set([...changes, ...deferred, ...blocked.map((item) => item.change)].map(groupKeyOf));
  const failed = outcomes.flatMap((outcome) => (outcome.result === 'failed' && wanted.has(groupKeyOf(outcome.change)) ? [outcome] : []));
  const now = failed.map(({ change, message, class: failure }): Notice => {
    const cannot = failure === 'cannot';
    const sql = cannot && !WITHOUT_ADVICE.has(change.kind) ? renderChange(change, render).join('; ') : undefined;
    const instead = change.kind === 'install_event_trigger' ? '; EVENT_TRIGGERS=off or auto does without' : '';
    return {
      kind: cannot ? 'cannot' : 'failed',
      subject: subjectOf(change),
      message: `could not ${sentenceOf(change)}: ${message}; it is tried again later${instead}`,
      sql,
    };
  });
  const told = new Set(failed.map((outcome) => keyOf(outcome.change)));
  const waiting = deferred
    .filter((change) => !told.has(keyOf(change)))
    .map((change): Notice => {
      const failure = lastFailure(change);
      const why = failure === undefined ? '' : `, which failed: ${failure.message}`;
      return { kind: failure?.class === 'cannot' ? 'cannot' : 'failed', subject: subjectOf(change), message: `waiting to ${sentenceOf(change)}${why}` };
    });
  return [...now, ...waiting];
}

/** A change that succeeded and is wanted again: somebody undoes it, or it does nothing. */
export const notConverging = (change: Change): Notice => ({
  kind: 'not_converging',
  subject: subjectOf(change),
  message: `not converging: «${sentenceOf(change)}» succeeded and is still wanted (${objectOf(change)}); it is backed off`,
});

const DEAFNESS: Readonly<Record<Deafness, string>> = {
  pooler: 'there is a pooler between us and the server; point DB_HOST at the server itself',
  two_phase_commit: 'max_prepared_transactions is not 0, and a transaction that notifies could not be prepared',
};

/** Databases in which nobody tells us of changes, although a session is there to listen. */
export const deafNotices = (residents: Residents, driftInterval: number): Notice[] =>
  [...Map.groupBy(residents.deaf(), ([, why]) => why)].map(([why, databases]) => ({
    kind: 'fallback',
    subject: '',
    message: `no notification tells of changes by hand in ${databases.map(([name]) => name).join(', ')}: ${DEAFNESS[why]}. They are looked for every ${driftInterval} s (DRIFT_INTERVAL), and with each cycle`,
  }));

/** A warning for each user whose Secret ends in a newline: it is trimmed, as nobody means it. */
export function newlineWarnings(document: Document, { trimmed }: Credentials): Problem[] {
  const users = new Map(document.users.map((user) => [user.username, user]));
  return trimmed.flatMap((username): Problem[] => {
    const user = users.get(username);
    if (user === undefined) return [];
    const message = `the value of the Secret ${user.secret.name} ends in a newline, which is not part of the password`;
    return [{ severity: 'warning', file: 'users.yaml', position: user.position, path: `users (${username})`, message, username }];
  });
}
