// Environment → Config: every setting with its default and its check, and every bad value in one message. Nobody else knows the environment.
import { z } from 'zod';
import { createGuardrailsFile, type GuardrailsFile, GuardrailsFileError, readGuardrailsFile } from './files/guardrails-file.ts';
import type { Guardrail } from './model/guardrails.ts';
import { parseAdminSecret } from './plan/secrets/admin-secret.ts';
import { drainTime } from './model/duration.ts';
import { DAY_MS, durationMs } from './model/duration.ts';

const numeric = (check: (schema: z.ZodNumber) => z.ZodNumber) =>
  z
    .string()
    .regex(/^-?\d+(\.\d+)?$/, 'must be a number')
    .transform(Number)
    .pipe(check(z.number()));
const number = (fallback: number, check: (schema: z.ZodNumber) => z.ZodNumber) => numeric(check).prefault(String(fallback));
const flag = z.stringbool({ truthy: ['true', '1', 'yes', 'on'], falsy: ['false', '0', 'no', 'off'] }).default(false);
const names = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );

/** A timer of more than 2^31 milliseconds goes off at once, and neither does the server take more. */
const MOST_SECONDS = 1_000_000;
const seconds = (fallback: number, check: (schema: z.ZodNumber) => z.ZodNumber) =>
  number(fallback, (n) => check(n).max(MOST_SECONDS, `must be ${MOST_SECONDS} seconds at most`));

/** A shorter time is far more often a unit that was mistaken than a wish. */
const HOUR_MS = 3_600_000;

