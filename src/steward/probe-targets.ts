// Whose passwords a probe can tell anything of: users whose password we set and who may log in.
import { type Catalog, isSameRole, type Witness } from '../model/catalog.ts';
import type { PasswordReason } from '../changes/change.ts';
import type { Document } from '../model/entries.ts';
import { whoseOf } from '../model/sources.ts';
import type { Credential } from '../plan/secrets/password-check.ts';
import type { Credentials } from './credentials.ts';

export interface ProbeTarget {
  readonly role: string;
  readonly witness: Witness;
  /** undefined for a user whose time runs out: nobody has its password any more. */
  readonly credential: Credential | undefined;
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
  /** Whose roles are ours. */
  readonly source: string;
  /** The database of users who name none. */
  readonly defaultDatabase: string;
  /** Whether a user has to be able to log in, for a probe to tell anything. */
  readonly logsIn: boolean;
}

/** Users whose password we set, as far as the Secret's side tells still the right one, and who may log in; also those who may for a while only. */
export function targetsIn({ document, credentials, catalog, stale, source, defaultDatabase, logsIn }: TargetFacts): ProbeTarget[] {
  const now = performance.now();
  const whose = whoseOf(source, document);
  return document.users.flatMap((user): ProbeTarget[] => {
    const name = user.username;
    const role = catalog.cluster.roles.get(name);
    const managed = catalog.managed.get(name);
    const usable = credentials.usable.get(name);
    const witness = managed?.witness;
    const isKnown = usable !== undefined || user.turn?.state === 'off';
    if (role === undefined || managed === undefined || !isKnown || witness == null || witness.salt === '' || stale.has(name)) return [];
    if (!role.login || !whose.has(managed.source) || !isSameRole(managed, catalog)) return [];
    const database = user.database ?? defaultDatabase;
    if (logsIn && (role.connectionLimit === 0 || catalog.databases.get(database)?.allowsConnections !== true)) return [];
    const end = role.validUntil === null ? Number.POSITIVE_INFINITY : Date.parse(role.validUntil);
    const until = Number.isNaN(end) ? Number.NEGATIVE_INFINITY : now + (end - catalog.server.now) - MARGIN_MS;
    return [{ role: name, witness, credential: usable?.credential, database, until }];
  });
}
