// Secret value → password: the whole value counts, and what the server would misunderstand is refused.
import { LIMITS } from './limits.ts';
import { onceFor } from './once-for.ts';
import { parseVerifier, type StoredVerifier } from './scram.ts';

export type ReadPassword =
  | { readonly kind: 'plain'; readonly password: string; readonly trimmed: boolean }
  | { readonly kind: 'verifier'; readonly verifier: StoredVerifier; readonly trimmed: boolean }
  | { readonly kind: 'refused'; readonly reason: string };

/** Longer values are far more often a wrong file than a password, and clients such as libpq stop earlier. */
const MAX_LENGTH = 1024;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a Secret's value. One trailing newline, as `echo` and editors leave it, is trimmed and told. */
export const readPassword = onceFor((value: Uint8Array): ReadPassword => {
  const refused = (reason: string): ReadPassword => ({ kind: 'refused', reason });
  let text: string;
  try {
    text = UTF8.decode(value);
  } catch {
    return refused('is not UTF-8');
  }
  const password = text.replace(/\r?\n$/, '');
  const trimmed = password !== text;
  if (password === '') return refused('is empty');
  if (password.includes('\0')) return refused('contains a NUL character');
  if (password.length > MAX_LENGTH) return refused(`has more than ${MAX_LENGTH} characters`);
  if (/^md5[0-9a-f]{32}$/.test(password))
    return refused('looks like an MD5 hash, which the server would store as it is; put the password or a SCRAM verifier there');
  const verifier = parseVerifier(password);
  if (verifier === undefined) return { kind: 'plain', password, trimmed };
  // The server hashes an empty password as often, to tell whether it is one; before 16 nothing ends that.
  if (verifier.iterations > LIMITS.verifierIterations) return refused(`is a verifier with more than ${LIMITS.verifierIterations} iterations`);
  return { kind: 'verifier', verifier: password as StoredVerifier, trimmed };
});