const schema = z.object({
  SOURCE: z
    .string()
    .regex(/^(kubernetes|dir:.+)$/s, 'must be «kubernetes» or «dir:PATH»')
    .default('kubernetes'),
  KUBECONFIG: z.string().optional(),
  NAMESPACE: z.string().min(1).default('postgres'),
  CONFIGMAP_NAME: z.string().min(1).default('postgres-users-config'),
  SERVERS_CONFIGMAP: z.string().min(1).optional(),
  SECRET_ACCESS: z.enum(['auto', 'get', 'list']).default('auto'),
  SECRET_READS_PER_CYCLE: number(600, (n) => n.int().min(1)),
  WATCH: z.enum(['on', 'off']).default('on'),
  CONNECTION_HOST: z.string().min(1).optional(),
  CONNECTION_PORT: numeric((n) => n.int().min(1).max(65535)).optional(),
  CONNECTION_SSLMODE: z.enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']).optional(),
  STATUS_CONFIGMAP: z.enum(['on', 'off']).default('on'),
  REPLICAS: z.enum(['off', 'on']).default('off'),
  REPLICA_NAME: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be lower case letters, digits and dashes, 63 at most')
    .optional(),
  DB_HOST: z.string().min(1).default('acid-minimal-cluster.default.svc.cluster.local'),
  DB_PORT: number(5432, (n) => n.int().min(1).max(65535)),
  DB_NAME: z.string().min(1).default('postgres'),
  DB_USER: z.string().min(1).default('postgres'),
  DB_PASS: z.string().optional(),
  DB_PASS_FILE: z.string().optional(),
  ADMIN_ROTATION: z.enum(['off', 'on']).default('off'),
  ADMIN_SECRET: z
    .string()
    .refine((text) => parseAdminSecret(text) !== undefined, 'must be the name of a Secret, or «name/key»')
    .optional(),
  ADMIN_ROTATION_EVERY: z
    .string()
    .refine((text) => (durationMs(text) ?? 0) >= HOUR_MS, 'must be a duration as 12h, 30d, of an hour at least')
    .default('30d'),
  DB_SSLMODE: z.enum(['disable', 'prefer', 'require', 'verify-ca', 'verify-full']).default('prefer'),
  DB_SSL_ROOT_CERT: z.string().optional(),
  DB_POOL_MIN_CONN: number(1, (n) => n.int().min(0)),
  DB_POOL_MAX_CONN: number(5, (n) => n.int().min(1)),
  DB_LOCK_TIMEOUT: seconds(5, (n) => n.positive()),
  DB_STATEMENT_TIMEOUT: seconds(60, (n) => n.positive()),
  SYNC_INTERVAL: seconds(30, (n) => n.positive()),
  MAX_RETRIES: number(5, (n) => n.int().min(0)),
  RETRY_BACKOFF_BASE: number(2, (n) => n.min(1)),
  DRY_RUN: flag,
  STATE_FILE: z.string().min(1).default('/tmp/users_state.json'),
  DELETION_POLICY: z.enum(['drop', 'disable', 'retain']).default('drop'),
  PASSWORD_PROBE: z.enum(['off', 'salt', 'login']).default('off'),
  DRAIN: z
    .string()
    .refine((text) => drainTime(text) !== undefined, 'must be «terminate», «keep» or a duration as 30s, 5m, 2h, 1d')
    .default('terminate'),
  MAX_DELETIONS: numeric((n) => n.int().min(0)).optional(),
  REVOKES: z.enum(['apply', 'report']).default('apply'),
  EVENT_TRIGGERS: z.enum(['auto', 'on', 'off']).default('auto'),
  MAX_OBJECTS: number(50_000, (n) => n.int().min(1000)),
  MAX_LISTENERS: number(10, (n) => n.int().min(0)),
  DRIFT_INTERVAL: seconds(5, (n) => n.min(0)),
  REASSIGN_TO: z.string().min(1).optional(),
  REASSIGN_TO_POWERFUL: z.string().min(1).optional(),
  MOVED_FROM: z
    .string()
    .regex(/^(\d{1,20}|unknown)$/, 'must be the system identifier of a server, or «unknown»')
    .optional(),
  GUARDRAILS_FILE: z.string().min(1).optional(),
  PROTECTED_ROLES: names,
  ALLOWED_ROLES: names,
  ALLOWED_SETTINGS: names,
  ALLOWED_EXTENSIONS: names,
  HTTP_HOST: z.string().min(1).default('0.0.0.0'),
  HTTP_PORT: number(8080, (n) => n.int().min(0).max(65535)),
  AUDIT_RETENTION: z
    .string()
    .refine((text) => text === 'forever' || (durationMs(text) ?? 0) >= DAY_MS, 'must be «forever» or a duration as 400d, of a day at least')
    .default('400d'),
  AUDIT_MAX_ROWS: number(1_000_000, (n) => n.int().min(10_000)),
  AUDIT_MAX_REVISIONS: number(200, (n) => n.int().min(1).max(10_000)),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  LOG_FORMAT: z.enum(['auto', 'text', 'json']).default('auto'),
});

/** All settings by their names in the environment; numbers in the unit that the reference page gives (seconds for times). */
export type Settings = Readonly<z.output<typeof schema>>;

/** All settings, grouped by who takes them. */
export interface Config extends ReturnType<typeof configOf> {
  /** Where several servers are declared; undefined: DB_* say which one there is. */
  readonly fleet: FleetSettings | undefined;
}

/** The ConfigMap that declares servers, and what holds for all of them. */
export interface FleetSettings {
  readonly configMapName: string;
  readonly settings: Settings;
  readonly guardrails: GuardrailsFile;
}

/** Every name that the environment may set, in the order of the reference page; a test holds the docs to it. */
export const SETTINGS: readonly string[] = Object.keys(schema.shape);

/** A bad environment: one message with every bad value in it, values of secrets left out. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The settings as every part takes them. @throws ConfigError naming every setting that is wrong. */
export function readConfig(env: Environment): Config {
  const settings = readSettings(env);
  const guardrails = withFile(settings.GUARDRAILS_FILE, () => createGuardrailsFile(settings.GUARDRAILS_FILE));
  const configMapName = settings.SERVERS_CONFIGMAP;
  return { ...configOf(settings, guardrails), fleet: configMapName === undefined ? undefined : { configMapName, settings, guardrails } };
}

