// One entry of `users`: its schema, and the entry that a valid one becomes.
import { z } from 'zod';
import { derivedSecretName, isSecretName, refuseName, refuseRoleName, refuseUserName } from './names.ts';
import type { Position, RoleEntry, Settings, UserEntry } from './types.ts';

const text = z.string({ error: (issue) => (issue.input === undefined ? 'is missing' : `must be text${isScalar(issue.input) ? '; put it in quotes' : ''}`) });
const isScalar = (value: unknown): boolean => value === null || ['number', 'boolean', 'bigint'].includes(typeof value);

const named = (refuse: (name: string) => string | undefined) =>
  text.superRefine((name, context) => {
    const reason = refuse(name);
    if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
  });
const databaseName = named(refuseName);
const roleName = named(refuseRoleName);

const roleEntry = z.union(
  [roleName, z.strictObject({ name: roleName, admin: z.boolean().optional(), inherit: z.boolean().optional(), set: z.boolean().optional() })],
  { error: 'must be the name of a role, or {name, admin, inherit, set}' },
);

/** A day or a moment; without a zone it is UTC. */
const moment = text.transform((value, context): string | null => {
  if (value === 'infinity') return null;
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\s*(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/.exec(value);
  const [, year, month, day, time = '00:00', zone = 'Z'] = match ?? [];
  const offset = /^[+-]\d\d$/.test(zone) ? `${zone}:00` : /^[+-]\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase();
  const date = new Date(match === null ? Number.NaN : `${year}-${month}-${day}T${time}${offset}`);
  const isRealDay = match !== null && new Date(`${year}-${month}-${day}T00:00Z`).getUTCDate() === Number(day);
  if (Number.isNaN(date.getTime()) || !isRealDay) {
    context.addIssue({ code: 'custom', message: 'is no moment; write 2027-01-31, 2027-01-31T12:00:00Z or infinity' });
    return z.NEVER;
  }
  return date.toISOString();
});

const scalar = z.union([z.string(), z.number(), z.boolean()], { error: 'must be text, a number or a boolean' });
const settingText = (value: string | number | boolean): string => (typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value));

const settings = z
  .record(z.string(), z.union([scalar, z.array(scalar)], { error: 'must be a value or a list of values' }), { error: 'must be a mapping of parameters' })
  .transform((values, context): Settings => {
    const result = new Map<string, string>();
    for (const [name, value] of Object.entries(values)) {
      const lower = name.toLowerCase();
      const settingValue = Array.isArray(value) ? value.map(listElement).join(', ') : settingText(value);
      const problem = refuseSettingName(name, lower) ?? (settingValue.includes('\0') ? 'must not contain NUL' : result.has(lower) ? 'is set twice' : undefined);
      if (problem === undefined) result.set(lower, settingValue);
      else context.addIssue({ code: 'custom', message: problem, path: [name] });
    }
    return result;
  });

const listElement = (value: string | number | boolean): string => {
  const element = settingText(value);
  return /^[a-z_][a-z0-9_$]*$/.test(element) || /^".*"$/s.test(element) ? element : `"${element.replaceAll('"', '""')}"`;
};

function refuseSettingName(name: string, lower: string): string | undefined {
  if (!/^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)*$/i.test(name) || name.length > 63) return 'is no name of a parameter';
  return lower === 'role' || lower === 'session_authorization' ? 'would change who the user is, and cannot be set here' : undefined;
}

const fields = {
  username: named(refuseUserName),
  database: databaseName.nullish(),
  databases: z.array(databaseName, { error: 'must be a list of databases' }).nullish(),
  roles: z.array(roleEntry, { error: 'must be a list of roles' }).nullish(),
  privileges: z.record(z.string(), z.array(z.string()), { error: 'must be a mapping of objects to lists of privileges' }).nullish(),
  passwordSecretRef: z
    .strictObject({
      name: text.refine(isSecretName, 'is no name of a Secret'),
      key: text.regex(/^[-._a-zA-Z0-9]{1,253}$/, 'is no key of a Secret').default('password'),
    })
    .optional(),
  connectionLimit: z
    .number({ error: 'must be a whole number' })
    .int('must be a whole number')
    .min(-1, 'must be -1 (no limit) or more')
    .max(2_147_483_647, 'is too large')
    .optional(),
  validUntil: moment.optional(),
  settings: settings.nullish(),
  databaseSettings: z
    .record(z.string(), settings, { error: 'must be a mapping of databases' })
    .superRefine((value, context) => {
      for (const name of Object.keys(value)) {
        const reason = refuseName(name);
        if (reason !== undefined) context.addIssue({ code: 'custom', message: reason, path: [name] });
      }
    })
    .nullish(),
  comment: text
    .refine((value) => !value.includes('\0') && value.isWellFormed(), 'must not contain NUL')
    .nullable()
    .optional(),
  login: z.boolean({ error: 'must be true or false' }).optional(),
  deletionPolicy: z.enum(['drop', 'disable', 'retain'], { error: 'must be drop, disable or retain' }).optional(),
};

/** The schema of an entry, before positions are known. */
export const userSchema = z.strictObject(fields, {
  error: (issue) => (issue.code === 'invalid_type' ? 'must be a mapping with at least a username' : undefined),
});
/** Keys by the path under which they may stand, for suggestions; '' is the entry itself. */
export const KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ['', Object.keys(fields)],
  ['roles', ['name', 'admin', 'inherit', 'set']],
  ['passwordSecretRef', ['name', 'key']],
]);

/** The entry that a valid value stands for. `roleAt` answers where a role of the list stands. */
export function toEntry(value: z.output<typeof userSchema>, position: Position, roleAt: (index: number) => Position): UserEntry {
  const roles = new Map<string, RoleEntry>();
  for (const [index, role] of (value.roles ?? []).entries()) {
    const entry = typeof role === 'string' ? { name: role, position: roleAt(index) } : { ...role, position: roleAt(index) };
    if (!roles.has(entry.name)) roles.set(entry.name, entry);
  }
  return {
    username: value.username,
    database: value.database ?? undefined,
    databases: value.databases ?? [],
    roles: [...roles.values()],
    secret: value.passwordSecretRef ?? { name: derivedSecretName(value.username), key: 'password' },
    secretIsDerived: value.passwordSecretRef === undefined,
    login: value.login ?? true,
    connectionLimit: value.connectionLimit,
    validUntil: value.validUntil,
    settings: value.settings ?? undefined,
    databaseSettings: value.databaseSettings === undefined || value.databaseSettings === null ? undefined : new Map(Object.entries(value.databaseSettings)),
    comment: value.comment,
    deletionPolicy: value.deletionPolicy,
    position,
  };
}
