// The configuration of one of several servers: what its entry says, over the environment.
import { join, parse } from 'node:path';
import { type Config, configOf, type FleetSettings, type Settings } from '../config.ts';
import type { GuardrailsFile, GuardrailsReading } from '../files/guardrails-file.ts';
import type { HostPort, ServerEntry, ServerPolicy } from '../model/fleet.ts';
import type { Guardrail } from '../model/guardrails.ts';
import { LIMITS } from '../model/limits.ts';
import { createHosts, type Hosts } from '../postgres/hosts.ts';
import type { OwnSecrets } from '../sources/ports.ts';
import type { AdminIdentity } from '../steward/secret-login.ts';

const CA_MS = 5000;

/** Settings that are about one server, by which none of several is kept: each says its own. */
const OF_ONE_SERVER = {
  SERVERS_CONFIGMAP: undefined,
  DB_PASS: undefined,
  DB_PASS_FILE: undefined,
  MOVED_FROM: undefined,
  CONNECTION_HOST: undefined,
  CONNECTION_PORT: undefined,
  CONNECTION_SSLMODE: undefined,
  ADMIN_ROTATION: 'off',
  ADMIN_SECRET: undefined,
} as const satisfies Partial<Settings>;

/** The configuration of one of several servers: what it says itself, over the environment. */
function configOfServer(
  { settings, guardrails }: FleetSettings,
  entry: ServerEntry,
  login: { readonly user: string; readonly database: string; readonly address: HostPort },
): Config {
  const { name, connection, tls, policy, documents, adminSecretRef } = entry;
  const set: Settings = {
    ...settings,
    ...OF_ONE_SERVER,
    ...ofPolicy(policy),
    CONFIGMAP_NAME: documents[0]?.name ?? name,
    DB_HOST: login.address.host,
    DB_PORT: login.address.port,
    DB_USER: login.user,
    DB_NAME: login.database,
    STATE_FILE: stateFileOf(settings.STATE_FILE, name),
    ...(connection?.host === undefined ? {} : { CONNECTION_HOST: connection.host }),
    ...(connection?.port === undefined ? {} : { CONNECTION_PORT: connection.port }),
    ...(connection?.sslmode === undefined ? {} : { CONNECTION_SSLMODE: connection.sslmode }),
    ...(tls === undefined ? {} : { DB_SSLMODE: tls.mode, DB_SSL_ROOT_CERT: undefined }),
    ADMIN_SECRET: `${adminSecretRef.name}/${adminSecretRef.passwordKey ?? 'password'}`,
  };
  const config = configOf({ ...set, DB_POOL_MIN_CONN: Math.min(set.DB_POOL_MIN_CONN, set.DB_POOL_MAX_CONN) }, withGuardrails(guardrails, policy.guardrails));
  return { ...config, source: { ...config.source, secretsSelector: entry.secretsSelector }, fleet: undefined };
}

/** Those of its policy hold beside the operator's file, which is looked at for it as for everybody. */
function withGuardrails(file: GuardrailsFile, own: readonly Guardrail[] = []): GuardrailsFile {
  if (own.length === 0) return file;
  const both = (reading: GuardrailsReading): GuardrailsReading => ({ ...reading, guardrails: [...own, ...reading.guardrails] });
  return {
    get last() {
      return both(file.last);
    },
    look: () => both(file.look()),
  };
}

/** `dryRun` is DRY_RUN: the reader has checked each value as the environment's. */
const ofPolicy = ({ guardrails: _guardrails, ...policy }: ServerPolicy): Partial<Settings> =>
  Object.fromEntries(
    Object.entries(policy)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(), value]),
  );

/** `users_state.json` is `users_state.orders.json`. */
function stateFileOf(file: string, server: string): string {
  const { dir, name, ext } = parse(file);
  return join(dir, `${name}.${server}${ext}`);
}

/**
 * Its configuration, with an address that follows the primary.
 * @param reservedSecrets names that no document may use, asked for at each reading.
 */
export function serverConfig(
  fleet: FleetSettings,
  entry: ServerEntry,
  { user, database, hosts: addresses }: AdminIdentity,
  secrets: OwnSecrets,
  reservedSecrets: () => ReadonlySet<string>,
) {
  const [first = { host: 'localhost', port: 5432 }, ...more] = addresses;
  const config = configOfServer(fleet, entry, { user, database, address: first });
  const hosts = createHosts([first, ...more]);
  const ca = entry.tls?.caSecretRef;
  const server = {
    ...config.server,
    hosts: more.length === 0 ? undefined : hosts,
    // The host may be that of a Secret.
    keepsPassword: true,
    tls: { ...config.server.tls, ca: ca && (() => certificates(ca, secrets)) },
    get host() {
      return hosts.current.host;
    },
    get port() {
      return hosts.current.port;
    },
  };
  const connectionSecrets = toldBy(config.connectionSecrets, entry.connection, hosts);
  return { ...config, isDeclared: true, source: { ...config.source, reservedSecrets }, server, connectionSecrets };
}

/** What connection Secrets say: where the primary is, unless the entry says another place. */
const toldBy = (said: Config['connectionSecrets'], connection: ServerEntry['connection'], hosts: Hosts): Config['connectionSecrets'] => ({
  sslmode: said.sslmode,
  get host() {
    return connection?.host ?? hosts.current.host;
  },
  get port() {
    return connection?.port ?? (connection?.host === undefined ? hosts.current.port : said.port);
  },
});

/** @throws what keeps us from them: without them nobody is trusted. */
async function certificates({ name, key }: { readonly name: string; readonly key: string }, secrets: OwnSecrets): Promise<string> {
  const value = (await secrets.read(name, AbortSignal.timeout(CA_MS)))?.get(key);
  if (value === undefined) throw new Error(`the Secret ${name} of caSecretRef is not there, or has no key ${key}`);
  if (value.length > LIMITS.certificates) throw new Error(`the key ${key} of the Secret ${name} of caSecretRef has more than ${LIMITS.certificates} bytes`);
  return Buffer.from(value).toString();
}

/** Secrets that these servers log in with, or trust by. */
export const reservedBy = (entries: Iterable<ServerEntry>): ReadonlySet<string> =>
  new Set([...entries].flatMap(({ adminSecretRef, tls }) => [adminSecretRef.name, ...(tls?.caSecretRef === undefined ? [] : [tls.caSecretRef.name])]));