/**
 * What must never be, whatever a document says.
 * @throws ConfigError where it is not all to be had: without it everything would be done.
 */
export const operatorGuardrails = (path: string | undefined): readonly Guardrail[] =>
  path === undefined || path === '' ? [] : withFile(path, () => readGuardrailsFile(path));

function withFile<T>(path: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof GuardrailsFileError ? new ConfigError(`GUARDRAILS_FILE=${path}: ${error.message}`) : error;
  }
}

/**
 * Reads the settings. An empty value counts as unset, as Kubernetes manifests often leave one.
 * @throws ConfigError naming every setting that is wrong.
 */
export function readSettings(env: Environment): Settings {
  const set = Object.fromEntries(SETTINGS.flatMap((name) => (env[name] === undefined || env[name] === '' ? [] : [[name, env[name]]])));
  const result = schema.safeParse(set);
  const problems = result.success ? [] : result.error.issues.map((issue) => describe(issue, set));
  if (result.success) {
    const { DB_POOL_MIN_CONN: min, DB_POOL_MAX_CONN: max, DB_SSLMODE: mode, DB_SSL_ROOT_CERT: root } = result.data;
    if (min > max) problems.push(`DB_POOL_MIN_CONN=${min} is larger than DB_POOL_MAX_CONN=${max}`);
    if (root !== undefined && mode === 'disable') problems.push('DB_SSL_ROOT_CERT is set but DB_SSLMODE=disable never uses it');
    const { DB_PASS: password, DB_PASS_FILE: file } = result.data;
    if (password !== undefined && file !== undefined && result.data.ADMIN_ROTATION === 'off')
      problems.push(`DB_PASS and DB_PASS_FILE=${file} are both set, and only one of them can be meant`);
    const { ADMIN_ROTATION: rotation, ADMIN_SECRET: secret, SOURCE: source } = result.data;
    if (rotation === 'on' && secret === undefined) problems.push('ADMIN_ROTATION=on needs ADMIN_SECRET, the Secret that holds the password of DB_USER');
    if (rotation === 'on' && result.data.SERVERS_CONFIGMAP !== undefined)
      problems.push('ADMIN_ROTATION=on is about one server, and SERVERS_CONFIGMAP declares several: say `adminRotation: on` in the `policy` of each');
    if (rotation === 'on' && source !== 'kubernetes')
      problems.push(`ADMIN_ROTATION=on needs SOURCE=kubernetes and not ${source}: nothing else can be written to`);
    if (problems.length === 0) return result.data;
  }
  throw new ConfigError(`the environment has ${problems.length} bad setting(s): ${problems.join('; ')}`);
}

function describe(issue: z.core.$ZodIssue, set: Record<string, string | undefined>): string {
  const name = String(issue.path[0]);
  const value = name === 'DB_PASS' ? '…' : set[name];
  return `${name}=${value}: ${issue.message}`;
}

