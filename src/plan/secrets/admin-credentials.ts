// What a Secret of a server's admin says: as PostgreSQL operators, Service Bindings and basic-auth Secrets write it. It is text of others, and leads nobody to a socket or a file.
import { hostProblem } from '../../document/servers-shape.ts';
import type { AdminSecretRef, HostPort } from '../../model/fleet.ts';
import { readPassword } from '../../model/secret-value.ts';
import { nameProblem } from '../../document/names.ts';
import { nextKey } from './admin-secret.ts';

/** The values of a Secret by their keys. */
export type SecretValues = ReadonlyMap<string, Uint8Array>;

export interface AdminCredentials {
  readonly user: string;
  /** The one in force, and one that a rotation which was not finished has made. */
  readonly passwords: readonly string[];
  /** undefined where the Secret names none that can be used. */
  readonly address: HostPort | undefined;
  readonly database: string | undefined;
}

/** `username`: CloudNativePG, Zalando, Service Binding, basic-auth; `user`: Crunchy. */
const USER_KEYS = ['username', 'user'] as const;
const PASSWORD_KEYS = ['password'] as const;
const DATABASE_KEYS = ['dbname', 'database'] as const;
/** CloudNativePG: the same as `uri`, with the whole name of the host, which means the same in every namespace. */
const FULL_URI = 'fqdn-uri';

/** @returns why nobody can log in with it, as the end of a sentence, where that is so. Values are never quoted. */
export function adminCredentialsIn(values: SecretValues, { usernameKey, passwordKey }: AdminSecretRef): AdminCredentials | string {
  const userKeys = usernameKey === undefined ? USER_KEYS : [usernameKey];
  const passwordKeys = passwordKey === undefined ? PASSWORD_KEYS : [passwordKey];
  const user = textAt(values, userKeys);
  if (user === undefined) return `has no key ${userKeys.join(' or ')} with the name of a role`;
  if (nameProblem(user, 'role') !== undefined) return 'names a user that no role can be called';
  const [key = ''] = passwordKeys;
  const passwords = [key, nextKey(key)].flatMap((one) => {
    const value = values.get(one);
    const read = value === undefined ? undefined : readPassword(Buffer.from(value));
    return read?.kind === 'plain' && read.password !== '' ? [read.password] : [];
  });
  if (passwords.length === 0) return `has no password under the key ${key}`;
  return { user, passwords, address: addressIn(values), database: databaseIn(values) };
}

/** Where the Secret says that the server is; a name of one word means something else in another namespace, so that the whole one is taken where it is there. */
function addressIn(values: SecretValues): HostPort | undefined {
  const host = textAt(values, ['host']);
  const full = fullHost(values);
  const chosen = host === undefined || !host.includes('.') ? (full ?? host) : host;
  if (chosen === undefined || hostProblem(chosen) !== undefined) return undefined;
  const port = Number(textAt(values, ['port']) ?? '5432');
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? { host: chosen, port } : undefined;
}

function fullHost(values: SecretValues): string | undefined {
  const text = textAt(values, [FULL_URI]);
  const host = text === undefined ? undefined : URL.parse(text)?.hostname;
  return host === undefined || host === '' ? undefined : host;
}

/** `*`, as CloudNativePG writes for a superuser, is no name of a database that anybody means. */
function databaseIn(values: SecretValues): string | undefined {
  const database = textAt(values, DATABASE_KEYS);
  return database === undefined || database === '*' || nameProblem(database, 'database') !== undefined ? undefined : database;
}

/** The first of some keys that has text, without the newline that editors leave at its end. */
function textAt(values: SecretValues, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = values.get(key);
    if (value === undefined || value.length === 0 || value.length > 4096) continue;
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(value).replace(/\r?\n$/, '');
      if (text !== '') return text;
    } catch {
      // Bytes that are no text are none of what is looked for.
    }
  }
  return undefined;
}
