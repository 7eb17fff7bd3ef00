// The login probe: a real login with a Secret's password, ended at once.
import pg from 'pg';
import { boundAnswers } from './bounded-answers.ts';
import { type ServerAddress, tlsOptions } from './connection.ts';
import { readSalt } from './salt-probe.ts';

export type LoginAnswer =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'wrong_password' }
  /** The server refused for another reason, or nothing was tried. */
  | { readonly kind: 'silent'; readonly reason: string };

export interface LoginAttempt {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** A verifier with more iterations is none of ours: a login would compute them all, on a thread that nothing can take back. */
  readonly mostIterations: number;
}

/**
 * Tries the password once. Only where the server asks for SCRAM: with other methods the client would send the password itself.
 * @throws when the server cannot be reached.
 */
export async function tryLogin(server: ServerAddress, { user, password, database, mostIterations }: LoginAttempt): Promise<LoginAnswer> {
  const asked = await readSalt(server, user, database);
  if (asked.kind === 'silent') return asked;
  if (asked.iterations > mostIterations) return { kind: 'wrong_password' };
  const ssl = asked.encrypted ? await tlsOptions(server.tls) : false;
  const client = new pg.Client({
    host: server.host,
    port: server.port,
    user,
    password,
    database,
    ssl,
    application_name: 'pgsteward',
    connectionTimeoutMillis: 3000,
  });
  client.on('error', () => undefined);
  boundAnswers(client);
  try {
    await client.connect();
    return { kind: 'accepted' };
  } catch (error) {
    const { code } = error as { readonly code?: string };
    // A server's answer has an SQLSTATE; without one it was not reached.
    if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) throw error;
    return code === '28P01' ? { kind: 'wrong_password' } : { kind: 'silent', reason: `the server answers ${code}` };
  } finally {
    client.end().catch(() => undefined);
  }
}
