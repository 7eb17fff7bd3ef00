// SCRAM-SHA-256 verifiers as PostgreSQL stores them, computed here so that no plaintext password ever reaches the server.
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { saslprep } from './saslprep.ts';

const derive = promisify(pbkdf2);

export interface Verifier {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

declare const STORED: unique symbol;

/** What the server stores as it is where a password is set: made by `createVerifier`, or looked at by `storedVerifier`. */
export type StoredVerifier = string & { readonly [STORED]: true };

/** undefined for what the server would take for a password in plain text. It keeps MD5 hashes of before SCRAM as they are. */
export const storedVerifier = (text: string): StoredVerifier | undefined =>
  parseVerifier(text) !== undefined || /^md5[0-9a-f]{32}$/.test(text) ? (text as StoredVerifier) : undefined;

const hmac = (key: Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** The verifier of a password; a fresh 16-byte salt unless one is given. PBKDF2 runs on the thread pool. */
export async function createVerifier(password: string, options: { salt?: Buffer; iterations: number }): Promise<StoredVerifier> {
  const salt = options.salt ?? randomBytes(16);
  const salted = await derive(saslprep(password), salt, options.iterations, 32, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest();
  const serverKey = hmac(salted, 'Server Key');
  return `SCRAM-SHA-256$${options.iterations}:${salt.toString('base64')}$${storedKey.toString('base64')}:${serverKey.toString('base64')}` as StoredVerifier;
}

const FORM = /^SCRAM-SHA-256\$([1-9]\d{0,9}):([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)$/;

/** The parts of a verifier; undefined for anything that the server would not take as one (and would hash as a plain password). */
export function parseVerifier(text: string): Verifier | undefined {
  const [, iterations, salt, storedKey, serverKey] = FORM.exec(text) ?? [];
  if (iterations === undefined || salt === undefined || storedKey === undefined || serverKey === undefined) return undefined;
  const decoded = Buffer.from(salt, 'base64');
  if (Number(iterations) > 2_147_483_647 || decoded.toString('base64') !== salt) return undefined;
  return { iterations: Number(iterations), salt: decoded, storedKey: Buffer.from(storedKey, 'base64'), serverKey: Buffer.from(serverKey, 'base64') };
}

/**
 * Whether a stored verifier was made from this password. False for md5 hashes and anything else.
 * @param most iterations; a verifier with more is nobody's of ours, and finding out would take as long as whoever stored it wished.
 */
export async function verifierMatches(stored: string, password: string, most: number): Promise<boolean> {
  const parts = parseVerifier(stored);
  if (parts === undefined || parts.iterations > most) return false;
  const candidate = parseVerifier(await createVerifier(password, { salt: parts.salt, iterations: parts.iterations }));
  return candidate !== undefined && timingSafeEqual(candidate.storedKey, parts.storedKey) && timingSafeEqual(candidate.serverKey, parts.serverKey);
}

/** A witness that `verifier` belongs to `secret`: an HMAC keyed by the verifier, so that each guess costs a whole PBKDF2. */
export const proofOf = (verifier: string, secret: string): string => createHmac('sha256', verifier).update(secret).digest('base64');
