// SASLprep as PostgreSQL does it, which is not quite as RFC 4013 has it: the password that goes into a verifier must be the server's and libpq's to the byte.
import { HAS_LEFT_TO_RIGHT, HAS_REFUSED, HAS_RIGHT_TO_LEFT, IS_RIGHT_TO_LEFT, LEFT_OUT, SPACES } from './saslprep-tables.ts';

/**
 * What is hashed for a password: pure ASCII as it is, anything else after SASLprep, and the raw text where that refuses it.
 * PostgreSQL looks for what is refused before it normalises, the RFC after it: U+0341, which the normal form replaces, and characters that came after
 * Unicode 3.2 and stand for older ones leave the password as it is. As only characters of Unicode 3.2 are ever normalised, every version of Unicode agrees.
 */
export function saslprep(password: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are ASCII too
  if (/^[\0-\x7f]*$/.test(password)) return password;
  const mapped = mapCharacters(password);
  if (mapped === '' || HAS_REFUSED.test(mapped)) return password;
  if (HAS_RIGHT_TO_LEFT.test(mapped) && (HAS_LEFT_TO_RIGHT.test(mapped) || !IS_RIGHT_TO_LEFT.test(mapped))) return password;
  return mapped.normalize('NFKC');
}

/** Whether node-postgres logs in with it: it prepares alike, and refuses nothing. */
export const nodeCanLogIn = (password: string): boolean => mapCharacters(password).normalize('NFKC') === saslprep(password);

const mapCharacters = (password: string): string => password.replace(SPACES, ' ').replace(LEFT_OUT, '');
