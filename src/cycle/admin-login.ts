// Our own password where we rotate it: from its Secret, and from the file or variable beside it where the API server cannot be asked.
import type { Config } from '../config.ts';
import { nextKey, parseAdminSecret, plainPasswordAt } from '../core/admin-secret.ts';
import { type AdminPassword, readPasswordFile } from '../postgres/admin-password.ts';
import type { SecretPlace, SecretStore } from '../sources/source.ts';

/** A start must not take long where the API server hangs. */
const DEADLINE_MS = 5000;

export type AdminLoginConfig = Pick<Config, 'NAMESPACE' | 'ADMIN_SECRET' | 'DB_PASS' | 'DB_PASS_FILE'>;

export interface AdminLogin extends AdminPassword {
  /** The password that was accepted last. */
  readonly current: string | undefined;
}

/** Where our own password stands. */
export function adminPlace({ NAMESPACE, ADMIN_SECRET }: Pick<Config, 'NAMESPACE' | 'ADMIN_SECRET'>): { readonly place: SecretPlace; readonly key: string } {
  const { name, key } = parseAdminSecret(ADMIN_SECRET ?? '') ?? { name: '', key: '' };
  return { place: { namespace: NAMESPACE, name }, key };
}

/**
 * What worked last is tried first, then what stands in the Secret: the password in force, and the one that a rotation which was not finished
 * has made. DB_PASS and DB_PASS_FILE stand behind them: a start does not depend on the API server.
 */
export function createAdminLogin(config: AdminLoginConfig, store: SecretStore): AdminLogin {
  const { place, key } = adminPlace(config);
  let current: string | undefined;

  const inSecret = async (): Promise<(string | undefined)[]> => {
    const secret = await store.read(place, AbortSignal.timeout(DEADLINE_MS));
    if (secret === undefined) throw new Error(`there is no Secret ${place.name} in namespace ${place.namespace}, which ADMIN_SECRET names`);
    return [plainPasswordAt(secret, key), plainPasswordAt(secret, nextKey(key))];
  };
  /** A Secret that is mounted as a folder has the other key beside the file. */
  const inFiles = async (): Promise<(string | undefined)[]> => {
    const file = config.DB_PASS_FILE;
    const read = (path: string): Promise<string | undefined> => readPasswordFile(path).catch(() => undefined);
    return [config.DB_PASS, ...(file === undefined ? [] : [await read(file), await read(nextKey(file))])];
  };

  return {
    get current() {
      return current;
    },
    accepted: (password) => {
      current = password;
    },
    async *candidates() {
      const tried = new Set<string>();
      let failure: unknown = new Error(`Secret ${place.name} in namespace ${place.namespace} holds no password under the key ${key}`);
      for (const source of [() => Promise.resolve([current]), inSecret, inFiles]) {
        const passwords = await source().catch((error: unknown) => {
          failure = error;
          return [];
        });
        for (const password of passwords) {
          if (password === undefined || password === '' || tried.has(password)) continue;
          tried.add(password);
          yield password;
        }
      }
      if (tried.size === 0) throw failure;
    },
  };
}
