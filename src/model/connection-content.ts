// What a connection Secret holds, and whether the one that is there differs from it.
import { createHash } from 'node:crypto';
import { CONNECTION_KEYS, type ConnectionKey, templateParts, uriKeys } from './connection-keys.ts';
import type { ConnectionSecret } from './entries.ts';
import { CONNECTION_OF, MADE_FROM, MANAGED_BY, SOURCE } from './secret-annotations.ts';

/** Why it is written: there is none, what it is made from changed, the user's password did, or somebody edited it. */
export type ConnectionReason = 'new' | 'changed' | 'rotated' | 'drift';

/** The settings that connection Secrets say. */
export interface ConnectionDefaults {
  readonly host: string;
  readonly port: number;
  readonly sslmode: string;
  readonly database: string;
}

/** With the database; where the server is may change meanwhile. */
export const defaultsIn = (said: Omit<ConnectionDefaults, 'database'>, database: string): ConnectionDefaults => ({
  get host() {
    return said.host;
  },
  get port() {
    return said.port;
  },
  sslmode: said.sslmode,
  database,
});

/** Everything that a connection Secret is made from, but for the password. */
export interface ConnectionFacts extends ConnectionDefaults {
  /** As whom programs log in. */
  readonly username: string;
  /** The user of the document. */
  readonly declaredUser: string;
  /** What that one was called: a Secret for it is the same one. */
  readonly formerUser?: string | undefined;
  readonly entry: ConnectionSecret;
  /** `namespace/name` of the ConfigMap. */
  readonly source: string;
}

/** What is written. */
export interface SecretContent {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly data: ReadonlyMap<string, string>;
}

