// Environment → Config: every setting with its default and its check, and every bad value in one message.
import { z } from 'zod';
import { parseAdminSecret } from './core/admin-secret.ts';
import { drainTime } from './core/drain.ts';
import { durationMs } from './core/duration.ts';

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
  SECRET_ACCESS: z.enum(['auto', 'get', 'list']).default('auto'),
  SECRET_READS_PER_CYCLE: number(600, (n) => n.int().min(1)),
  WATCH: z.enum(['on', 'off']).default('on'),
  CONNECTION_HOST: z.string().min(1).optional(),
  CONNECTION_PORT: numeric((n) => n.int().min(1).max(65535)).optional(),
  CONNECTION_SSLMODE: z.enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']).optional(),
  STATUS_CONFIGMAP: z.enum(['on', 'off']).default('on'),
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
  DB_LOCK_TIMEOUT: number(5, (n) => n.positive()),
  DB_STATEMENT_TIMEOUT: number(60, (n) => n.positive()),
  SYNC_INTERVAL: number(30, (n) => n.positive()),
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
  MAX_LISTENERS: number(10, (n) => n.int().min(0)),
  DRIFT_INTERVAL: number(5, (n) => n.min(0)),
  REASSIGN_TO: z.string().min(1).optional(),
  PROTECTED_ROLES: names,
  ALLOWED_ROLES: names,
  ALLOWED_SETTINGS: names,
  HTTP_HOST: z.string().min(1).default('0.0.0.0'),
  HTTP_PORT: number(8080, (n) => n.int().min(0).max(65535)),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

/** All settings, by their environment names; numbers in the unit that the reference page gives (seconds for times). */
export type Config = Readonly<z.output<typeof schema>>;

/** Every name that the environment may set, in the order of the reference page; a test holds the docs to it. */
export const SETTINGS: readonly string[] = Object.keys(schema.shape);

/** A bad environment: one message with every bad value in it, values of secrets left out. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the settings. An empty value counts as unset, as Kubernetes manifests often leave one.
 * @throws ConfigError naming every setting that is wrong.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const set = Object.fromEntries(SETTINGS.flatMap((name) => (env[name] === undefined || env[name] === '' ? [] : [[name, env[name]]])));
  const result = schema.safeParse(set);
  const problems = result.success ? [] : result.error.issues.map((issue) => describe(issue, set));
  if (result.success) {
    const { DB_POOL_MIN_CONN: min, DB_POOL_MAX_CONN: max, DB_SSLMODE: mode, DB_SSL_ROOT_CERT: root } = result.data;
    if (min > max) problems.push(`DB_POOL_MIN_CONN=${min} is larger than DB_POOL_MAX_CONN=${max}`);
    if (root !== undefined && mode === 'disable') problems.push('DB_SSL_ROOT_CERT is set but DB_SSLMODE=disable never uses it');
    const { ADMIN_ROTATION: rotation, ADMIN_SECRET: secret, SOURCE: source } = result.data;
    if (rotation === 'on' && secret === undefined) problems.push('ADMIN_ROTATION=on needs ADMIN_SECRET, the Secret that holds the password of DB_USER');
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
