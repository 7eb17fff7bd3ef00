// What servers.yaml may say: its keys and the shape of each value. The reader and the JSON Schema are made from this table.
import { CONNECTION_MODES, type HostPort, TLS_MODES } from '../model/fleet.ts';
import { DAY_MS, drainTime, durationMs } from '../model/duration.ts';
import { LIMITS } from '../model/limits.ts';
import { guardrailsSchema } from './json-schema.ts';
import {
  labelKeyProblem,
  labelValueProblem,
  nameProblem,
  namespaceProblem,
  parameterProblem,
  patternProblem,
  secretKeyProblem,
  secretNameProblem,
} from './names.ts';
import { schemaOf, type Shape } from './shape.ts';
import { show } from './show.ts';

const text = (problem: (text: string) => string | undefined, about?: string): Shape => ({ kind: 'text', problem, ...(about === undefined ? {} : { about }) });
const words = (known: readonly string[], about?: string): Shape => ({ kind: 'words', words: known, ...(about === undefined ? {} : { about }) });
const integer = (least: number, most: number, about: string): Shape => ({ kind: 'integer', least, most, about });
const flag = (about: string): Shape => ({ kind: 'flag', about });
const listOf = (of: Shape, about: string, least = 0, most: number = LIMITS.serverItems): Shape => ({ kind: 'list', of, least, most, about });
const mapping = (keys: Readonly<Record<string, Shape>>, required: readonly string[], about: string): Shape => ({ kind: 'mapping', keys, required, about });

const MOST = 2_147_483_647;
const SECONDS = 1_000_000;

/** Whether a server or an author can be called so. */
export const isLabel = (name: string): boolean => /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(name);
const label = (what: string) => text((name) => (isLabel(name) ? undefined : `${what} is called by 1 to 63 lower-case letters, digits and \`-\``));
const configMap = text((name) =>
  secretNameProblem(name) === undefined ? undefined : 'this is no name of a ConfigMap; use lower-case letters, digits, `-` and `.`',
);
const secret = text(secretNameProblem, 'The name of a Secret in the namespace of pgsteward.');
const secretKey = text(secretKeyProblem, 'A key of the Secret.');
const labels = (about: string): Shape => ({ kind: 'map', of: text(labelValueProblem), key: labelKeyProblem, least: 1, most: 20, about });
const pattern = (what: string) => text((name) => patternProblem(name, what));
const exact = (kind: 'role' | 'database') =>
  text((name) => (kind === 'role' && name.includes('*') ? `${show(name)} is a pattern, and only exact names are taken here` : nameProblem(name, kind)));

const NOT_A_HOST = 'must be `host:port`, as `orders-rw.db.svc:5432` or `[fd00::1]:5432`';
const HOST_NAME = /^[A-Za-z0-9_](?:[-A-Za-z0-9_.]{0,251}[A-Za-z0-9_.])?$/;
const IPV6 = /^[0-9A-Fa-f:.]{2,45}$/;

/** Whether a server may be called so: no path of a socket, nothing that stands for several, no option of a connection. */
export const hostProblem = (host: string): string | undefined =>
  HOST_NAME.test(host) || (host.includes(':') && IPV6.test(host)) ? undefined : 'this is no name of a host and no address';

/** `host:port`; the port is 5432 where it is left out. Undefined for what is neither. */
export function readHost(given: string): HostPort | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(given) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? 5432 : Number(digits);
  if (host === undefined || hostProblem(host) !== undefined || port < 1 || port > 65_535) return undefined;
  return { host, port };
}

const port = integer(1, 65_535, 'Its port.');
const names = (what: string, about: string) => listOf(pattern(what), about);

/** Each is a setting of the environment in camelCase; docs/reference.md says what each does. */
export const POLICY_SHAPES = {
  dryRun: flag('true: nothing is written on this server.'),
  syncInterval: { kind: 'number', least: 0.1, most: SECONDS, about: 'Seconds between looks.' },
  driftInterval: { kind: 'number', least: 0, most: SECONDS, about: 'Seconds between looks for drift.' },
  deletionPolicy: words(['drop', 'disable', 'retain'], 'What becomes of roles that nothing names any longer.'),
  drain: text((given) => (drainTime(given) === undefined ? 'must be `terminate`, `keep` or a duration as `30s`, `5m`, `2h`, `1d`' : undefined)),
  maxDeletions: integer(0, MOST, 'How many roles may go in one cycle.'),
  revokes: words(['apply', 'report']),
  eventTriggers: words(['auto', 'on', 'off']),
  passwordProbe: words(['off', 'salt', 'login']),
  adminRotation: words(['on', 'off'], 'on: the password in the admin Secret is replaced by pgsteward.'),
  adminRotationEvery: text((given) => ((durationMs(given) ?? 0) >= 3_600_000 ? undefined : 'must be a duration as `12h`, `30d`, of an hour at least')),
  maxObjects: integer(1000, MOST, 'Objects of one database that are looked at.'),
  maxListeners: integer(0, 10_000, 'Databases in which changes are heard at once.'),
  maxRetries: integer(0, MOST, 'How often something that failed is tried again.'),
  dbPoolMaxConn: integer(1, 1000, 'Sessions at most.'),
  dbLockTimeout: { kind: 'number', least: 0.001, most: SECONDS, about: 'Seconds.' },
  dbStatementTimeout: { kind: 'number', least: 0.001, most: SECONDS, about: 'Seconds.' },
  auditRetention: text((given) =>
    given === 'forever' || (durationMs(given) ?? 0) >= DAY_MS ? undefined : 'must be `forever` or a duration as `400d`, of a day at least',
  ),
  auditMaxRows: integer(10_000, MOST, 'Rows of the audit log.'),
  reassignTo: exact('role'),
  reassignToPowerful: exact('role'),
  movedFrom: text((given) => (/^(\d{1,20}|unknown)$/.test(given) ? undefined : 'must be the system identifier of a server, or `unknown`')),
  protectedRoles: listOf(exact('role'), 'Roles that are never touched.'),
  allowedRoles: listOf(exact('role'), 'Strong roles that documents may hand out.'),
  allowedSettings: listOf(text(parameterProblem), 'Parameters that documents may set although only a superuser may.'),
  allowedExtensions: listOf(
    text((given) => nameProblem(given, 'extension')),
    'Extensions that documents may install.',
  ),
} as const satisfies Readonly<Record<string, Shape>>;

