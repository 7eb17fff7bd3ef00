// Whose passwords a probe can tell anything of: users whose password we set and who may log in.
import type { Config } from '../config.ts';
import type { Catalog, Witness } from '../core/catalog.ts';
import type { PasswordReason } from '../core/change.ts';
import type { Document } from '../core/document/types.ts';
import type { Credential } from '../core/passwords.ts';
import type { Credentials } from './credentials.ts';

export interface Target {
  readonly role: string;
  readonly witness: Witness;
  readonly credential: Credential;
  readonly database: string;
  /** When it expires (performance.now), a minute early: an expired role answers as one without a password. */
  readonly until: number;
}

/** The server's clock and ours may differ. */
const MARGIN_MS = 60_000;

interface TargetFacts {
  readonly document: Document;
  readonly credentials: Credentials;
  readonly catalog: Catalog;
  readonly stale: ReadonlyMap<string, PasswordReason>;
  readonly config: Config;
}

/** Users whose password we set, as far as the Secret's side tells still the right one, and who may log in. */
export function targetsIn({ document, credentials, catalog, stale, config }: TargetFacts): Target[] {
  const now = performance.now();
  const source = `${config.NAMESPACE}/${config.CONFIGMAP_NAME}`;
  return document.users.flatMap((user): Target[] => {
    const name = user.username;
    const role = catalog.cluster.roles.get(name);
    const managed = catalog.managed.get(name);
    const usable = credentials.usable.get(name);
    const witness = managed?.witness;
    if (role === undefined || managed === undefined || usable === undefined || witness == null || witness.salt === '' || stale.has(name)) return [];
    if (!role.login || managed.source !== source || (managed.oid !== 0 && managed.oid !== catalog.oids.get(name))) return [];
    const database = user.database ?? config.DB_NAME;
    if (config.PASSWORD_PROBE === 'login' && (role.connectionLimit === 0 || catalog.databases.get(database)?.allowsConnections !== true)) return [];
    const end = role.validUntil === null ? Number.POSITIVE_INFINITY : Date.parse(role.validUntil);
    const until = Number.isNaN(end) ? Number.NEGATIVE_INFINITY : now + (end - catalog.server.now) - MARGIN_MS;
    return [{ role: name, witness, credential: usable.credential, database, until }];
  });
}
