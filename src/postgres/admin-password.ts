// Our own password: where a new session gets it from, and which errors of the server are about it.
import { readRegularText, RefusedFile } from '../files/bounded-file.ts';
import { LIMITS } from '../model/limits.ts';
import { Outage } from '../model/outage.ts';

/** Passwords to log in with. */
export interface AdminPassword {
  /** In the order in which they are tried; each is asked for only where the one before it was refused. @throws where there is none at all. */
  candidates(): AsyncIterable<string>;
  /** Takes note of one that the server accepted. */
  accepted(password: string): void;
}

/** As the environment gives it: the password, or the file that holds it. */
export interface ConfiguredPassword {
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
}

/** A password file as it is now, without the newline that editors leave at its end. */
export const readPasswordFile = async (path: string): Promise<string> => (await readRegularText(path, LIMITS.secretValue)).replace(/\r?\n$/, '');

/** The password itself, else the content of the file as it is now, else the documented default. */
export const configuredPassword = ({ password, passwordFile }: ConfiguredPassword): AdminPassword => ({
  async *candidates() {
    if (password !== undefined) yield password;
    else yield passwordFile === undefined ? 'postgres' : await readPasswordFile(passwordFile).catch((error: unknown) => unreadable(passwordFile, error));
  },
  accepted: () => undefined,
});

/** @throws always: without a password nobody logs in. */
function unreadable(path: string, error: unknown): never {
  throw new Outage('login_refused', `the file of DB_PASS_FILE, ${path}, ${error instanceof RefusedFile ? error.message : `cannot be read (${codeOf(error)})`}`);
}

const codeOf = (error: unknown): string => String((error as { readonly code?: unknown }).code);

/** Whether another password may be accepted where this one was not. Poolers have a code of their own for it. */
export const isWrongPassword = (error: unknown): boolean => codeOf(error) === '28P01' || (codeOf(error) === '08P01' && /auth/i.test(String(error)));

/** Whether the server does not let us in, whatever we try: an answer, and no failure of the connection. */
export const isLoginRefused = (error: unknown): boolean => isWrongPassword(error) || codeOf(error) === '28000';
