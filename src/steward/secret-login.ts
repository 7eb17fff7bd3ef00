// Our login on a server of a fleet: all of it from one Secret, which is read at each connect, so that whoever rotates it needs not tell us.
import type { AdminSecretRef, HostPort } from '../model/fleet.ts';
import { Outage } from '../model/outage.ts';
import { adminCredentialsIn, type AdminCredentials } from '../plan/secrets/admin-credentials.ts';
import type { OwnSecrets } from '../sources/ports.ts';
import type { AdminLogin } from './admin-login.ts';

/** A start must not take long where the API server hangs. */
const DEADLINE_MS = 5000;

/** A Secret that cannot be read is asked for again so often, however often somebody tries to log in. */
const AGAIN_MS = 3000;

/** As whom, where and to which database we log in. What a password was accepted with never changes under it: another one is another server to us. */
export interface AdminIdentity {
  readonly user: string;
  /** In the order in which they are tried. */
  readonly hosts: readonly HostPort[];
  readonly database: string;
}

/** What an entry says of it; the rest is in the Secret. */
export interface DeclaredAdmin {
  readonly name: string;
  readonly hosts: readonly HostPort[];
  readonly database: string | undefined;
  readonly adminSecretRef: AdminSecretRef;
}

/** Nobody: what is known of a server whose Secret could not be read yet. */
const NOBODY: AdminIdentity = { user: '', hosts: [], database: 'postgres' };

/** The Secret as it is now. @throws Outage saying why nobody can log in with it. */
export async function readAdmin(
  { hosts, database, adminSecretRef }: DeclaredAdmin,
  secrets: OwnSecrets,
): Promise<{ readonly identity: AdminIdentity } & Pick<AdminCredentials, 'passwords'>> {
  const { name } = adminSecretRef;
  const refuse = (why: string): never => {
    throw new Outage('login_refused', `the Secret ${name} of adminSecretRef ${why}`);
  };
  const values = await secrets
    .read(name, AbortSignal.timeout(DEADLINE_MS))
    .catch((error: unknown) => refuse(`cannot be read: ${error instanceof Error ? error.message : String(error)}`));
  if (values === undefined) return refuse('is not there');
  const found = adminCredentialsIn(values, adminSecretRef);
  if (typeof found === 'string') return refuse(found);
  const where = hosts.length > 0 ? hosts : found.address === undefined ? refuse('names no host; add `hosts` to the entry of the server') : [found.address];
  return { identity: { user: found.user, hosts: where, database: database ?? found.database ?? 'postgres' }, passwords: found.passwords };
}

/** The identity that the Secret gives now; NOBODY where it cannot be read, which the first session tells. */
export const identityNow = async (declared: DeclaredAdmin, secrets: OwnSecrets): Promise<AdminIdentity> =>
  readAdmin(declared, secrets).then(
    ({ identity }) => identity,
    () => NOBODY,
  );

const sameIdentity = (one: AdminIdentity, other: AdminIdentity): boolean =>
  one.user === other.user &&
  one.database === other.database &&
  one.hosts.length === other.hosts.length &&
  one.hosts.every(({ host, port }, at) => host === other.hosts[at]?.host && port === other.hosts[at]?.port);

/**
 * What stands in the Secret is tried first, then what was accepted last: a rotation that reached the Secret before the server, and an API server that does
 * not answer, keep nobody out.
 * @param onOther the Secret means another login than this one: what was accepted is never sent there.
 */
export function createSecretLogin(declared: DeclaredAdmin, identity: AdminIdentity, secrets: OwnSecrets, onOther: () => void): AdminLogin {
  let current: string | undefined;
  let failed: { readonly error: unknown; readonly until: number } | undefined;
  const read = async () => {
    if (failed !== undefined && performance.now() < failed.until) throw failed.error;
    try {
      const found = await readAdmin(declared, secrets);
      failed = undefined;
      return found;
    } catch (error) {
      failed = { error, until: performance.now() + AGAIN_MS };
      throw error;
    }
  };
  return {
    get current() {
      return current;
    },
    accepted: (password) => {
      current = password;
    },
    async *candidates() {
      const found = await read().catch((error: unknown) => {
        if (current === undefined) throw error;
        return { identity, passwords: [] };
      });
      if (!sameIdentity(found.identity, identity)) {
        onOther();
        throw new Outage('login_refused', `the Secret ${declared.adminSecretRef.name} of adminSecretRef means another login than before: begun anew with it`);
      }
      const known = current;
      const passwords = new Set([...found.passwords, ...(known === undefined ? [] : [known])]);
      yield* passwords;
    },
  };
}
