// Passwords: whether the server holds the verifier of a Secret's value, decided by witness wherever PBKDF2 can be spared.
import type { Catalog, Witness } from '../../model/catalog.ts';
import type { PasswordReason } from '../../changes/change.ts';
import { LIMITS } from '../../model/limits.ts';
import { onceFor } from '../../model/once-for.ts';
import type { ReadPassword } from '../../model/secret-value.ts';
import { createVerifier, parseVerifier, proofOf, type StoredVerifier, verifierMatches } from '../../model/scram.ts';

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
  /** What the server says for verifiers that are made now. */
  readonly iterations: number;
}

/** The iterations up to which a verifier is compared: every login may give its own role one with two thousand million, which takes half an hour. */
export const mostIterations = (iterations: number): number => Math.max(iterations, LIMITS.verifierIterations);

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

/** Whether the witness of a role shows that it has this password. One and the same value is proved once for what is stored. */
export const isWitnessed = ({ credential, stored, witness }: Pick<PasswordFacts, 'credential' | 'stored' | 'witness'>): boolean =>
  typeof stored === 'string' && witness !== null && isProof(credential, stored, witness.proof);

const isProof = onceFor((credential: Credential, stored: string, proof: string): boolean => proof === proofOf(stored, material(credential)));

/** Compares a Secret's value with what the server holds. */
export async function decidePassword(facts: PasswordFacts): Promise<PasswordDecision> {
  const { credential, stored, witness, version } = facts;
  if (!facts.exists) return { kind: 'stale', reason: 'new' };
  if (stored === undefined) return decideByWitness(facts);
  // No password means that nobody logs in with one.
  if (stored === null) return { kind: 'stale', reason: witness === null ? 'new' : 'drift' };
  if (isWitnessed(facts)) return { kind: 'current' };
  const matches =
    credential.kind === 'verifier' ? stored === credential.verifier : await verifierMatches(stored, credential.password, mostIterations(facts.iterations));
  if (matches) return { kind: 'current_unwitnessed', witness: witnessOf(stored, credential, version) };
  if (witness === null) return { kind: 'stale', reason: 'replaces' };
  return { kind: 'stale', reason: witness.version === version ? 'drift' : 'rotated' };
}

/** Without pg_authid only the Secret's side can be seen: the same version needs no look, another one is compared by the witness's salt. */
async function decideByWitness({ credential, witness, version, iterations }: PasswordFacts): Promise<PasswordDecision> {
  if (witness === null) return { kind: 'stale', reason: 'replaces' };
  if (witness.version === version) return { kind: 'current' };
  if (credential.kind === 'plain' && witness.iterations > mostIterations(iterations)) return { kind: 'stale', reason: 'rotated' };
  const verifier =
    credential.kind === 'verifier'
      ? credential.verifier
      : await createVerifier(credential.password, { salt: Buffer.from(witness.salt, 'base64'), iterations: witness.iterations });
  if (proofOf(verifier, material(credential)) !== witness.proof) return { kind: 'stale', reason: 'rotated' };
  return { kind: 'current_unwitnessed', witness: { ...witness, version } };
}

/** Whether the stored verifier is another one than we set, as far as it can be read; its salt tells, which is drawn anew for each. */
export function isForeign(role: string, { managed, verifiers }: Pick<Catalog, 'managed' | 'verifiers'>): boolean {
  const witness = managed.get(role)?.witness ?? null;
  const stored = verifiers.get(role) ?? null;
  if (witness === null || witness.salt === '' || stored === null) return false;
  const parts = parseVerifier(stored);
  return parts === undefined || parts.salt.toString('base64') !== witness.salt || parts.iterations !== witness.iterations;
}

/** The verifier to store for a credential, with a fresh salt. */
export const verifierFor = (credential: Credential, iterations: number): Promise<StoredVerifier> =>
  credential.kind === 'verifier' ? Promise.resolve(credential.verifier) : createVerifier(credential.password, { iterations });