/** What is there. */
export interface PresentSecret {
  readonly labels: Readonly<Record<string, unknown>>;
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly type: string;
  /** Base64. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Type of the Secrets, by the Service Binding specification. It cannot be changed once a Secret is there. */
export const CONNECTION_TYPE = 'servicebinding.io/postgresql';

/** The Secret for a password. */
export function connectionContent(facts: ConnectionFacts, password: string): SecretContent {
  const { entry, declaredUser, source } = facts;
  return {
    labels: { ...Object.fromEntries(entry.labels), [MANAGED_BY]: 'pgsteward' },
    annotations: { ...Object.fromEntries(entry.annotations), [CONNECTION_OF]: declaredUser, [SOURCE]: source, [MADE_FROM]: digestOf(facts) },
    data: connectionData(facts, password),
  };
}

/** Why nothing of ours may be written over it; undefined where it is ours for this user. */
export function whyNotOurs(
  present: PresentSecret,
  { declaredUser, formerUser, source }: Pick<ConnectionFacts, 'declaredUser' | 'formerUser' | 'source'>,
): string | undefined {
  if (present.labels[MANAGED_BY] !== 'pgsteward') return 'somebody else made a Secret of that name';
  const whose = present.annotations[CONNECTION_OF];
  if (whose !== declaredUser && (formerUser === undefined || whose !== formerUser)) return 'pgsteward made a Secret of that name for something else';
  return present.annotations[SOURCE] === source ? undefined : 'another pgsteward made a Secret of that name';
}

/**
 * Why the Secret has to be written; undefined where it says what it should.
 * @param password undefined where it is yet to be generated.
 */
export function whyWritten(facts: ConnectionFacts, password: string | undefined, present: PresentSecret | undefined): ConnectionReason | undefined {
  if (present === undefined) return 'new';
  if (password === undefined) return 'rotated';
  const wanted = connectionContent(facts, password);
  if (isSame(present, wanted)) return undefined;
  const before = loginIn(present);
  const isOther = before !== undefined && (before.password !== password || before.username !== facts.username);
  if (isOther && isSame(present, connectionContent({ ...facts, username: before.username }, before.password))) return 'rotated';
  return present.annotations[MADE_FROM] === wanted.annotations[MADE_FROM] ? 'drift' : 'changed';
}

/** As whom and with what password a connection Secret lets programs log in. */
export function loginIn({ data: { username, password } }: PresentSecret): { readonly username: string; readonly password: string } | undefined {
  if (typeof username !== 'string' || typeof password !== 'string') return undefined;
  return { username: Buffer.from(username, 'base64').toString(), password: Buffer.from(password, 'base64').toString() };
}

/** Whether everything that is wanted stands there; what others added to it is theirs. */
const isSame = (present: PresentSecret, wanted: SecretContent): boolean =>
  [...wanted.data].every(([key, value]) => present.data[key] === Buffer.from(value).toString('base64')) &&
  Object.entries(wanted.labels).every(([key, value]) => present.labels[key] === value) &&
  Object.entries(wanted.annotations).every(([key, value]) => present.annotations[key] === value);

/** Another one says that there may be keys of ours to take away, which the values alone would not. */
const digestOf = ({ host, port, sslmode, database, username, entry }: ConnectionFacts): string =>
  createHash('sha256')
    .update(JSON.stringify([host, port, sslmode, database, username, ...[entry.template, entry.labels, entry.annotations, entry.uris].map((map) => [...map])]))
    .digest('hex')
    .slice(0, 16);

function connectionData(facts: ConnectionFacts, password: string): ReadonlyMap<string, string> {
  const { host, port, sslmode, database, username, entry } = facts;
  const uris = (where: { readonly host: string; readonly port: number | undefined }) =>
    connectionUris({ host: where.host, port: where.port ?? port, sslmode, database, username, password });
  const { uri, jdbcUri } = uris({ host, port });
  const standard: Readonly<Record<ConnectionKey, string>> = {
    type: 'postgresql',
    provider: 'pgsteward',
    host,
    port: String(port),
    database,
    username,
    password,
    uri,
    'jdbc-uri': jdbcUri,
    DATABASE_URL: uri,
    PGHOST: host,
    PGPORT: String(port),
    PGDATABASE: database,
    PGUSER: username,
    PGPASSWORD: password,
    sslmode,
  };
  const data = new Map<string, string>(CONNECTION_KEYS.map((key) => [key, standard[key]]));
  for (const [name, where] of entry.uris) {
    const others = uris(where);
    const [uriKey, jdbcKey] = uriKeys(name);
    data.set(uriKey, others.uri).set(jdbcKey, others.jdbcUri);
  }
  const filled = [...entry.template].map(([key, text]): [string, string] => [
    key,
    (templateParts(text) ?? []).map((part, index) => (index % 2 === 0 ? part : (data.get(part) ?? ''))).join(''),
  ]);
  return new Map([...data, ...filled]);
}

interface UriParts {
  readonly host: string;
  readonly port: number;
  readonly sslmode: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
}

/** The URI that libpq, node-postgres and Go read, and the one of JDBC, which has user and password among its parameters. */
function connectionUris({ host, port, sslmode, database, username, password }: UriParts): { readonly uri: string; readonly jdbcUri: string } {
  const where = `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
  // What libpq and JDBC do unasked is left out: node-postgres takes `prefer` in a URI for `verify-full`.
  const ssl = sslmode === 'prefer' ? [] : [`sslmode=${sslmode}`];
  const query = ssl.length === 0 ? '' : `?${ssl.join('&')}`;
  return {
    uri: `postgresql://${encode(username)}:${encode(password)}@${where}/${encodePath(database)}${query}`,
    jdbcUri: `jdbc:postgresql://${where}/${encode(database)}?${[`user=${encode(username)}`, `password=${encode(password)}`, ...ssl].join('&')}`,
  };
}

/** Everything but RFC 3986's unreserved characters as UTF-8 in percent signs; encodeURIComponent leaves some more. */
const encode = (text: string): string => encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** In a path node-postgres does not decode what may stand there as it is. */
const encodePath = (text: string): string => encode(text).replace(/%(?:3A|40|26|3D|2B|24|2C|3B)/g, decodeURIComponent);
