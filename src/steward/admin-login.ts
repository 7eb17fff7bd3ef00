// Our own password where we rotate it: from its Secret, and from the file or variable beside it where the API server cannot be asked.
import type { SecretPlace } from '../model/secret-place.ts';
import { nextKey, plainPasswordAt } from '../plan/secrets/admin-secret.ts';
import { Outage } from '../model/outage.ts';
import { type AdminPassword, type ConfiguredPassword, readPasswordFile } from '../postgres/admin-password.ts';
import { describeFailure } from '../postgres/failures.ts';
import type { SecretStore } from '../sources/ports.ts';

/** A start must not take long where the API server hangs. */
const DEADLINE_MS = 5000;

/** Where our own password stands. */
export interface AdminSecret extends SecretPlace {
  readonly key: string;
}

export interface AdminLoginSettings {
  readonly server: ConfiguredPassword;
  readonly adminRotation: { readonly secret: AdminSecret };
}

export interface AdminLogin extends AdminPassword {
  /** The password that was accepted last. */
  readonly current: string | undefined;
}

/**
 * What worked last is tried first, then what stands in the Secret: the password in force, and the one that a rotation which was not finished
 * has made. What the environment gives stands behind them: a start does not depend on the API server.
 */
export function createAdminLogin({ server, adminRotation }: AdminLoginSettings, store: SecretStore): AdminLogin {
  const { key, ...place } = adminRotation.secret;
  let current: string | undefined;

  const inSecret = async (): Promise<(string | undefined)[]> => {
    const secret = await store.read(place, AbortSignal.timeout(DEADLINE_MS));
    if (secret === undefined) throw new Error(`there is no Secret ${place.name} in namespace ${place.namespace}, which ADMIN_SECRET names`);
    return [plainPasswordAt(secret, key), plainPasswordAt(secret, nextKey(key))];
  };
  /** A Secret that is mounted as a folder has the other key beside the file. */
  const inFiles = async (): Promise<(string | undefined)[]> => {
    const file = server.passwordFile;
    const read = (path: string): Promise<string | undefined> => readPasswordFile(path).catch(() => undefined);
    return [server.password, ...(file === undefined ? [] : [await read(file), await read(nextKey(file))])];
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
      if (tried.size === 0) throw new Outage('login_refused', describeFailure(failure));
    },
  };
}
