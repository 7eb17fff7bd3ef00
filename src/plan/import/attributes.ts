// What an entry says of a role beside memberships and privileges; what it cannot say it leaves out, and then it stays as it is.
import { nameProblem, parameterProblem, textProblem } from '../../document/names.ts';
import { readValidUntil } from '../../document/valid-until.ts';
import type { Written } from '../../document/write-yaml.ts';
import { ALL_DATABASES, type Role, type SettingMap } from '../../model/cluster.ts';
import { LIMITS } from '../../model/limits.ts';

export interface Attributes {
  readonly said: ReadonlyMap<string, Written>;
  /** What is left out, with the reason. */
  readonly unsaid: readonly string[];
}

/** The comment alone: all that an entry of `roles` says. */
export function commentOf({ comment }: Role): Attributes {
  if (comment === null) return { said: new Map(), unsaid: [] };
  const problem = comment.length > LIMITS.comment ? `has more than ${LIMITS.comment} characters` : textProblem(comment);
  return problem === undefined
    ? { said: new Map([['comment', comment]]), unsaid: [] }
    : { said: new Map(), unsaid: [`its comment ${problem}; it is left out, and stays`] };
}

/**
 * What an entry of `users` says.
 * @param homes its databases: sessions there may begin as another role.
 */
export function attributesOf(role: Role, homes: readonly string[]): Attributes {
  const said = new Map<string, Written>();
  const unsaid: string[] = [];
  const comment = commentOf(role);
  const assumed = assumedRole(role, homes);
  if (assumed !== undefined) said.set('assumeRole', assumed);
  if (role.connectionLimit !== -1) said.set('connectionLimit', role.connectionLimit);
  if (role.validUntil !== null) {
    if (readValidUntil(role.validUntil) === role.validUntil) said.set('validUntil', role.validUntil);
    else unsaid.push('its VALID UNTIL is no moment that a document can say; it is left out, and stays');
  }
  const own = role.settings.get(ALL_DATABASES);
  if (own !== undefined && own.size > 0) {
    const problem = settingsProblem(own);
    if (problem === undefined) said.set('settings', new Map(own));
    else unsaid.push(`its settings are left out, and stay: ${problem}`);
  }
  const inDatabases = [...role.settings]
    .filter(([database]) => database !== ALL_DATABASES)
    .map(([database, values]) => [database, assumed === undefined ? values : withoutRole(values)] as const);
  const told = inDatabases.filter(([, values]) => values.size > 0);
  if (told.length > 0) {
    const problem = told.map(([database, values]) => nameProblem(database, 'database') ?? settingsProblem(values)).find((one) => one !== undefined);
    if (problem === undefined) said.set('databaseSettings', new Map(told.map(([database, values]): [string, Written] => [database, new Map(values)])));
    else unsaid.push(`its settings in databases are left out, and stay: ${problem}`);
  }
  return { said: new Map([...comment.said, ...said]), unsaid: [...comment.unsaid, ...unsaid] };
}

/** The one role that its sessions begin as, in all of its databases and in no other. */
function assumedRole(role: Role, homes: readonly string[]): string | undefined {
  const begun = [...role.settings].flatMap(([database, values]) =>
    database !== ALL_DATABASES && values.has('role') ? [[database, values.get('role')] as const] : [],
  );
  const [first] = begun;
  if (first === undefined || begun.length !== homes.length) return undefined;
  return begun.every(([database, value]) => homes.includes(database) && value === first[1]) ? first[1] : undefined;
}

const withoutRole = (values: SettingMap): SettingMap => new Map([...values].filter(([name]) => name !== 'role'));

function settingsProblem(values: SettingMap): string | undefined {
  for (const [name, value] of values) {
    if (name === 'role' || name === 'session_authorization') return `the parameter ${name} cannot be set by a document`;
    const problem = parameterProblem(name) ?? textProblem(value);
    if (problem !== undefined) return problem;
    if (value.length > LIMITS.settingLength) return `the value of ${name} has more than ${LIMITS.settingLength} characters`;
  }
  return undefined;
}
