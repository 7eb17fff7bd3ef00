// Our own password: where a new session gets it from, and which errors of the server are about it.
import { readFile } from 'node:fs/promises';
import type { Config } from '../config.ts';

/** Passwords to log in with. */
export interface AdminPassword {
  /** In the order in which they are tried; each is asked for only where the one before it was refused. @throws where there is none at all. */
  candidates(): AsyncIterable<string>;
  /** Takes note of one that the server accepted. */
  accepted(password: string): void;
}

type PasswordSettings = Pick<Config, 'DB_PASS' | 'DB_PASS_FILE'>;

/** A password file as it is now, without the newline that editors leave at its end. */
export const readPasswordFile = async (path: string): Promise<string> => (await readFile(path, 'utf8')).replace(/\r?\n$/, '');

/** DB_PASS, else the content of DB_PASS_FILE as it is now, else the documented default. */
export const configuredPassword = ({ DB_PASS, DB_PASS_FILE }: PasswordSettings): AdminPassword => ({
  async *candidates() {
    if (DB_PASS !== undefined) yield DB_PASS;
    else yield DB_PASS_FILE === undefined ? 'postgres' : await readPasswordFile(DB_PASS_FILE);
  },
  accepted: () => undefined,
});

const codeOf = (error: unknown): string => String((error as { readonly code?: unknown }).code);

/** Whether another password may be accepted where this one was not. Poolers have a code of their own for it. */
export const isWrongPassword = (error: unknown): boolean => codeOf(error) === '28P01' || (codeOf(error) === '08P01' && /auth/i.test(String(error)));

/** Whether the server does not let us in, whatever we try: an answer, and no failure of the connection. */
export const isLoginRefused = (error: unknown): boolean => isWrongPassword(error) || codeOf(error) === '28000';