/** The only part of a policy that is no setting of the environment: there it is a file. */
const GUARDRAILS: Shape = { kind: 'elsewhere', schema: guardrailsSchema, about: 'What must never be on this server, beside GUARDRAILS_FILE.' };

const SCOPE = mapping(
  {
    names: listOf(pattern('role'), 'Users and roles that it may declare: names, or patterns.', 1),
    databases: names('database', 'Databases in which it may grant, own and create.'),
    schemas: names('schema', 'Schemas within these databases; all where it is left out.'),
    roles: listOf(exact('role'), 'Roles of others that it may hand out, beside those shared with it.'),
    users: integer(0, MOST, 'How many users it may declare.'),
    declaredRoles: integer(0, MOST, 'How many roles it may declare.'),
    connections: integer(0, MOST, 'What the connection limits of its users may be together.'),
    settings: listOf(text(parameterProblem), 'Parameters that it may set.'),
    create: flag('Whether it may declare databases that are to be made.'),
    connectionSecrets: flag('Whether it may ask for connection Secrets, in its own namespace.'),
  },
  ['names'],
  'What it may declare; what is left out is not allowed.',
);

const AUTHOR = mapping(
  {
    name: label('an author'),
    from: mapping(
      { namespace: text(namespaceProblem), matchLabels: labels('Labels of its ConfigMaps.') },
      ['namespace', 'matchLabels'],
      'Where its ConfigMaps are.',
    ),
    may: SCOPE,
    onGone: words(['keep', 'remove'], 'What becomes of its users when its ConfigMap is gone.'),
    grace: text((given) => (durationMs(given) === undefined ? 'must be a duration as `30m`, `2h`, `1d`' : undefined), 'How long after that, with `remove`.'),
    maxDeletions: integer(0, MOST, 'How many of its roles may go in one cycle.'),
  },
  ['name', 'from', 'may'],
  'Somebody who declares what is its own from its own namespace.',
);

const SERVER = mapping(
  {
    name: label('a server'),
    hosts: listOf(
      text((given) => (readHost(given) === undefined ? NOT_A_HOST : undefined)),
      'Where it is, as host:port, tried in order; only a primary is written. Host and port of the admin Secret where it is left out.',
      1,
      20,
    ),
    database: text((given) => nameProblem(given, 'database'), 'The admin database.'),
    adminSecretRef: mapping({ name: secret, usernameKey: secretKey, passwordKey: secretKey }, ['name'], 'The Secret with name and password of our admin.'),
    tls: mapping(
      { mode: words(TLS_MODES), caSecretRef: mapping({ name: secret, key: secretKey }, ['name'], 'The Secret with the certificates that are trusted.') },
      ['mode'],
      'How sessions are secured.',
    ),
    connection: mapping({ host: text(hostProblem), port, sslmode: words(CONNECTION_MODES) }, [], 'What connection Secrets say.'),
    policy: mapping({ ...POLICY_SHAPES, guardrails: GUARDRAILS }, [], 'Settings of this server; what is left out is as the environment says.'),
    secretsSelector: labels('Labels of the Secrets of its users: only these are listed and watched.'),
    documents: listOf(mapping({ name: configMap }, ['name'], 'A ConfigMap in the namespace of pgsteward.'), 'Its documents: all that the laws allow.'),
    authors: listOf(AUTHOR, 'Who else declares something of it.'),
  },
  ['name', 'adminSecretRef'],
  'A server.',
);

/** The items are looked at one by one, so that each is valid or not by itself. */
export const SERVER_SHAPE = SERVER;

export const SERVERS_KEYS = ['servers'] as const;

/** JSON Schema, draft 7, of servers.yaml. */
export const serversSchema = (): Readonly<Record<string, unknown>> => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'pgsteward servers.yaml',
  type: 'object',
  properties: { servers: { type: 'array', items: schemaOf(SERVER), maxItems: LIMITS.servers, description: 'The servers that pgsteward keeps.' } },
  required: ['servers'],
  additionalProperties: false,
});
