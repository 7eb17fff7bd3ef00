// Credentials: each user's Secret judged, and compared with what the server holds.
import type { Catalog, Witness } from '../model/catalog.ts';
import type { PasswordReason } from '../changes/change.ts';
import { type Document, hasPassword, type Problem, type SecretRef, type UserEntry } from '../model/entries.ts';
import { readPassword } from '../model/secret-value.ts';
import { type Credential, decidePassword, isWitnessed } from '../plan/secrets/password-check.ts';
import { sideBySide } from '../async/side-by-side.ts';
import type { SecretReading } from '../sources/ports.ts';

export interface Credentials {
  readonly usable: ReadonlyMap<
    string,
    { readonly credential: Credential; readonly version: string; readonly passwordOf: string | undefined; readonly madeFor?: string | undefined }
  >;
  /** Users whose Secret cannot be used: a sentence that names the Secret. */
  readonly withoutSecret: ReadonlyMap<string, string>;
  /** Users whose Secret is made before anything else: those above do not count them. */
  readonly toGenerate: ReadonlySet<string>;
  /** Users who wait for a Secret that should be made and cannot be now. */
  readonly notGenerated: ReadonlySet<string>;
  /** Users whose value ended in a newline that was trimmed. */
  readonly trimmed: readonly string[];
}

/**
 * Judges the Secrets of the users that log in with a password.
 * @param valueOf what is known of a Secret.
 * @param mayGenerate whether a Secret that is missing will be made.
 */
export function readCredentials(document: Document, valueOf: (ref: SecretRef) => SecretReading, mayGenerate: (user: UserEntry) => boolean): Credentials {
  const toGenerate = new Set<string>();
  const notGenerated = new Set<string>();
  const usable = new Map<string, { credential: Credential; version: string; passwordOf: string | undefined; madeFor: string | undefined }>();
  const withoutSecret = new Map<string, string>();
  const trimmed: string[] = [];
  for (const user of document.users) {
    if (!hasPassword(user)) continue;
    const name = `the Secret ${user.secret.name} (key ${user.secret.key})`;
    const reading = valueOf(user.secret);
    if (reading.kind === 'missing' && reading.what === 'secret' && user.password?.kind === 'generate') {
      if (mayGenerate(user)) {
        toGenerate.add(user.username);
        continue;
      }
      notGenerated.add(user.username);
    }
    if (reading.kind !== 'value') {
      withoutSecret.set(user.username, `${name} ${reading.kind === 'missing' ? 'is missing' : 'cannot be read'}: ${reading.detail}`);
      continue;
    }
    const read = readPassword(reading.value);
    if (read.kind === 'refused') {
      withoutSecret.set(user.username, `the value of ${name} ${read.reason}`);
      continue;
    }
    if (read.trimmed) trimmed.push(user.username);
    usable.set(user.username, { credential: read, version: reading.version, passwordOf: reading.passwordOf, madeFor: reading.madeFor });
  }
  return { usable, withoutSecret, toGenerate, notGenerated, trimmed };
}

/** undefined where there is none, or a verifier alone. */
export function plainPasswordOf({ usable }: Credentials, username: string): string | undefined {
  const credential = usable.get(username)?.credential;
  return credential?.kind === 'plain' ? credential.password : undefined;
}

/** A warning for each user whose Secret ends in a newline: it is trimmed, as nobody means it. */
export function newlineWarnings(document: Document, { trimmed }: Credentials): Problem[] {
  const users = new Map(document.users.map((user) => [user.username, user]));
  return trimmed.flatMap((username): Problem[] => {
    const user = users.get(username);
    if (user === undefined) return [];
    const message = `the value of the Secret ${user.secret.name} ends in a newline, which is not part of the password`;
    return [{ severity: 'warning', position: user.position, path: `users (${username})`, message, username }];
  });
}

export interface PasswordCheck {
  readonly stale: ReadonlyMap<string, PasswordReason>;
  /** Right passwords that nothing remembers yet. */
  readonly unwitnessed: ReadonlyMap<string, Witness>;
}

/** How many PBKDF2 rounds may be waiting at a time; the thread pool runs four. */
const SIDE_BY_SIDE = 16;

/** Compares each credential with the server's side; PBKDF2 runs only where no witness answers. */
export async function checkPasswords(credentials: Credentials, catalog: Catalog): Promise<PasswordCheck> {
  const storedOf = (role: string): string | null | undefined => (catalog.server.readsVerifiers ? (catalog.verifiers.get(role) ?? null) : undefined);
  const witnessOf = (role: string): Witness | null => catalog.managed.get(role)?.witness ?? null;
  const exists = (role: string): boolean => catalog.cluster.roles.has(role);
  // Nearly all of them: nothing is to be waited for there.
  const open = [...credentials.usable].filter(
    ([role, { credential }]) => !exists(role) || !isWitnessed({ credential, stored: storedOf(role), witness: witnessOf(role) }),
  );
  const decisions = await sideBySide(SIDE_BY_SIDE, open, async ([role, { credential, version }]) => ({
    role,
    decision: await decidePassword({
      credential,
      version,
      witness: witnessOf(role),
      exists: exists(role),
      stored: storedOf(role),
      iterations: catalog.server.scramIterations,
    }),
  }));
  const stale = new Map<string, PasswordReason>();
  const unwitnessed = new Map<string, Witness>();
  // In the order of the document, whichever was judged first: the same state gives the same plan.
  for (const { role, decision } of decisions)
    if (decision.kind === 'stale') stale.set(role, decision.reason);
    else if (decision.kind === 'current_unwitnessed') unwitnessed.set(role, decision.witness);
  for (const role of credentials.toGenerate) stale.set(role, catalog.cluster.roles.has(role) ? 'rotated' : 'new');
  return { stale, unwitnessed };
}