/** The settings by who takes them. */
export function configOf(set: Settings, file: GuardrailsFile) {
  const source = `${set.NAMESPACE}/${set.CONFIGMAP_NAME}`;
  const renewal = guardrailsInForce(set.GUARDRAILS_FILE, file);
  return {
    dryRun: set.DRY_RUN,
    log: { level: set.LOG_LEVEL, format: set.LOG_FORMAT },
    interval: set.SYNC_INTERVAL,
    driftInterval: set.DRIFT_INTERVAL,
    watch: set.WATCH,
    statusConfigMap: set.STATUS_CONFIGMAP,
    replicas: { isOn: set.REPLICAS === 'on', name: set.REPLICA_NAME },
    maxListeners: set.MAX_LISTENERS,
    maxObjects: set.MAX_OBJECTS,
    stateFile: set.STATE_FILE,
    passwordProbe: set.PASSWORD_PROBE,
    retry: { retries: set.MAX_RETRIES, base: set.RETRY_BACKOFF_BASE },
    audit: { retention: set.AUDIT_RETENTION, maxRows: set.AUDIT_MAX_ROWS, maxRevisions: set.AUDIT_MAX_REVISIONS },
    http: { host: set.HTTP_HOST, port: set.HTTP_PORT },
    source: {
      id: source,
      directory: set.SOURCE.startsWith('dir:') ? set.SOURCE.slice('dir:'.length) : undefined,
      namespace: set.NAMESPACE,
      configMapName: set.CONFIGMAP_NAME,
      kubeconfig: set.KUBECONFIG,
      secretAccess: set.SECRET_ACCESS,
      secretReadsPerCycle: set.SECRET_READS_PER_CYCLE,
      secretsSelector: undefined as Readonly<Record<string, string>> | undefined,
      reservedSecrets: undefined as (() => ReadonlySet<string>) | undefined,
    },
    server: {
      host: set.DB_HOST,
      port: set.DB_PORT,
      tls: { mode: set.DB_SSLMODE, rootCert: set.DB_SSL_ROOT_CERT },
      user: set.DB_USER,
      password: set.DB_PASS,
      passwordFile: set.DB_PASS_FILE,
      adminDatabase: set.DB_NAME,
      sessions: { min: set.DB_POOL_MIN_CONN, max: set.DB_POOL_MAX_CONN },
      timeouts: { statementTimeout: set.DB_STATEMENT_TIMEOUT, lockTimeout: set.DB_LOCK_TIMEOUT },
    },
    connectionSecrets: {
      host: set.CONNECTION_HOST ?? set.DB_HOST,
      port: set.CONNECTION_PORT ?? set.DB_PORT,
      sslmode: set.CONNECTION_SSLMODE ?? set.DB_SSLMODE,
    },
    adminRotation: {
      isOn: set.ADMIN_ROTATION === 'on',
      every: durationMs(set.ADMIN_ROTATION_EVERY) ?? Number.POSITIVE_INFINITY,
      secret: { namespace: set.NAMESPACE, ...(parseAdminSecret(set.ADMIN_SECRET ?? '') ?? { name: '', key: '' }) },
    },
    policy: {
      ...policyOf(set, source),
      get guardrails(): readonly Guardrail[] {
        return renewal.guardrails;
      },
      renewal,
    },
  };
}

/** What is in force for one server: the same for as long as one of its cycles takes. */
function guardrailsInForce(path: string | undefined, file: GuardrailsFile) {
  let now = file.last;
  return {
    get guardrails(): readonly Guardrail[] {
      return now.guardrails;
    },
    get version(): string {
      return now.version;
    },
    renew: (): string | undefined => {
      now = file.look();
      return now.problem === undefined
        ? undefined
        : `GUARDRAILS_FILE=${path ?? ''} is not used as it is now, and the guardrails that were read before stay in force: ${now.problem}`;
    },
  };
}

/** What a plan may do. @param source `namespace/name` of the document. */
const policyOf = (set: Settings, source: string) => ({
  revokes: set.REVOKES,
  triggers: set.EVENT_TRIGGERS,
  law: {
    source,
    adminLogin: set.DB_USER,
    protectedRoles: new Set(set.PROTECTED_ROLES),
    allowedRoles: new Set(set.ALLOWED_ROLES),
    allowedExtensions: new Set(set.ALLOWED_EXTENSIONS),
    allowedSettings: new Set(set.ALLOWED_SETTINGS.map((name) => name.toLowerCase())),
  },
  removal: {
    source,
    policy: set.DELETION_POLICY,
    maxDeletions: set.MAX_DELETIONS,
    reassignTo: set.REASSIGN_TO,
    reassignToPowerful: set.REASSIGN_TO_POWERFUL,
    drain: set.DRAIN,
  },
  defaultDatabase: set.DB_NAME,
  movedFrom: set.MOVED_FROM,
});
