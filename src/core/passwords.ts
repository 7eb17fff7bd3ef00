// Passwords: whether the server holds the verifier of a Secret's value, decided by witness wherever PBKDF2 can be spared.
import type { Witness } from './catalog.ts';
import type { PasswordReason } from './change.ts';
import type { ReadPassword } from './password.ts';
import { createVerifier, parseVerifier, proofOf, verifierMatches } from './scram.ts';

/** A usable Secret value. */
export type Credential = Extract<ReadPassword, { kind: 'plain' | 'verifier' }>;

export interface PasswordFacts {
  readonly credential: Credential;
  /** The Secret reading's version. */
  readonly version: string;
  readonly witness: Witness | null;
  /** Whether the role exists; a new one has no password. */
  readonly exists: boolean;
  /** The stored verifier, null for none, undefined where pg_authid cannot be read. */
  readonly stored: string | null | undefined;
}

export type PasswordDecision =
  | { readonly kind: 'current' }
  /** The password is right, but nothing remembers it yet (or under another version): remember this. */
  | { readonly kind: 'current_unwitnessed'; readonly witness: Witness }
  | { readonly kind: 'stale'; readonly reason: PasswordReason };

/** What a Secret's value proves itself with: the plain password, or the verifier itself where the Secret holds one. */
const material = (credential: Credential): string => (credential.kind === 'plain' ? credential.password : credential.verifier);

/**
 * Remembers that `verifier` was made from the credential. The proof is an HMAC keyed by the verifier, so that every guess at the
 * password costs whoever reads a witness a whole PBKDF2, as the verifier itself would.
 */
export function witnessOf(verifier: string, credential: Credential, version: string): Witness {
  const parts = parseVerifier(verifier);
  return {
    version,
    salt: parts === undefined ? '' : Buffer.from(parts.salt).toString('base64'),
    iterations: parts?.iterations ?? 0,
    proof: proofOf(verifier, material(credential)),
  };
}

/** Compares a Secret's value with what the server holds. */
export async function decidePassword(facts: PasswordFacts): Promise<PasswordDecision> {
  const { credential, stored, witness, version } = facts;
  if (!facts.exists) return { kind: 'stale', reason: 'new' };
  if (stored === undefined) return decideByWitness(facts);
  if (stored === null) return { kind: 'stale', reason: witness === null ? 'new' : 'drift' };
  if (witness !== null && witness.proof === proofOf(stored, material(credential))) return { kind: 'current' };
  const matches = credential.kind === 'verifier' ? stored === credential.verifier : await verifierMatches(stored, credential.password);
  if (matches) return { kind: 'current_unwitnessed', witness: witnessOf(stored, credential, version) };
  return { kind: 'stale', reason: witness?.version === version ? 'drift' : 'rotated' };
}

/** Without pg_authid only the Secret's side can be seen: the same version needs no look, another one is compared by the witness's salt. */
async function decideByWitness({ credential, witness, version }: PasswordFacts): Promise<PasswordDecision> {
  if (witness === null) return { kind: 'stale', reason: 'new' };
  if (witness.version === version) return { kind: 'current' };
  const verifier =
    credential.kind === 'verifier'
      ? credential.verifier
      : await createVerifier(credential.password, { salt: Buffer.from(witness.salt, 'base64'), iterations: witness.iterations });
  if (proofOf(verifier, material(credential)) !== witness.proof) return { kind: 'stale', reason: 'rotated' };
  return { kind: 'current_unwitnessed', witness: { ...witness, version } };
}

/** The verifier to store for a credential, with a fresh salt. */
export const verifierFor = (credential: Credential, iterations: number): Promise<string> =>
  credential.kind === 'verifier' ? Promise.resolve(credential.verifier) : createVerifier(credential.password, { iterations });
